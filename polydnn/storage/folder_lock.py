"""One writer a folder: a lock that the system releases when its holder ends, however it ends."""

import errno
import fcntl
import os
from pathlib import Path

from polydnn.errors import StorageError
from polydnn.storage.atomic import storage_error

__all__ = ["FolderLock"]

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class FolderLock:
    """Holds the lock of a folder from construction to ``release``.

    The lock is one of the open file ``.lock``, so it ends with the process, also by SIGKILL; the file itself stays. It
    holds the number of the process that has the lock. On a file system without locks nothing is locked.

    Raises StorageError, naming the other process, where the folder is locked.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor: int | None = None
        path = folder / ".lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise _cannot_lock(folder, error) from error
        try:
            self._lock(descriptor, folder)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _lock(self, descriptor: int, folder: Path) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(descriptor, folder) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise _cannot_lock(folder, error) from error
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
        except OSError:  # a full disk: the lock holds all the same, only the number is missing
            return

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _cannot_lock(folder: Path, error: OSError) -> StorageError:
    msg = f"cannot lock '{folder}': {os.strerror(error.errno or 0)}. Choose a folder that can be written to."
    return storage_error(msg, error)


def _in_use(descriptor: int, folder: Path) -> StorageError:
    holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    who = "this process itself" if holder == str(os.getpid()) else f"process {holder or 'of unknown number'}"
    msg = f"'{folder}' is in use by {who}, and two writers would mix their files. End it or choose another folder."
    return StorageError(msg)
