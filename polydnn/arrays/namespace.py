"""From an array to its namespace and device, for code that is handed nothing else."""

import array_api_compat

from polydnn.types import Array, Device, Namespace

__all__ = ["device_of", "namespace_of"]


def namespace_of(*arrays: Array) -> Namespace:
    """The namespace the arrays share."""
    return array_api_compat.array_namespace(*arrays)


def device_of(array: Array) -> Device:
    """The array's device; None while JAX traces, which its creation functions take as "wherever it runs"."""
    return array_api_compat.device(array)
