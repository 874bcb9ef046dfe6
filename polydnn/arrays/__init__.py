"""The only room that names array libraries: backends, portable random streams, facts about the machine."""

from polydnn.arrays._cupy import cupy_backend
from polydnn.arrays._jax import jax_backend
from polydnn.arrays._numpy import numpy_backend
from polydnn.arrays._strict import strict_backend
from polydnn.arrays._torch import torch_backend
from polydnn.arrays.backend import Backend, describe
from polydnn.arrays.machine import available_memory, cpu_caches, cpu_name
from polydnn.arrays.namespace import device_of, namespace_of
from polydnn.arrays.streams import check_seed, permutation, stream

__all__ = [
    "Backend",
    "available_memory",
    "check_seed",
    "cpu_caches",
    "cpu_name",
    "cupy_backend",
    "describe",
    "device_of",
    "jax_backend",
    "namespace_of",
    "numpy_backend",
    "permutation",
    "stream",
    "strict_backend",
    "torch_backend",
]
