"""Losses against tasks on the command line: what serves trains, and what it is measured in is said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polydnn


@pytest.mark.parametrize("loss", ["mean_squared_error", "sum_squared_error", "mean_absolute_error"])
def test_a_loss_on_numbers_takes_classes_as_one_hot_rows(run: Any, loss: str) -> None:
    result = run("train", "--loss", loss, "--epochs", 10, "--validation-fraction", 0.1, "--json", "--output", "here")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["test_metrics"]["accuracy"] > 0.8
    network, test = polydnn.Network.load("here/model.safetensors"), polydnn.dataset("digits").test
    off = network.forward(test.x) - np.eye(10)[test.y]
    own = {"mean_squared_error": (off**2).mean(), "sum_squared_error": (off**2).sum(axis=1).mean() / 2}
    assert report["test_loss"] == pytest.approx(own.get(loss, np.abs(off).mean()), rel=1e-4)
    measured = json.loads(run("evaluate", "here", "--json").stdout)
    assert (measured["loss"], measured["metrics"]) == (report["test_loss"], report["test_metrics"])


def test_shares_may_be_trained_with_a_loss_on_probabilities(run: Any, tmp_path: Path) -> None:
    rows = "".join(f"{i},{i / 40}\n" for i in range(40))
    (tmp_path / "shares.csv").write_text("x,share\n" + rows)
    asked = ("--dataset", "shares.csv", "--target", "share", "--loss", "binary_cross_entropy", "--epochs", 2)
    result = run("train", *asked, "--output", "here")
    assert result.exit_code == 0, result.stderr
    assert 'output_activation = "sigmoid"' in (tmp_path / "here" / "experiment.toml").read_text()
    scaled = run("train", *asked, "--target-normalization", "min-max")
    assert scaled.exit_code == 2
    assert "this is regression with the loss binary_cross_entropy. Leave it out." in scaled.stderr


def test_evaluate_checks_the_loss_it_is_given(run: Any) -> None:
    run("train", "--epochs", 1, "--output", "here")
    refused = run("evaluate", "here", "--loss", "hinge")
    assert refused.exit_code == 1
    assert "the loss 'hinge' does not serve 'digits', which is for multiclass; those that do: " in refused.stderr
    assert run("evaluate", "here", "--loss", "mean_squared_error").exit_code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], " (of standardized targets)  r2 "),
        (["--target-normalization", "min-max"], " (of targets scaled to [0, 1])  r2 "),
        (["--target-normalization", "none"], "  r2 "),
    ],
)
def test_a_loss_in_scaled_units_says_so(run: Any, options: list[str], words: str) -> None:
    base = ("train", "--dataset", "california_housing", "--epochs", 1, "--quiet", "--output", "here")
    (line, *_) = run(*base, *options).stdout.splitlines()
    assert words in line
    assert ("(" in line) == ("(" in words)
    assert words in run("evaluate", "here").stdout
