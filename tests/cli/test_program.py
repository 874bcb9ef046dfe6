"""The program around the commands: help, version, how it ends, and what it costs to start."""

import json
import logging
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import click
import pytest

from polydnn.cli import main
from polydnn.cli.messages import messages_on_stderr
from polydnn.cli.program import COMMANDS
from tests.yardstick import assert_ratio


def _polydnn(*arguments: str, folder: Path, **more: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "polydnn", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300, **more)


def test_every_command_has_a_help_text_with_the_options_of_all(run: Any) -> None:
    text = run("--help").stdout
    for name in COMMANDS:
        assert f"  {name} " in text
        page = run(name, "--help")
        assert page.exit_code == 0
        assert "--no-plugin NAME" in page.stdout
        assert "--debug" in page.stdout


def test_every_option_of_train_is_explained() -> None:
    train = main.get_command(click.Context(main), "train")
    assert train is not None
    silent = [param.name for param in train.params if isinstance(param, click.Option) and not param.help]
    assert silent == []


def test_options_of_train_stand_under_headings(run: Any) -> None:
    text = run("train", "--help").stdout
    places = [text.index(f"\n{title}:\n") for title in ("Data", "Network", "Training", "Run", "Every command")]
    assert places == sorted(places)


def test_the_version_is_the_package_s(run: Any) -> None:
    assert run("--version").stdout.startswith("polydnn 0.")


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback(run: Any, place: str) -> None:
    arguments = ["--debug", "train"] if place == "before" else ["train", "--debug"]
    result = run(*arguments, "--dataset", "digitz")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "UnknownNameError: unknown dataset 'digitz'" in result.stderr


def test_an_unexpected_error_is_short_and_asks_for_a_report(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        msg = "the sky\nfell"
        raise RuntimeError(msg)

    monkeypatch.setattr("polydnn.cli.experiment.Experiment.load_data", fail)
    result = run("train")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: unexpected RuntimeError: the sky fell\n"
        "This should not happen. Run the command again with --debug for the traceback to report.\n"
    )


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")])
def test_memory_that_does_not_suffice_is_no_fault_of_the_program(
    run: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("polydnn.cli.experiment.Experiment.load_data", fail)
    result = run("train")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the memory does not suffice")
    assert ("Tried to allocate 9 GiB)." in result.stderr) == bool(str(error))
    assert "widths of --hidden, with --batch-size" in result.stderr
    assert "should not happen" not in result.stderr


def test_ctrl_c_outside_a_fit_ends_with_130(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("polydnn.cli.experiment.Experiment.load_data", interrupt)
    result = run("train")
    assert result.exit_code == 130
    assert result.stderr.strip() == "Interrupted."


def test_warnings_and_the_log_are_lines_without_places(capsys: pytest.CaptureFixture[str]) -> None:
    with messages_on_stderr():
        warnings.simplefilter("always")
        warnings.warn("first\n  second", UserWarning, stacklevel=1)
        logging.getLogger("polydnn").warning("an executor is not used")
        logging.getLogger("polydnn").info("nobody asked")
    assert capsys.readouterr().err == "Warning: first second\nWarning: an executor is not used\n"


def test_what_libraries_print_does_not_reach_standard_output(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from polydnn.cli.experiment import Experiment

    real = Experiment.load_data

    def load_and_greet(self: Experiment) -> Any:
        print("thank you for using this library")
        return real(self)

    monkeypatch.setattr(Experiment, "load_data", load_and_greet)
    result = run("train", "--epochs", 1, "--json")
    assert json.loads(result.stdout)["epochs"] == 1
    assert "thank you" in result.stderr


def test_python_m_polydnn_is_the_same_program(tmp_path: Path) -> None:
    done = _polydnn("train", "--epochs", "1", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dataset"] == "digits"
    assert _polydnn("train", "--epochs", "x", folder=tmp_path).returncode == 2
    assert _polydnn("--help", folder=tmp_path).stdout.startswith("Usage: polydnn ")


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -m polydnn datasets info yeast --json | head -c 10"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    assert done.stderr == ""


def test_on_a_terminal_there_is_a_bar_with_loss_metric_speed_and_time_left(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="pseudo-terminals are needed to see the bar")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "polydnn", "train", "--epochs", "4", "--json"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["epochs"] == 4
    os.close(ours)
    text = shown.decode()
    for words in ("epoch 4/4", "loss 0.", "accuracy 0.", " samples/s", "left"):
        assert words in text


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux reports the end of a pseudo-terminal like this
        return b""


def test_a_signal_ends_a_run_with_its_status(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "polydnn", "train", "--epochs", "100000", "--output", "here"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch"):
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode == 130


HEAVY = ("torch", "jax", "cupy", "matplotlib", "rich", "array_api_strict")


def _seconds_to_import(module: str) -> float:
    """Processor time in a new process, in which nothing heavy may be loaded."""
    program = (
        f"import sys, time; before = time.process_time(); import {module}; spent = time.process_time() - before; "
        f"print([name for name in {HEAVY} if name in sys.modules], spent)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[] ")
    return float(done.stdout.removeprefix("[] "))


def test_importing_the_command_line_is_fast_and_loads_nothing_heavy() -> None:
    assert_ratio(6.0, lambda: _seconds_to_import("polydnn.cli"), lambda: _seconds_to_import("numpy"))
