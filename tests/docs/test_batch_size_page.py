"""docs/batch-size.md: its commands and programs run, its links and names exist."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import polydnn.batch_size
from polydnn.batch_size.report.figures import figures_of

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "batch-size.md").read_text(encoding="utf-8")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_commands_run(tmp_path: Path) -> None:
    commands = re.findall(r"^\$ polydnn (.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        line = [sys.executable, "-m", "polydnn", *command.split(), "--quiet", "--json"]
        done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, timeout=900)
        assert done.returncode == 0, done.stderr
        record = json.loads(done.stdout)
        assert record["best"]["why"]
        folder = tmp_path / record["output"]
        assert {"record.json", "report.html"} <= {file.name for file in folder.iterdir()}
    assert record["validation"]["target_loss"] == 0.3
    reached = any(row["reached"] for row in record["validation"]["rows"])  # a busy machine may need more time
    assert (record["validation"]["measured_best"] is not None) == reached


@pytest.mark.slow
def test_the_programs_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = PYTHON.findall(PAGE)
    assert len(programs) == 2
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for program in programs:
        exec(program, scope)
    printed = capsys.readouterr().out
    assert "least predicted time to target" in printed
    assert "'batch_size'" in printed
    assert (tmp_path / "digits.json").exists()
    known = json.loads((tmp_path / "digits.json").read_text(encoding="utf-8"))
    titles = [figure.title for figure in figures_of(known)]
    assert len(titles) == 7
    assert [title for title in titles if f"**{title}.**" not in PAGE] == []


def test_the_names_of_the_library_exist() -> None:
    named = re.findall(r"`(study|sweep|probe_machine|\w+_noise_scale|fit_cost_model|predict|recommend_device)`", PAGE)
    assert len(set(named)) == 8
    assert set(named) <= set(polydnn.batch_size.__all__)


def test_the_options_of_the_command_exist() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "polydnn", "batch-size", "--help"], capture_output=True, text=True, timeout=300
    )
    named = set(re.findall(r"`(--[a-z-]+)", PAGE)) - {"--quick"}
    assert {"--sizes", "--budget", "--validate", "--scaling", "--json", "--learning-rate"} <= named
    assert [each for each in sorted(named) if each not in done.stdout] == []


def test_the_benchmarks_exist() -> None:
    found = re.findall(r"python (benchmarks/\w+\.py)", PAGE)
    assert len(found) == 3
    assert all((ROOT / each).exists() for each in found)
