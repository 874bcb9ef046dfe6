"""Arrays of other libraries and devices: recognizing them, and telling their owner the way out."""

import array_api_compat
import numpy as np

__all__ = ["describe", "home_of", "host_expression", "is_foreign", "library_of"]

DLPACK_CPU = 1  # the device type that the DLPack header gives to main memory


def library_of(value: object) -> str:
    """The package that made the value's class, with JAX's two packages under one name.

    >>> library_of(np.ones(2))
    'numpy'
    """
    package = type(value).__module__.partition(".")[0]
    return "jax" if package == "jaxlib" else package


def is_foreign(value: object) -> bool:
    """Whether ``value`` is an array of a library other than NumPy, or lives outside main memory.

    Data that only offers itself for conversion (a data frame, an Arrow column) is not foreign: NumPy reads it.

    >>> import array_api_strict
    >>> is_foreign(array_api_strict.asarray([1.0])), is_foreign(np.ones(1)), is_foreign([1.0])
    (True, False, False)
    """
    if isinstance(value, np.ndarray | np.generic | list | tuple | int | float):
        return False
    return array_api_compat.is_array_api_obj(value) or not _in_main_memory(value)


def _in_main_memory(value: object) -> bool:
    device = getattr(value, "__dlpack_device__", None)
    if device is None or isinstance(value, type):
        return True
    try:
        return bool(int(device()[0]) == DLPACK_CPU)
    except Exception:  # the method is a stranger's; what cannot say where it lives is not moved silently
        return False


def describe(value: object) -> str:
    """An array in words: library, type and device.

    >>> describe(np.ones(2))
    'a numpy.ndarray on cpu'
    """
    device = getattr(value, "device", None)
    place = f" on {device}" if device is not None else ""
    kind = "jax.Array" if library_of(value) == "jax" else f"{library_of(value)}.{type(value).__name__}"
    return f"a {kind}{place}"


def home_of(value: object) -> str | None:
    """The name of the built-in backend whose array ``value`` is, None where there is none.

    >>> home_of(np.ones(2))
    'numpy'
    """
    library, device = library_of(value), str(getattr(value, "device", ""))
    if library == "torch":
        return library if device == "cpu" else f"torch:{device}"
    if library == "cupy":
        number = getattr(getattr(value, "device", None), "id", 0)
        return f"cupy:{number}" if number else library
    if library == "array_api_strict":
        return "array-api-strict:" + device.split("'")[1]
    return library if library in ("numpy", "jax") else None


def host_expression(value: object, argument: str) -> str:
    """The expression that copies ``value`` to a NumPy array, for messages.

    >>> host_expression(np.ones(2), "x")
    'numpy.asarray(x)'
    """
    expressions = {"torch": f"{argument}.detach().cpu().numpy()", "cupy": f"cupy.asnumpy({argument})"}
    return expressions.get(library_of(value), f"numpy.asarray({argument})")
