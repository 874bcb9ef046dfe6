"""Importing an optional array library, and the words for one that is missing or broken."""

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polydnn.errors import BackendUnavailableError

__all__ = ["INSTALL", "cause_of", "import_library", "warnings_logged"]

INSTALL = {
    "numpy": "pip install polydnn",
    "cupy": "pip install 'polydnn[cuda13x]' (NVIDIA driver 580 or newer) or 'polydnn[cuda12x]', never both",
    "torch": "pip install 'polydnn[torch]'",
    "torch:cuda": "a CUDA build, as PyTorch's installation page names it: pip install --force-reinstall torch ...",
    "jax": "pip install 'polydnn[jax]'",
    "array-api-strict": "pip install 'polydnn[strict]'",
}
"""By library, or library and device, the command that brings it."""

TITLES = {"cupy": "CuPy", "torch": "PyTorch", "jax": "JAX", "array-api-strict": "the package array-api-strict"}

logger = logging.getLogger("polydnn")


def cause_of(error: BaseException) -> str:
    """The exception in one line: its type and the first line of its text.

    >>> cause_of(ValueError("no device\\nstack follows"))
    'ValueError: no device'
    """
    first = str(error).strip().partition("\n")[0].rstrip(". ")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def import_library(library: str, *modules: str) -> list[Any]:
    """Import ``modules``, the first of which names the distribution's own package.

    Raises BackendUnavailableError that tells a library that is not installed from one that is broken, with the cause.
    """
    try:
        with warnings_logged(library):
            return [importlib.import_module(module) for module in modules]
    except ModuleNotFoundError as error:
        if error.name != modules[0]:
            raise _broken(library, error) from error
        msg = f"backend {library!r} needs {TITLES[library]}, which is not installed. Install it: {INSTALL[library]}."
        raise BackendUnavailableError(msg) from error
    except Exception as error:  # a broken installation raises ImportError, OSError, RuntimeError, AttributeError ...
        raise _broken(library, error) from error


def _broken(library: str, error: Exception) -> BackendUnavailableError:
    return BackendUnavailableError(
        f"backend {library!r}: {TITLES[library]} is installed but cannot be imported ({cause_of(error)}). "
        f"Install it anew: {INSTALL[library]}."
    )


@contextmanager
def warnings_logged(library: str) -> Iterator[None]:
    """Send the warnings of a library's start to the log: they must neither stop a probe nor be lost."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for each in caught:
                logger.warning("%s: %s", library, str(each.message).partition("\n")[0])
