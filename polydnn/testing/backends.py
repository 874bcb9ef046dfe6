"""Which backends an item is checked on, and how strictly."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from polydnn.arrays import Backend, cupy_backend, jax_backend, numpy_backend, strict_backend, torch_backend
from polydnn.errors import BackendError, BackendUnavailableError

__all__ = ["BACKENDS", "default_backends", "has_float64", "resolve", "strictest"]

MAKERS: dict[str, Callable[[str | None], Backend]] = {
    "numpy": numpy_backend,
    "array-api-strict": strict_backend,
    "torch": torch_backend,
    "jax": jax_backend,
    "cupy": cupy_backend,
}

BACKENDS: tuple[str, ...] = tuple(MAKERS)
"""The backends that the generated tests run on; one whose library is missing is a visible skip."""


def resolve(backend: Backend | str) -> Backend:
    """The backend of that name, or the backend itself.

    Raises UnknownNameError for a name there is none of, BackendUnavailableError where it cannot be used here.

    >>> resolve("numpy").name
    'numpy'
    """
    if isinstance(backend, Backend):
        return backend
    library, _, device = backend.partition(":")
    if library not in MAKERS:
        return _registered(backend)
    return MAKERS[library](device or None)


def _registered(name: str) -> Backend:
    """A backend that a plugin offers; raises UnknownNameError where none does."""
    from polydnn.registry import backend_entry

    entry, device = backend_entry(name)
    made: Backend = entry.spec.factory(device)
    return made


def default_backends() -> tuple[list[Backend], str]:
    """NumPy, and array-api-strict on a device that NumPy cannot see; with a note where the second is missing."""
    found: list[Backend] = [numpy_backend()]
    try:
        found.append(strict_backend())
    except BackendUnavailableError as error:
        return found, f"checked on NumPy only, which proves nothing about other backends: {error}"
    return found, ""


def has_float64(backend: Backend) -> bool:
    """Whether the backend computes in double precision (JAX does not until it is told to)."""
    try:
        backend.dtype("float64")
    except BackendError:
        return False
    return True


def strictest(backend: Backend) -> AbstractContextManager[Any]:
    """Refuse boolean masks and data-dependent shapes for a while, on the backend that can refuse them.

    Both are optional in the standard, and JAX cannot compile them.
    """
    flags = getattr(backend.xp, "ArrayAPIStrictFlags", None)
    return nullcontext() if flags is None else flags(boolean_indexing=False, data_dependent_shapes=False)
