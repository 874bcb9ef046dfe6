"""Ctrl-C and SIGTERM during a fit: the step is finished and saved before the program ends."""

import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from polydnn.training import Callback

if TYPE_CHECKING:
    from polydnn.training import Trainer
    from polydnn.types import Array

__all__ = ["Interruption", "exit_status"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def exit_status(name: str) -> int:
    """What a shell expects of a program that a signal ended: 130 after SIGINT, 143 after SIGTERM.

    >>> exit_status("SIGINT"), exit_status("SIGTERM")
    (130, 143)
    """
    return 128 + signal.Signals[name].value


class Interruption(Callback):
    """Notes a signal at once and tells the trainer at the end of the step or the epoch.

    The trainer is told from here and not from the handler, so that the callbacks after this one, of which one saves,
    all see the same. A second signal does not wait: it raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.received: str | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Catch the signals while the block runs, then give them back to whom they belonged."""
        if threading.current_thread() is not threading.main_thread():  # only the main thread may have handlers
            yield
            return
        before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
        with_bar = sys.stderr.isatty()
        click.echo(f"{chr(10) if with_bar else ''}{self.received}: finishing the step, then saving ...", err=True)

    def steps_until_call(self, trainer: "Trainer") -> int:
        return sys.maxsize  # bundles of steps are short

    def on_step_end(self, trainer: "Trainer", loss: "Array") -> None:
        trainer.interrupted = self.received

    def on_epoch_end(self, trainer: "Trainer", logs: Mapping[str, Any]) -> None:
        trainer.interrupted = self.received
