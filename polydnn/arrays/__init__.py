"""The only room that names array libraries: backends, portable random streams, facts about the machine."""

from polydnn.arrays._cupy import cupy_backend
from polydnn.arrays._jax import jax_backend
from polydnn.arrays._numpy import numpy_backend
from polydnn.arrays._strict import strict_backend
from polydnn.arrays._torch import torch_backend
from polydnn.arrays.backend import Backend
from polydnn.arrays.caches import cpu_caches
from polydnn.arrays.cuda import cupy_install, driver_cuda
from polydnn.arrays.dtypes import dtype_name
from polydnn.arrays.foreign import describe, is_foreign
from polydnn.arrays.inputs import as_host, as_input
from polydnn.arrays.installing import INSTALL, cause_of
from polydnn.arrays.machine import available_memory, cpu_name, usable_threads
from polydnn.arrays.machine_report import machine_report
from polydnn.arrays.namespace import device_of, namespace_of
from polydnn.arrays.streams import check_seed, permutation, stream

__all__ = [
    "INSTALL",
    "Backend",
    "as_host",
    "as_input",
    "available_memory",
    "cause_of",
    "check_seed",
    "cpu_caches",
    "cpu_name",
    "cupy_backend",
    "cupy_install",
    "describe",
    "device_of",
    "driver_cuda",
    "dtype_name",
    "is_foreign",
    "jax_backend",
    "machine_report",
    "namespace_of",
    "numpy_backend",
    "permutation",
    "stream",
    "strict_backend",
    "torch_backend",
    "usable_threads",
]
