"""What can go wrong with any file of data while it is read, as errors that name the file."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from polydnn.errors import DataFileError, StorageError

__all__ = ["reading"]


@contextmanager
def reading(origin: object) -> Iterator[None]:
    """Let what the system and gzip say of a file that is read inside come out in the name of ``origin``.

    Raises StorageError where the file cannot be read, DataFileError where it is packed and its end is missing.
    """
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{origin} is no complete gzip file: {error}."
        raise DataFileError(msg) from error
    except StorageError:
        raise
    except OSError as error:
        msg = f"{origin} cannot be read: {error.strerror or error}."
        raise StorageError(msg) from error
