"""``polydnn datasets``: what there is, what is in it, and where it comes from."""

import json
from pathlib import Path
from typing import Any

import pytest

from polydnn.datasets import builtin_datasets


def test_the_list_names_every_built_in_set(run: Any) -> None:
    found = json.loads(run("datasets", "list", "--json").stdout)["datasets"]
    assert [each["name"] for each in found] == [name for name, _, _ in builtin_datasets()]
    assert {each["package"] for each in found} == {"polydnn"}
    text = run("datasets", "list").stdout
    for each in found:
        assert each["name"] in text


def test_a_set_that_must_be_fetched_is_marked(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polydnn.datasets.locate_fashion_mnist", lambda: None)
    found = json.loads(run("datasets", "list", "--json").stdout)["datasets"]
    assert {each["name"]: each["available"] for each in found}["fashion_mnist"] is False
    text = " ".join(run("datasets", "list").stdout.split())
    assert "not here yet: polydnn datasets fetch fashion_mnist" in text


def test_info_describes_a_set(run: Any) -> None:
    found = json.loads(run("datasets", "info", "breast_cancer", "--json").stdout)
    assert (found["task"], found["training_rows"], found["test_rows"]) == ("binary", 455, 114)
    assert found["classes"] == ["benign", "malignant"]
    assert len(found["features"]) == 30
    text = run("datasets", "info", "breast_cancer").stdout
    assert "training rows  455\n" in text
    assert "... (30 in all)" in text
    assert "Wolberg" in text


def test_info_describes_a_file(run: Any, flowers: Path) -> None:
    found = json.loads(run("datasets", "info", flowers, "--target", "species", "--json").stdout)
    assert found.items() >= {"task": "binary", "classes": ["iris", "rose"], "features": ["length", "width"]}.items()


def test_fetch_says_where_the_files_are(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, folder: str | None, report: Any) -> Path:
        report("one file of four")
        return Path(folder or "cache")

    monkeypatch.setattr("polydnn.datasets.fetch", download)
    result = run("datasets", "fetch", "fashion_mnist")
    assert result.stderr == "one file of four\n"
    assert result.stdout == "fashion_mnist is in cache; train on it with polydnn train --dataset fashion_mnist.\n"
    chosen = run("datasets", "fetch", "fashion_mnist", "--folder", "mine")
    assert chosen.stdout.endswith("polydnn train --dataset fashion_mnist --folder mine.\n")
    assert json.loads(run("datasets", "fetch", "fashion_mnist", "--json").stdout) == {
        "name": "fashion_mnist",
        "folder": "cache",
    }
