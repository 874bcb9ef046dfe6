"""A model that was made with a plugin says so: with it, without it, and with another version of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin_environments import ROOT
from tests.plugin_packages import install_sources

SAVE = """
import numpy as np, polydnn
layers = [polydnn.Dense(4, ("leaky_relu", {"negative_slope": 0.25})), polydnn.Dense(1)]
network = polydnn.Network(2, layers, seed=5)
x = np.asarray([[-1.0, 2.0], [0.5, -0.5], [1.0, 1.0]])
polydnn.Trainer(network, loss="mean_squared_error").fit(x, x[:, :1], epochs=2)
network.save("model.safetensors")
np.save("prediction.npy", network.predict(x))
"""

LOAD = """
import sys, numpy as np, polydnn
network = polydnn.Network.load("model.safetensors")
x = np.asarray([[-1.0, 2.0], [0.5, -0.5], [1.0, 1.0]])
np.testing.assert_array_equal(network.predict(x), np.load("prediction.npy"))
print(dict(network.layers[0].activation.options))
"""

LOAD_IN_VAIN = """
import sys, polydnn
try:
    polydnn.Network.load("model.safetensors")
except polydnn.PolydnnError as error:
    print(type(error).__name__, error)
print([name for name in sys.modules if name.startswith("polydnn_")])
"""


@pytest.fixture
def newer_target(tmp_path: Path, shipped_target: Path) -> Path:
    """A folder with version 9.0 of polydnn-leaky-relu in it."""
    source = tmp_path / "polydnn-leaky-relu"
    ignored = shutil.ignore_patterns("tests", ".*", "__pycache__")
    shutil.copytree(ROOT / "plugins" / "polydnn-leaky-relu", source, ignore=ignored)
    project = (source / "pyproject.toml").read_text()
    assert 'version = "0.1.0"' in project
    (source / "pyproject.toml").write_text(project.replace('version = "0.1.0"', 'version = "9.0"'))
    install_sources([source], tmp_path / "newer")
    return tmp_path / "newer"


@pytest.fixture
def model(seeing: Callable, shipped_target: Path) -> None:
    """A file model.safetensors in the folder where programs run, trained with leaky_relu."""
    done = seeing(shipped_target).run("-W", "error", "-c", SAVE)
    assert done.returncode == 0, done.stderr


def header(path: Path) -> str:
    """The text at the head of a safetensors file."""
    data = path.read_bytes()
    return data[8 : 8 + int.from_bytes(data[:8], "little")].decode()


@pytest.mark.usefixtures("model")
def test_the_file_names_package_version_and_item(tmp_path: Path) -> None:
    text = header(tmp_path / "model.safetensors")
    metadata = json.loads(text)["__metadata__"]
    spoken = " ".join(metadata.values()).replace(" ", "")
    for key, value in {"distribution": "polydnn-leaky-relu", "version": "0.1.0", "name": "leaky_relu"}.items():
        assert f'"{key}":"{value}"' in spoken
    assert '"negative_slope":0.25' in spoken


@pytest.mark.usefixtures("model")
def test_with_the_package_it_predicts_the_same(seeing: Callable, shipped_target: Path) -> None:
    done = seeing(shipped_target).run("-W", "error", "-c", LOAD)
    assert (done.returncode, done.stdout) == (0, "{'negative_slope': 0.25}\n"), done.stderr


@pytest.mark.usefixtures("model")
def test_without_the_package_it_says_what_to_install(seeing: Callable) -> None:
    done = seeing().run("-W", "error", "-c", LOAD_IN_VAIN)
    assert done.returncode == 0, done.stderr
    said, imported = done.stdout.splitlines()
    assert said.startswith("UnknownNameError ")
    assert "activation 'leaky_relu' of polydnn-leaky-relu 0.1.0 is needed, and the package is not installed" in said
    assert said.endswith("pip install polydnn-leaky-relu")
    assert imported == "[]"


@pytest.mark.usefixtures("model")
def test_on_the_command_line_too(seeing: Callable) -> None:
    done = seeing().polydnn("evaluate", "model.safetensors", "--dataset", "digits")
    assert done.returncode == 1
    assert "pip install polydnn-leaky-relu" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("model")
def test_a_package_that_is_switched_off_is_not_imported_for_a_file(seeing: Callable, shipped_target: Path) -> None:
    done = seeing(shipped_target).run("-W", "error", "-c", LOAD_IN_VAIN, POLYDNN_DISABLE_PLUGINS="polydnn-leaky-relu")
    assert done.returncode == 0, done.stderr
    said, imported = done.stdout.splitlines()
    assert "disabled: switched off by POLYDNN_DISABLE_PLUGINS" in said
    assert "polydnn_leaky_relu" not in imported


@pytest.mark.usefixtures("model")
def test_another_version_is_used_with_a_warning(seeing: Callable, newer_target: Path) -> None:
    done = seeing(newer_target).run("-c", LOAD)
    assert (done.returncode, done.stdout) == (0, "{'negative_slope': 0.25}\n"), done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if "PolydnnPluginWarning" in line]
    assert "of polydnn-leaky-relu 0.1.0 is needed, and version 9.0 is installed; results may differ" in warning
    assert warning.endswith("pip install polydnn-leaky-relu==0.1.0")


def test_loss_and_optimizer_of_packages_are_resumed_by_name(seeing: Callable, shipped_target: Path) -> None:
    program = (
        "import numpy as np, polydnn\n"
        "network = polydnn.Network(2, [polydnn.Dense(1)])\n"
        "trainer = polydnn.Trainer(network, loss=('huber', {'delta': 0.5}), optimizer='lion')\n"
        "x = np.asarray([[1.0, 2.0], [3.0, 4.0]])\n"
        "trainer.fit(x, x[:, :1], epochs=1)\n"
        "trainer.save_checkpoint('run')\n"
        "back = polydnn.Trainer.resume('run')\n"
        "print(back.loss.options, back.optimizer.name)\n"
    )
    done = seeing(shipped_target).run("-W", "error", "-c", program)
    assert (done.returncode, done.stdout) == (0, "{'delta': 0.5} lion\n"), done.stderr
    without = seeing().run("-c", "import polydnn; polydnn.Trainer.resume('run')")
    assert without.returncode == 1
    assert "pip install polydnn-" in without.stderr
