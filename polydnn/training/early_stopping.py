"""Early stopping: the fit ends when a measure has stopped improving, with the best arrays it had."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polydnn.errors import InvalidArgumentError, did_you_mean
from polydnn.training.callbacks import Callback
from polydnn.types import Array

if TYPE_CHECKING:
    from polydnn.training.history import History
    from polydnn.training.trainer import Trainer

__all__ = ["EarlyStopping"]


class EarlyStopping(Callback):
    """Stop after ``patience`` epochs in which ``monitor`` did not improve by more than ``min_delta``.

    ``monitor`` is a column of the history: "val_loss" by default, or a metric, whose better direction the metric knows.
    With ``restore_best`` the network ends with the arrays of its best epoch. Every fit begins anew.
    Raises InvalidArgumentError for a patience below 1, a negative min_delta, and a monitor the history does not have.
    Source: Prechelt, *Early stopping, but when?*, 1998.
    """

    def __init__(
        self, monitor: str = "val_loss", *, patience: int = 10, min_delta: float = 0.0, restore_best: bool = True
    ) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            msg = f"EarlyStopping: patience must be a whole number of at least 1, found {patience!r}."
            raise InvalidArgumentError(msg)
        if not isinstance(min_delta, int | float) or not 0 <= min_delta < math.inf:
            msg = f"EarlyStopping: min_delta must be a finite number of at least 0, found {min_delta!r}."
            raise InvalidArgumentError(msg)
        self.monitor = monitor
        self.patience = patience
        self.min_delta = float(min_delta)
        self.restore_best = restore_best
        self.best: float | None = None
        self.best_epoch = 0
        self.waited = 0
        self.stopped_epoch: int | None = None
        self._best_arrays: dict[str, Array] = {}

    def on_fit_start(self, trainer: "Trainer") -> None:
        progress = trainer.progress
        if progress is not None and progress.step == progress.first_step:  # a new fit, and none that is resumed
            self.best, self.best_epoch, self.waited, self.stopped_epoch = None, 0, 0, None
            self._best_arrays = {}

        possible = trainer.columns
        if self.monitor not in possible:
            msg = (
                f"EarlyStopping: the history has no column {self.monitor!r}; it has {', '.join(possible)}."
                f"{did_you_mean(self.monitor, possible)}"
            )
            if self.monitor.startswith("val_"):
                msg += " Give fit validation_data or validation_fraction for the val_ columns."
            raise InvalidArgumentError(msg)

    def on_epoch_end(self, trainer: "Trainer", logs: Mapping[str, Any]) -> None:
        value = float(logs[self.monitor])
        if self._gain(value, trainer) > self.min_delta:
            self.best, self.best_epoch, self.waited = value, int(logs["epoch"]), 0
            if self.restore_best:
                self._best_arrays = trainer.network.arrays
        else:
            self.waited += 1
            if self.waited >= self.patience:
                self.stopped_epoch = int(logs["epoch"])
                trainer.stop_requested = True

    def on_fit_end(self, trainer: "Trainer", history: "History") -> None:
        if self._best_arrays:
            trainer.network.replace_arrays(self._best_arrays)

    def _gain(self, value: float, trainer: "Trainer") -> float:
        """By how much ``value`` is better than the best so far; NaN is better than nothing, worse than any number."""
        if self.best is None or (math.isnan(self.best) and not math.isnan(value)):
            return math.inf
        return value - self.best if self._higher_is_better(trainer) else self.best - value

    def _higher_is_better(self, trainer: "Trainer") -> bool:
        name = self.monitor.removeprefix("val_")
        return any(metric.name == name and metric.higher_is_better for metric in trainer.metrics)

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        values = {
            "monitor": self.monitor,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self.waited,
            "stopped_epoch": self.stopped_epoch,
        }
        return values, dict(self._best_arrays)

    def restore(self, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        self.best, self.best_epoch, self.waited = values["best"], values["best_epoch"], values["waited"]
        self.stopped_epoch = values["stopped_epoch"]
        self._best_arrays = dict(arrays)
