"""``polydnn train --resume``: the same bits after a signal, and a clear word wherever that cannot be."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polydnn.cli import main
from polydnn.cli.interruption import Interruption

pytestmark = pytest.mark.filterwarnings("default::polydnn.storage.PolydnnStorageWarning")

SMALL = ["--hidden", "8", "--epochs", "3", "--dropout", "0.2", "--learning-rate", "0.01", "--quiet"]
SAVING = ["--checkpoint-every", "10"]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main.main(["train", *arguments], prog_name="polydnn")
    return end.value.code


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """The model of the run that nothing stopped."""
    assert run(*SMALL, "--output", str(tmp_path / "whole")) == 0
    return (tmp_path / "whole" / "model.safetensors").read_bytes()


@pytest.fixture
def signal_at(monkeypatch):
    """Send this process a signal at the end of one step, once."""
    real = Interruption.on_step_end

    def arrange(step: int, number: int) -> None:
        def on_step_end(self, trainer, loss):
            if trainer.progress.step == step:
                signal.raise_signal(number)
            real(self, trainer, loss)

        monkeypatch.setattr(Interruption, "on_step_end", on_step_end)
        monkeypatch.setattr(Interruption, "steps_until_call", lambda self, trainer: 1)

    yield arrange
    monkeypatch.undo()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("saving", [[], SAVING], ids=["saves-at-the-signal-only", "saves-every-10"])
@pytest.mark.parametrize("step", [1, 23, 37, 69])
def test_a_signal_loses_nothing(tmp_path, capsys, whole, signal_at, monkeypatch, number, status, saving, step):
    before = signal.getsignal(number)
    signal_at(step, number)
    folder = str(tmp_path / "run")
    assert run(*SMALL, *saving, "--output", folder) == status
    assert signal.getsignal(number) is before
    told = capsys.readouterr()
    assert f"{signal.Signals(number).name}: finishing the step, then saving" in told.err
    assert f"after step {step}" in told.out
    assert f"go on with: polydnn train --output {folder} --resume" in told.out
    monkeypatch.undo()
    assert run("--output", folder, "--resume", "--quiet") == 0
    assert f"Going on from {folder}/checkpoints/step-{step:08d}.safetensors." in capsys.readouterr().err
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == whole


def test_a_folder_without_a_checkpoint_starts_from_the_beginning(tmp_path, capsys, whole):
    folder = tmp_path / "new"
    assert run(*SMALL, "--output", str(folder), "--resume") == 0
    assert f"{folder} holds no checkpoint yet; training starts from the beginning." in capsys.readouterr().err
    assert (folder / "model.safetensors").read_bytes() == whole


def test_a_finished_run_says_so(tmp_path, capsys, whole):
    folder = str(tmp_path / "whole")
    capsys.readouterr()
    assert run("--output", folder, "--resume") == 0
    assert capsys.readouterr().out == f"the run in {folder} is finished; its model is {folder}/model.safetensors.\n"
    assert run("--output", folder, "--resume", "--json") == 0
    assert json.loads(capsys.readouterr().out)["status"] == "already finished"


@pytest.fixture
def stopped(tmp_path, signal_at, monkeypatch, capsys) -> Path:
    """A run that SIGTERM stopped after step 25, with checkpoints of steps 20, 23 and 25."""
    signal_at(25, signal.SIGTERM)
    assert run(*SMALL, *SAVING, "--output", str(tmp_path / "run"), "--json") == 143
    monkeypatch.undo()
    report = json.loads(capsys.readouterr().out)
    assert (report["status"], report["signal"], report["steps"], report["epochs"]) == ("interrupted", "SIGTERM", 25, 1)
    assert report["checkpoint"] == f"{tmp_path}/run/checkpoints/step-00000025.safetensors"
    return tmp_path / "run"


def test_another_configuration_is_refused_line_by_line(stopped, capsys):
    assert run("--output", str(stopped), "--resume", "--learning-rate", "0.1", "--optimizer", "sgd:momentum=0.5") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"Error: {stopped}/checkpoints/step-00000025.safetensors belongs to another run:"
    assert lines[1:3] == ["  optimizer: there adam, here sgd:momentum=0.5", "  learning_rate: there 0.01, here 0.1"]
    assert lines[3].startswith("Leave the options out that differ")


def test_other_data_are_refused(tmp_path, signal_at, monkeypatch, capsys):
    table = tmp_path / "t.csv"
    rows = [f"{i % 7},{i % 5},{i % 3}" for i in range(200)]
    table.write_text("a,b,c\n" + "\n".join(rows) + "\n")
    signal_at(5, signal.SIGTERM)
    given = ["--dataset", str(table), "--target", "c", "--output", str(tmp_path / "run"), "--quiet"]
    assert run(*given) == 143
    monkeypatch.undo()
    table.write_text("a,b,c\n" + "\n".join([*rows, "1,1,1", "2,2,2"]) + "\n")
    capsys.readouterr()
    assert run(*given, "--resume") == 1
    message = capsys.readouterr().err
    assert "training_rows: there 160, here 162" in message
    assert "  data: there " in message


def test_the_same_data_may_lie_elsewhere(tmp_path, signal_at, monkeypatch, capsys):
    table = tmp_path / "t.csv"
    table.write_text("a,b,c\n" + "\n".join(f"{i % 7},{i % 5},{i % 3}" for i in range(200)) + "\n")
    signal_at(5, signal.SIGTERM)
    given = ["--target", "c", "--output", str(tmp_path / "run"), "--quiet"]
    assert run(*given, "--dataset", str(table)) == 143
    monkeypatch.undo()
    moved = table.rename(tmp_path / "moved.csv")
    assert run(*given, "--dataset", str(moved), "--resume") == 0


def test_a_damaged_newest_checkpoint_falls_back_with_a_warning(stopped, capsys, whole):
    newest = stopped / "checkpoints" / "step-00000025.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    assert run("--output", str(stopped), "--resume", "--quiet") == 0
    told = capsys.readouterr().err
    assert f"Warning: '{newest}' cannot be used as a checkpoint" in told
    assert "Going on from" in told
    assert "step-00000023" in told  # the end of the first epoch was the best so far
    assert (stopped / "model.safetensors").read_bytes() == whole


def test_where_all_checkpoints_are_damaged_nothing_is_guessed(stopped, capsys):
    for path in (stopped / "checkpoints").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    assert run("--output", str(stopped), "--resume", "--quiet") == 1
    assert "none of the 3 checkpoints in" in capsys.readouterr().err


def test_without_resume_a_stopped_run_is_not_written_over(stopped, capsys):
    assert run(*SMALL, "--output", str(stopped)) == 1
    assert (
        "holds a run already (experiment.toml, checkpoints); add --resume to go on with it" in capsys.readouterr().err
    )


def test_overwrite_leaves_nothing_of_the_run_before(stopped, whole):
    assert run(*SMALL, "--output", str(stopped), "--overwrite") == 0
    assert not list((stopped / "checkpoints").glob("*.safetensors"))
    assert (stopped / "model.safetensors").read_bytes() == whole


@pytest.mark.parametrize("arguments", [["--resume"], ["--resume", "--output", "x", "--overwrite"]])
def test_resume_needs_a_folder_to_go_on_in(arguments, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run(*arguments) == 2
    assert "--resume goes on with the run in a folder; name it with --output" in capsys.readouterr().err


def test_a_run_that_fails_before_its_first_checkpoint_leaves_no_folder(tmp_path, capsys):
    arguments = [*SMALL, "--optimizer", "sgd", "--schedule", "none", "--learning-rate", "1e30"]
    assert run(*arguments, "--output", str(tmp_path / "run")) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name != "posix", reason="file-size limits are POSIX's")
@pytest.mark.parametrize(("choice", "status"), [("stop", 1), ("continue", 0)])
def test_a_disk_that_refuses_stops_the_run_or_not_as_the_user_chose(tmp_path, capsys, monkeypatch, choice, status):
    from polydnn.errors import StorageError
    from polydnn.storage import CheckpointFolder

    def refuse(self, step, description, arrays, *, best=False):
        msg = f"cannot write '{self.path}/step-{step:08d}.safetensors': no space left on device; it needs 64248 bytes."
        raise StorageError(msg)

    monkeypatch.setattr(CheckpointFolder, "write", refuse)
    output = str(tmp_path / "run")
    assert run(*SMALL, *SAVING, "--output", output, "--on-storage-failure", choice) == status
    told = capsys.readouterr().err
    assert "no space left on device; it needs 64248 bytes" in told
    assert ("Training goes on without this checkpoint." in told) == (choice == "continue")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_process_itself_ends_with_the_signals_status(tmp_path, number, status):
    output = tmp_path / "run"
    command = [sys.executable, "-m", "polydnn", "train", "--epochs", "100000", "--checkpoint-every", "50"]
    process = subprocess.Popen(
        [*command, "--output", str(output), "--json", "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 600  # none of what is tested: it ends a run that hangs
    while not list(output.glob("checkpoints/step-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=600)
    assert process.returncode == status, err.decode()
    report = json.loads(out)
    assert Path(report["checkpoint"]).exists()
    assert report["resume"] == f"polydnn train --output {output} --resume"
