"""The network: an ordered chain of layers with their arrays on one backend."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np

from polydnn.arrays import Backend, check_seed, stream
from polydnn.arrays.dtypes import cast_host
from polydnn.arrays.inputs import as_input
from polydnn.errors import InvalidArgumentError, InvalidDataError, ShapeError
from polydnn.layers import Dense, Layer, Normalization
from polydnn.layers.checks import check_count
from polydnn.layers.normalization import fit_constants, inverse
from polydnn.types import Array, DType, Namespace, Parameters

__all__ = ["BLOCK", "DTYPES", "Network", "Task", "array_shapes"]

Task: TypeAlias = Literal["binary", "multiclass", "multilabel", "regression"]

DTYPES = ("float32", "float64")

BLOCK = 4096
"""Rows that are predicted together: the activations of a block, not of the data set, must fit in memory."""


class Network:
    """An ordered chain of layers: A0 = X, A_l = layer_l(A_{l-1}), prediction = A_L; batches are rows.

    ``in_features`` is the width of X. ``layers`` is a sequence of layers; a Normalization may stand first.
    ``backend`` and ``dtype`` ("float32" or "float64") say where and how the arrays are kept, ``seed`` which weights
    it starts from. ``target_normalization`` trains a regression on scaled targets; predictions come back in the
    user's units. ``task`` is told by the last activation unless given (softmax means multi-class, sigmoid binary or
    multi-label, anything else regression), and settled by the loss the network is trained with. ``features`` and
    ``targets`` name the columns of x and y, ``classes`` the classes in the order of their numbers. ``arrays`` are
    values to start from, by name, instead of drawn ones.
    """

    trained_with: tuple[dict[str, Any], ...] = ()
    """Loss, optimizer and schedule of the last fit where they are not built in: kind, name, package and version."""

    def __init__(
        self,
        in_features: int,
        layers: Sequence[Layer],
        *,
        backend: Backend,
        dtype: str = "float32",
        seed: int = 0,
        target_normalization: Normalization | None = None,
        task: Task | None = None,
        features: Sequence[str] = (),
        targets: Sequence[str] = (),
        classes: Sequence[str] = (),
        arrays: Mapping[str, np.ndarray[Any, Any]] | None = None,
    ) -> None:
        self.in_features = check_count("Network", "in_features", in_features)
        self.layers = _checked_layers(layers)
        if dtype not in DTYPES:
            msg = f"Network: dtype must be 'float32' or 'float64', found {dtype!r}."
            raise InvalidArgumentError(msg)
        self.backend = backend
        self.dtype = dtype
        self.seed = check_seed(seed)
        if not isinstance(target_normalization, Normalization | None):
            msg = (
                f"Network: target_normalization must be 'standard', 'min-max' or None, found {target_normalization!r}."
            )
            raise InvalidArgumentError(msg)
        self.target_normalization = target_normalization
        if task is not None and task not in get_args(Task):
            msg = f"Network: task must be one of {', '.join(get_args(Task))}, or None, found {task!r}."
            raise InvalidArgumentError(msg)
        self.task: Task = task or _task_of(self.layers, target_normalization)
        if target_normalization is not None and self.task != "regression":
            msg = f"Network: target_normalization is for regression, and the task is {self.task!r}; leave it out."
            raise InvalidArgumentError(msg)
        self._task_given = task is not None
        self.threshold = 0.5
        self.features, self.targets, self.classes = (
            tuple(str(name) for name in names) for names in (features, targets, classes)
        )
        self.normalized = not isinstance(self.layers[0], Normalization)
        self.widths = tuple(_widths(self.in_features, self.layers))
        self._parameter_names = tuple(
            f"layers.{index}.{name}" for index, layer in enumerate(self.layers) for name in layer.parameter_names
        )
        drawn = self._first_values() if arrays is None else dict(arrays)
        self.target_normalized = target_normalization is None or _learnt(drawn)
        kind = self.backend.dtype(dtype)
        self._held: Parameters | Callable[[], Parameters] = {
            name: self.backend.asarray(array.astype(dtype), dtype=kind) for name, array in drawn.items()
        }

    # ---- arrays ----------------------------------------------------------------------------------------------------

    @property
    def parameters(self) -> Parameters:
        """What the optimizer changes: ``{"layers.0.weight": (in_features, out_features), "layers.0.bias": ...}``."""
        return {name: self._arrays[name] for name in self._parameter_names}

    @property
    def _arrays(self) -> Parameters:
        if not isinstance(self._held, dict):
            self._held = dict(self._held())
        return self._held

    @property
    def arrays(self) -> Parameters:
        """The parameters and the statistics that layers keep, by name: everything a model file has to hold."""
        return dict(self._arrays)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of the parameters, first layer first."""
        return self._parameter_names

    @property
    def outputs(self) -> int:
        """The width of the prediction."""
        return self.widths[-1]

    @property
    def xp(self) -> Namespace:
        """The namespace of the backend."""
        return self.backend.xp

    @property
    def real_dtype(self) -> DType:
        """The namespace's data type object for ``dtype``."""
        return self.backend.dtype(self.dtype)

    def set_parameters(self, values: Mapping[str, object]) -> None:
        """Replace arrays by name; arrays of the backend or host arrays, of the shapes they have now.

        Raises InvalidArgumentError for a name the network does not have, ShapeError for another shape, and
        InvalidDataError for NaN and infinity.
        """
        if not isinstance(values, Mapping):
            msg = f"set_parameters: values must be a mapping from names to arrays, found a {type(values).__name__}."
            raise InvalidArgumentError(msg)
        fresh: Parameters = {}
        for name, value in values.items():
            if name not in self._arrays:
                msg = f"set_parameters: the network has no array {name!r}; it has {', '.join(self._arrays)}."
                raise InvalidArgumentError(msg)
            array = as_input(self.backend, value, name, dtype=self.real_dtype)
            if array.shape != self._arrays[name].shape:
                msg = f"set_parameters: {name} has shape {tuple(self._arrays[name].shape)}, found {tuple(array.shape)}."
                raise ShapeError(msg)
            if not bool(self.xp.all(self.xp.isfinite(array))):
                msg = f"set_parameters: {name} must be finite, found NaN or infinity."
                raise InvalidDataError(msg)
            fresh[name] = self.xp.asarray(array, copy=True)
        self.replace_arrays({**self._arrays, **fresh})

    def replace_arrays(self, arrays: Parameters | Callable[[], Parameters]) -> None:
        """Take over arrays of the right names, shapes and device without a copy; for trainers and readers of files.

        A function that gives them is called when somebody asks: a trainer need not bring them from where it works.
        """
        self._held = arrays if callable(arrays) else dict(arrays)

    def parameter_count(self) -> int:
        """The number of numbers the optimizer changes."""
        return sum(int(np.prod(array.shape)) for array in self.parameters.values())

    # ---- what it computes ------------------------------------------------------------------------------------------

    def forward(self, x: object) -> Array:
        """The output of the last layer (n, outputs), in training's units: probabilities, scores, scaled targets.

        ``x`` is (n, in_features): host data gives a NumPy array back, an array of the backend gives one of the backend.
        Raises ShapeError, DTypeError and MixedBackendsError naming x.
        """
        rows = self.input_rows(x)
        return self._as_given(x, self._in_blocks(rows))

    def predict(self, x: object) -> Array:
        """Classes or values for x (n, in_features).

        A multi-class network gives labels (n,), a binary or multi-label one 0 and 1 (n, outputs), where the output
        exceeds ``threshold`` (one half; zero where it was trained on signs); a regression gives values (n, outputs) in
        the user's units. Raises InvalidDataError for NaN and infinity in x, which have no class; ``forward`` shows what
        becomes of them.
        """
        rows = self.input_rows(x)
        xp = self.xp
        if xp.isdtype(rows.dtype, "real floating") and not bool(xp.all(xp.isfinite(rows))):
            msg = "x must be finite to be predicted from, found NaN or infinity."
            raise InvalidDataError(msg)
        return self._as_given(x, self.decide(self._in_blocks(rows)))

    def decide(self, output: Array) -> Array:
        """The prediction for the last layer's output, both on the device."""
        xp = self.xp
        if self.task == "multiclass":
            return xp.argmax(output, axis=1)
        if self.task in ("binary", "multilabel"):
            return xp.astype(output > self.threshold, self.backend.index_dtype)
        return self.in_user_units(output)

    def settle_task(self, target_kind: str) -> None:
        """Learn from what a loss calls its targets which task this is, where the constructor was not told.

        Losses on signs put the threshold at zero, whatever the task.
        """
        if target_kind == "signs":
            self.threshold = 0.0
        if not self._task_given and target_kind != "real":
            labels: Task = "binary" if self.outputs == 1 else "multilabel"
            self.task = "multiclass" if target_kind == "classes" else labels

    def in_user_units(self, output: Array) -> Array:
        """Outputs scaled back to the units of the targets that were given."""
        return inverse(self._local("target"), output) if self.target_normalization is not None else output

    def output_of(self, x: Array, *, layers: Sequence[Layer] | None = None) -> Array:
        """The last layer's output for one block of rows on the device; ``layers`` may stand in for the network's."""
        xp = self.xp
        for index, layer in enumerate(layers or self.layers):
            x = layer.predict(self._local(f"layers.{index}"), x, xp=xp)
        return x

    def _in_blocks(self, rows: Array) -> Array:
        xp = self.xp
        if not self.normalized:
            msg = "the network's Normalization has no constants yet; train it with Trainer.fit first."
            raise InvalidArgumentError(msg)
        n = rows.shape[0]
        starts = range(0, max(n, 1), BLOCK)
        blocks = [
            self.output_of(xp.astype(rows[start : min(start + BLOCK, n), :], self.real_dtype, copy=False))
            for start in starts
        ]
        return blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)

    # ---- data in and out -------------------------------------------------------------------------------------------

    def input_rows(self, x: object, argument: str = "x") -> Array:
        """x on the device, checked to be (n, in_features); integers stay integers."""
        rows = as_input(self.backend, x, argument)
        if len(rows.shape) != 2 or rows.shape[1] != self.in_features:
            msg = f"{argument} must have shape (n, {self.in_features}), found {tuple(rows.shape)}." + (
                f" Reshape it with {argument}.reshape(-1, {self.in_features})." if len(rows.shape) == 1 else ""
            )
            raise ShapeError(msg)
        if isinstance(rows, np.ndarray) and rows.dtype.kind == "f":
            return cast_host(rows, self.dtype, argument)  # says which number is too large, where a plain cast warns
        return rows

    def _as_given(self, given: object, result: Array) -> Array:
        on_device = self.backend.owns(given)
        return result if on_device else self.backend.to_numpy(result)

    # ---- moving, describing ----------------------------------------------------------------------------------------

    def to(self, backend: Backend) -> Self:
        """A copy of the network on another backend; this one stays as it is."""
        arrays = {name: self.backend.to_numpy(array) for name, array in self._arrays.items()}
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.backend = backend
        dtype = backend.dtype(self.dtype)
        twin.replace_arrays({name: backend.asarray(np.array(array), dtype=dtype) for name, array in arrays.items()})
        return twin

    def fit_normalization(self, x: Array) -> None:
        """Learn the constants of a leading Normalization from the training rows x, on the device."""
        first = self.layers[0]
        if isinstance(first, Normalization):
            self._adopt("layers.0", self._constants(first, x))
        self.normalized = True

    def fit_target_normalization(self, y: Array) -> Array:
        """Learn the constants of the target normalization from y, on the device, and give y in training's units."""
        if self.target_normalization is None:
            return y
        self._adopt("target", self._constants(self.target_normalization, y))
        self.target_normalized = True
        return self.in_training_units(y)

    def in_training_units(self, y: Array) -> Array:
        """Targets scaled the way the network was trained on them."""
        if self.target_normalization is None:
            return y
        return self.target_normalization.predict(self._local("target"), y, xp=self.xp)

    def _constants(self, normalization: Normalization, rows: Array) -> Parameters:
        wide = self.backend.widest_dtype
        return fit_constants(normalization, rows, dtype=self.real_dtype, wide=wide, xp=self.xp)

    def _adopt(self, owner: str, constants: Mapping[str, Array]) -> None:
        self.replace_arrays({**self._arrays, **{f"{owner}.{name}": array for name, array in constants.items()}})

    def summary(self) -> str:
        """A table of the layers with their output widths and numbers of parameters."""
        rows = [("layer", "output", "parameters")]
        for index, layer in enumerate(self.layers):
            count = sum(
                int(np.prod(array.shape))
                for name, array in self.parameters.items()
                if name.startswith(f"layers.{index}.")
            )
            rows.append((f"{index} {_in_words(layer)}", str(self.widths[index + 1]), f"{count:,}"))
        rows.append(("total", "", f"{self.parameter_count():,}"))
        width, output = (max(len(row[column]) for row in rows) for column in (0, 1))
        lines = [f"{name:<{width}}  {out:>{output}}  {count:>12}" for name, out, count in rows]
        head = f"{self.task} network, {self.in_features} inputs, {self.dtype} on {self.backend.name}"
        return "\n".join([head, *lines])

    def __repr__(self) -> str:
        return f"<Network {'-'.join(str(width) for width in self.widths)} on {self.backend.name}>"

    # ---- making the arrays -----------------------------------------------------------------------------------------

    def _first_values(self) -> dict[str, np.ndarray[Any, Any]]:
        host: dict[str, np.ndarray[Any, Any]] = {}
        for index, (layer, width) in enumerate(zip(self.layers, self.widths[:-1], strict=True)):
            drawn = layer.parameters(width, stream(self.seed, "initialize", index))
            for name, array in {**drawn, **layer.statistics(width)}.items():
                host[f"layers.{index}.{name}"] = array
        if self.target_normalization is not None:
            for name, array in self.target_normalization.statistics(self.widths[-1]).items():
                host[f"target.{name}"] = array
        return host

    def _local(self, owner: str) -> Parameters:
        start = len(owner) + 1
        return {name[start:]: array for name, array in self._arrays.items() if name.startswith(f"{owner}.")}


