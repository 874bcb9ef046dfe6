"""``polydnn evaluate``: the measures of a trained model, on its own data and on others."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest


def _train(run: Any, *options: object) -> dict[str, Any]:
    result = run("train", *options, "--epochs", 3, "--output", "here", "--json", "--quiet")
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@pytest.mark.parametrize(
    "options", [[], ["--dataset", "california_housing"], ["--dataset", "yeast", "--metric", "precision"]]
)
def test_it_repeats_what_training_measured(run: Any, options: list[str]) -> None:
    trained = _train(run, *options)
    found = json.loads(run("evaluate", "here", "--json").stdout)
    assert found["loss"] == trained["test_loss"]
    assert found["metrics"] == trained["test_metrics"]
    assert (found["dataset"], found["split"]) == (trained["dataset"], "test")


def test_the_rows_can_be_chosen(run: Any) -> None:
    trained = _train(run)
    rows = {}
    for split in ("train", "test", "all"):
        found = json.loads(run("evaluate", "here", "--split", split, "--json").stdout)
        rows[split] = found["rows"]
        if split == "train":
            assert found["loss"] == pytest.approx(trained["train_loss"])
    assert rows == {"train": 1438, "test": 359, "all": 1797}


def test_a_line_for_people(run: Any) -> None:
    _train(run)
    out = run("evaluate", "here/model.safetensors", "--metric", "accuracy", "--metric", "top_k_accuracy:k=3").stdout
    assert out.startswith("digits, 359 test rows: loss ")
    assert "  accuracy 0." in out
    assert "  top_k_accuracy 0." in out


def test_without_an_experiment_beside_it_the_data_must_be_named(run: Any, tmp_path: Path) -> None:
    trained = _train(run)
    shutil.copy(tmp_path / "here" / "model.safetensors", tmp_path / "alone.safetensors")
    refused = run("evaluate", "alone.safetensors")
    assert refused.exit_code == 2
    assert "say what to measure on with --dataset; no experiment.toml lies beside alone.safetensors." in refused.stderr
    found = json.loads(run("evaluate", "alone.safetensors", "--dataset", "digits", "--json").stdout)
    assert found["metrics"] == trained["test_metrics"]


def test_another_file_is_understood_as_the_model_does(run: Any, flowers: Path, tmp_path: Path) -> None:
    """Columns in another order, one class only in the last rows of another task's shape: names decide, not places."""
    _train(run, "--dataset", flowers, "--target", "species")
    rows = [line.split(",") for line in flowers.read_text().splitlines()[1:]]
    roses = [row for row in rows if row[2] == "rose"]
    (tmp_path / "more.csv").write_text(
        "species,extra,width,length\n" + "".join(f"{kind},0,{width},{length}\n" for length, width, kind in rows)
    )
    same = json.loads(run("evaluate", "here", "--split", "all", "--json").stdout)
    more = run("evaluate", "here", "--dataset", "more.csv", "--split", "all", "--json")
    assert json.loads(more.stdout)["loss"] == pytest.approx(same["loss"], rel=1e-6)
    (tmp_path / "roses.csv").write_text("length,width,species\n" + "".join(f"{','.join(row)}\n" for row in roses))
    lonely = run("evaluate", "here", "--dataset", "roses.csv")
    assert lonely.exit_code == 1
    assert "all rows have the class 'rose'" in lonely.stderr


def test_a_class_missing_from_a_file_does_not_renumber_the_others(run: Any, tmp_path: Path) -> None:
    """The file's classes are b and c; numbered by themselves they would be taken for the model's a and b."""
    table = [(kind, 10 * "abc".index(kind) + i % 3) for i, kind in enumerate("abc" * 20)]
    (tmp_path / "three.csv").write_text("kind,x\n" + "".join(f"{kind},{x}\n" for kind, x in table))
    (tmp_path / "two.csv").write_text("kind,x\n" + "".join(f"{kind},{x}\n" for kind, x in table if kind != "a"))
    result = run(
        "train", "--dataset", "three.csv", "--target", "kind", "--epochs", 60, "--batch-size", 4, "--output", "here"
    )
    assert result.exit_code == 0, result.output
    found = json.loads(run("evaluate", "here", "--dataset", "two.csv", "--split", "all", "--json").stdout)
    assert found["metrics"]["accuracy"] > 0.9


def test_data_that_do_not_fit_the_model_are_refused(run: Any, flowers: Path, tmp_path: Path) -> None:
    _train(run, "--dataset", flowers, "--target", "species")
    (tmp_path / "other.csv").write_text(
        "length,species\n" + "".join(f"{i},{'rose' if i % 2 else 'iris'}\n" for i in range(9))
    )
    lacking = run("evaluate", "here", "--dataset", "other.csv")
    assert lacking.exit_code == 1
    assert "'other' lacks 1 of the model's features: width; it has length." in lacking.stderr
    (tmp_path / "new.csv").write_text(flowers.read_text().replace("iris", "tulip"))
    unknown = run("evaluate", "here", "--dataset", "new.csv")
    assert "'new' has classes the model does not know: tulip; it knows iris, rose." in unknown.stderr
    task = run("evaluate", "here", "--dataset", "yeast")
    assert "the model does binary, the data set 'yeast' is for multilabel; say --task." in task.stderr


def test_a_damaged_experiment_beside_the_model_is_named(run: Any, tmp_path: Path) -> None:
    _train(run)
    (tmp_path / "here" / "experiment.toml").write_text("dataset = \n")
    result = run("evaluate", "here")
    assert result.exit_code == 1
    assert "here/experiment.toml is no TOML file: " in result.stderr
