"""What is laid out before a check: the item, a backend, and calls of the item's functions with inputs for them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from polydnn.arrays import Backend, numpy_backend, stream
from polydnn.testing.finding import Finding, raised
from polydnn.types import Array, Namespace

__all__ = ["Bench", "Call", "Host", "draw", "shape_of"]

Host: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Call:
    """One function of an item with inputs for it.

    ``inputs`` are host arrays, in float64 where they are real; ``shapes`` gives the shape that every output must have;
    ``function(arrays, xp)`` returns the outputs by label.
    """

    label: str
    function: Callable[[Mapping[str, Array], Namespace], Mapping[str, Array]]
    inputs: Mapping[str, Host]
    shapes: Mapping[str, tuple[int, ...]]

    def arrays(self, backend: Backend, dtype: str = "float32") -> dict[str, Array]:
        """The inputs on the backend, each in memory of its own; real numbers in ``dtype``, labels as indices."""
        return {name: on_backend(value, backend, dtype) for name, value in self.inputs.items()}

    def run(self, arrays: Mapping[str, Array], xp: Namespace) -> dict[str, Array]:
        """Call the function; whatever it raises becomes a finding that names the call and the line."""
        try:
            return dict(self.function(arrays, xp))
        except Finding:
            raise
        except Exception as error:
            raise raised(error, self.label) from error

    def host(self, backend: Backend, dtype: str = "float64") -> dict[str, Host]:
        """The outputs on the backend for inputs of ``dtype``, brought to the host."""
        outputs = self.run(self.arrays(backend, dtype), backend.xp)
        return {label: np.asarray(backend.to_numpy(value)) for label, value in outputs.items()}


class Bench(ABC):
    """One item on one backend.

    Derivatives are measured on NumPy in float64, wherever the item is checked; that the backend's numbers are NumPy's
    carries the result over. Small arrays of a few shapes only: JAX compiles for every shape anew.
    """

    kind: ClassVar[str]

    def __init__(self, item: Any, backend: Backend, factory: Callable[[], Any] | None = None) -> None:
        self.item = item
        self.backend = backend
        self.factory = factory
        self.numpy: Backend = numpy_backend()

    @abstractmethod
    def calls(self, rows: int = 4, width: int = 3) -> list[Call]:
        """Every function of the item with ordinary inputs of ``rows`` rows and ``width`` columns."""

    def why_not(self) -> str:
        """Why there is nothing to look at on this backend; empty where there is."""
        return ""


def on_backend(value: Host, backend: Backend, dtype: str) -> Array:
    """A private copy of a host array on the backend."""
    kinds = {"f": lambda: backend.dtype(dtype), "b": lambda: backend.xp.bool}
    return backend.asarray(np.array(value), dtype=kinds.get(value.dtype.kind, lambda: backend.index_dtype)())


def draw(purpose: str, *shape: int) -> Host:
    """Standard normal numbers, always the same ones for a purpose."""
    return stream(0, f"conformance {purpose}").standard_normal(shape)


def shape_of(value: object) -> tuple[int, ...] | None:
    """The shape of an array, None for anything that is none."""
    shape = getattr(value, "shape", None)
    return None if shape is None else tuple(shape)
