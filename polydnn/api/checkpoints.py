"""Checkpoints of a trainer: what makes it again goes beside the state of its fit, into one file."""

import math
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polydnn.api.description import Custom, components_of, describe_item, describe_network, item_of
from polydnn.errors import CheckpointError, DivergenceError, InvalidArgumentError, StorageError
from polydnn.storage import CheckpointFolder, PolydnnStorageWarning, read_checkpoint, write_checkpoint
from polydnn.training import Callback
from polydnn.training import Trainer as TrainerCore
from polydnn.training.settings import SETTINGS
from polydnn.training.snapshot import Snapshot, take_snapshot
from polydnn.types import Array

__all__ = ["Checkpointer", "describe_trainer", "read_newest", "trainer_arguments", "write_snapshot"]


def describe_trainer(trainer: TrainerCore) -> dict[str, Any]:
    """The trainer in plain values: network, items with their options, and numbers; what ``resume`` makes it from."""
    items = [("loss", trainer.loss), ("optimizer", trainer.optimizer)]
    items += [("metric", metric) for metric in trainer.metrics]
    items += [("schedule", trainer.schedule)] if trainer.schedule is not None else []
    return {
        "network": describe_network(trainer.network),
        "components": components_of(trainer.network, *items),
        "loss": describe_item("loss", trainer.loss),
        "optimizer": describe_item("optimizer", trainer.optimizer),
        "schedule": None if trainer.schedule is None else describe_item("schedule", trainer.schedule),
        "metrics": [describe_item("metric", metric) for metric in trainer.metrics],
        **trainer.settings,
    }


def trainer_arguments(described: Mapping[str, Any], custom: Custom) -> dict[str, Any]:
    """The arguments that make the trainer again, its items made by the registry."""
    components = described["components"]
    schedule = described["schedule"]
    return {
        "loss": item_of(described["loss"], components, custom),
        "optimizer": item_of(described["optimizer"], components, custom),
        "schedule": None if schedule is None else item_of(schedule, components, custom),
        "metrics": [item_of(metric, components, custom) for metric in described["metrics"]],
        **{name: described[name] for name in SETTINGS},
    }


def snapshot_record(
    trainer: TrainerCore, configuration: Mapping[str, Any] | None = None
) -> tuple[int, dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """Step, description and arrays of the trainer as it stands; ``configuration`` goes along as it is."""
    snapshot = take_snapshot(trainer)
    step = 0 if trainer.progress is None else trainer.progress.step
    description = {"trainer": describe_trainer(trainer), "state": snapshot.values}
    if configuration is not None:
        description["configuration"] = dict(configuration)
    return step, description, snapshot.arrays


def write_snapshot(trainer: TrainerCore, path: str | Path) -> Path:
    """Write the state of ``trainer`` to one file, atomically."""
    write_checkpoint(path, *snapshot_record(trainer))
    return Path(path)


def read_newest(path: str | Path) -> tuple[Path, dict[str, Any], Snapshot]:
    """The checkpoint in a file, or the newest readable one of a folder.

    Raises CheckpointError naming the path where there is none.
    """
    path = Path(path)
    if path.is_dir():
        with CheckpointFolder(path) as folder:
            newest = folder.latest()
        if newest is None:
            msg = f"'{path}' holds no checkpoint; train with checkpoints first, or begin without resuming."
            raise CheckpointError(msg)
        path, description, arrays = newest
    else:
        description, arrays = read_checkpoint(path)
    try:
        return path, description["trainer"], Snapshot(description["state"], arrays)
    except KeyError as error:
        msg = f"'{path}' cannot be used as a checkpoint: its description lacks {error}."
        raise CheckpointError(msg) from None


class Checkpointer(Callback):
    """Writes a checkpoint every ``every`` steps, or after every epoch where that is None, and keeps the last ``keep``.

    The epoch with the lowest ``val_loss`` (``loss`` without validation rows) is kept as the best besides. Where the
    disk refuses, ``on_failure="stop"`` ends the fit with StorageError and ``"continue"`` warns and trains on; the
    checkpoints before are intact either way. Parameters that are not finite are never written. ``configuration``,
    plain values of the caller's own, is stored in every checkpoint.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        every: int | None = None,
        keep: int = 3,
        on_failure: str = "stop",
        configuration: Mapping[str, Any] | None = None,
    ) -> None:
        if every is not None and (isinstance(every, bool) or not isinstance(every, int) or every < 1):
            msg = f"checkpoint_every must be a whole number of steps of at least 1, found {every!r}."
            raise InvalidArgumentError(msg)
        if on_failure not in ("stop", "continue"):
            msg = f"on_storage_failure must be 'stop' or 'continue', found {on_failure!r}."
            raise InvalidArgumentError(msg)
        self.every = every
        self.folder = CheckpointFolder(folder, keep=keep)
        self.on_failure = on_failure
        self.configuration = configuration
        self.best = math.inf
        self.written: Path | None = None

    def steps_until_call(self, trainer: TrainerCore) -> int:
        """Up to the step whose checkpoint is due; a signal is noticed when a bundle ends."""
        assert trainer.progress is not None
        return sys.maxsize if self.every is None else self.every - trainer.progress.step % self.every

    def on_step_end(self, trainer: TrainerCore, loss: Array) -> None:
        progress = trainer.progress
        assert progress is not None
        if trainer.interrupted or (self.every is not None and progress.step % self.every == 0):
            self._write(trainer)

    def on_epoch_end(self, trainer: TrainerCore, logs: Mapping[str, Any]) -> None:
        value = float(logs.get("val_loss", logs["loss"]))
        best = value < self.best
        self.best = min(self.best, value)
        if best or self.every is None or trainer.interrupted:
            self._write(trainer, best=best)

    def close(self) -> None:
        """Give the folder free for another writer."""
        self.folder.close()

    def _write(self, trainer: TrainerCore, *, best: bool = False) -> None:
        step, description, arrays = snapshot_record(trainer, self.configuration)
        _refuse_nonfinite(arrays, step)
        try:
            self.written = self.folder.write(step, description, arrays, best=best)
        except StorageError as error:
            if self.on_failure == "stop":
                raise
            warnings.warn(f"{error} Training goes on without this checkpoint.", PolydnnStorageWarning, stacklevel=2)


def _refuse_nonfinite(arrays: Mapping[str, np.ndarray[Any, Any]], step: int) -> None:
    for name, array in arrays.items():
        if name.startswith(("network/", "optimizer/", "progress/")) and not np.isfinite(array).all():
            msg = (
                f"{name.partition('/')[2]} is not finite after step {step}; the last good checkpoint stays as it is. "
                f"Try a lower learning rate or clip_norm=1.0."
            )
            raise DivergenceError(msg)
