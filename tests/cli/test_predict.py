"""``polydnn predict``: classes by name with their probabilities, values in the user's units."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polydnn


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_a_binary_model_names_the_class_and_the_probability_of_the_second(run: Any, flowers: Path) -> None:
    run("train", "--dataset", flowers, "--target", "species", "--epochs", 60, "--output", "here")
    result = run("predict", "here", flowers)
    rows = _rows(result.stdout)
    assert list(rows[0]) == ["prediction", "probability_rose"]
    assert all((float(row["probability_rose"]) >= 0.5) == (row["prediction"] == "rose") for row in rows)
    truth = [line.rsplit(",", 1)[1] for line in flowers.read_text().splitlines()[1:]]
    assert np.mean([row["prediction"] == kind for row, kind in zip(rows, truth, strict=True)]) > 0.9


def test_a_multi_class_model_gives_every_probability(run: Any, tmp_path: Path) -> None:
    run("train", "--epochs", 3, "--output", "here")
    digits = polydnn.dataset("digits")
    np.savez(tmp_path / "some.npz", x=digits.test.x[:20])
    report = json.loads(run("predict", "here", "some.npz", "--json").stdout)
    assert report["columns"] == ["prediction", *(f"probability_{digit}" for digit in range(10))]
    assert (report["rows"], report["task"], report["output"]) == (20, "multiclass", None)
    for label, *probabilities in report["predictions"]:
        assert sum(probabilities) == pytest.approx(1.0, abs=1e-5)
        assert label == str(int(np.argmax(probabilities)))


def test_a_regression_answers_in_the_target_s_units(run: Any, lines: Path, tmp_path: Path) -> None:
    options = ["--dataset", lines, "--target", "y", "--task", "regression", "--hidden", "none", "--epochs", 200]
    run("train", *options, "--batch-size", 8, "--output", "here")
    (tmp_path / "new.csv").write_text("note,b,id,a\nfirst,0,0,0\nsecond,2,1,4\n")  # another order, and text besides
    result = run("predict", "here", "new.csv", "--output", "answers.csv")
    assert result.stdout == "2 predictions in answers.csv: y\n"
    values = [float(row["y"]) for row in _rows((tmp_path / "answers.csv").read_text())]
    assert values == pytest.approx([0.0, 440.0], abs=15.0)


def test_a_multi_label_model_gives_every_label(run: Any, tmp_path: Path) -> None:
    run("train", "--dataset", "yeast", "--epochs", 1, "--output", "here")
    np.savez(tmp_path / "some.npz", x=polydnn.dataset("yeast").test.x[:5])
    (first, *_) = _rows(run("predict", "here", "some.npz").stdout)
    assert list(first) == [*(f"Class{n}" for n in range(1, 15)), *(f"probability_Class{n}" for n in range(1, 15))]
    assert all((float(first[f"probability_Class{n}"]) >= 0.5) == (first[f"Class{n}"] == "1") for n in range(1, 15))


def test_outputs_of_either_sign_are_called_scores(run: Any, tmp_path: Path) -> None:
    run("train", "--dataset", "breast_cancer", "--loss", "hinge", "--epochs", 1, "--output", "here")
    np.savez(tmp_path / "some.npz", x=polydnn.dataset("breast_cancer").test.x[:9])
    rows = _rows(run("predict", "here", "some.npz").stdout)
    (score,) = {name for name in rows[0] if name != "prediction"}
    assert score.startswith("score_")
    assert all((float(row[score]) >= 0) == (row["prediction"] == score.removeprefix("score_")) for row in rows)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (
            "lacking.csv",
            "length\n1\n",
            "lacking.csv has no column 'width'; its columns: length. The model was trained on length, width.",
        ),
        ("text.csv", "length,width\n1,wide\n", "line 2, column 'width': expected a finite number, found 'wide'"),
        ("rows.txt", "1 2\n", "rows.txt: unknown ending; predict reads .csv, .csv.gz and .npz."),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    run: Any, flowers: Path, tmp_path: Path, file: str, content: str, words: str
) -> None:
    run("train", "--dataset", flowers, "--target", "species", "--epochs", 1, "--output", "here")
    (tmp_path / file).write_text(content)
    result = run("predict", "here", file)
    assert result.exit_code == 1
    assert words in result.stderr


def test_another_number_of_columns_is_refused(run: Any, tmp_path: Path) -> None:
    run("train", "--dataset", "breast_cancer", "--epochs", 1, "--output", "here")
    np.savez(tmp_path / "some.npz", x=np.zeros((2, 3)))
    result = run("predict", "here", "some.npz")
    assert result.exit_code == 1
    assert "must have shape (n, 30), found (2, 3)" in result.stderr


def test_predictions_are_the_same_on_another_backend(run: Any, flowers: Path) -> None:
    pytest.importorskip("array_api_strict")
    run("train", "--dataset", flowers, "--target", "species", "--epochs", 2, "--output", "here")
    here, there = (
        [float(row["probability_rose"]) for row in _rows(run("predict", "here", flowers, *more).stdout)]
        for more in ([], ["--backend", "array-api-strict"])
    )
    assert there == pytest.approx(here, rel=1e-5)


def test_a_model_of_arrays_takes_a_table_s_columns_in_their_order(run: Any, tmp_path: Path) -> None:
    x = np.arange(60.0).reshape(30, 2) % 7
    np.savez(tmp_path / "arrays.npz", x=x, y=x[:, 0] * 3 + 0.5)
    run("train", "--dataset", "arrays.npz", "--epochs", 2, "--output", "here")
    expected = _rows(run("predict", "here", "arrays.npz").stdout)
    lines = [f"{a},{b}" for a, b in x.tolist()]
    headers = {
        "a,b": lines,
        "0,1": lines,
        "a,b,y": [f"{line},9" for line in lines],
        "x1,x0": [f"{b},{a}" for a, b in x],
    }
    for header, rows in headers.items():
        (tmp_path / "table.csv").write_text("\n".join([header, *rows]) + "\n")
        assert _rows(run("predict", "here", "table.csv").stdout) == expected
    refused = {
        "a,b,c": "the model learnt from 2 columns without names, and table.csv has 3: a, b, c. Leave the others out.",
        "a": "the model learnt from 2 columns without names, and table.csv has 1: a. Add the rest.",
        "0.5,4": "table.csv: the first line holds numbers only; put a header row with names above it.",
    }
    for header, words in refused.items():
        (tmp_path / "table.csv").write_text(header + "\n" + ",".join("1" * len(header.split(","))) + "\n")
        result = run("predict", "here", "table.csv")
        assert result.exit_code == 1
        assert words in result.stderr
