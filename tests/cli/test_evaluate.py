"""``polydnn evaluate``: the measures of a trained model, on its own data and on others."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polydnn


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
    lonely = run("evaluate", "here", "--dataset", "roses.csv", "--metric", "accuracy", "--json")
    assert json.loads(lonely.stdout)["rows"] == 30
    answers = run("predict", "here", "roses.csv").stdout.splitlines()[1:]
    share = sum(line.startswith("rose,") for line in answers) / 30
    assert json.loads(lonely.stdout)["metrics"]["accuracy"] == pytest.approx(share)


def _warnings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("Warning: ")]


@pytest.mark.parametrize("added", ["colour", "number"])
def test_a_column_that_the_model_does_not_use_is_ignored_as_in_a_prediction(
    run: Any, flowers: Path, tmp_path: Path, added: str
) -> None:
    """A column of text beside the features stops neither command; each says once that it is left aside."""
    _train(run, "--dataset", flowers, "--target", "species")
    header, *rows = flowers.read_text().splitlines()
    cell = {"colour": "red", "number": "7"}[added]
    (tmp_path / "more.csv").write_text("\n".join([f"{added},{header}", *(f"{cell},{row}" for row in rows)]) + "\n")
    said = [f"Warning: more.csv: columns that the model does not use are ignored: {added}."]
    plain = json.loads(run("evaluate", "here", "--dataset", flowers, "--split", "all", "--json").stdout)
    more = run("evaluate", "here", "--dataset", "more.csv", "--split", "all", "--json")
    assert {**json.loads(more.stdout), "dataset": "flowers"} == plain
    assert _warnings(more.stderr) == said
    predicted = run("predict", "here", "more.csv")
    assert predicted.stdout == run("predict", "here", flowers).stdout
    assert _warnings(predicted.stderr) == said
    assert _warnings(run("predict", "here", flowers).stderr) == []


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
    assert lacking.stderr.startswith("Error: other.csv has no column 'width'; its columns: length, species. The model ")
    assert lacking.stderr.endswith(" was trained on length, width.\n")
    (tmp_path / "new.csv").write_text(flowers.read_text().replace("iris", "tulip"))
    unknown = run("evaluate", "here", "--dataset", "new.csv")
    assert "y (species): unknown classes: tulip; those that are known: iris, rose." in unknown.stderr
    task = run("evaluate", "here", "--dataset", "yeast")
    assert "the model does binary, the data set 'yeast' is for multilabel; choose one for binary." in task.stderr
    numbers = run("evaluate", "here", "--dataset", flowers, "--target", "species", "--task", "multiclass")
    assert "the model does binary, the data set 'flowers' is for multiclass; say --task." in numbers.stderr


def test_a_damaged_experiment_beside_the_model_is_named(run: Any, tmp_path: Path) -> None:
    _train(run)
    (tmp_path / "here" / "experiment.toml").write_text("dataset = \n")
    result = run("evaluate", "here")
    assert result.exit_code == 1
    assert "here/experiment.toml is no TOML file: " in result.stderr


def _table(path: Path, rows: list[str]) -> None:
    path.write_text("length,width,species\n" + "".join(f"{row}\n" for row in rows))


def test_another_file_is_measured_whole_and_the_training_file_on_its_test_rows(
    run: Any, flowers: Path, tmp_path: Path
) -> None:
    trained = _train(run, "--dataset", flowers, "--target", "species", "--test-fraction", 0.3)
    _table(tmp_path / "new.csv", flowers.read_text().splitlines()[1:21])

    def measured(*options: object) -> tuple[int, str, float]:
        report = json.loads(run("evaluate", "here", *options, "--json").stdout)
        return report["rows"], report["split"], report["loss"]

    assert measured("--dataset", "new.csv")[:2] == (20, "all")
    assert measured("--dataset", "new.csv", "--split", "test")[:2] == (4, "test")
    assert measured("--dataset", "new.csv", "--test-fraction", 0.5)[:2] == (10, "test")
    assert measured("--dataset", "./flowers.csv") == measured() == (18, "test", trained["test_loss"])
    assert run("evaluate", "here", "--dataset", "new.csv").stdout.startswith("new, 20 rows: loss ")


def test_a_file_that_sets_test_rows_aside_is_measured_on_them(run: Any, tmp_path: Path) -> None:
    digits = polydnn.dataset("digits")
    parts = {"x_train": digits.train.x, "y_train": digits.train.y, "x_test": digits.test.x, "y_test": digits.test.y}
    np.savez(tmp_path / "split.npz", **parts)
    trained = _train(run)
    found = json.loads(run("evaluate", "here", "--dataset", "split.npz", "--json").stdout)
    assert (found["rows"], found["split"], found["loss"]) == (359, "test", pytest.approx(trained["test_loss"]))


def test_one_row_is_enough(run: Any, flowers: Path, tmp_path: Path) -> None:
    _train(run, "--dataset", flowers, "--target", "species")
    _table(tmp_path / "one.csv", ["3,2,rose"])
    for options in ([], ["--split", "all"]):
        found = run("evaluate", "here", "--dataset", "one.csv", "--metric", "accuracy", *options, "--json")
        assert json.loads(found.stdout)["rows"] == 1
    assert run("evaluate", "here", "--dataset", "one.csv").stdout.startswith("one, 1 row: loss ")
    assert "1 rows with test_fraction=0.2 leave none" in (
        run("evaluate", "here", "--dataset", "one.csv", "--split", "test").stderr
    )


def test_columns_without_names_go_by_their_places(run: Any, flowers: Path, tmp_path: Path) -> None:
    rows = [line.split(",") for line in flowers.read_text().splitlines()[1:]]
    x, y = np.array([row[:2] for row in rows], dtype=float), np.array([row[2] for row in rows])
    np.savez(tmp_path / "arrays.npz", x=x, y=y)
    np.savez(tmp_path / "narrow.npz", x=x[:, :1], y=y)
    _train(run, "--dataset", flowers, "--target", "species")
    by_name = json.loads(run("evaluate", "here", "--dataset", flowers, "--split", "all", "--json").stdout)
    by_place = json.loads(run("evaluate", "here", "--dataset", "arrays.npz", "--json").stdout)
    assert by_place["metrics"] == by_name["metrics"]
    assert by_place["loss"] == pytest.approx(by_name["loss"])
    narrow = run("evaluate", "here", "--dataset", "narrow.npz")
    assert "'narrow' lacks 2 of the model's features: length, width; it has x0." in narrow.stderr


def test_a_model_of_arrays_measures_a_table(run: Any, flowers: Path, tmp_path: Path) -> None:
    rows = [line.split(",") for line in flowers.read_text().splitlines()[1:]]
    x, y = np.array([row[:2] for row in rows], dtype=float), np.array([row[2] for row in rows])
    np.savez(tmp_path / "arrays.npz", x=x, y=y)
    _train(run, "--dataset", "arrays.npz")
    own = json.loads(run("evaluate", "here", "--split", "all", "--json").stdout)
    unsaid = run("evaluate", "here", "--dataset", flowers)
    assert unsaid.exit_code == 2
    assert "is to be predicted with --target; its columns: length, width, species." in unsaid.stderr
    found = json.loads(run("evaluate", "here", "--dataset", flowers, "--target", "species", "--json").stdout)
    assert found["metrics"] == own["metrics"]
    assert found["loss"] == pytest.approx(own["loss"])
    wide = run("evaluate", "here", "--dataset", flowers, "--target", "species", "--target", "width")
    assert wide.exit_code == 1
    assert "learnt from 2 columns without names, and" in wide.stderr
    assert "flowers.csv has 1: length. Add the rest." in wide.stderr
