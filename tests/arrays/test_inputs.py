"""What users hand in: everything that holds real numbers arrives unchanged, everything else is refused by name."""

import datetime
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from polydnn.arrays import Backend, as_host, as_input, numpy_backend, strict_backend, torch_backend
from polydnn.errors import DTypeError, InvalidDataError, MixedBackendsError, ShapeError

VALUES = np.asarray([[1.5, -2.0, 3.0], [4.0, 5.5, 6.0]])


class Frame:
    """What a data frame is to NumPy: an object that converts itself."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return VALUES


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array = array.copy()
    array.flags.writeable = False
    return array


SOURCES: dict[str, Any] = {
    "C order": VALUES,
    "Fortran order": np.asfortranarray(VALUES),
    "strided": np.repeat(np.repeat(VALUES, 2, axis=0), 3, axis=1)[::2, ::3],
    "negative strides": VALUES[::-1, ::-1].copy()[::-1, ::-1],
    "transposed": VALUES.T.copy().T,
    "read-only": read_only(VALUES),
    "big-endian": VALUES.astype(">f8"),
    "big-endian strided": np.repeat(VALUES.astype(">f4"), 2, axis=1)[:, ::2],
    "broadcast": np.broadcast_to(VALUES, (2, 3)),
    "lists": VALUES.tolist(),
    "tuples": tuple(tuple(row) for row in VALUES.tolist()),
    "list of arrays": list(VALUES),
    "float16": VALUES.astype(np.float16),
    "float32": VALUES.astype(np.float32),
    "long double": VALUES.astype(np.longdouble),
    "data frame": Frame(),
    "matrix": VALUES.view(np.matrix),
    "masked array without a mask": np.ma.masked_array(VALUES),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
@pytest.mark.parametrize("name", ["float32", "float64", None])
def test_real_numbers_arrive_unchanged(backend: Backend, source: Any, name: str | None) -> None:
    before = np.array(source)
    dtype = None if name is None else backend.dtype(name)
    array = as_input(backend, source, "x", dtype=dtype)
    assert backend.owns(array)
    assert name is None or array.dtype == dtype
    np.testing.assert_array_equal(backend.to_numpy(array), VALUES)
    np.testing.assert_array_equal(np.array(source), before)


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "int32", "int64", "uint16", "bool"])
def test_integers_and_booleans_keep_their_type(backend: Backend, kind: str) -> None:
    host = np.asarray([[0, 1], [1, 1]], dtype=kind)
    array = as_input(backend, host, "x")
    assert array.dtype == backend.dtype(kind)
    np.testing.assert_array_equal(backend.to_numpy(array), host)
    real = as_input(backend, host, "x", dtype=backend.dtype("float32"))
    np.testing.assert_array_equal(backend.to_numpy(real), host.astype(np.float32))


@pytest.mark.parametrize("value", [3, 2.5, True, np.float32(1.5), np.int64(4)])
def test_numbers_become_arrays_of_no_axes(backend: Backend, value: Any) -> None:
    array = as_input(backend, value, "x")
    assert backend.owns(array)
    assert array.shape == ()
    assert backend.to_numpy(array) == value


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_empty_arrays_pass(backend: Backend, shape: tuple[int, ...]) -> None:
    assert as_input(backend, np.empty(shape), "x").shape == shape
    assert as_input(backend, np.empty(shape), "x", dtype=backend.index_dtype).shape == shape


def test_nan_and_infinity_pass_for_others_to_judge(backend: Backend) -> None:
    host = np.asarray([np.nan, np.inf, -np.inf])
    array = as_input(backend, host, "x", dtype=backend.dtype("float32"))
    np.testing.assert_array_equal(backend.to_numpy(array), host.astype(np.float32))


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "complex": ([[1 + 2j]], DTypeError, r"labels must hold real numbers, found complex numbers \(dtype complex128\)"),
    "text": (["cat", "dog"], DTypeError, r"labels must hold real numbers, found text .*'cat' at position \(0,\)\)"),
    "a text among numbers": ([1.0, "a"], DTypeError, "labels must hold real numbers, found text"),
    "bytes": (np.asarray([b"a"]), DTypeError, "labels must hold real numbers, found bytes"),
    "objects": ([[1.0, None]], DTypeError, r"labels must hold real .* Python objects .*'None' at position \(0, 1\)\)"),
    "huge integers": ([2**70], DTypeError, "labels must hold real numbers, found Python objects"),
    "dates": (np.asarray(["2024-01-01"], "datetime64[D]"), DTypeError, "labels must hold real numbers, found dates"),
    "date objects": ([datetime.date(2024, 1, 1)], DTypeError, "labels must hold real numbers, found Python objects"),
    "time spans": (np.asarray([3], "timedelta64[s]"), DTypeError, "labels must hold real numbers, found time spans"),
    "records": (np.zeros(2, "f4,i4"), DTypeError, "labels must hold real numbers, found records"),
    "None": (None, DTypeError, "labels must be an array of real numbers, found None. Give a NumPy array"),
    "a dictionary": ({"a": 1}, DTypeError, "labels must be an array of real numbers, found a dict"),
    "a generator": ((i for i in range(3)), DTypeError, "labels must be an array of real numbers, found a generator"),
    "ragged": (
        [[1, 2], [3]],
        ShapeError,
        "labels is ragged: entry 1 has length 1 and entry 0 has length 2; all need the same",
    ),
    "ragged with a number": ([[1, 2], 3], ShapeError, "labels is ragged: entry 1 is a number and entry 0 has length 2"),
    "deeply ragged": ([[[1], [1, 2]]], InvalidDataError, "labels cannot be read as an array of numbers: setting an"),
    "sparse": (
        scipy.sparse.csr_array(VALUES),
        InvalidDataError,
        r"labels is sparse \(a scipy.csr_array.*labels.toarray\(\)",
    ),
    "masked": (np.ma.masked_equal(VALUES, 3.0), InvalidDataError, "labels has 1 masked entries, which would count"),
}


@pytest.mark.parametrize(("value", "error", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_array_of_real_numbers_is_refused(value: Any, error: type[Exception], text: str) -> None:
    for backend in (numpy_backend(), strict_backend()):
        with pytest.raises(error, match=text):
            as_input(backend, value, "labels")
    with pytest.raises(error, match=text):
        as_host(value, "labels")


def test_a_conversion_that_fails_in_its_own_way_is_explained() -> None:
    class Broken:
        def __array__(self, *args: Any, **options: Any) -> Any:
            msg = "the file is gone\nand more"
            raise OSError(msg)

    with pytest.raises(InvalidDataError, match=r"x cannot be read as an array of numbers: the file is gone. Give a"):
        as_host(Broken(), "x")


def test_numbers_beyond_the_dtype_are_refused_not_made_infinite(backend: Backend) -> None:
    with pytest.raises(InvalidDataError, match=r"x holds 1e\+300, which float32 cannot hold .*3.403e\+38"):
        as_input(backend, [1.0, 1e300, np.inf], "x", dtype=backend.dtype("float32"))


def test_labels_with_fractions_are_refused_not_cut_off(backend: Backend) -> None:
    int64 = backend.dtype("int64")
    for bad in (1.5, np.nan, np.inf):
        with pytest.raises(InvalidDataError, match="y must hold whole numbers to become int64, found"):
            as_input(backend, np.asarray([0.0, bad]), "y", dtype=int64)
        on_device = backend.asarray(np.asarray([0.0, bad]))
        with pytest.raises(InvalidDataError, match="y must hold whole numbers to become int64, found"):
            as_input(backend, on_device, "y", dtype=int64)
    np.testing.assert_array_equal(backend.to_numpy(as_input(backend, [0.0, 2.0], "y", dtype=int64)), [0, 2])
    on_device = as_input(backend, backend.asarray([0.0, 2.0]), "y", dtype=int64)
    np.testing.assert_array_equal(backend.to_numpy(on_device), [0, 2])


def test_integers_beyond_the_dtype_are_refused_not_wrapped(backend: Backend) -> None:
    with pytest.raises(InvalidDataError, match="y holds 300, which uint8 cannot hold; it holds 0 to 255"):
        as_input(backend, np.asarray([1, 300]), "y", dtype=backend.dtype("uint8"))
    with pytest.raises(InvalidDataError, match="y holds 2, which bool cannot hold; it holds 0 to 1"):
        as_input(backend, np.asarray([0, 2]), "y", dtype=backend.dtype("bool"))


def test_an_array_of_the_backend_stays_where_it_is(backend: Backend) -> None:
    array = backend.asarray(VALUES)
    assert as_input(backend, array, "x") is array or backend.library == "numpy"  # the read-only one makes views
    narrow = as_input(backend, array, "x", dtype=backend.dtype("float32"))
    assert backend.owns(narrow)
    assert narrow.dtype == backend.dtype("float32")


def test_complex_arrays_of_the_backend_are_refused(backend: Backend) -> None:
    array = backend.xp.asarray([1.0], dtype=backend.xp.complex64, device=backend.device)
    with pytest.raises(DTypeError, match=r"x must hold real numbers, found .*complex64"):
        as_input(backend, array, "x")


def test_arrays_of_another_library_are_refused_with_the_way_out() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.ones(2)
    text = (
        r"x is a torch.Tensor on cpu, but the backend is 'numpy'; .*"
        r"Give x.detach\(\).cpu\(\).numpy\(\), or move the network with network.to\('torch'\)"
    )
    with pytest.raises(MixedBackendsError, match=text):
        as_input(numpy_backend(), tensor, "x")
    with pytest.raises(MixedBackendsError, match=r"x is a torch.Tensor on cpu, and host data is needed here"):
        as_host(tensor, "x")


def test_arrays_of_another_device_are_refused() -> None:
    other = strict_backend("device2").asarray([1.0])
    text = r"x is a array_api_strict.Array on .*device2.*'array-api-strict'.*network.to\('array-api-strict:device2'\)"
    with pytest.raises(MixedBackendsError, match=text):
        as_input(strict_backend(), other, "x")
    with pytest.raises(MixedBackendsError, match=r"a array_api_strict.Array .*, and host data is needed here"):
        as_host(other, "x")


def test_a_list_of_device_arrays_is_refused() -> None:
    with pytest.raises(InvalidDataError, match="x cannot be read as an array of numbers"):
        as_host([strict_backend().asarray(1.0)], "x")


class Column:
    """An array of a library nobody knows, in the memory of a device; 1 is DLPack's number for main memory."""

    def __init__(self, device_type: int) -> None:
        self.device_type = device_type

    def __dlpack_device__(self) -> tuple[int, int]:
        if self.device_type < 0:
            raise RuntimeError
        return self.device_type, 0

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return VALUES


