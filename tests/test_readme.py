"""README is true: its Python runs, its commands are parsed by the program, its figures are the stored ones."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from polydnn.cli import main as program

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.strip() for line in README.splitlines() if line.startswith("    polydnn ")]


@pytest.mark.parametrize("block", PYTHON, ids=["interface", "activation"])
def test_python_block_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    if "history" in names:
        accuracy = float(re.findall(r"'accuracy': ([0-9.]+)", capsys.readouterr().out)[-1])
        assert accuracy > 0.9
        assert (tmp_path / "digits.safetensors").exists()


def test_the_interface_takes_fifteen_lines_and_an_activation_ten() -> None:
    interface, activation = (len([line for line in block.splitlines() if line.strip()]) for block in PYTHON)
    assert interface <= 15
    assert activation <= 10


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_understood(command: str) -> None:
    """Every flag and subcommand that README shows is one the program has."""
    group: click.Command = program
    words = shlex.split(command)[1:]
    context = click.Context(group, info_name="polydnn")
    while isinstance(group, click.Group) and words:
        found = group.get_command(context, words[0])
        assert found is not None, command
        group, words = found, words[1:]
        context = click.Context(group, info_name=group.name, parent=context)
    flags = {flag for parameter in group.get_params(context) for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= flags


def test_accuracy_table_is_the_stored_one() -> None:
    stored = json.loads((ROOT / "benchmarks/results/accuracy.json").read_text(encoding="utf-8"))["rows"]
    table = re.findall(r"<!-- accuracy -->(.*?)<!-- /accuracy -->", README, re.DOTALL)[0]
    shown = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    assert shown == [[row["dataset"], row["metric"], f"{row['mean']:.4f}", row["flags"]] for row in stored]
    assert all(row["mean"] >= row["target"] for row in stored)


def test_overhead_is_what_readme_says() -> None:
    rows = json.loads((ROOT / "benchmarks/results/overhead.json").read_text(encoding="utf-8"))["rows"]
    assert max(row["ratio"] for row in rows) <= 1.7


def test_the_predicted_batch_size_is_as_near_as_readme_says() -> None:
    path = ROOT / "benchmarks/results/batch_size_prediction.json"
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    assert len(cases) == 3
    for case in cases.values():
        for run in case["runs"]:
            assert 0.5 <= run["predicted"]["batch_size"] / run["measured"]["batch_size"] <= 2.0
        for kind in ("predicted", "measured"):
            one, other = (run[kind]["interval"] for run in case["runs"])
            assert max(one[0], other[0]) <= min(one[1], other[1])


def medians(points: list[dict[str, Any]], case: str, optimizer: str, batch_size: int) -> dict[str, float]:
    """Microseconds of a step, by framework."""
    key = (case, optimizer, batch_size, "step")
    return {
        each["framework"]: each["median_us"]
        for each in points
        if (each["case"], each["optimizer"], each["batch_size"], each["measure"]) == key and "median_us" in each
    }


def fastest_peer(times: dict[str, float]) -> str:
    best = min((name for name in times if not name.startswith(("polydnn", "floor"))), key=times.__getitem__)
    return f"{best} {figure(times[best])}"


def speed_cell(points: list[dict[str, Any]], case: str, optimizer: str, batch_size: int) -> str:
    """Microseconds of a step in a bundle, and the fastest peer's."""
    times = medians(points, case, optimizer, batch_size)
    return f"{figure(times['polydnn_steps'])}, {fastest_peer(times)}"


def figure(value: float) -> str:
    """Three digits, thousands apart."""
    return f"{float(f'{value:.3g}'):,.6g}"


def test_speed_table_is_the_stored_one() -> None:
    stored = json.loads((ROOT / "benchmarks/results/peers.json").read_text(encoding="utf-8"))
    points = stored["points"]
    ratios = {
        (row["case"], row["optimizer"]): f"{row['mean_to_fastest_peer']:.2f} ({row['worst_to_fastest_peer']:.2f})"
        for row in stored["summary"]
        if (row["framework"], row["measure"]) == ("polydnn_steps", "step")
    }
    table = re.findall(r"<!-- speed -->(.*?)<!-- /speed -->", README, re.DOTALL)[0].strip().splitlines()
    sizes = [int(size) for size in re.findall(r"batch (\d+)", table[0])]
    assert len(sizes) == 4
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    assert {row[0].strip("[]").replace(", ", "-") for row in rows} == {each["case"] for each in points}
    for name, optimizer, *cells, ratio in rows:
        case = name.strip("[]").replace(", ", "-")
        assert cells == [speed_cell(points, case, optimizer, size) for size in sizes]
        assert ratio == ratios[case, optimizer]


def test_the_epochs_are_the_stored_ones() -> None:
    stored = json.loads((ROOT / "benchmarks/results/peers.json").read_text(encoding="utf-8"))
    found = {
        row["optimizer"]: f"{row['mean_to_fastest_peer']:.2f} ({row['worst_to_fastest_peer']:.2f})"
        for row in stored["summary"]
        if (row["case"], row["framework"], row["measure"]) == ("784-512-512-10", "polydnn_auto", "epoch")
        and [each["batch_size"] for each in row["batch_sizes"]] == [16, 64, 256, 1024]
    }
    text = " ".join(README.split())
    assert f"take {found['sgd']} of the fastest peer's with sgd and {found['adam']} with Adam" in text


def table_of_numba(name: str) -> list[list[str]]:
    """The cells of a table in the README of polydnn-numba."""
    text = (ROOT / "plugins/polydnn-numba/README.md").read_text(encoding="utf-8")
    table = re.findall(f"<!-- {name} -->(.*?)<!-- /{name} -->", text, re.DOTALL)[0].strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def panels_row(points: list[dict[str, Any]], batch_size: int) -> list[str]:
    cells = [f"{batch_size:,}"]
    for optimizer in ("sgd", "adam"):
        times = medians(points, "784-512-512-10", optimizer, batch_size)
        cells += [figure(times["polydnn_steps"]), figure(times["polydnn_numpy"]), fastest_peer(times)]
    return cells


def tiny_row(points: list[dict[str, Any]], case: str, batch_size: int) -> list[str]:
    times = medians(points, case, "sgd", batch_size)
    shown = ("polydnn_reference", "polydnn_numpy", "jax_scan", "polydnn_steps")
    return [f"[{case.replace('-', ', ')}]", f"{batch_size:,}", *(figure(times[name]) for name in shown)]


def executors(points: list[dict[str, Any]], case: str) -> set[str]:
    """What ran the bundles of a network."""
    bundles = (each for each in points if (each["case"], each["framework"]) == (case, "polydnn_steps"))
    return {each["notes"][0].removeprefix("executor ") for each in bundles}


def test_tables_of_polydnn_numba_are_the_stored_ones() -> None:
    points = json.loads((ROOT / "benchmarks/results/peers.json").read_text(encoding="utf-8"))["points"]
    sizes = sorted({each["batch_size"] for each in points})
    assert executors(points, "784-512-512-10") == {"PanelExecutor"}
    assert table_of_numba("panels") == [panels_row(points, size) for size in sizes]
    tiny = ("8-10-1", "8-10-5-1", "8-64-1")
    assert {name for case in tiny for name in executors(points, case)} == {"TinyExecutor"}
    assert table_of_numba("tiny") == [tiny_row(points, case, size) for case in tiny for size in (1, 16, 256, 4096)]
