"""What any function of arrays is asked: where it runs, what it returns, and what it leaves alone."""

import warnings
from collections.abc import Callable, Mapping
from linecache import getline
from pathlib import Path

import numpy as np

from polydnn.arrays import Backend, describe
from polydnn.testing.backends import has_float64
from polydnn.testing.bench import Bench, Call, Host, on_backend, shape_of
from polydnn.testing.differences import require_equal
from polydnn.testing.finding import Finding, NotApplicable
from polydnn.types import Array

__all__ = [
    "accuracy",
    "deterministic",
    "device",
    "dtype",
    "empty",
    "inputs_unchanged",
    "one_row",
    "portable",
    "read_only",
    "require_same_alone",
    "runs",
    "same_as_numpy",
    "shape",
    "strided",
    "warned",
]


def runs(bench: Bench) -> None:
    for call in bench.calls():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            outputs = call.run(call.arrays(bench.numpy, "float64"), bench.numpy.xp)
        for label, value in outputs.items():
            if shape_of(value) is None:
                raise Finding(
                    expected=f"an array from {label}",
                    found=f"the {type(value).__name__} {value!r}",
                    do="return arrays, of no axis if need be: float(...) and .tolist() wait for the device.",
                )
        if caught:
            raise Finding(expected=f"{call.label} without a warning", found=warned(caught))


def portable(bench: Bench) -> None:
    if bench.backend == bench.numpy:
        raise NotApplicable(because="NumPy was looked at before")
    for call in bench.calls():
        try:
            call.run(call.arrays(bench.backend), bench.backend.xp)
        except Finding as finding:
            finding.do = next((do for sign, do in CAUSES.items() if sign in finding.found), "")
            raise


CAUSES = {
    "to a NumPy array": "a NumPy function was given an array of another library; use the function of xp instead.",
    "boolean_indexing": "do not select by a boolean mask; xp.where(condition, this, that) keeps the shape.",
    "data_dependent_shapes": "the shape of a result must not depend on its numbers; xp.where keeps it.",
    "device": "an array was made elsewhere; use xp.zeros_like(input) and the like, or device=input.device.",
    "has no attribute": "that name is not in the Array API standard; use functions of xp that are.",
}
"""What most often lies behind an error that only other libraries raise, by words in its text."""


def shape(bench: Bench) -> None:
    for call in [*bench.calls(), *bench.calls(rows=3, width=1)]:
        outputs = call.run(call.arrays(bench.backend), bench.backend.xp)
        for label, wanted in call.shapes.items():
            found = shape_of(outputs[label])
            if found != wanted:
                given = ", ".join(f"{name} {value.shape}" for name, value in call.inputs.items())
                raise Finding(expected=f"{label} of shape {wanted}", found=f"shape {found}", where=f"given {given}")


def dtype(bench: Bench) -> None:
    names = ("float32", "float64") if has_float64(bench.backend) else ("float32",)
    for name in names:
        for call in bench.calls():
            outputs = call.run(call.arrays(bench.backend, name), bench.backend.xp)
            for label, value in outputs.items():
                if value.dtype != bench.backend.dtype(name):
                    raise Finding(expected=f"{label} in {name}, the dtype of its inputs", found=str(value.dtype))


def device(bench: Bench) -> None:
    for call in bench.calls():
        for label, value in call.run(call.arrays(bench.backend), bench.backend.xp).items():
            if not bench.backend.owns(value):
                raise Finding(expected=f"{label} on {bench.backend.name}, where its inputs are", found=describe(value))


def deterministic(bench: Bench) -> None:
    for call in bench.calls():
        first = call.host(bench.backend, "float32")
        for other in bench.calls(rows=5):  # as the other layers of a network do in between
            other.host(bench.backend, "float32")
        second = call.host(bench.backend, "float32")
        for label, value in first.items():
            require_equal(second[label], value, 0.0, what=f"the second call, {label}", same_as="the first call")


def inputs_unchanged(bench: Bench) -> None:
    for call in bench.calls():
        arrays = call.arrays(bench.backend)
        before = {name: np.array(bench.backend.to_numpy(value)) for name, value in arrays.items()}
        call.run(arrays, bench.backend.xp)
        for name, value in arrays.items():
            require_equal(
                np.asarray(bench.backend.to_numpy(value)),
                before[name],
                0.0,
                what=f"{name} after {call.label}",
                same_as="before the call",
            )


