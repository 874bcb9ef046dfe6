"""Which BLAS is loaded, with which kernels; from this process and from pretended thread pools."""

import numpy as np
import pytest

from polydnn.arrays import blas
from polydnn.arrays.blas import BlasLibrary, blas_libraries, kernel_level

POOLS = [
    {"user_api": "openmp", "internal_api": "openmp", "num_threads": 4, "filepath": "/lib/libgomp.so"},
    {
        "user_api": "blas",
        "internal_api": "mkl",
        "version": "2024.2",
        "num_threads": 4,
        "threading_layer": "intel",
        "filepath": "/site-packages/torch/lib/libmkl.so",
    },
    {
        "user_api": "blas",
        "internal_api": "openblas",
        "version": "0.3.31",
        "architecture": "Haswell",
        "num_threads": 2,
        "threading_layer": "pthreads",
        "filepath": "/site-packages/numpy.libs/libscipy_openblas64.so",
    },
]


def test_numpys_library_comes_first() -> None:
    openblas = BlasLibrary("openblas", "0.3.31", "Haswell", 2, "pthreads", "numpy.libs/libscipy_openblas64.so")
    assert blas_libraries(POOLS) == [openblas, BlasLibrary("mkl", "2024.2", None, 4, "intel", "lib/libmkl.so")]


def test_this_process_has_one() -> None:
    first = blas_libraries()[0]
    assert first.name
    assert first.record()["name"] == first.name


def test_an_unknown_library_is_named_by_numpys_build(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"Build Dependencies": {"blas": {"name": "accelerate", "version": "1"}}}
    monkeypatch.setattr(blas.np, "show_config", lambda mode: record)
    assert blas_libraries(POOLS[:1]) == [BlasLibrary("accelerate", "1", None, None)]
    monkeypatch.setattr(blas.np, "show_config", lambda mode: {})
    assert blas_libraries([]) == [BlasLibrary("unknown", None, None, None)]
    assert np.show_config is not None


@pytest.mark.parametrize(
    ("architecture", "level"),
    [
        ("SkylakeX", "avx512"),
        ("Zen", "avx2"),
        ("Sandybridge", "avx"),
        ("Nehalem", "sse"),
        ("neoversen1", None),
        (None, None),
    ],
)
def test_kernels_by_vector_instructions(architecture: str | None, level: str | None) -> None:
    assert kernel_level(BlasLibrary("openblas", "0.3.31", architecture, 2)) == level
    assert kernel_level(BlasLibrary("mkl", "2024.2", architecture, 2)) is None
