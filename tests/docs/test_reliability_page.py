"""docs/reliability.md: every row of its tables names a test that exists, and its commands and program run."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text()
TABLES = ("Determinism", "Bad inputs", "Special values")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)(?:\[([^`]*)\])?`")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def bad_inputs() -> dict[str, str]:
    """The faults of the test file with the class of the error of each."""
    tree = ast.parse((ROOT / "tests" / "test_bad_inputs.py").read_text())
    found = next(node for node in tree.body if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "BAD")
    assert isinstance(found.value, ast.Dict)
    pairs = zip(found.value.keys, found.value.values, strict=True)
    return {ast.literal_eval(key): ast.unparse(value.elts[1]) for key, value in pairs}  # type: ignore[arg-type, attr-defined]


@pytest.mark.parametrize("title", TABLES)
def test_every_row_names_a_test_that_exists(title: str) -> None:
    found = rows(title)
    assert len(found) >= 16
    for row in found:
        match = TEST.fullmatch(row[-1])
        assert match, f"the row {row[0]!r} names no test: {row[-1]}"
        file = ROOT / match[1]
        assert file.exists(), f"the row {row[0]!r} names {match[1]}, which does not exist"
        tests = {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}
        assert match[2] in tests, f"the row {row[0]!r} names {match[2]}, which {match[1]} does not have"
        assert len({cell for cell in row if cell}) == len(row), f"the row {row[0]!r} has an empty or repeated cell"


def test_the_table_of_bad_inputs_is_the_tests_own() -> None:
    expected = bad_inputs()
    assert len(expected) > 30
    assert {row[0]: row[1].strip("`") for row in rows("Bad inputs")} == expected
    for row in rows("Bad inputs"):
        assert row[-1].endswith(f"[{row[0]}]`"), row[0]


def test_a_row_without_a_test_would_be_seen() -> None:
    assert TEST.fullmatch("`tests/test_determinism.py::test_nothing`")
    assert not TEST.fullmatch("see the tests")


def test_the_commands_run_in_their_order(tmp_path: Path) -> None:
    commands = re.findall(r"^\$ polydnn (.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 3
    outputs = []
    for command in commands:
        line = [sys.executable, "-m", "polydnn", *command.split()]
        done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, timeout=900)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert "the run in demo is finished" in outputs[1]
    assert "all with the same bits" in outputs[2]
    assert len(list((tmp_path / "demo" / "checkpoints").glob("step-*"))) == 2


def test_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    exec(program, scope)
    assert len(list(Path("run").glob("step-*"))) == 3
