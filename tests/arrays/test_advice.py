"""Warnings about the machine: each is given when it is due, with its remedy, and not otherwise."""

import pytest

from polydnn.arrays.advice import Advice, blas_advice, environment_advice, load_advice
from polydnn.arrays.blas import BlasLibrary


def openblas(architecture: str = "SkylakeX", threads: int = 2) -> BlasLibrary:
    return BlasLibrary("openblas", "0.3.31", architecture, threads)


def test_forced_slow_kernels_are_named_with_the_remedy() -> None:
    environment = {"OPENBLAS_CORETYPE": "Haswell"}
    assert list(blas_advice([openblas("Haswell")], "avx512", 2, environment)) == [
        Advice(
            "blas",
            "OPENBLAS_CORETYPE=Haswell makes OpenBLAS use its Haswell kernels (avx2) though this processor has avx512; "
            "matrix products take longer than they need.",
            "unset OPENBLAS_CORETYPE before starting Python",
        )
    ]


def test_slow_kernels_nobody_forced_need_another_numpy() -> None:
    [advice] = blas_advice([openblas("Nehalem")], "avx2", 2, {})
    assert advice.text.startswith("OpenBLAS 0.3.31 uses its Nehalem kernels (sse) though this processor has avx2")
    assert advice.remedy.startswith("pip install --upgrade numpy")


@pytest.mark.parametrize(
    ("architecture", "level"),
    [("SkylakeX", "avx512"), ("Haswell", "avx2"), ("Zen", "avx2"), ("armv8", None), ("Something", "avx512")],
)
def test_fitting_or_unknown_kernels_are_no_warning(architecture: str, level: str | None) -> None:
    environment = {"OPENBLAS_CORETYPE": architecture}
    assert list(blas_advice([openblas(architecture)], level, 2, environment)) == []


def test_threads_that_are_held_back_or_too_many() -> None:
    [few] = blas_advice([openblas(threads=1)], "avx512", 16, {"OPENBLAS_NUM_THREADS": "1"})
    assert few.text == "OPENBLAS_NUM_THREADS=1 holds openblas to 1 of the 16 threads that can run at once."
    assert few.remedy == "unset OPENBLAS_NUM_THREADS, unless other work is to have the rest"
    [many] = blas_advice([openblas(threads=64)], "avx512", 2, {})
    assert many.text == "openblas starts 64 threads where 2 can run at once; they wait for each other."
    assert many.remedy == "set OMP_NUM_THREADS=2 before starting Python"
    assert list(blas_advice([openblas(threads=2)], "avx512", 2, {"OMP_NUM_THREADS": "2"})) == []
    assert list(blas_advice([openblas(threads=1)], "avx512", 2, {})) == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (
            "OPENBLAS_L2_SIZE",
            "512",
            "OPENBLAS_L2_SIZE=512 replaces the L2 cache size by which OpenBLAS plans its",
        ),
        ("MKL_DEBUG_CPU_TYPE", "5", "MKL_DEBUG_CPU_TYPE=5 chooses kernels in old versions of MKL and does nothing in"),
        ("NPY_DISABLE_CPU_FEATURES", "AVX2", "NPY_DISABLE_CPU_FEATURES=AVX2 switches off vector instructions"),
        ("CUDA_LAUNCH_BLOCKING", "1", "CUDA_LAUNCH_BLOCKING=1 makes the CPU wait"),
        ("CUDA_VISIBLE_DEVICES", "-1", "CUDA_VISIBLE_DEVICES='-1' hides every GPU."),
    ],
)
def test_variables_that_slow_things_down(name: str, value: str, text: str) -> None:
    [advice] = environment_advice({name: value, "HOME": "/root"})
    assert advice.text.startswith(text)
    assert advice.remedy == f"unset {name} before starting Python, unless that is wanted"


def test_variables_at_their_defaults_are_no_warning() -> None:
    quiet = {"CUDA_LAUNCH_BLOCKING": "0", "CUPY_TF32": "0", "JAX_DISABLE_JIT": "false", "CUDA_VISIBLE_DEVICES": "0,1"}
    assert list(environment_advice(quiet)) == []
    assert list(environment_advice({})) == []


def test_a_busy_machine() -> None:
    [advice] = load_advice([3.0, 1.0, 1.0], 2)
    assert advice.text == "the load average is 3.0 on 2 usable threads: other work is running."
    assert list(load_advice([2.0, 9.0, 9.0], 2)) == []
    assert list(load_advice(None, 2)) == []
