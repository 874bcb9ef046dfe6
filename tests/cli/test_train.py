"""``polydnn train``: what it leaves, prints and repeats."""

import csv
import json
import struct
import tomllib
from pathlib import Path
from typing import Any

import pytest

import polydnn

PROMISED = {
    "backend",
    "device",
    "dataset",
    "task",
    "epochs",
    "steps",
    "parameters",
    "train_loss",
    "test_loss",
    "test_metrics",
    "seconds",
    "samples_per_second",
    "model",
    "execution",
    "output",
    "seed",
    "history",
}


def test_without_options_it_learns_digits_and_leaves_a_run_folder(run: Any, tmp_path: Path) -> None:
    result = run("train")
    assert result.exit_code == 0, result.output
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("digits-")
    assert {"model.safetensors", "experiment.toml", "history.csv", "curves.png"} <= {
        each.name for each in folder.iterdir()
    }
    assert "test rows: loss 0." in result.stdout
    assert f"polydnn evaluate runs/{folder.name}" in result.stdout
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert float(rows[-1]["accuracy"]) > 0.95


@pytest.mark.parametrize(
    ("dataset", "metrics"),
    [
        ("digits", ["accuracy"]),
        ("breast_cancer", ["accuracy", "roc_auc"]),
        ("california_housing", ["r2", "root_mean_squared_error"]),
        ("yeast", ["f1", "hamming_loss"]),
    ],
)
def test_json_is_the_only_thing_on_standard_output(run: Any, dataset: str, metrics: list[str]) -> None:
    result = run("train", "--dataset", dataset, "--epochs", 2, "--json", "--output", "here")
    report = json.loads(result.stdout)
    assert report.keys() >= PROMISED
    assert list(report["test_metrics"]) == metrics
    assert (report["dataset"], report["epochs"], len(report["history"])) == (dataset, 2, 2)
    assert report["model"] == "here/model.safetensors"
    assert polydnn.Network.load(report["model"]).parameter_count() == report["parameters"]


def test_without_a_terminal_an_epoch_is_a_plain_line(run: Any) -> None:
    result = run("train", "--epochs", 2, "--json")
    lines = result.stderr.splitlines()
    assert lines[0] == "digits: multiclass, 1,438 training and 359 test rows, 64 features"
    assert lines[1].startswith("network 64-64-10: 4,810 parameters, float32 on numpy (")
    assert lines[2].startswith("epoch 1/2  loss ")
    assert "accuracy 0." in lines[3]
    assert lines[3].endswith(" samples/s")
    assert "\x1b" not in result.stderr


def test_quiet_shows_no_progress(run: Any) -> None:
    assert run("train", "--epochs", 1, "--quiet").stderr == ""


EVERYTHING = """
dataset = "california_housing"
hidden = [16, 8]
activation = "elu:alpha=0.5"
output_activation = "identity"
initializer = "he_uniform"
dropout = 0.1
batch_normalization = true
normalization = "min-max"
target_normalization = "min-max"
dtype = "float64"
epochs = 3
batch_size = 256
loss = "mean_absolute_error"
optimizer = {name = "sgd", momentum = 0.9, nesterov = true}
learning_rate = 0.01
schedule = {name = "step", factor = 0.5, every = 10}
metric = ["r2", "mean_absolute_error"]
validation_fraction = 0.25
patience = 2
l1 = 1e-5
l2 = 1e-4
weight_decay = 0.001
clip_value = 1.0
clip_norm = 5
seed = 7
execution = "reference"
quiet = true
output = "first"
"""


