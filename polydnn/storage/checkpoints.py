"""Checkpoints: a folder of records named after their steps, of which the last few and the best are kept."""

import os
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np

from polydnn.errors import CheckpointError, InvalidArgumentError
from polydnn.storage.atomic import link_atomically, remove_orphans, storage_error, sync_folder, write_atomically
from polydnn.storage.folder_lock import FolderLock
from polydnn.storage.layout import Arrays, Header
from polydnn.storage.record import encode_record, read_record
from polydnn.storage.refusal import NewerFormat, Refusal
from polydnn.storage.schema import check_checkpoint_description, checkpoint_description

__all__ = ["Checkpoint", "CheckpointFolder", "PolydnnStorageWarning", "read_checkpoint", "write_checkpoint"]

Checkpoint: TypeAlias = tuple[Path, dict[str, Any], Arrays]
"""Path, description and arrays of a checkpoint that was read."""

BEST = "best.safetensors"
_NAME = re.compile(r"step-(\d{8,16})\.safetensors")


class PolydnnStorageWarning(UserWarning):
    """Something about stored files went wrong, and work goes on in a way that the text tells."""


def write_checkpoint(
    path: str | os.PathLike[str], step: int, description: dict[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]
) -> int:
    """Write one checkpoint to a file of any name, atomically; returns the bytes written.

    ``description`` is any JSON object of the trainer's (integers from -2**63 to 2**64 - 1, finite floats); long columns
    belong into arrays, which may hold NaN. Raises InvalidArgumentError and StorageError.
    """
    return write_atomically(path, _encode(step, description, arrays))


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Arrays]:
    """The description and the arrays that ``write_checkpoint`` was given, equal to the bit.

    Raises CheckpointError, naming file and reason, for a file that breaks a rule or is damaged; StorageError where it
    cannot be opened.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_checkpoint(f"{folder}/c.safetensors", 7, {"seed": 2**64 - 1}, {"w": np.ones(2)})
    ...     description, arrays = read_checkpoint(f"{folder}/c.safetensors")
    >>> description, arrays["w"].tolist()
    ({'seed': 18446744073709551615}, [1.0, 1.0])
    """
    try:
        return _read(Path(path))
    except Refusal as error:
        raise _unusable(Path(path), error) from None