def read_only(bench: Bench) -> None:
    if bench.backend != bench.numpy:
        raise NotApplicable(because="only NumPy has read-only arrays")
    for call in bench.calls():
        arrays = call.arrays(bench.numpy, "float64")
        for value in arrays.values():
            value.setflags(write=False)
        call.run(arrays, bench.numpy.xp)


def strided(bench: Bench) -> None:
    for call in bench.calls():
        expected = call.host(bench.backend, "float32")
        for layout, lay_out in LAYOUTS.items():
            arrays = {name: lay_out(value, bench.backend) for name, value in call.inputs.items()}
            try:
                outputs = call.run(arrays, bench.backend.xp)
            except Finding as finding:
                finding.where = f"with {layout} inputs; {finding.where}"
                raise
            for label, value in expected.items():
                found = np.asarray(bench.backend.to_numpy(outputs[label]))
                require_equal(
                    found, value, 1e-5, what=f"{label} with {layout} inputs", same_as="the same numbers in C order"
                )


def empty(bench: Bench) -> None:
    for call in bench.calls(rows=0):
        outputs = call.run(call.arrays(bench.backend), bench.backend.xp)
        for label, wanted in call.shapes.items():
            if shape_of(outputs[label]) != wanted:
                raise Finding(
                    expected=f"{label} of shape {wanted} for 0 rows", found=f"shape {shape_of(outputs[label])}"
                )


def one_row(bench: Bench) -> None:
    for call in bench.calls():
        require_same_alone(call, bench.backend)


def require_same_alone(call: Call, backend: Backend) -> None:
    """Raise Finding unless every row alone gives what it gives among the others."""
    together = call.host(backend, "float32")
    rows = len(next(iter(together.values())))
    for i in range(rows):
        alone = Call(call.label, call.function, {k: v[i : i + 1] for k, v in call.inputs.items()}, {})
        for label, value in alone.host(backend, "float32").items():
            what, same_as = f"{label} of row {i} alone", f"the same row among {rows}"
            require_equal(value, together[label][i : i + 1], 1e-5, what=what, same_as=same_as)


def same_as_numpy(bench: Bench) -> None:
    if bench.backend == bench.numpy:
        raise NotApplicable(because="this is NumPy")
    for call in bench.calls():
        expected, found = call.host(bench.numpy, "float32"), call.host(bench.backend, "float32")
        for label, value in expected.items():
            require_equal(found[label], value, 1e-4, what=label, same_as="on NumPy, in float32")


def accuracy(bench: Bench) -> None:
    for call in bench.calls():
        rounded = {
            k: v.astype(np.float32).astype(v.dtype) if v.dtype.kind == "f" else v for k, v in call.inputs.items()
        }
        same = Call(call.label, call.function, rounded, call.shapes)
        precise, single = same.host(bench.numpy), same.host(bench.backend, "float32")
        for label, value in precise.items():
            require_equal(single[label], value, 1e-3, what=f"{label} in float32", same_as="the same in float64")


def fortran(value: Host, backend: Backend) -> Array:
    turned = on_backend(np.ascontiguousarray(value.T), backend, "float32")
    return backend.xp.permute_dims(turned, tuple(reversed(range(value.ndim))))


def negative(value: Host, backend: Backend) -> Array:
    return backend.xp.flip(on_backend(np.flip(value), backend, "float32"))


def every_second(value: Host, backend: Backend) -> Array:
    spread = on_backend(np.repeat(value, 2, axis=-1) if value.ndim else value, backend, "float32")
    return spread[..., ::2] if value.ndim else spread


LAYOUTS: Mapping[str, Callable[[Host, Backend], Array]] = {
    "Fortran-ordered": fortran,
    "negatively strided": negative,
    "every second column of": every_second,
}


def warned(caught: list[warnings.WarningMessage]) -> str:
    """The first of the recorded warnings, with its place."""
    first = caught[0]
    place = f"{Path(first.filename).name}, line {first.lineno}: {getline(first.filename, first.lineno).strip()}"
    return f"{first.category.__name__}: {first.message} ({place})"
