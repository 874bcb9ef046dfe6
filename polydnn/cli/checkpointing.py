"""The checkpoints of a run: when they are written, and whether the newest belongs to what is to be resumed."""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polydnn.cli.item_text import Item
from polydnn.errors import CheckpointError
from polydnn.training import Callback

if TYPE_CHECKING:
    from polydnn import Trainer
    from polydnn.api.checkpoints import Checkpointer
    from polydnn.cli.experiment import Experiment
    from polydnn.datasets import Dataset
    from polydnn.training import Trainer as TrainerCore
    from polydnn.training.snapshot import Snapshot
    from polydnn.types import Array

__all__ = ["CHECKPOINTS", "Found", "Saver", "Saving", "configuration_of", "find_checkpoint"]

CHECKPOINTS = "checkpoints"
"""The folder of a run's checkpoints, inside the run's folder."""

PLACES = ("dataset", "folder")
"""Where data lie is no part of a run, as long as they are the same data."""


@dataclass(frozen=True)
class Saving:
    """When checkpoints are written (never before the end of an interrupted run where ``every`` is None)."""

    every: int | None
    keep: int
    on_failure: str


def configuration_of(experiment: "Experiment", trainer: "Trainer", dataset: "Dataset") -> dict[str, Any]:
    """What a run is, by the names of the options, in plain values; runs that agree in it give the same bits."""
    from polydnn.api.checkpoints import describe_trainer

    settled = vars(experiment) | {"learning_rate": trainer.learning_rate}
    parts = describe_trainer(trainer)["components"]
    return {
        **{name: _plain(value) for name, value in settled.items()},
        "plugins": sorted(f"{part['distribution']} {part['version']}" for part in parts),
        "training_rows": len(dataset.train),
        "data": _fingerprint(dataset),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Item):
        return str(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _fingerprint(dataset: "Dataset") -> str:
    """A digest of the training rows as they were read."""
    digest = hashlib.blake2b(digest_size=8)
    for array in (dataset.train.x, dataset.train.y):
        host = np.ascontiguousarray(array)
        digest.update(f"{host.dtype.str}{host.shape}".encode())
        digest.update(host.reshape(-1).view(np.uint8).data if host.size else b"")
    return digest.hexdigest()


@dataclass(frozen=True)
class Found:
    """A checkpoint that was read: its path, the configuration of its run, and the state of its fit."""

    path: Path
    configuration: Mapping[str, Any]
    snapshot: "Snapshot"

    def refuse_differences(self, here: Mapping[str, Any]) -> None:
        """Raise CheckpointError, a line for every difference, unless it is of the configuration ``here``."""
        there = self.configuration
        same_data = there.get("data") == here["data"]
        lines = [
            f"  {key}: there {there.get(key, 'unknown')}, here {here.get(key, 'unknown')}"
            for key in {**there, **here}
            if there.get(key) != here.get(key) and not (same_data and key in PLACES)
        ]
        if lines:
            text = "\n".join(lines)
            msg = (
                f"{self.path} belongs to another run:\n{text}\nLeave the options out that differ (the run's "
                f"experiment.toml has its own), give the same data, or train anew in another --output."
            )
            raise CheckpointError(msg)


def find_checkpoint(folder: Path) -> Found | None:
    """The newest readable checkpoint of the run in ``folder``, None where there is none yet.

    A damaged one is passed over with a warning. Raises CheckpointError where none can be read or where it was not
    written by this command.
    """
    from polydnn.storage import CheckpointFolder
    from polydnn.training.snapshot import Snapshot

    if not (folder / CHECKPOINTS).is_dir():
        return None
    with CheckpointFolder(folder / CHECKPOINTS) as checkpoints:
        newest = checkpoints.latest()
    if newest is None:
        return None
    path, description, arrays = newest
    if not isinstance(description.get("configuration"), dict) or not isinstance(description.get("state"), dict):
        msg = f"{path} was not written by polydnn train; go on with polydnn.Trainer.resume from Python."
        raise CheckpointError(msg)
    return Found(path, description["configuration"], Snapshot(description["state"], arrays))


class Saver(Callback):
    """Writes the checkpoints of a run; without ``every``, only the one of an interrupted run."""

    def __init__(self, folder: Path, saving: Saving, configuration: Mapping[str, Any], best: float) -> None:
        self.folder = folder / CHECKPOINTS
        self._saving, self._configuration, self._best = saving, configuration, best
        self._writer: Checkpointer | None = None
        if saving.every is not None:
            self._open()

    @property
    def written(self) -> Path | None:
        """The last checkpoint that was written."""
        return None if self._writer is None else self._writer.written

    def steps_until_call(self, trainer: "TrainerCore") -> int:
        return sys.maxsize if self._writer is None else self._writer.steps_until_call(trainer)

    def on_step_end(self, trainer: "TrainerCore", loss: "Array") -> None:
        if self._writer is not None or trainer.interrupted:
            self._open().on_step_end(trainer, loss)

    def on_epoch_end(self, trainer: "TrainerCore", logs: Mapping[str, Any]) -> None:
        if self._writer is not None or trainer.interrupted:
            self._open().on_epoch_end(trainer, logs)

    def close(self) -> None:
        """Give the folder free."""
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> "Checkpointer":
        from polydnn.api.checkpoints import Checkpointer

        if self._writer is None:
            given = asdict(self._saving) | {"every": self._saving.every or sys.maxsize}
            self._writer = Checkpointer(self.folder, configuration=self._configuration, **given)
            self._writer.best = self._best
        return self._writer
