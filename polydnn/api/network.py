"""The network as users write it: names of backends and layers become objects, and models go to files and come back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from polydnn.api.backends import get_backend
from polydnn.api.description import Custom, components_of, describe_network, layers_of, target_of
from polydnn.api.model_refusal import refused_as_model_file
from polydnn.arrays import Backend
from polydnn.layers import Layer, Normalization
from polydnn.network import Network as NetworkCore
from polydnn.network import Task, array_shapes
from polydnn.registry import layer as layer_of
from polydnn.registry.lookup import Wanted
from polydnn.storage import model_description, read_model, write_model

__all__ = ["Network"]


class Network(NetworkCore):
    """A feed-forward network: an ordered chain of layers on one backend.

    ``in_features`` is the number of columns of x. ``layers`` are Dense, Dropout, BatchNormalization and Normalization
    objects, or names of layers with their options. ``backend`` is "numpy", "cupy", "cupy:1", "torch", "torch:cuda",
    "jax", "array-api-strict", "auto" or a Backend (by default POLYDNN_BACKEND, else "numpy"); ``dtype`` "float32" or
    "float64"; ``seed`` fixes the initial weights, the same bits on every backend. ``target_normalization`` ("standard"
    or "min-max") lets a regression train on scaled targets while predictions come back in the user's units.

    Raises InvalidArgumentError, UnknownNameError and BackendUnavailableError.

    >>> from polydnn import Dense
    >>> network = Network(4, [Dense(8, "relu"), Dense(3, "softmax")])
    >>> [tuple(array.shape) for array in network.parameters.values()]
    [(4, 8), (8,), (8, 3), (3,)]
    """

    def __init__(
        self,
        in_features: int,
        layers: Sequence[Wanted[Layer]],
        *,
        backend: str | Backend | None = None,
        dtype: str = "float32",
        seed: int = 0,
        target_normalization: Literal["standard", "min-max"] | Normalization | None = None,
        task: Task | None = None,
        features: Sequence[str] = (),
        targets: Sequence[str] = (),
        classes: Sequence[str] = (),
        arrays: Mapping[str, np.ndarray[Any, Any]] | None = None,
    ) -> None:
        target = Normalization(target_normalization) if isinstance(target_normalization, str) else target_normalization
        super().__init__(
            in_features,
            _resolved(layers),
            backend=get_backend(backend),
            dtype=dtype,
            seed=seed,
            target_normalization=target,
            task=task,
            features=features,
            targets=targets,
            classes=classes,
            arrays=arrays,
        )

    def to(self, backend: str | Backend) -> Self:
        """A copy of the network on another backend; this one stays as it is."""
        return super().to(get_backend(backend))

    def save(self, path: str | Path) -> Path:
        """Write the model to one .safetensors file and return its path.

        The file appears whole or not at all. It names every component that is not built in, with package and version,
        and likewise the loss, optimizer and schedule of the last fit, which loading does not need.
        Raises StorageError where the disk refuses and InvalidArgumentError where the parameters are not finite.
        """
        arrays = {name: self.backend.to_numpy(array) for name, array in self.arrays.items()}
        write_model(path, model_description(describe_network(self), [*components_of(self), *self.trained_with]), arrays)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path, *, backend: str | Backend | None = None, custom: Custom | None = None) -> "Network":
        """The network of a model file, on ``backend``; ``custom`` holds objects that no package registers, by name.

        Nothing is imported because the file names it. Raises ModelFileError naming file and reason, and
        UnknownNameError that says what to ``pip install`` where a component's package is missing.
        """
        given, place = custom or {}, get_backend(backend)
        plugins: set[str] = set()

        def expected(description: dict[str, Any]) -> dict[str, tuple[int, ...]]:
            network = description["network"]
            plugins.update(each["distribution"] for each in description["components"] if each["distribution"])
            layers = layers_of(network, description["components"], given)
            return array_shapes(network["in_features"], layers, target_of(network))

        with refused_as_model_file(Path(path), plugins):
            description, arrays = read_model(path, expected=expected)
            return network_of(description["network"], description["components"], given, place, arrays)


def _resolved(layers: Sequence[Wanted[Layer]]) -> Any:
    """The layers with names replaced by objects; what is no sequence is left for the network to refuse."""
    if not isinstance(layers, list | tuple):
        return layers
    return [layer_of(each) if isinstance(each, str | tuple) else each for each in layers]


def network_of(
    description: Mapping[str, Any],
    components: list[dict[str, Any]],
    custom: Custom,
    backend: str | Backend | None,
    arrays: Mapping[str, np.ndarray[Any, Any]],
) -> Network:
    """The network of a description, holding ``arrays``."""
    network = Network(
        description["in_features"],
        layers_of(description, components, custom),
        backend=backend,
        dtype=description["dtype"],
        seed=description.get("seed", 0),
        target_normalization=target_of(description),
        task=description.get("task"),
        features=description.get("features", ()),
        targets=description.get("targets", ()),
        classes=description.get("classes", ()),
        arrays=arrays,
    )
    network.trained_with = tuple(each for each in components if each["kind"] in ("loss", "optimizer", "schedule"))
    network.threshold = float(description.get("threshold", 0.5))
    network.normalized = bool(description.get("normalized", True))
    return network
