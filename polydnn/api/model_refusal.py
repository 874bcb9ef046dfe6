"""Whatever a model file's description cannot be made into is one error that names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polydnn.errors import BackendError, ModelFileError, PolydnnError, StorageError, UnknownNameError

__all__ = ["refused_as_model_file"]

SENSELESS = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""What constructors raise for values of a kind that nobody expected of a user."""


@contextmanager
def refused_as_model_file(path: Path, names_of_plugins: set[str]) -> Iterator[None]:
    """Turn errors about what the file says into ModelFileError.

    Left alone are a disk that refuses, a backend that cannot be used, and an unknown name where the file names plugins
    (``names_of_plugins`` is filled while it is read): that says what to install, and the file is good.
    """
    try:
        yield
    except (StorageError, BackendError):
        raise
    except UnknownNameError as error:
        if names_of_plugins:
            raise
        raise _refusal(path, error) from error
    except ModelFileError as error:
        if str(path) in str(error):
            raise
        raise _refusal(path, error) from error
    except (PolydnnError, *SENSELESS) as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: Exception) -> ModelFileError:
    text = " ".join(str(error).split()) or type(error).__name__
    reason = text if len(text) <= 300 else text[:297] + "..."
    return ModelFileError(f"'{path}' cannot be used as a model file: its description makes no network: {reason}")
