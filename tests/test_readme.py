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


def speed_cell(points: list[dict[str, Any]], case: str, optimizer: str, batch_size: int) -> str:
    """Microseconds of a step in a bundle, and the fastest peer's."""
    key = (case, optimizer, batch_size, "step")
    medians = {
        each["framework"]: each["median_us"]
        for each in points
        if (each["case"], each["optimizer"], each["batch_size"], each["measure"]) == key and "median_us" in each
    }
    peers = {name: median for name, median in medians.items() if not name.startswith(("polydnn", "floor"))}
    fastest = min(peers, key=lambda name: peers[name])
    return f"{figure(medians['polydnn_steps'])}, {fastest} {figure(peers[fastest])}"


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


def test_table_of_panels_is_the_stored_one() -> None:
    stored = json.loads((ROOT / "benchmarks/results/peers.json").read_text(encoding="utf-8"))
    points = [each for each in stored["points"] if each["case"] == "784-512-512-10" and each["measure"] == "step"]
    text = (ROOT / "plugins/polydnn-numba/README.md").read_text(encoding="utf-8")
    table = re.findall(r"<!-- panels -->(.*?)<!-- /panels -->", text, re.DOTALL)[0].strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    assert [int(row[0].replace(",", "")) for row in rows] == sorted({each["batch_size"] for each in points})
    for size, *cells in rows:
        found = []
        for optimizer in ("sgd", "adam"):
            here = [each for each in points if each["optimizer"] == optimizer]
            here = [each for each in here if each["batch_size"] == int(size.replace(",", ""))]
            times = {each["framework"]: each["median_us"] for each in here if "median_us" in each}
            assert next(each for each in here if each["framework"] == "polydnn_steps")["notes"][0].endswith(
                "PanelExecutor"
            )
            best = min((name for name in times if not name.startswith(("polydnn", "floor"))), key=times.__getitem__)
            found += [figure(times["polydnn_steps"]), figure(times["polydnn_numpy"]), f"{best} {figure(times[best])}"]
        assert cells == found
