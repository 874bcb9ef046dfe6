"""The measured time to a target loss at each batch size, to be set beside the predicted one."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from polydnn.training import Trainer
from polydnn.training.weights import ClassWeight

__all__ = ["SCALINGS", "Scaling", "validate"]

Scaling: TypeAlias = Literal["none", "linear", "square root"]

SCALINGS = ("none", "linear", "square root")


def validate(
    trainer: Trainer,
    x: object,
    y: object,
    *,
    sizes: Sequence[int],
    target_loss: float | None = None,
    scaling: Scaling = "none",
    factors: Sequence[float] = (1.0,),
    seeds: Sequence[int] = (0, 1, 2),
    budget: float = 120.0,
    give_up: float = 4.0,
    sample_weight: object | None = None,
    class_weight: ClassWeight | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Train fresh copies of ``trainer`` to ``target_loss`` at each of ``sizes``; the record's ``validation``.

    ``x`` and ``y`` (with weights) are what its ``fit`` takes. ``scaling`` says how the learning rate follows from the
    trainer's own batch size. ``budget`` is seconds of wall clock for all of it. ``report`` gets a line now and then.
    The trainer and its network stay as they are.
    """
    raise NotImplementedError