class CheckpointFolder:
    """A folder with the last ``keep`` checkpoints of one run, and the best one.

    The files are ``step-00000120.safetensors`` and so on, and ``best.safetensors``, which is a hard link where the file
    system has them. Opening the folder makes it, locks it against a second writer and clears away what killed writers
    left; ``close``, the end of a ``with`` block or the end of the process releases the lock.

    Raises StorageError where another process has the folder open or the file system refuses.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent, CheckpointFolder(f"{parent}/run", keep=2) as folder:
    ...     paths = [folder.write(step, {"epoch": 0}, {"w": np.zeros(3)}) for step in (10, 20, 30)]
    ...     path, description, arrays = folder.latest()
    ...     folder.steps(), path.name, description
    ([20, 30], 'step-00000030.safetensors', {'epoch': 0})
    """

    def __init__(self, folder: str | os.PathLike[str], keep: int = 3) -> None:
        if type(keep) is not int or keep < 1:
            msg = f"keep must be an integer from 1 on, found {keep!r}."
            raise InvalidArgumentError(msg)
        self.path = Path(folder)
        self.keep = keep
        self._damaged: set[int] = set()
        _make_folder(self.path)
        self._lock = FolderLock(self.path)
        remove_orphans(self.path)

    def steps(self) -> list[int]:
        """The steps of which there is a checkpoint, whether it can be read or not, in rising order."""
        found = (_NAME.fullmatch(entry.name) for entry in self.path.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def write(
        self,
        step: int,
        description: dict[str, Any],
        arrays: Mapping[str, np.ndarray[Any, Any]],
        *,
        best: bool = False,
    ) -> Path:
        """Write the checkpoint of a step, then delete the ones beyond ``keep``; gives the path.

        With ``best`` it also becomes ``best.safetensors``. Raises CheckpointError where the folder holds checkpoints of
        later steps, which would otherwise be deleted or taken for the newest; StorageError where the disk refuses, and
        then the earlier checkpoints are all there.
        """
        self._refuse_later(step)
        chunks = _encode(step, description, arrays)
        path = self._path(step)
        # The best file comes first: a kill in between leaves a best checkpoint newer than the newest, which the resumed
        # run writes again. The other order would leave a newest checkpoint that tells of a best one not there.
        if best:
            write_atomically(self.path / BEST, chunks)
        if not (best and link_atomically(self.path / BEST, path)):
            write_atomically(path, chunks)
        self._delete_old(step)
        return path

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that can be read, None where the folder holds none.

        A damaged one is passed over with a PolydnnStorageWarning that names file and reason; the next ``write`` deletes
        it. Raises CheckpointError where all are damaged, or where one was written by a later version of polydnn.
        """
        steps = self.steps()
        for step in reversed(steps):
            path = self._path(step)
            try:
                return (path, *_read(path))
            except NewerFormat as error:
                raise _unusable(path, error) from None
            except Refusal as error:
                self._damaged.add(step)
                msg = f"{_unusable(path, error)} The checkpoint before it is used, where there is one."
                warnings.warn(msg, PolydnnStorageWarning, stacklevel=2)
        if not steps:
            return None
        msg = f"none of the {len(steps)} checkpoints in '{self.path}' can be read (the warnings before this say why)."
        raise CheckpointError(msg)

    def best(self) -> Checkpoint | None:
        """The best checkpoint, None where none was marked; raises CheckpointError where it is damaged."""
        path = self.path / BEST
        return (path, *read_checkpoint(path)) if path.exists() else None

    def discard_after(self, step: int) -> list[Path]:
        """Delete the checkpoints of later steps, to go on from an earlier one; gives the paths deleted."""
        later = [self._path(number) for number in self.steps() if number > step]
        for path in later:
            _delete(path)
        return later

    def close(self) -> None:
        """Release the lock; a second call does nothing."""
        self._lock.release()

    def __enter__(self) -> "CheckpointFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _path(self, step: int) -> Path:
        return self.path / f"step-{step:08d}.safetensors"

    def _refuse_later(self, step: int) -> None:
        for later in self.steps():
            if later > step and not self._is_damaged(later):
                msg = (
                    f"'{self.path}' holds a checkpoint of step {later}, so step {step} cannot be written there. "
                    f"Resume from it, choose another folder, or delete the later ones with discard_after({step})."
                )
                raise CheckpointError(msg)

    def _is_damaged(self, step: int) -> bool:
        """Whether a checkpoint is known to be damaged, or proves to be (``latest`` may have been asked elsewhere)."""
        if step not in self._damaged:
            try:
                _read(self._path(step))
            except NewerFormat:
                return False
            except Refusal:
                self._damaged.add(step)
        return step in self._damaged

    def _delete_old(self, written: int) -> None:
        self._damaged.discard(written)
        whole = [step for step in self.steps() if step not in self._damaged]
        for step in [*whole[: -self.keep], *self._damaged]:
            _delete(self._path(step))
        self._damaged.clear()


def _encode(step: int, description: dict[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> list[Any]:
    if type(step) is not int or not 0 <= step < 10**16:
        msg = f"step must be an integer from 0 on, found {step!r}."
        raise InvalidArgumentError(msg)
    return encode_record(checkpoint_description(step, description), arrays)


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    description, arrays = read_record(path, _check)
    return description["run"], arrays


def _check(header: Header) -> None:
    check_checkpoint_description(header.description)


def _unusable(path: Path, error: Refusal) -> CheckpointError:
    return CheckpointError(f"'{path}' cannot be used as a checkpoint: {error}.")


def _make_folder(folder: Path) -> None:
    try:
        made = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for each in made:
            sync_folder(each.parent)
    except OSError as error:
        msg = f"cannot make the folder '{folder}': {os.strerror(error.errno or 0)}. Choose another one."
        raise storage_error(msg, error) from error


def _delete(path: Path) -> None:
    """Delete an obsolete checkpoint; the new one is safe already, so a failure is a warning."""
    with suppress(FileNotFoundError):
        try:
            path.unlink()
        except OSError as error:
            msg = f"cannot delete the obsolete '{path}' ({os.strerror(error.errno or 0)}); it goes on taking room."
            warnings.warn(msg, PolydnnStorageWarning, stacklevel=4)
