"""``polydnn batch-size`` and ``--batch-size auto``: what they print and leave behind, and their messages."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from polydnn.batch_size import automatic
from polydnn.batch_size.automatic import Chosen
from polydnn.batch_size.record import check_record

SMALL = ["--hidden", "8", "--sizes", "4,32,256", "--budget", "2", "--caches", "L1d=48K,L2=1M,L3=16M"]
SMALL += ["--execution", "reference"]  # an installed executor may have to be compiled first
FILES = {"record.json", "report.html", "step-time.png", "throughput.png", "target.png"}


def test_it_prints_a_table_and_leaves_a_report(run: Any, tmp_path: Path) -> None:
    found = run("batch-size", *SMALL, "--output", "out")
    assert found.exit_code == 0, found.output
    assert "Batch sizes" in found.stdout
    assert "Best batch size " in found.stdout
    assert "in out: bandwidth.png, " in found.stdout
    assert "looking at the machine\npreparing\nmeasuring\n" in found.stderr
    assert {file.name for file in (tmp_path / "out").iterdir()} >= FILES
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    check_record(record)
    assert record["sweep"]
    # on a busy machine the time may not suffice for all, and then it is said for which
    assert sorted(row["batch_size"] for row in record["sweep"] + record["skipped"]) == [4, 32, 256]
    assert record["provenance"]["dataset"]["name"] == "digits"
    assert "<!doctype html>" in (tmp_path / "out" / "report.html").read_text().lower()


def test_json_is_one_object_and_the_folder_has_a_name_of_its_own(run: Any, tmp_path: Path) -> None:
    found = run("batch-size", *SMALL, "--json", "--quiet")
    assert found.exit_code == 0, found.output
    record = json.loads(found.stdout)
    assert found.stderr == ""
    assert {"machine", "sweep", "noise_scale", "best"} <= record.keys()
    assert {"batch_size", "interval", "smallest_within_5_percent", "why"} <= record["best"].keys()
    assert record["output"].startswith("runs/digits-batch-size-")
    assert (tmp_path / record["output"] / "record.json").exists()


def test_flags_of_train_and_its_experiment_files_are_taken(run: Any, tmp_path: Path) -> None:
    trained = run("train", "--hidden", "8", "--epochs", "1", "--optimizer", "sgd:momentum=0.9", "--output", "run")
    assert trained.exit_code == 0, trained.output
    found = run("batch-size", "run/experiment.toml", *SMALL[2:], "--dtype", "float64", "--json", "--output", "run")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)["provenance"]
    assert (told["widths"][-2:], told["dtype"], told["optimizer"]["name"]) == ([8, 10], "float64", "sgd")
    assert {"model.safetensors", "record.json"} <= {file.name for file in (tmp_path / "run").iterdir()}


def test_a_validation_is_part_of_the_record(run: Any) -> None:
    found = run(
        "batch-size", *SMALL, "--json", "--validate", "--target-loss", "1.5", "--scaling", "linear",
        "--validation-seeds", "1", "--validation-budget", "3",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    record = json.loads(found.stdout)
    validation = record["validation"]
    assert (validation["target_loss"], validation["scaling"]) == (1.5, "linear")
    assert {row["batch_size"] for row in validation["rows"]} == {row["batch_size"] for row in record["sweep"]}


def test_a_study_is_not_written_over(run: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "record.json").write_text("{}")
    found = run("batch-size", *SMALL, "--output", "out")
    assert found.exit_code == 1
    assert found.stderr.endswith(
        "Error: out holds a study already (record.json); add --overwrite to replace it, or choose another --output.\n"
    )
    assert (tmp_path / "out" / "record.json").read_text() == "{}"
    assert run("batch-size", *SMALL, "--output", "out", "--overwrite", "--quiet").exit_code == 0
    assert len((tmp_path / "out" / "record.json").read_text()) > 100


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--sizes", "16;64"], 2, "'--sizes': sizes '16;64': '16;64' is no batch size and no rising range of them;"),
        (["--sizes", "64:16"], 2, "write a range with its powers of two as 1:4096, or a list as 16,64,256."),
        (["--caches", "L5=1M"], 2, "names no cache; possible: L1d, L2, L3, L4;"),
        (["--budget", "0"], 2, "'--budget': expected a number of seconds above 0; found '0'."),
        (["--scaling", "linear"], 2, "--scaling is about the trainings of --validate; add that, or leave it out."),
        (["--validation-seeds", "5"], 2, "--validation-seeds is about the trainings of --validate"),
        (["--sizes", "100000"], 1, "no batch size could be measured: 100000: there are 1,438 rows to train on."),
        (["--compare-execution", "fast", "--sizes", "4"], 1, "execution must be one of auto, reference"),
        (["--dataset", "digitz"], 1, "Did you mean 'digits'?"),
        (["--activation", "rellu"], 1, "Did you mean 'relu'?"),
    ],
)
def test_mistakes_end_in_one_message(run: Any, tmp_path: Path, arguments: list[str], status: int, text: str) -> None:
    found = run("batch-size", "--budget", "1", *arguments)
    assert found.exit_code == status, found.output
    assert text in " ".join(found.stderr.split())
    assert "Traceback" not in found.stderr
    assert found.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_a_misspelt_command_is_found(run: Any) -> None:
    assert "Did you mean 'batch-size'?" in run("batch_size").stderr
    assert "Measure and predict which batch size is best" in run("--help").stdout
    assert "--compare-execution NAME" in run("batch-size", "--help").stdout


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a batch size was measured; it always comes out as 40."""
    calls: list[int] = []

    def choose(*_: Any, **__: Any) -> Chosen:
        calls.append(1)
        return Chosen(40, "40 has the least predicted time.")

    monkeypatch.setattr(automatic, "choose_batch_size", choose)
    return calls