def _checked_layers(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    try:
        chain = tuple(layers)
    except TypeError:
        chain = ()
    if not chain:
        msg = f"Network: layers must be a sequence of at least one layer, found {layers!r}."
        raise InvalidArgumentError(msg)
    for index, layer in enumerate(chain):
        if not isinstance(layer, Layer):
            msg = f"Network: layers[{index}] must be a layer such as polydnn.Dense(10), found {layer!r}."
            raise InvalidArgumentError(msg)
        if isinstance(layer, Normalization) and index:
            msg = f"Network: layers[{index}] is a Normalization, which can stand first only; try BatchNormalization."
            raise InvalidArgumentError(msg)
    return chain


def array_shapes(
    in_features: int, layers: Sequence[Layer], target_normalization: Normalization | None
) -> dict[str, tuple[int, ...]]:
    """The name and shape of every array such a network holds, found without making one."""
    widths = tuple(_widths(in_features, layers))
    shapes = {
        f"layers.{index}.{name}": shape
        for index, layer in enumerate(layers)
        for name, shape in layer.shapes(widths[index]).items()
    }
    if target_normalization is not None:
        shapes |= {f"target.{name}": shape for name, shape in target_normalization.shapes(widths[-1]).items()}
    return shapes


def _widths(in_features: int, layers: Sequence[Layer]) -> Iterator[int]:
    yield in_features
    for layer in layers:
        in_features = layer.out_features(in_features)
        yield in_features


def _learnt(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bool:
    """Whether the target's constants are other than the ones a new network starts with."""
    return bool(np.any(arrays["target.shift"] != 0.0) or np.any(arrays["target.scale"] != 1.0))


def _task_of(layers: Sequence[Layer], target_normalization: Normalization | None) -> Task:
    last = layers[-1]
    name = last.activation.name if isinstance(last, Dense) else ""
    if name in ("softmax", "log_softmax"):
        return "multiclass"
    if name == "sigmoid" and target_normalization is None and isinstance(last, Dense):
        return "binary" if last.units == 1 else "multilabel"
    return "regression"


def _in_words(layer: Layer) -> str:
    return f"{layer.type} {layer.activation.name}" if isinstance(layer, Dense) else layer.type
