"""What may be called while a fit runs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polydnn.types import Array

if TYPE_CHECKING:
    from polydnn.training.history import History
    from polydnn.training.trainer import Trainer

__all__ = ["Callback"]


class Callback:
    """Override what you need; methods that are not overridden are never called.

    ``on_step_end`` is handed the step's loss as a 0-d array on the device: reading it there waits for the device.
    Setting ``trainer.stop_requested = True`` ends the fit after the step (from ``on_step_end``) or the epoch.
    Setting ``trainer.interrupted`` to a text, from a signal handler say, does so too but for good: the fit counts as
    broken off, ``on_fit_end`` is not called, and a checkpoint taken then goes on where it stopped.

    Steps run faster in bundles than one by one. A callback that need not see each of them says in ``steps_until_call``
    how many may pass before it has to be called.
    """

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Before the first step; the data are in place."""

    def on_step_end(self, trainer: "Trainer", loss: Array) -> None:
        """After every step, or bundle of steps; ``trainer.progress`` says which was the last, and ``loss`` is its."""

    def steps_until_call(self, trainer: "Trainer") -> int:
        """The most steps that may pass before the next ``on_step_end``; it may be called sooner. 1 unless overridden.

        A bundle lasts some hundredths of a second, or one step where that takes longer.
        """
        return 1

    def on_epoch_end(self, trainer: "Trainer", logs: Mapping[str, Any]) -> None:
        """After every epoch, with the row that was added to the history."""

    def on_fit_end(self, trainer: "Trainer", history: "History") -> None:
        """After the last epoch, also where a callback ended the fit; not after an error."""

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """What a checkpoint must hold of this callback: plain values, and arrays by name."""
        return {}, {}

    def restore(self, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """Take back what ``state`` gave."""