def test_a_column_in_main_memory_is_read() -> None:
    np.testing.assert_array_equal(as_input(numpy_backend(), Column(1), "x"), VALUES)


@pytest.mark.parametrize("device_type", [2, -1])
def test_a_column_in_other_memory_is_refused_though_numpy_would_copy_it(device_type: int) -> None:
    with pytest.raises(MixedBackendsError, match=r"x is a .*Column, but the backend is 'numpy'; .*numpy.asarray\(x\)"):
        as_input(numpy_backend(), Column(device_type), "x")
    with pytest.raises(MixedBackendsError, match=r"x is a .*Column, and host data is needed here"):
        as_host(Column(device_type), "x")


def test_host_data_shares_memory_where_it_can() -> None:
    assert np.shares_memory(as_host(VALUES, "x"), VALUES)


def test_sparse_tensors_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(InvalidDataError, match=r"x is sparse .*torch.sparse_coo.*x.to_dense\(\)"):
        as_input(torch_backend(), torch.eye(2).to_sparse(), "x")


def test_tensors_that_record_gradients_are_detached() -> None:
    torch = pytest.importorskip("torch")
    leaf = torch.ones(2, requires_grad=True)
    for value in (leaf, leaf * 2, torch.nn.Parameter(torch.ones(2))):
        array = as_input(torch_backend(), value, "x", dtype=torch.float32)
        assert not array.requires_grad
    assert leaf.requires_grad
