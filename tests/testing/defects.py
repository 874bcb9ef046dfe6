"""The public table of planted defects: for every check an item with one mistake that it, and it alone, must name."""

from tests.testing.activation_defects import ACTIVATION_DEFECTS
from tests.testing.executor_defects import EXECUTOR_DEFECTS
from tests.testing.loss_defects import LOSS_DEFECTS
from tests.testing.optimizer_defects import OPTIMIZER_DEFECTS
from tests.testing.other_defects import INITIALIZER_DEFECTS, METRIC_DEFECTS
from tests.testing.planted import Defect

__all__ = ["DEFECTS"]

DEFECTS: tuple[Defect, ...] = (
    *ACTIVATION_DEFECTS,
    *LOSS_DEFECTS,
    *OPTIMIZER_DEFECTS,
    *INITIALIZER_DEFECTS,
    *METRIC_DEFECTS,
    *EXECUTOR_DEFECTS,
)
