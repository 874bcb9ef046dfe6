"""The array libraries every test runs on, as fixtures: what is missing here is skipped visibly, with the reason."""

import os

os.environ.setdefault("JAX_ENABLE_X64", "1")  # before JAX starts: the oracles need float64
os.environ.setdefault("POLYDNN_TUNING", "off")  # nothing is measured, and nothing written to the user's cache

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from polydnn.arrays import Backend, cupy_backend, jax_backend, numpy_backend, strict_backend, torch_backend
from polydnn.errors import BackendUnavailableError
from polydnn.types import DType, Namespace
from tests.plugin_environments import ROOT, Place, build_wheel, link_installed_packages, make_venv
from tests.read_only import ReadOnlyNumpyBackend

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # how fast it is decides nothing

BACKENDS: dict[str, Callable[[], Backend]] = {
    "numpy": numpy_backend,
    "numpy-readonly": ReadOnlyNumpyBackend,
    "array-api-strict": lambda: strict_backend("device1"),
    "torch": torch_backend,
    "jax": jax_backend,
    "cupy": cupy_backend,
}
MARKS = {"cupy": [pytest.mark.gpu]}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, [])) for name in BACKENDS])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Each backend in turn; array-api-strict on a device that NumPy cannot see, without data-dependent shapes."""
    try:
        made = BACKENDS[request.param]()
    except BackendUnavailableError as error:
        pytest.skip(str(error))
    if request.param != "array-api-strict":
        yield made
        return
    strict: Any = pytest.importorskip("array_api_strict")
    strict.set_array_api_strict_flags(boolean_indexing=False, data_dependent_shapes=False)
    yield made
    strict.reset_array_api_strict_flags()


@pytest.fixture
def xp(backend: Backend) -> Namespace:
    """The namespace of the backend."""
    return backend.xp


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest, backend: Backend) -> DType:
    """Both floating-point types of the backend, as dtype objects."""
    return backend.dtype(request.param)


@pytest.fixture(scope="session")
def packages_without_plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of links to what is installed here, polydnn and its plugins left out; put it on a path."""
    return link_installed_packages(tmp_path_factory.mktemp("links") / "site")


@pytest.fixture(scope="module")
def venv_with_polydnn(tmp_path_factory: pytest.TempPathFactory, packages_without_plugins: Path) -> Place:
    """A virtual environment with the wheel of this checkout, into which a file of tests can install plugins."""
    for needed in ("pip", "hatchling"):
        pytest.importorskip(needed, reason=f"{needed} is needed to install packages for real")
    folder = tmp_path_factory.mktemp("environment")
    return make_venv(folder, packages_without_plugins, build_wheel(ROOT, folder / "wheel"))
