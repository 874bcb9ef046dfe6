"""The experiment that a run leaves says everything: none where none was asked for, and what was left to others."""

import signal
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from polydnn.cli import main
from polydnn.cli.interruption import Interruption
from polydnn.cli.sections import SectionedOption
from polydnn.cli.train import FILE_SECTIONS

SMALL = ("--epochs", 2, "--hidden", 8, "--quiet")


def _options_with_a_default() -> list[SectionedOption]:
    train = main.get_command(click.Context(main), "train")
    assert train is not None
    options = [each for each in train.params if isinstance(each, SectionedOption) and each.section in FILE_SECTIONS]
    return [each for each in options if isinstance(each.default, str | int | float)]


OPTIONS = _options_with_a_default()


def _can_be_none(option: SectionedOption) -> bool:
    try:
        return option.type.convert("none", option, None) is None
    except click.BadParameter:
        return False


def test_the_options_that_can_be_none_are_found() -> None:
    assert [option.name for option in OPTIONS if _can_be_none(option)] == ["schedule"]
    assert len(OPTIONS) > 15


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_option_with_a_default_is_written_and_none_comes_back(
    run: Any, tmp_path: Path, option: SectionedOption
) -> None:
    """Left out of the file, none would turn into the default when the file is read."""
    given = [option.opts[0], "none"] if _can_be_none(option) else []
    assert run("train", *SMALL, *given, "--output", "first").exit_code == 0
    written = tomllib.loads((tmp_path / "first" / "experiment.toml").read_text())
    assert option.name in written
    if given:
        assert written[option.name] == "none"
        assert run("train", "first/experiment.toml", "--output", "again", "--quiet").exit_code == 0
        models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "again")]
        assert models[0] == models[1]


@pytest.mark.filterwarnings("default::polydnn.storage.PolydnnStorageWarning")
def test_a_run_without_a_schedule_is_resumed(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = (*SMALL, "--schedule", "none", "--optimizer", "adamw")
    assert run("train", *asked, "--output", "whole").exit_code == 0
    real = Interruption.on_step_end

    def on_step_end(self: Interruption, trainer: Any, loss: Any) -> None:
        if trainer.progress.step == 30:
            signal.raise_signal(signal.SIGTERM)
        real(self, trainer, loss)

    monkeypatch.setattr(Interruption, "on_step_end", on_step_end)
    monkeypatch.setattr(Interruption, "steps_until_call", lambda self, trainer: 1)
    assert run("train", *asked, "--output", "broken").exit_code == 143
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    resumed = run("train", "--output", "broken", "--resume", "--quiet")
    assert resumed.exit_code == 0, resumed.stderr
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "broken")]
    assert models[0] == models[1]


@pytest.mark.parametrize(
    ("options", "decay"),
    [
        (["--optimizer", "adamw"], 0.01),
        (["--optimizer", "adamw:weight_decay=0.2"], 0.2),
        (["--optimizer", "adamw", "--weight-decay", "0"], 0.0),
        (["--optimizer", "adamw", "--weight-decay", "0.3"], 0.3),
        ([], 0.0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_the_decay_that_counted_is_written(run: Any, tmp_path: Path, options: list[str], decay: float) -> None:
    assert run("train", *SMALL, *options, "--output", "here").exit_code == 0
    assert tomllib.loads((tmp_path / "here" / "experiment.toml").read_text())["weight_decay"] == decay


def test_a_decay_of_zero_switches_the_optimizer_s_own_off(run: Any, tmp_path: Path) -> None:
    models = []
    for number, options in enumerate((["adamw"], ["adamw", "--weight-decay", "0"], ["adamw:weight_decay=0.0"])):
        run("train", *SMALL, "--optimizer", *options, "--output", f"run{number}")
        models.append((tmp_path / f"run{number}" / "model.safetensors").read_bytes())
    assert models[0] != models[1]
    assert models[1] == models[2]
