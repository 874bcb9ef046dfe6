"""The folder that a run leaves behind: the model, the experiment that made it, its history and its curves."""

import os
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from polydnn.cli.checkpointing import CHECKPOINTS
from polydnn.errors import InvalidArgumentError, StorageError
from polydnn.storage import CheckpointFolder, write_atomically
from polydnn.storage.atomic import remove_orphans

__all__ = [
    "CURVES",
    "EXPERIMENT",
    "HISTORY",
    "MODEL",
    "clear_run",
    "open_run_folder",
    "remove_if_empty",
    "write_text",
]

MODEL, EXPERIMENT, HISTORY, CURVES = "model.safetensors", "experiment.toml", "history.csv", "curves.png"
RUNS = Path("runs")


def open_run_folder(output: str | None, name: str, *, overwrite: bool, resume: bool = False) -> Path:
    """A folder that is there, can be written to, and holds no run yet, unless that may be overwritten or resumed.

    Without ``output`` it is a new one, ``runs/<name>-<time>``. Raises InvalidArgumentError for a folder with a run in
    it and StorageError where the disk refuses.
    """
    folder = _fresh(name) if output is None else Path(output).expanduser()
    found = [file for file in (MODEL, EXPERIMENT, HISTORY, CURVES, CHECKPOINTS) if (folder / file).exists()]
    if found and not (overwrite or resume):
        unfinished = "" if MODEL in found else "--resume to go on with it, "
        msg = (
            f"{folder} holds a run already ({', '.join(found)}); add {unfinished}--overwrite to replace it, "
            f"or choose another --output."
        )
        raise InvalidArgumentError(msg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        msg = f"the output folder {folder} cannot be made: {reason}. Choose another with --output."
        raise StorageError(msg) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"the output folder {folder} cannot be written to: no permission. Choose another with --output."
        raise StorageError(msg)
    remove_orphans(folder)  # half-written files of a run that was killed
    return folder


def clear_run(folder: Path) -> None:
    """Delete what an earlier run left in ``folder``, so that nothing of it is taken for the next one's.

    Raises StorageError where another process is writing checkpoints there.
    """
    if (folder / CHECKPOINTS).is_dir():
        with CheckpointFolder(folder / CHECKPOINTS) as checkpoints:
            checkpoints.discard_after(-1)
            (folder / CHECKPOINTS / "best.safetensors").unlink(missing_ok=True)
    for file in (MODEL, HISTORY, CURVES):
        (folder / file).unlink(missing_ok=True)


def remove_if_empty(folder: Path) -> None:
    """Take the folder of a run that failed away, and ``runs`` with it, where nothing lies in them."""
    with suppress(OSError):
        folder.rmdir()
        if folder.parent == RUNS:
            RUNS.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; raises StorageError."""
    write_atomically(path, [text.encode()])


def _fresh(name: str) -> Path:
    stamp = f"{Path(name).name.split('.')[0] or 'data'}-{datetime.now():%Y%m%d-%H%M%S}"
    names = (stamp if number == 1 else f"{stamp}-{number}" for number in count(1))
    return next(RUNS / each for each in names if not (RUNS / each).exists())
