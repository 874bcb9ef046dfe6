"""Experiment files: every mistake names the file, the key, what was expected and what was found."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from polydnn.cli.experiment_file import experiment_text
from polydnn.cli.item_text import Item

MISTAKES = {
    "hidden = [64\n": ("no TOML file", "Unclosed array"),
    "epochs = 1\nhidden 64\n": ("no TOML file", "at line 2"),
    "lerning_rate = 0.1\n": ("unknown key 'lerning_rate'", "Did you mean 'learning_rate'?"),
    "learning-rate = 0.1\n": ("unknown key 'learning-rate'", "Did you mean 'learning_rate'?"),
    "[training]\nepochs = 1\n": ("unknown key 'training'", "an option's name with underscores"),
    "debug = true\n": ("unknown key 'debug'", "polydnn train --help"),
    'epochs = "3"\n': ("epochs must be a whole number of at least 1", "found '3'"),
    "epochs = true\n": ("epochs must be a whole number of at least 1", "found True"),
    "epochs = 2.0\n": ("epochs must be a whole number of at least 1", "found 2.0"),
    "epochs = 0\n": ("epochs: expected a whole number of at least 1", "found 0"),
    "batch_size = 0\n": ("batch_size: expected a whole number of at least 1, or 'full', or 'auto'", "found 0"),
    "learning_rate = -1.0\n": ("learning_rate: expected a number above 0", "found -1.0"),
    "learning_rate = nan\n": ("learning_rate: expected a number above 0", "found nan"),
    "hidden = 64\n": ("hidden must be whole numbers of at least 1 separated by commas", "found 64"),
    'hidden = [64, "a"]\n': ("hidden: expected whole numbers", "found [64, 'a']"),
    "dataset = 3\n": ("dataset must be text in quotes", "found 3"),
    "metric = [1]\n": ("metric must be a name, name:key=value, or a table", "found 1"),
    "optimizer = {momentum = 0.9}\n": ("optimizer must be a name, name:key=value, or a table", "'momentum': 0.9"),
    'activation = ""\n': ("activation: expected a name", "found ''"),
    'dtype = "float16"\n': ("dtype: 'float16' is not one of 'float32', 'float64'",),
    "dtype = 32\n": ("dtype must be one of 'float32', 'float64'", "found 32"),
    "batch_normalization = 1\n": ("batch_normalization must be true or false", "found 1"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_the_file_is_explained(run: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    result = run("train", "mine.toml")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: mine.toml")
    for words in MISTAKES[text]:
        assert words in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_a_missing_file_says_how_a_data_set_is_named(run: Any) -> None:
    result = run("train", "digits")
    assert result.exit_code == 1
    assert "the experiment file digits cannot be read: No such file or directory." in result.stderr
    assert "For a data set write --dataset digits." in result.stderr


def test_the_folder_of_a_run_says_which_file_in_it_is_meant(run: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "experiment.toml").write_text("epochs = 1\n")
    result = run("train", "mine")
    assert result.exit_code == 1
    assert "It is the folder of a run; write mine/experiment.toml to train as that did." in result.stderr


def test_a_file_that_is_no_text_is_refused(run: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"epochs = \xff")
    result = run("train", "mine.toml")
    assert result.exit_code == 1
    assert "mine.toml is no TOML file: it is not UTF-8 text (byte 9)." in result.stderr


def test_written_values_read_back() -> None:
    values = {
        "dataset": 'a "quoted" \\ name\n',
        "hidden": (64, 32),
        "none": (),
        "learning_rate": 1e-05,
        "flag": True,
        "optimizer": Item("sgd", {"momentum": 0.9, "nesterov": True}),
        "metric": (Item("accuracy", {}), Item("f1", {"average": "micro"})),
        "left_out": None,
    }
    text = experiment_text({"One": list(values.items())}, "A heading.")
    assert tomllib.loads(text) == {
        "dataset": 'a "quoted" \\ name\n',
        "hidden": [64, 32],
        "none": [],
        "learning_rate": 1e-05,
        "flag": True,
        "optimizer": "sgd:momentum=0.9,nesterov=true",
        "metric": ["accuracy", "f1:average=micro"],
    }
    assert text.startswith("# A heading.\n\n# One\ndataset = ")