TRAIN = ["train", "--hidden", "8", "--epochs", "2", "--batch-size", "auto"]


def test_auto_is_told_and_settled_in_the_runs_experiment(run: Any, tmp_path: Path, asked: list[int]) -> None:
    found = run(*TRAIN, "--output", "a", "--json")
    assert found.exit_code == 0, found.output
    assert (
        "measuring which batch size trains fastest\nbatch size 40: 40 has the least predicted time.\n" in found.stderr
    )
    report = json.loads(found.stdout)
    assert (report["batch_size"], report["batch_size_why"]) == (40, "40 has the least predicted time.")
    assert report["steps"] == 2 * -(-1438 // 40)
    assert tomllib.loads((tmp_path / "a" / "experiment.toml").read_text())["batch_size"] == 40
    again = json.loads(run("train", "a/experiment.toml", "--output", "b", "--json").stdout)
    assert (again["batch_size"], again["batch_size_why"]) == (40, None)
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()
    assert len(asked) == 1


@pytest.mark.parametrize("more", [[], ["--batch-size", "auto"]], ids=["plain", "asked-again"])
def test_a_resumed_run_keeps_its_size(
    run: Any, tmp_path: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    from polydnn.cli.interruption import Interruption

    whole = run(*TRAIN, "--output", "whole")
    assert whole.exit_code == 0, whole.output

    def stop(self: Any, trainer: Any, loss: Any) -> None:
        if trainer.progress.step == 9:
            trainer.interrupted = "SIGTERM"

    with monkeypatch.context() as patch:
        patch.setattr(Interruption, "on_step_end", stop)
        patch.setattr(Interruption, "steps_until_call", lambda self, trainer: 1)
        run(*TRAIN, "--output", "run")
    assert len(asked) == 2
    resumed = run("train", "--output", "run", "--resume", *more)
    assert resumed.exit_code == 0, resumed.output
    assert len(asked) == 2
    models = [(tmp_path / folder / "model.safetensors").read_bytes() for folder in ("whole", "run")]
    assert models[0] == models[1]


def test_auto_in_an_experiment_file_is_no_trouble_to_other_commands(run: Any, tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text('batch_size = "auto"\nhidden = [8]\n')
    found = run("batch-size", "e.toml", *SMALL[2:], "--json", "--quiet")
    assert found.exit_code == 0, found.output
    assert run("parity", "e.toml", "--steps", "1", "--backends", "numpy,numpy").exit_code == 0
