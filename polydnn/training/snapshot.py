"""The whole state of a fit as plain values and host arrays, and back: what a checkpoint holds."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from polydnn.errors import CheckpointError
from polydnn.execution.plan import OptimizerState
from polydnn.training.batches import Rows
from polydnn.training.callbacks import Callback
from polydnn.training.history import History
from polydnn.training.progress import Progress

if TYPE_CHECKING:
    from polydnn.training.trainer import Trainer

__all__ = ["Snapshot", "fingerprint", "restore", "take_snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """A fit at the end of one of its steps: ``values`` are numbers and texts, ``arrays`` host arrays by name."""

    values: dict[str, Any]
    arrays: dict[str, np.ndarray[Any, Any]]


def take_snapshot(trainer: "Trainer") -> Snapshot:
    """The state of ``trainer`` as it is; raises CheckpointError where no fit has begun.

    Parameters, statistics and optimizer state, the counters and sums of the epoch under way, the history, and what the
    callbacks keep. Random streams have no state of their own: the seed and the step's number are their place.
    """
    progress = trainer.progress
    if progress is None:
        msg = "there is nothing to save yet: the trainer has not begun a fit."
        raise CheckpointError(msg)
    to_numpy = trainer.network.backend.to_numpy
    arrays = {f"network/{name}": to_numpy(array) for name, array in trainer.network.arrays.items()}
    for name, state in trainer.optimizer_state.items():
        arrays |= {f"optimizer/{name}/{slot}": to_numpy(array) for slot, array in state.items()}
    arrays["progress/loss_sum"] = np.asarray(progress.loss_sum)
    arrays["progress/mass"] = np.asarray(progress.mass)
    columns = trainer.history.columns
    arrays |= {f"history/{name}": np.asarray(_column(trainer.history, name)) for name in columns}
    arrays |= {f"present/{name}": np.asarray(_present(trainer.history, name)) for name in columns}
    callbacks = []
    for index, callback in enumerate(_with_state(trainer)):
        values, kept = callback.state()
        callbacks.append({"type": type(callback).__name__, "values": values})
        arrays |= {f"callback/{index}/{name}": to_numpy(array) for name, array in kept.items()}
    values = {
        "progress": progress.numbers(),
        "normalized": trainer.network.normalized,
        "stop_requested": trainer.stop_requested,
        "callbacks": callbacks,
        "history": columns,
        "data": trainer.data_fingerprint,
    }
    return Snapshot(values, arrays)


def restore(trainer: "Trainer", snapshot: Snapshot) -> None:
    """Put ``trainer`` where the snapshot was taken; its network, optimizer and callbacks must be of the same make."""
    backend, values = trainer.network.backend, snapshot.values
    arrays = {name: backend.asarray(array) for name, array in snapshot.arrays.items()}
    network = _below(arrays, "network/")
    if {name: array.shape for name, array in network.items()} != {
        name: array.shape for name, array in trainer.network.arrays.items()
    }:
        msg = "the checkpoint's arrays are not those of the network it describes."
        raise CheckpointError(msg)
    trainer.network.replace_arrays({name: network[name] for name in trainer.network.arrays})
    trainer.network.normalized = values["normalized"]
    state: OptimizerState = {name: _below(arrays, f"optimizer/{name}/") for name in trainer.network.parameter_names}
    trainer.history = _history(values["history"], snapshot.arrays)
    loss_sum = float(snapshot.arrays["progress/loss_sum"])
    mass = float(snapshot.arrays["progress/mass"])
    progress = Progress.from_numbers(values["progress"], loss_sum, mass)
    _restore_callbacks(trainer, values["callbacks"], arrays)
    trainer.continue_from(progress, state, values["data"], stop_requested=values["stop_requested"])


def fingerprint(trainer: "Trainer", rows: Rows, validation: Rows | None) -> str:
    """A digest of the training and validation rows as they lie on the device, in the terms of the network."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (rows, validation):
        for array in () if part is None else (part.x, part.y, part.metric_y, part.weights):
            if array is not None:
                host = np.ascontiguousarray(trainer.network.backend.to_numpy(array))
                digest.update(f"{host.dtype.str}{host.shape}".encode())
                digest.update(host.reshape(-1).view(np.uint8).data if host.size else b"")
        digest.update(b"|")
    return digest.hexdigest()


def _column(history: History, name: str) -> list[float]:
    return [row.get(name, float("nan")) for row in history.rows]


def _present(history: History, name: str) -> list[bool]:
    """In which rows a column stands: a second fit may have metrics or validation rows that the first had not."""
    return [name in row for row in history.rows]


def _history(columns: list[str], arrays: Mapping[str, np.ndarray[Any, Any]]) -> History:
    table = {name: (arrays[f"history/{name}"], arrays[f"present/{name}"]) for name in columns}
    count = len(arrays[f"history/{columns[0]}"]) if columns else 0
    return History(
        [
            {name: values[row].item() for name, (values, present) in table.items() if present[row]}
            for row in range(count)
        ]
    )


def _restore_callbacks(trainer: "Trainer", kept: list[dict[str, Any]], arrays: Mapping[str, Any]) -> None:
    with_state = _with_state(trainer)
    found = [type(callback).__name__ for callback in with_state]
    wanted = [each["type"] for each in kept]
    if found != wanted:
        msg = f"the checkpoint was taken with the callbacks {wanted}, the trainer has {found}; give the same ones."
        raise CheckpointError(msg)
    for index, (callback, each) in enumerate(zip(with_state, kept, strict=True)):
        callback.restore(each["values"], _below(arrays, f"callback/{index}/"))


def _with_state(trainer: "Trainer") -> list[Callback]:
    """The callbacks that have something to remember; progress bars and listeners come and go."""
    return [callback for callback in trainer.callbacks if type(callback).state is not Callback.state]


def _below(arrays: Mapping[str, Any], start: str) -> dict[str, Any]:
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}
