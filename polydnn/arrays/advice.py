"""What makes this machine slower or less exact than it need be without a word, and the remedy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from polydnn.arrays.blas import BlasLibrary, kernel_level

__all__ = ["Advice", "blas_advice", "environment_advice", "load_advice", "relevant_environment"]

LEVELS = ("sse", "avx", "avx2", "avx512")
THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "OMP_NUM_THREADS",
)
OFF = ("", "0", "false")
EFFECTS = {
    "OPENBLAS_L2_SIZE": "replaces the L2 cache size by which OpenBLAS plans its blocks",
    "MKL_DEBUG_CPU_TYPE": "chooses kernels in old versions of MKL and does nothing in newer ones",
    "MKL_ENABLE_INSTRUCTIONS": "limits the vector instructions that MKL uses",
    "MKL_CBWR": "makes MKL give up speed for results that are the same on every processor",
    "NPY_DISABLE_CPU_FEATURES": "switches off vector instructions in NumPy's own loops",
    "ATEN_CPU_CAPABILITY": "limits the vector instructions that PyTorch uses",
    "CUDA_LAUNCH_BLOCKING": "makes the CPU wait for every single operation on the GPU",
    "JAX_DISABLE_JIT": "makes JAX run compiled functions operation by operation",
    "CUPY_TF32": "makes CuPy round the factors of float32 matrix products to about three decimal digits",
    "NVIDIA_TF32_OVERRIDE": "decides for every library whether float32 matrix products are rounded on the GPU",
}
"""Variables that are nobody's default, and what each does."""
SWITCHES = {"CUDA_LAUNCH_BLOCKING", "JAX_DISABLE_JIT", "CUPY_TF32"}
RECORDED = ("OPENBLAS_", "MKL_", "BLIS_", "OMP_", "GOTO_", "CUPY_", "CUDA_", "NVIDIA_", "JAX_", "XLA_", "NPY_", "ATEN_")
"""Beginnings of the variables that can change speed or numbers, for the record of a measurement."""


@dataclass(frozen=True)
class Advice:
    """One thing found, and what to do about it."""

    topic: str
    text: str
    remedy: str

    def record(self) -> dict[str, str]:
        """The advice as plain values, for reports."""
        return asdict(self)


def relevant_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that can change speed or numbers.

    >>> relevant_environment({"OMP_NUM_THREADS": "2", "HOME": "/root"})
    {'OMP_NUM_THREADS': '2'}
    """
    return {name: value for name, value in sorted(environment.items()) if name.startswith(RECORDED)}


def blas_advice(
    libraries: Sequence[BlasLibrary], level: str | None, threads: int, environment: Mapping[str, str]
) -> Iterator[Advice]:
    """What is wrong with the BLAS libraries, on a processor of that vector ``level`` with that many threads to use."""
    for library in libraries:
        yield from _kernel_advice(library, level, environment)
        yield from _thread_advice(library, threads, environment)


def _kernel_advice(library: BlasLibrary, level: str | None, environment: Mapping[str, str]) -> Iterator[Advice]:
    kernels = kernel_level(library)
    if kernels is None or level is None or LEVELS.index(kernels) >= LEVELS.index(level):
        return
    forced = environment.get("OPENBLAS_CORETYPE")
    found = f"its {library.architecture} kernels ({kernels}) though this processor has {level}"
    cost = "matrix products take longer than they need."
    if forced:
        text = f"OPENBLAS_CORETYPE={forced} makes OpenBLAS use {found}; {cost}"
        yield Advice("blas", text, "unset OPENBLAS_CORETYPE before starting Python")
    else:
        text = f"OpenBLAS {library.version} uses {found}; {cost}"
        yield Advice("blas", text, "pip install --upgrade numpy, whose wheels bring kernels for every processor")


def _thread_advice(library: BlasLibrary, threads: int, environment: Mapping[str, str]) -> Iterator[Advice]:
    used = library.threads
    if used is None or used == threads:
        return
    named = next((f"{name}={environment[name]}" for name in THREAD_VARIABLES if environment.get(name)), None)
    if used > threads:
        cause = f" ({named})" if named else ""
        text = f"{library.name} starts {used} threads{cause} where {threads} can run at once; they wait for each other."
        yield Advice("threads", text, f"set OMP_NUM_THREADS={threads} before starting Python")
    elif named:
        text = f"{named} holds {library.name} to {used} of the {threads} threads that can run at once."
        yield Advice("threads", text, f"unset {named.partition('=')[0]}, unless other work is to have the rest")


def environment_advice(environment: Mapping[str, str]) -> Iterator[Advice]:
    """What the variables set in the environment do to speed and numbers."""
    for name, effect in EFFECTS.items():
        value = environment.get(name)
        if value and not (name in SWITCHES and value.lower() in OFF):
            text = f"{name}={value} {effect}."
            yield Advice("environment", text, f"unset {name} before starting Python, unless that is wanted")
    if environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1", "NoDevFiles"):
        text = f"CUDA_VISIBLE_DEVICES={environment['CUDA_VISIBLE_DEVICES']!r} hides every GPU."
        yield Advice("environment", text, "unset CUDA_VISIBLE_DEVICES before starting Python, unless that is wanted")


def load_advice(load: Sequence[float] | None, threads: int) -> Iterator[Advice]:
    """Whether other work keeps the processors busy; ``load`` is the system's load average."""
    if load and load[0] > threads:
        text = f"the load average is {load[0]:.1f} on {threads} usable threads: other work is running."
        yield Advice("load", text, "stop it, or wait, before you measure anything")
