"""The record of a study: built, checked, written, read, and compared only with its like."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import polydnn
from polydnn.batch_size.crossover import recommend_device
from polydnn.batch_size.noise_scale import Drift, NoiseScale
from polydnn.batch_size.provenance import check_comparable, differences, study_provenance
from polydnn.batch_size.record import build_record, check_record, read_record, write_record
from polydnn.errors import FileFormatError, InvalidArgumentError, StorageError

SIZES = [2**k for k in range(13)]
NOISE = NoiseScale(400.0, (300.0, None), 40.0, 0.1, 4096, drift=(Drift(0, 2.3, 400.0, (300.0, None)),))


def provenance(backend: str = "numpy", **changes: Any) -> dict[str, Any]:
    trainer = polydnn.Trainer(
        polydnn.Network(8, [polydnn.Dense(4, "relu"), polydnn.Dense(1)]), loss="mean_squared_error"
    )
    dataset = {"name": "invented", "rows": 100, "in_features": 8, "fingerprint": "abc"}
    found = study_provenance(
        trainer.plan, dataset=dataset, execution="auto", learning_rate=0.1, seed=0, budget_seconds=None
    )
    return {**found, "backend": backend, **changes}


def machine() -> dict[str, Any]:
    cache = {"level": "L3", "detected_bytes": 2**25, "source": "sysfs", "measured_bytes": 2**24, "overridden": False}
    return {
        "cpu": "Invented Processor",
        "caches": [{**cache, "used_bytes": 2**24}],
        "bandwidth": [{"array_bytes": 1024, "gigabytes_per_second": 10.0}],
        "latency": [],
        "peak_gigaflops": None,
        "peak_gigabytes_per_second": 10.0,
        "load_average": [0.1],
        "warnings": [],
    }


def row(size: int, seconds: float) -> dict[str, Any]:
    return {
        "batch_size": size,
        "seconds_per_step": seconds,
        "seconds_per_step_interval": [0.99 * seconds, 1.01 * seconds],
        "repeats": 10,
        "warm_up_seconds": 0.1,
        "split": {"gather": 0.1, "forward": 0.2, "backward": 0.3, "optimizer": 0.4},
        "seconds_per_epoch": 1.0,
        "samples_per_second": size / seconds,
        "flops": 100 * size,
        "gigaflops_per_second": 1.0,
        "bytes_moved": 100,
        "gigabytes_per_second": 1.0,
        "working_set_bytes": 2**20 * size,
        "cache_level": "L3" if size <= 16 else "memory",
        "peak_memory_bytes": None,
        "execution": "reference",
    }


def record(t0: float = 100e-6, t1: float = 1e-6, backend: str = "numpy", **changes: Any) -> dict[str, Any]:
    rows = [row(size, t0 + t1 * size) for size in reversed(SIZES)]
    return build_record(provenance=provenance(backend, **changes), machine=machine(), sweep=rows, noise_scale=NOISE)


def test_a_record_holds_what_was_measured_and_what_follows() -> None:
    built = record()
    assert built["schema"] == "polydnn.batch_size/1"
    assert [each["batch_size"] for each in built["sweep"]] == SIZES
    assert built["best"]["batch_size"] == 256
    assert built["best"]["interval"][0] <= 256 <= built["best"]["interval"][1]
    assert built["cost_model"]["half_saturation"] == pytest.approx(100.0)
    assert {"batch_size": 32, "cache_level": "memory", "kind": "capacity", "rise": None} in built["cost_model"]["knees"]
    assert built["noise_scale"]["interval"] == [300.0, None]
    assert built["provenance"]["activation"] == ["relu", "identity"]
    assert built["provenance"]["widths"] == [4, 1]


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    built = record()
    assert write_record(tmp_path / "study.json", built) == (tmp_path / "study.json").stat().st_size
    assert read_record(tmp_path / "study.json") == json.loads((tmp_path / "study.json").read_text()) == built


def test_one_size_and_no_noise_scale_make_a_record_too() -> None:
    built = build_record(provenance=provenance(), machine=machine(), sweep=[row(32, 1e-3)], noise_scale=None)
    assert (built["best"]["batch_size"], built["prediction"], built["noise_scale"]) == (32, [], None)


BREAKS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "schema": (
        lambda r: r.update(schema="polydnn.batch_size/2"),
        r"schema is 'polydnn.batch_size/2'; this polydnn reads",
    ),
    "missing": (
        lambda r: r["sweep"][3].pop("flops"),
        r"the record\.sweep\[3\] lacks the key 'flops'; it has batch_size,",
    ),
    "wrong kind": (
        lambda r: r["best"].update(batch_size=64.0),
        r"best\.batch_size is 64\.0; expected is a whole number",
    ),
    "no number": (lambda r: r["cost_model"].update(t0=True), r"cost_model\.t0 is True; expected is a finite number"),
    "not finite": (lambda r: r["cost_model"].update(t1=float("nan")), r"t1 is nan; expected is a finite number"),
    "null": (lambda r: r["machine"].update(cpu=None), r"machine\.cpu is None; expected is a text"),
    "no list": (lambda r: r.update(sweep={}), r"the record\.sweep is \{\}; expected is a list"),
    "no object": (lambda r: r.update(best=[]), r"the record\.best is \[\]; expected is an object"),
    "interval": (
        lambda r: r["best"].update(interval=[2, 1]),
        r"interval is \[2, 1\]; expected is an interval \[low, high\]",
    ),
    "half an interval": (lambda r: r["best"].update(interval=[2]), r"interval is \[2\]; expected is an interval"),
    "open interval": (
        lambda r: r["best"].update(interval=[2, None]),
        r"interval\[1\] is None; expected is a finite number",
    ),
    "text": (lambda r: r["noise_scale"].update(trace="x" * 90), r"trace is 'x{56}\.\.\.; expected is a finite number"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_no_record_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    spoil, message = BREAKS[name]
    built = copy.deepcopy(record())
    spoil(built)
    with pytest.raises(InvalidArgumentError, match=message):
        check_record(built)
    with pytest.raises(InvalidArgumentError, match=message):
        write_record(tmp_path / "study.json", built)
    assert list(tmp_path.iterdir()) == []
    if name != "not finite":  # JSON has no NaN; see below
        (tmp_path / "study.json").write_text(json.dumps(built))
        with pytest.raises(FileFormatError, match=r"study\.json' is no record of a batch-size study: .*" + message):
            read_record(tmp_path / "study.json")


def test_files_that_are_no_record(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read '.*absent\.json': No such file or directory\. Give the JSON"):
        read_record(tmp_path / "absent.json")
    for text, message in (("{", "is not valid JSON"), ('{"a": NaN}', "not finite"), ("[]", "schema is None")):
        (tmp_path / "study.json").write_text(text)
        with pytest.raises(FileFormatError, match=message):
            read_record(tmp_path / "study.json")


def test_a_part_of_wrong_form_is_named_before_the_analysis() -> None:
    bad = row(32, 1e-3)
    del bad["cache_level"]
    with pytest.raises(InvalidArgumentError, match=r"sweep\[0\] lacks the key 'cache_level'"):
        build_record(provenance=provenance(), machine=machine(), sweep=[bad], noise_scale=None)


def test_records_of_the_same_provenance_are_compared() -> None:
    later = record(started="2030-01-01T00:00:00+00:00", budget_seconds=5.0)
    later["machine"]["caches"][0] |= {"measured_bytes": 2**23, "used_bytes": 2**23}  # a measurement, and it varies
    assert check_comparable(record(), later) == []


def test_other_provenance_is_refused_and_named_unless_allowed() -> None:
    one, two = record(), record(seed=3, optimizer={"name": "sgd", "options": {"momentum": 0.9, "nesterov": False}})
    two["machine"]["cpu"] = "Other Processor"
    found = differences(one, two)
    assert found == [
        "seed: 0 and 3",
        "optimizer.options.momentum: 0.0 and 0.9",
        "cpu: 'Invented Processor' and 'Other Processor'",
    ]
    with pytest.raises(InvalidArgumentError, match=r"of different provenance.*seed: 0 and 3;.*allow different"):
        check_comparable(one, two)
    assert check_comparable(one, two, different=True) == found


def test_many_differences_are_counted() -> None:
    changes = {"seed": 1, "dtype": "float64", "loss": "hinge", "threads": 99, "learning_rate": 0.5, "execution": "x"}
    with pytest.raises(InvalidArgumentError, match="; and 1 more"):
        check_comparable(record(), record(**changes))


def test_the_crossover_of_two_backends() -> None:
    """100 + B against 400 + B / 10 microseconds: equal at 333 rows."""
    found = recommend_device(record(), record(400e-6, 0.1e-6, "torch"))
    assert (found["slower_backend"], found["faster_backend"], found["batch_size"]) == ("numpy", "torch", 512)
    assert found["why"] == (
        "A step takes less time on torch from 512 rows on (5.18 times as fast at 4096), and less on numpy at 256 (1.20 "
        "times as fast). Each with its best size, torch (1024 rows) reaches a target 1.31 times as soon as numpy (256 "
        "rows): 699 µs and 912 µs for every step of S_min."
    )
    turned = recommend_device(record(400e-6, 0.1e-6, "torch"), record())
    assert {key: turned[key] for key in ("faster_backend", "batch_size")} == {
        "faster_backend": "torch",
        "batch_size": 512,
    }


def test_equal_times_to_target_are_not_told_apart() -> None:
    """With B_c = 400 both lines give (20 + 10)^2 microseconds."""
    found = recommend_device(record(), record(400e-6, 0.25e-6, "torch"))
    assert "numpy (256 rows) and torch (1024 rows) reach a target alike: 912 µs and 912 µs" in found["why"]


def test_a_backend_that_is_always_faster() -> None:
    found = recommend_device(record(), record(50e-6, 0.5e-6, "torch"))
    assert (found["faster_backend"], found["batch_size"]) == ("torch", None)
    assert "less time on torch at every size: 2.00 times as fast at 1, 2.00 times as fast at 4096." in found["why"]


def test_times_that_cannot_be_told_apart_are_named() -> None:
    found = recommend_device(record(), record(101e-6, 0.996e-6, "torch"))
    assert "The intervals of the times overlap at " in found["why"]


def test_no_crossover_of_one_backend_or_of_different_studies() -> None:
    with pytest.raises(InvalidArgumentError, match="both records are of backend 'numpy'; a crossover needs two"):
        recommend_device(record(), record())
    with pytest.raises(InvalidArgumentError, match="seed: 0 and 1"):
        recommend_device(record(), record(backend="torch", seed=1))
    assert recommend_device(record(), record(backend="torch", seed=1), different=True)["faster_backend"]


def test_sweeps_without_a_common_size() -> None:
    one, two = record(), record(backend="torch")
    one["sweep"], two["sweep"] = one["sweep"][:3], two["sweep"][5:]
    with pytest.raises(InvalidArgumentError, match="no batch sizes in common: 1 to 4 and 32 to 4096; sweep the same"):
        recommend_device(one, two)
