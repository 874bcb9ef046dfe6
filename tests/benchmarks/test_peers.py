"""benchmarks/peers.py from its command line: what it prints, stores, refuses, and how it sums up."""

import json
import random
import re
from pathlib import Path
from typing import Any

import peers
import pytest
from peer_frameworks import FRAMEWORKS
from peer_frameworks.plots import relative_times
from peer_frameworks.rounds import next_count
from peer_frameworks.summaries import interval, median_of, paired_ratio, settled, spread, summarize

TINY = ["--cases", "8-10-1", "--optimizers", "sgd", "--batch-sizes", "4", "--seconds-per-point", "0.02"]
FEW = ["--frameworks", "numpy_loop", "floor", "polydnn_reference"]


def point(framework: str, batch_size: int, samples: list[float], **other: Any) -> dict[str, Any]:
    fixed = {"case": "8-10-1", "optimizer": "sgd", "measure": "step", "framework": framework, "batch_size": batch_size}
    rounds = list(range(len(samples)))
    return {**fixed, "rounds": rounds, "samples_us": samples, "median_us": sorted(samples)[len(samples) // 2], **other}


def test_one_json_object_alone_is_printed_and_the_same_is_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    output = tmp_path / "peers.json"
    peers.main([*TINY, *FEW, "--json", "--loaded-anyway", "--output", str(output)])
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found == json.loads(output.read_text(encoding="utf-8"))
    assert found["complete"] is True
    assert found["schema"] == 1
    assert "step: " in printed.err
    assert {"cpu", "caches", "blas", "software", "unset", "load_before", "during", "load_after"} <= set(
        found["machine"]
    )
    assert found["settings"]["threads"] == 1
    assert found["settings"]["worker_environment"]["OPENBLAS_NUM_THREADS"] == "1"
    assert "OPENBLAS_CORETYPE" not in found["settings"]["worker_environment"]
    assert set(found["frameworks"]) == set(FEW[1:])
    peaks = [each["peak_mib"] for each in found["points"] if each["framework"] == "floor"]
    assert found["frameworks"]["floor"]["peak_mib"] == (max(peaks) if None not in peaks else None)
    measured = {(each["framework"], each["measure"]) for each in found["points"] if "median_us" in each}
    both = {(name, measure) for name in ("numpy_loop", "polydnn_reference") for measure in ("step", "epoch")}
    assert measured == both | {("floor", "step")}
    for each in found["points"]:
        assert each["rows"] == (1024 if each["measure"] == "epoch" else 4)
        assert each["peak_mib"] is None or each["peak_mib"] > 10
        assert each["framework"] == "floor" or each["loss_error"] < 1e-3
    assert [row["framework"] for row in found["summary"]] == ["polydnn_reference"] * 2
    assert {path.name for path in tmp_path.glob("*.png")} == {"peers-step-sgd.png", "peers-epoch-sgd.png"}


def test_an_unknown_framework_is_refused_and_a_floor_alone_is_no_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--frameworks", "numpy_loop", "polydnn_no_such"]
    with pytest.raises(SystemExit):
        peers.parser().parse_args([*TINY, *few])
    assert "polydnn_no_such" in capsys.readouterr().err
    peers.main([*TINY, "--frameworks", "floor", "--loaded-anyway", "--json"])
    assert json.loads(capsys.readouterr().out)["summary"] == []


def test_what_fails_is_left_out_with_the_reason_and_the_rest_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POLYDNN_DISABLE_PLUGINS", "numba")  # whether or not the plugin is installed here
    few = ["--frameworks", "numpy_loop", "polydnn_numba", "--measures", "step"]
    peers.main([*TINY, *few, "--loaded-anyway", "--json"])
    first, second = sorted(json.loads(capsys.readouterr().out)["points"], key=lambda each: each["framework"])
    assert first["median_us"] > 0
    assert "execution must be one of" in second["left_out"]


def test_a_busy_machine_is_refused_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    load = {"busy_processors": 0.9, "stolen_processors": 0.0, "load_average": [1.0, 1.0, 1.0]}
    monkeypatch.setattr(peers, "load_of_machine", lambda seconds: load)
    with pytest.raises(SystemExit, match=r"other processes use 0.90 processors here .*Wait, or give --loaded-anyway"):
        peers.refuse_where_busy(anyway=False)
    assert peers.refuse_where_busy(anyway=True) == load


@pytest.mark.parametrize("threads", ["0", "100000", "many"])
def test_a_number_of_threads_that_is_not_there_is_refused(threads: str) -> None:
    with pytest.raises(SystemExit, match=f"--threads must be all or 1 .. [0-9]+, found {threads}"):
        peers.processors(threads)


def test_threads_are_processors() -> None:
    assert len(peers.processors("1")) == 1
    assert peers.processors("1") <= peers.processors("all")


def test_filters_and_the_quick_choice_make_the_plan() -> None:
    plan = peers.plan_of(peers.parser().parse_args(["--quick"]))
    assert plan.deadline is not None
    assert plan.measures == ("step",)
    assert "torch_compile" not in plan.frameworks
    assert {"jax_scan", "torch_eager", "keras", "polydnn_auto", "polydnn_numba", "floor"} <= set(plan.frameworks)
    assert "torch_graph" not in plan.frameworks
    full = peers.plan_of(peers.parser().parse_args([]))
    assert len(full.problems()) == 4 * 2 * 8
    assert "torch_compile" in full.frameworks
    assert full.deadline is None
    assert [str(each) for each in full.problems()] == [str(each) for each in full.problems()]
    cuda = peers.plan_of(peers.parser().parse_args(["--device", "cuda"]))
    assert "torch_graph" in cuda.frameworks
    assert "floor" not in cuda.frameworks


def test_the_interval_holds_the_median_of_what_is_drawn_most_of_the_time() -> None:
    rng = random.Random(0)
    hits = 0
    for _ in range(40):
        low, high = interval([rng.gauss(10.0, 1.0) for _ in range(30)])
        assert low is not None
        assert high is not None
        hits += low <= 10.0 <= high
    assert 33 <= hits <= 40
    assert interval([1.0, 2.0]) == (None, None)


def test_spread_and_the_rule_to_stop() -> None:
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2.0 / 3.0)
    assert settled([1.0] * 7, 0.02, 7)
    assert not settled([1.0] * 6, 0.02, 7)
    assert not settled([1.0, 1.1] * 4, 0.02, 7)
    assert median_of([3.0, 1.0, 2.0])["median"] == 2.0


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that is three times slower in the second round disturbs no ratio; an unpaired one it would."""
    found = paired_ratio({0: 2.0, 1: 6.0, 2: 2.2, 5: 1.0}, {0: 1.0, 1: 3.0, 2: 1.1, 7: 9.0})
    assert found["median"] == pytest.approx(2.0)
    assert found["n"] == 3


@pytest.mark.parametrize(
    ("count", "seconds", "block", "expected"),
    [(1, 1e-6, 1, 32), (64, 0.01, 64, 128), (4, 1.0, 1, 1), (64, 9.0, 64, 64)],
)
def test_the_next_count_is_a_multiple_of_the_block(count: int, seconds: float, block: int, expected: int) -> None:
    assert next_count(count, seconds, 0.02, block) == expected


def test_the_summary_names_the_fastest_peer_and_the_floor() -> None:
    points = [
        point("polydnn_auto", 1, [4.0, 4.0, 4.0]),
        point("jax_scan", 1, [1.0, 1.0, 1.0]),
        point("jax_jit", 1, [8.0, 8.0, 8.0]),
        point("floor", 1, [2.0, 2.0, 2.0]),
        point("polydnn_auto", 4, [4.0, 4.0, 4.0]),
        point("jax_jit", 4, [4.0, 4.0, 4.0]),
        {"case": "8-10-1", "optimizer": "sgd", "measure": "step", "framework": "keras", "left_out": "not there"},
    ]
    (row,) = summarize(points)
    first, second = row["batch_sizes"]
    assert (first["fastest_peer"], first["fastest_stepwise_peer"]) == ("jax_scan", "jax_jit")
    assert first["to_fastest_peer"]["median"] == 4.0
    assert first["to_fastest_stepwise_peer"]["median"] == 0.5
    assert first["to_floor"]["median"] == 2.0
    assert first["to_best_floor"] is None
    assert second["to_fastest_peer"]["median"] == 1.0
    assert row["mean_to_fastest_peer"] == pytest.approx(2.0)
    assert row["worst_to_fastest_peer"] == 4.0
    assert peers.table([row]).splitlines()[1].split()[:6] == ["1", "4", "us", "4.000", "of", "jax_scan"]


def test_pictures_show_times_over_the_fastest_peer() -> None:
    by_batch = {
        4: {"floor": point("floor", 4, [1.0]), "keras": point("keras", 4, [4.0]), "thinc": point("thinc", 4, [2.0])},
        8: {"floor": point("floor", 8, [1.0])},
    }
    assert relative_times(by_batch) == {"keras": [(4, 2.0)], "thinc": [(4, 1.0)], "floor": [(4, 0.5)]}


def test_the_page_names_every_row_and_no_flag_that_is_not_there() -> None:
    page = (Path(peers.__file__).parents[1] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert not [name for name in FRAMEWORKS if f"`{name}`" not in page]
    known = set(re.findall(r"--[a-z-]+", peers.parser().format_help()))
    assert set(re.findall(r"--[a-z][a-z-]+", page)) <= known


def test_problems_of_an_earlier_run_are_kept_and_those_measured_now_are_not(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    earlier = [point("floor", 4, [1.0]), point("floor", 8, [1.0]), point("floor", 4, [1.0], measure="epoch")]
    path.write_text(json.dumps({"points": earlier, "machine": {"cpu": "old"}, "settings": {"threads": 7}}))
    plan = peers.plan_of(peers.parser().parse_args([*TINY, *FEW, "--measures", "step"]))
    found = peers.kept_from(path, plan)
    assert found["points"] == earlier[1:]
    assert found["runs"] == [{"machine": {"cpu": "old"}, "settings": {"threads": 7}}]
    assert peers.kept_from(tmp_path / "none.json", plan) == {"points": [], "runs": []}
