"""``polydnn parity``: what it prints, and that a difference makes its exit status 1."""

import json
from typing import Any

import pytest

from polydnn.cli import main
from polydnn.layers import Dense

pytest.importorskip("array_api_strict")
SMALL = ["--hidden", "8", "--steps", "3"]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main.main(["parity", *arguments], prog_name="polydnn")
    return int(end.value.code or 0)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gradient that is a thousandth too large on one of the two backends."""
    real = Dense.forward

    def forward(self: Any, arrays: Any, x: Any, noise: Any, *, xp: Any) -> Any:
        y, back, changes = real(self, arrays, x, noise, xp=xp)
        if "strict" not in xp.__name__ or self.units != 8:
            return y, back, changes

        def larger(dy: Any, need_dx: bool) -> Any:
            dx, gradients = back(dy, need_dx)
            return dx, {**gradients, "bias": gradients["bias"] * (1.0 + 2.0**-10)}

        return y, larger, changes

    monkeypatch.setattr(Dense, "forward", forward)


def test_two_backends_agree(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SMALL, "--backends", "numpy,array-api-strict") == 0
    out = capsys.readouterr().out
    assert out.startswith("array-api-strict against numpy: ")
    assert "in 3 steps" in out
    assert run(*SMALL, "--backends", "numpy,numpy,array-api-strict", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "within the bound"
    assert [pair["backend"] for pair in report["pairs"]] == ["numpy", "array-api-strict"]
    assert report["pairs"][0]["first_difference"] is None
    assert report["pairs"][1]["first_beyond_bound"] is None


def test_a_planted_difference_is_named_and_its_growth_told(planted: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SMALL, "--backends", "numpy,array-api-strict") == 1
    out = capsys.readouterr().out
    assert "beyond 0.0001:       step 1, layers.1.bias gradient: relative 9.77e-04" in out
    assert "its growth by step: 9.8e-04" in out
    assert run(*SMALL, "--backends", "numpy,array-api-strict", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "beyond the bound"
    beyond = report["pairs"][0]["first_beyond_bound"]
    assert (beyond["step"], beyond["tensor"], len(beyond["growth"])) == (1, "layers.1.bias gradient", 3)


def test_one_backend_is_no_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--backends", "numpy") == 2
    assert "--backends compares two or more, such as numpy,torch; found 'numpy'" in capsys.readouterr().err


def test_the_experiment_of_a_run_can_be_compared(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """train writes keys that parity has no options for."""
    file = tmp_path / "experiment.toml"
    file.write_text('hidden = [8]\ncheckpoint_every = 10\nkeep = 3\non_storage_failure = "stop"\n')
    assert run(str(file), "--steps", "1", "--backends", "numpy,numpy") == 0
    assert "all with the same bits" in capsys.readouterr().out
