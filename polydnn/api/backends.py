"""From a flag to a backend: precedence, names of plugins, the choice behind "auto", and the state of every backend."""

import copy
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from polydnn.arrays import INSTALL, Backend, cause_of, cupy_install, driver_cuda
from polydnn.errors import (
    AmbiguousNameError,
    BackendError,
    BackendUnavailableError,
    InvalidArgumentError,
    PluginError,
    UnknownNameError,
)
from polydnn.registry import Entry, backend_entry, default_registry
from polydnn.registry.making import check_made

__all__ = ["ENVIRONMENT_VARIABLE", "BackendStatus", "backends", "get_backend"]

ENVIRONMENT_VARIABLE = "POLYDNN_BACKEND"
DEFAULT = "numpy"
AUTO = "auto"
CANDIDATES = ("cupy", "torch:cuda")
"""What "auto" tries, in this order, before it takes NumPy."""
VARIANTS = {"torch": ("torch:cuda",)}
"""Names whose state is worth knowing beside that of the plain one."""

logger = logging.getLogger("polydnn")

_made: dict[tuple[Callable[..., Any], str | None], Backend] = {}


@dataclass(frozen=True)
class BackendStatus:
    """Whether a backend can be used here: on which device, or for which reason not and what would install it."""

    name: str
    available: bool
    device: str = ""
    reason: str = ""
    install: str = ""


def get_backend(name: str | Backend | None = None) -> Backend:
    """The backend of that name: "numpy", "cupy", "cupy:1", "torch", "torch:cuda", "jax", "array-api-strict", "auto" ...

    Without a name the environment variable POLYDNN_BACKEND decides, and without that it is NumPy. A backend is probed
    once and kept; an object is returned as it is. "auto" takes CuPy where it works, else PyTorch on CUDA, else NumPy,
    and says why in the log "polydnn" and in the attribute ``reason``. On CuPy the device becomes the current one.

    Raises UnknownNameError for a name nobody registered, and BackendUnavailableError, with the cause and the command
    that mends it, for one that cannot be used here.

    >>> get_backend("numpy")
    <backend numpy>
    """
    if isinstance(name, Backend):
        found = name
    elif name is None:
        found = _from_environment()
    elif isinstance(name, str):
        found = _named(name.strip())
    else:
        msg = f"backend must be a name such as 'numpy' or a polydnn.Backend, found {name!r}."
        raise InvalidArgumentError(msg)
    found.activate()
    return found


def backends() -> list[BackendStatus]:
    """The state of every registered backend, sorted by name; each is imported and probed, and none makes this fail.

    >>> [status.device != "" for status in backends() if status.name == "numpy"]
    [True]
    """
    registry = default_registry()
    names = [each for name in registry.names("backend") for each in (name, *VARIANTS.get(name, ()))]
    return [_status(name) for name in names]


def _from_environment() -> Backend:
    value = os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
    try:
        return _named(value or DEFAULT)
    except (UnknownNameError, BackendError) as error:
        if not value:
            raise
        msg = f"{error} The name comes from the environment variable {ENVIRONMENT_VARIABLE}."
        raise type(error)(msg) from error


def _named(name: str) -> Backend:
    if name == AUTO:
        return _automatic()
    try:
        return _make(*backend_entry(name))
    except AmbiguousNameError:
        raise
    except UnknownNameError as error:
        msg = f"{error} For an NVIDIA GPU, 'cupy' or 'torch:cuda'; 'auto' takes the first that works."
        raise UnknownNameError(msg) from error


def _make(entry: Entry, device: str | None) -> Backend:
    place = entry.spec.factory, device
    if place not in _made:
        _made[place] = _build(entry, device)
    return _made[place]


def _build(entry: Entry, device: str | None) -> Backend:
    try:
        made: Backend = entry.spec.factory(device)
    except BackendError:
        raise
    except Exception as error:  # a plugin's factory may raise anything
        msg = f"{entry} cannot be used: {cause_of(error)}. It comes from {entry.owner.distribution}."
        raise BackendUnavailableError(msg) from error
    check_made(entry, made, Backend)
    return made


def _automatic() -> Backend:
    """The first candidate that works; a copy, so that the kept backend does not carry the reason."""
    failures = []
    for name in (*CANDIDATES, DEFAULT):
        try:
            chosen = copy.copy(_named(name))
        except BackendError as error:
            failures.append(str(error).partition(". ")[0].rstrip("."))
            continue
        why = "; ".join(failures) or "it works, and comes first"
        chosen.reason = f"'auto' chose {chosen.name} on {chosen.device_name()}: {why}."
        logger.info(chosen.reason)
        return chosen
    msg = f"'auto' finds no backend that works: {'; '.join(failures)}."
    raise BackendUnavailableError(msg)


def _status(name: str) -> BackendStatus:
    entry, device = backend_entry(name)
    try:
        return BackendStatus(name, True, _make(entry, device).device_name())
    except Exception as error:  # a report on what works must survive whatever does not
        explained = isinstance(error, BackendError | PluginError)
        return BackendStatus(name, False, "", str(error) if explained else cause_of(error), _install(entry, name))


def _install(entry: Entry, name: str) -> str:
    if not entry.owner.built_in:
        return f"pip install --upgrade {entry.owner.distribution}"
    return cupy_install(driver_cuda()) if entry.spec.name == "cupy" else INSTALL.get(name, "")
