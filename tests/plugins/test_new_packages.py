"""What ``polydnn plugins new`` writes, in a fresh virtual environment: it installs, passes its tests, and learns."""

import importlib.util
import json
from pathlib import Path

import pytest

from tests.plugin_environments import Place

pytestmark = pytest.mark.slow

KINDS = {
    "activation": ("my-act", "--activation my_act --dataset digits"),
    "loss": ("my-loss", "--loss my_loss --dataset california_housing"),
    "optimizer": ("my-opt", "--optimizer my_opt --learning-rate 0.5 --dataset digits"),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest, venv_with_polydnn: Place) -> str:
    """A kind of package, written and installed into the virtual environment."""
    name, _ = KINDS[request.param]
    done = venv_with_polydnn.polydnn("plugins", "new", name, f"--{request.param}")
    assert done.returncode == 0, done.stderr
    written = {path.name for path in (venv_with_polydnn.home / f"polydnn-{name}").rglob("*.*")}
    module = f"polydnn_{name.replace('-', '_')}.py"
    assert {"pyproject.toml", "README.md", module, f"test_{name.replace('-', '_')}.py"} <= written
    venv_with_polydnn.install(f"./polydnn-{name}[test]")
    return str(request.param)


def test_its_tests_pass(venv_with_polydnn: Place, kind: str) -> None:
    done = venv_with_polydnn.run("-m", "pytest", "-q", "-W", "error", f"polydnn-{KINDS[kind][0]}")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_it_passes_the_conformance_kit(venv_with_polydnn: Place, kind: str) -> None:
    done = venv_with_polydnn.polydnn("plugins", "check", f"polydnn-{KINDS[kind][0]}")
    assert (done.returncode, done.stdout.splitlines()[-1][-8:]) == (0, "all pass"), done.stdout


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_training_with_it_learns(venv_with_polydnn: Place, kind: str, backend: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    arguments = f"train {KINDS[kind][1]} --epochs 3 --quiet --json --backend {backend} --output {tmp_path / 'run'}"
    done = venv_with_polydnn.polydnn(*arguments.split())
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    losses = [row["loss"] for row in report["history"]]
    assert len(losses) == 3
    assert losses[2] < 0.8 * losses[0]
    if report["dataset"] == "digits":
        assert report["test_metrics"]["accuracy"] > 0.5  # 0.1 by chance
    else:
        assert report["test_metrics"]["r2"] > 0.3


def test_the_environment_knew_no_other_plugin(venv_with_polydnn: Place) -> None:
    records = json.loads(venv_with_polydnn.polydnn("plugins", "list", "--json").stdout)["plugins"]
    assert {record["distribution"] for record in records} <= {f"polydnn-{name}" for name, _ in KINDS.values()}
