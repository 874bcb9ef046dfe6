"""Downloads files whose size and checksum are known; a file is there whole and right, or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from polydnn.errors import DataFileError, DatasetUnavailableError, StorageError

__all__ = ["RemoteFile", "download"]

SECONDS = 60.0
"""How long a silent server is waited for."""

CHUNK = 1 << 18


@dataclass(frozen=True)
class RemoteFile:
    """A file at its origin: its address, its size in bytes and its sha256."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The last part of the address, under which the file is stored."""
        return self.url.rpartition("/")[2]


def download(files: Sequence[RemoteFile], folder: Path, report: Callable[[str], None] | None = None) -> None:
    """Bring ``files`` into ``folder``; those that are there already, with the right content, are not fetched again.

    ``report`` is told a line for each file. Raises DatasetUnavailableError where an address cannot be read,
    DataFileError where size or sha256 differ, StorageError where the file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            target = folder / file.name
            if _is_there(file, target):
                _say(report, f"{file.name}: already there")
            else:
                _say(report, f"{file.name}: fetching {file.size:,} bytes from {file.url}")
                _fetch(file, target)
    except (StorageError, DatasetUnavailableError):
        raise
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror or error}; free some space or choose another folder."
        raise StorageError(msg) from error


def _is_there(file: RemoteFile, target: Path) -> bool:
    if not target.is_file() or target.stat().st_size != file.size:
        return False
    with target.open("rb") as stored:
        return hashlib.file_digest(stored, "sha256").hexdigest() == file.sha256


def _fetch(file: RemoteFile, target: Path) -> None:
    """Write beside the target under another name, check, then rename: a broken download never bears the name."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as temporary:
            digest, size = _copy(file, temporary)
        if size != file.size or digest != file.sha256:
            found = f"{size:,} bytes" if size <= file.size else f"more than {file.size:,} bytes"
            msg = (
                f"{file.url}: expected {file.size:,} bytes with the sha256 {file.sha256}, "
                f"found {found} with {digest}; nothing was kept. Try again, or another source."
            )
            raise DataFileError(msg)
        Path(name).chmod(0o644)  # mkstemp gives the file to its owner alone
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _copy(file: RemoteFile, temporary: IO[bytes]) -> tuple[str, int]:
    """The sha256 and the number of the bytes written; it stops at the first byte too many."""
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(file.url):
        temporary.write(chunk)
        digest.update(chunk)
        size += len(chunk)
        if size > file.size:
            break
    return digest.hexdigest(), size


def _chunks(url: str) -> Iterator[bytes]:
    """What the address gives, piece by piece; trouble with reading it is kept apart from trouble with writing."""
    import http.client
    from urllib.request import urlopen  # here, because it takes a while to import and few downloads are made

    try:
        with urlopen(url, timeout=SECONDS) as response:
            while chunk := response.read(CHUNK):
                yield chunk
    except (OSError, http.client.HTTPException, ValueError) as error:
        msg = (
            f"{url} cannot be fetched: {error}. Check the connection, or put the file "
            f"{url.rpartition('/')[2]} into a folder yourself and name the folder."
        )
        raise DatasetUnavailableError(msg) from error


def _say(report: Callable[[str], None] | None, line: str) -> None:
    if report is not None:
        report(line)
