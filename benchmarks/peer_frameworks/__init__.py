"""The frameworks that benchmarks/peers.py compares, one file each; importing this package imports none of them."""

import importlib
from typing import Any, NamedTuple

__all__ = ["FRAMEWORKS", "Entry", "make_framework"]


class Entry(NamedTuple):
    """Where a framework's class is, what it is given beside the device, its part in the comparison and its devices."""

    module: str
    made_by: str
    options: dict[str, Any]
    role: str
    devices: tuple[str, ...] = ("cpu", "cuda")


CPU = ("cpu",)
CUDA = ("cuda",)
FRAMEWORKS: dict[str, Entry] = {
    "torch_eager": Entry("torch_eager", "TorchEager", {}, "peer"),
    "torch_compile": Entry("torch_compiled", "TorchCompiled", {}, "peer"),
    "torch_graph": Entry("torch_graph", "TorchGraph", {}, "peer", CUDA),
    "jax_jit": Entry("jax_jit", "JaxJit", {}, "peer"),
    "jax_scan": Entry("jax_scan", "JaxScan", {}, "peer"),
    "keras": Entry("keras_models", "Keras", {}, "peer"),
    "keras_steps": Entry("keras_models", "KerasSteps", {}, "peer"),
    "scikit_learn": Entry("scikit_learn", "ScikitLearn", {}, "peer", CPU),
    "thinc": Entry("thinc_models", "Thinc", {}, "peer", CPU),
    "numpy_loop": Entry("numpy_loop", "NumpyLoop", {}, "peer", CPU),
    "floor": Entry("products", "NumpyProducts", {}, "floor", CPU),
    "floor_best_blas": Entry("products", "FastestProducts", {}, "floor", CPU),
    "polydnn_auto": Entry("polydnn_steps", "Polydnn", {"execution": "auto"}, "polydnn"),
    "polydnn_reference": Entry("polydnn_steps", "Polydnn", {"execution": "reference"}, "polydnn"),
    "polydnn_numpy": Entry("polydnn_steps", "Polydnn", {"execution": "numpy"}, "polydnn", CPU),
    "polydnn_numba": Entry("polydnn_steps", "Polydnn", {"execution": "numba"}, "polydnn", CPU),
    "polydnn_steps": Entry("polydnn_steps", "PolydnnSteps", {"execution": "auto"}, "polydnn"),
    "polydnn_torch": Entry("polydnn_steps", "Polydnn", {"execution": "auto", "backend": "torch"}, "polydnn"),
    "polydnn_jax": Entry("polydnn_steps", "Polydnn", {"execution": "auto", "backend": "jax"}, "polydnn"),
}
"""Name to entry; ``peer`` rows are what polydnn is held against, ``floor`` rows do less than a step."""


def make_framework(name: str, device: str) -> Any:
    """The framework itself; raises ImportError where its library is missing."""
    entry = FRAMEWORKS[name]
    made_by = getattr(importlib.import_module(f"peer_frameworks.{entry.module}"), entry.made_by)
    return made_by(device, **entry.options)
