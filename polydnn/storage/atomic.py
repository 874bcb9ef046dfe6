"""Write a file so that a kill, a power cut or a full disk leaves either the old file or the new one, never half of one.

The bytes go to a temporary file in the same folder, which is flushed to the disk before it takes the final name, and
the folder is flushed after. (Pillai et al., *All File Systems Are Not Created Equal*, 2014, shows what happens to
programs that leave a step out.) A temporary file is locked while its writer lives, so leftovers can be told from files
that are being written, whatever process number their writer had.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from polydnn.errors import StorageError

__all__ = ["link_atomically", "remove_orphans", "storage_error", "sync_folder", "write_atomically"]

_TEMPORARY = re.compile(r"\..+\.\d+\.\d+\.polydnn-tmp")
_numbers = count()

_CAUSES = {
    errno.EACCES: "no permission",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file-size limit is exceeded (see `ulimit -f`)",
    errno.EISDIR: "there is a folder of that name",
    errno.ENOENT: "there is no such file or folder",
    errno.ENOSPC: "no space left on the disk",
    errno.ENOTDIR: "a part of the path is no folder",
    errno.EPERM: "no permission",
    errno.EROFS: "the file system is read-only",
}
_SPACE = {errno.EDQUOT, errno.EFBIG, errno.ENOSPC}
_NO_LINKS = {errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV}


def write_atomically(path: str | os.PathLike[str], chunks: Iterable[Any]) -> int:
    """Write the chunks (bytes, memory views, contiguous arrays) one after the other; returns the bytes written.

    The order of system calls is open(temporary), write, fsync, rename, fsync(folder). A file that stood at ``path``
    stays as it is until the rename. A symbolic link at ``path`` is replaced, not followed. Raises StorageError, which
    names the path, the cause and the bytes needed; the temporary file is gone then.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(f"{folder}/notes.txt", [b"one ", b"two"])
    7
    """
    target = Path(path)
    views = [view.cast("B") for view in (memoryview(chunk) for chunk in chunks) if view.nbytes]
    needed = sum(view.nbytes for view in views)
    try:
        _write_and_rename(target, views)
    except OSError as error:
        raise _write_error(target, needed, error) from error
    try:
        sync_folder(target.parent)
    except OSError as error:
        msg = (
            f"'{target}' is complete and in its place, but its folder could not be flushed to the disk "
            f"({_cause(error)}): a power cut may bring the earlier file back."
        )
        raise storage_error(msg, error) from error
    return needed


def link_atomically(source: Path, target: Path) -> bool:
    """Give a file a second name that replaces ``target`` at once; False where the file system has no hard links."""
    temporary = _temporary_name(target)
    try:
        os.link(source, temporary)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise _write_error(target, 0, error) from error
    try:
        os.replace(temporary, target)
        sync_folder(target.parent)
    except OSError as error:
        raise _write_error(target, 0, error) from error
    finally:
        with suppress(OSError):  # also needed after success: rename does nothing where both names are one file already
            os.unlink(temporary)
    return True


def remove_orphans(folder: str | os.PathLike[str]) -> list[Path]:
    """Delete the temporary files that dead writers left in the folder; those of living writers stay.

    Returns the paths deleted. A leftover that cannot be deleted stays, as it can do no harm but take room.

    >>> remove_orphans(".")
    []
    """
    found = sorted(entry for entry in Path(folder).iterdir() if _TEMPORARY.fullmatch(entry.name))
    return [entry for entry in found if _remove_if_orphan(entry)]


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some file systems cannot flush a folder and say so; there is nothing more that a program could do there
        if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
            raise
    finally:
        os.close(descriptor)


def storage_error(msg: str, error: OSError) -> StorageError:
    """A StorageError with this text and the number of the system's error."""
    result = StorageError(msg)
    result.errno = error.errno
    return result


def _write_and_rename(target: Path, views: list[memoryview]) -> None:
    descriptor, temporary = _create(target)
    try:
        try:
            for view in views:
                _write_all(descriptor, view)
            os.fsync(descriptor)
            os.replace(temporary, target)
        except BaseException:  # Ctrl-C included
            with suppress(OSError):
                os.unlink(temporary)
            raise
    finally:
        os.close(descriptor)  # and with it the lock: not before the rename, or a cleaner could take the file away


def _create(target: Path) -> tuple[int, Path]:
    """A new, locked temporary file in the target's folder."""
    while True:
        temporary = _temporary_name(target)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:  # a leftover of a process that had our number
            continue
        with suppress(OSError):  # a file system without locks: then remove_orphans leaves the file alone as well
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        os.close(descriptor)  # a cleaner came between the creation and the lock


def _temporary_name(target: Path) -> Path:
    # 50 characters, as a name may have 255 bytes
    return target.parent / f".{target.name[:50]}.{os.getpid()}.{next(_numbers)}.polydnn-tmp"


def _write_all(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]


def _remove_if_orphan(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:  # its writer lives, or the folder is not ours to clean
        return False
    finally:
        os.close(descriptor)
    return True


def _cause(error: OSError) -> str:
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    return f"{_CAUSES.get(error.errno or 0, os.strerror(error.errno or 0))}, {name}"


def _write_error(target: Path, needed: int, error: OSError) -> StorageError:
    msg = f"cannot write '{target}': {_cause(error)}."
    if error.errno == errno.ENOENT and not target.parent.exists():
        return storage_error(f"{msg} Make the folder '{target.parent}' first.", error)
    if needed:
        msg += f" {needed} bytes are needed{_free(target.parent)}"
        msg += "; the new file is written beside the old one, so there must be room for both together."
    if error.errno in _SPACE:
        msg += " Make room or choose another folder."
    return storage_error(f"{msg} A file that stood there before is unchanged.", error)


def _free(folder: Path) -> str:
    try:
        facts = os.statvfs(folder)
    except OSError:
        return ""
    return f", {facts.f_bavail * facts.f_frsize} are free"