def test_the_experiment_it_leaves_gives_the_same_model_bit_for_bit(run: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(EVERYTHING)
    first = run("train", "mine.toml")
    assert first.exit_code == 0, first.output
    assert first.stderr == ""  # quiet = true
    second = run("train", "first/experiment.toml", "--output", "second")
    assert second.exit_code == 0, second.output
    for name in ("model.safetensors", "experiment.toml"):
        assert (tmp_path / "second" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()
    settled = tomllib.loads((tmp_path / "first" / "experiment.toml").read_text())
    assert settled["optimizer"] == "sgd:momentum=0.9,nesterov=true"
    assert settled.items() >= {"hidden": [16, 8], "patience": 2, "batch_normalization": True, "clip_norm": 5.0}.items()
    assert not settled.keys() & {"output", "overwrite", "quiet", "json"}


@pytest.mark.parametrize("options", [["--epochs", 2], ["--dataset", "yeast", "--epochs", 1, "--hidden", "none"]])
def test_a_run_of_defaults_repeats_from_its_experiment(run: Any, tmp_path: Path, options: list[Any]) -> None:
    assert run("train", *options, "--output", "a").exit_code == 0
    assert run("train", "a/experiment.toml", "--output", "b").exit_code == 0
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_another_seed_gives_another_model(run: Any, tmp_path: Path) -> None:
    for seed in (0, 1):
        run("train", "--epochs", 1, "--seed", seed, "--output", seed)
    assert (tmp_path / "0" / "model.safetensors").read_bytes() != (tmp_path / "1" / "model.safetensors").read_bytes()


def test_flags_win_over_the_file(run: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'epochs = 5\nhidden = [8]\nseed = 3\nmetric = "accuracy"\nbatch_normalization = true\nclip_norm = 1.0\n'
    )
    flags = ["--epochs", 1, "--hidden", "none", "--no-batch-normalization", "--clip-norm", "none"]
    result = run("train", "mine.toml", *flags, "--json", "--output", "here")
    report = json.loads(result.stdout)
    assert (report["epochs"], report["parameters"], report["seed"]) == (1, 650, 3)
    settled = tomllib.loads((tmp_path / "here" / "experiment.toml").read_text())
    assert settled["batch_normalization"] is False
    assert "clip_norm" not in settled


def test_a_table_is_trained_on_and_the_model_knows_its_words(run: Any, flowers: Path, tmp_path: Path) -> None:
    options = ["--dataset", flowers.name, "--target", "species", "--test-fraction", 0.3, "--class-weight", "balanced"]
    result = run("train", *options, "--epochs", 2, "--output", "here")
    assert result.exit_code == 0, result.output
    network = polydnn.Network.load(tmp_path / "here" / "model.safetensors")
    assert (network.features, network.targets, network.classes) == (("length", "width"), ("species",), ("iris", "rose"))
    settled = tomllib.loads((tmp_path / "here" / "experiment.toml").read_text())
    assert settled.items() >= {"dataset": str(flowers), "target": ["species"], "task": "binary"}.items()


def test_several_targets_make_a_regression_of_several_outputs(run: Any, lines: Path, tmp_path: Path) -> None:
    targets = ["--target", "y", "--target", "a", "--task", "regression"]
    result = run("train", "--dataset", lines, *targets, "--epochs", 1, "--output", "here")
    assert result.exit_code == 0, result.output
    assert polydnn.Network.load(tmp_path / "here" / "model.safetensors").targets == ("y", "a")


def test_patience_ends_a_run_early(run: Any) -> None:
    options = ["--learning-rate", 1e-12, "--validation-fraction", 0.2, "--patience", 1, "--epochs", 20]
    report = json.loads(run("train", *options, "--json").stdout)
    assert 2 <= report["epochs"] < 20
    assert "val_loss" in report["history"][0]


def test_an_output_bounded_below_gets_targets_from_0_to_1(run: Any, tmp_path: Path) -> None:
    options = ["--dataset", "california_housing", "--output-activation", "relu", "--loss", "sum_squared_error"]
    result = run("train", *options, "--epochs", 1, "--output", "here")
    assert result.exit_code == 0, result.output
    settled = tomllib.loads((tmp_path / "here" / "experiment.toml").read_text())
    assert settled["target_normalization"] == "min-max"


def test_hinge_gets_an_output_of_either_sign(run: Any, tmp_path: Path) -> None:
    result = run("train", "--dataset", "breast_cancer", "--loss", "hinge", "--epochs", 3, "--output", "here", "--json")
    assert json.loads(result.stdout)["test_metrics"]["accuracy"] > 0.8
    assert tomllib.loads((tmp_path / "here" / "experiment.toml").read_text())["output_activation"] == "identity"


@pytest.mark.parametrize("backend", ["torch", "array-api-strict"])
def test_the_backend_is_a_flag(run: Any, backend: str) -> None:
    pytest.importorskip(backend.replace("-", "_"))
    options = ["train", "--dataset", "breast_cancer", "--epochs", 2, "--batch-size", "full", "--json"]
    here, there = (json.loads(run(*options, *more).stdout) for more in ([], ["--backend", backend]))
    assert there["backend"].startswith(backend)
    assert there["test_loss"] == pytest.approx(here["test_loss"], rel=1e-4)


def test_auto_says_what_it_chose(run: Any) -> None:
    result = run("train", "--backend", "auto", "--epochs", 1)
    assert result.exit_code == 0
    assert "'auto' chose " in result.stderr.splitlines()[0]


def test_the_picture_is_a_picture(run: Any, tmp_path: Path) -> None:
    run("train", "--dataset", "breast_cancer", "--epochs", 1, "--output", "here")
    content = (tmp_path / "here" / "curves.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert width > 3 * height  # three panels: the loss and two metrics


def test_without_matplotlib_it_says_what_to_install(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    result = run("train", "--epochs", 1, "--output", "here", "--quiet")
    assert result.exit_code == 0
    assert result.stderr == "No curves.png: it needs matplotlib, pip install 'polydnn[plot]'.\n"
    assert not (tmp_path / "here" / "curves.png").exists()
    assert "curves.png" not in result.stdout


def test_a_run_is_not_overwritten_unless_asked(run: Any, tmp_path: Path) -> None:
    assert run("train", "--epochs", 1, "--output", "here").exit_code == 0
    before = (tmp_path / "here" / "model.safetensors").read_bytes()
    refused = run("train", "--epochs", 1, "--seed", 1, "--output", "here")
    assert refused.exit_code == 1
    assert "here holds a run already (model.safetensors, " in refused.stderr
    assert "--overwrite to replace it, or choose another --output." in refused.stderr
    assert (tmp_path / "here" / "model.safetensors").read_bytes() == before
    assert run("train", "--epochs", 1, "--seed", 1, "--output", "here", "--overwrite").exit_code == 0
    assert (tmp_path / "here" / "model.safetensors").read_bytes() != before


def test_verbose_says_which_executor_and_why(run: Any) -> None:
    result = run("train", "--epochs", 1, "--quiet", "--verbose", "--json")
    report = json.loads(result.stdout)
    assert report["execution"] == "numpy"
    assert result.stderr.splitlines() == ["steps computed by: numpy", *report["execution_why"]]
    alone, beside_a_plugins = "executor 'numpy' agrees with the reference", "'numpy' is taken unmeasured"
    assert report["execution_why"] in ([alone], [beside_a_plugins])
    asked = run("train", "--epochs", 1, "--quiet", "--verbose", "--execution", "reference")
    assert asked.stderr.splitlines() == ["steps computed by: reference", "the reference step was asked for"]
