"""The probe of the machine: a real short one, and invented curves and devices where the answer must be known."""

import json
import sys
from typing import Any

import numpy as np
import pytest

from polydnn.arrays import Backend, cupy_backend, dtype_name, numpy_backend
from polydnn.arrays.caches import Cache
from polydnn.batch_size import cache_sweep, machine_probe
from polydnn.batch_size.cache_sweep import bandwidth_curve, latency_curve, sweep_sizes
from polydnn.batch_size.machine_probe import peak_gigaflops, probe_machine
from tests.fake_cupy import install_fake_cupy
from tests.yardstick import processor_seconds

MIB = 2**20
KEYS = [
    *("cpu", "device", "caches", "bandwidth", "latency", "peak_gigaflops", "peak_gigabytes_per_second"),
    *("load_average", "warnings"),
]


def steps(capacities: list[int], speeds: list[float], sizes: list[int]) -> list[float]:
    return [speeds[sum(size > capacity for capacity in capacities)] for size in sizes]


@pytest.fixture
def invented(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A virtual machine told of 480 MiB, on which bandwidth falls at 1 MiB and at 24 MiB; no time passes."""
    facts: dict[str, Any] = {"l3": 480 * MIB, "capacities": [MIB, 24 * MIB], "speeds": [100.0, 60.0, 20.0], "sizes": []}

    def bandwidth(backend: Backend, sizes: list[int], seconds: float) -> list[dict[str, float]]:
        facts["sizes"] = sizes
        speeds = steps(facts["capacities"], facts["speeds"], sizes)
        return [{"array_bytes": a, "gigabytes_per_second": b} for a, b in zip(sizes, speeds, strict=True)]

    def latency(sizes: list[int], seconds: float) -> list[dict[str, float]]:
        times = steps([48 * 2**10, MIB], [1.5, 4.0, 20.0], sizes)
        return [{"array_bytes": a, "nanoseconds": b} for a, b in zip(sizes, times, strict=True)]

    def read() -> list[Cache]:
        private = [Cache(1, "Data", 48 * 2**10, 64, "0"), Cache(2, "Unified", MIB, 64, "0")]
        return [*private, Cache(3, "Unified", facts["l3"], 64, "0-1")]

    report = {"cpu": {"model": "Invented", "virtual_machine": True}, "load_average": [0.5, 0.4, 0.3]}
    advice = [{"topic": "load", "text": "busy.", "remedy": "wait"}, {"topic": "caches", "text": "x", "remedy": "y"}]
    monkeypatch.setattr(machine_probe, "bandwidth_curve", bandwidth)
    monkeypatch.setattr(machine_probe, "latency_curve", latency)
    monkeypatch.setattr(machine_probe, "read_caches", read)
    monkeypatch.setattr(machine_probe, "machine_report", lambda gpu: {**report, "warnings": advice})
    monkeypatch.setattr(machine_probe, "available_memory", lambda: 2**34)
    monkeypatch.setattr(machine_probe, "peak_gigaflops", lambda backend, dtype, seconds: 200.0)
    monkeypatch.setattr(machine_probe.os, "cpu_count", lambda: 2)
    return facts


def rows(machine: dict[str, Any]) -> dict[str, tuple[int | None, int | None, int | None]]:
    return {
        row["level"]: (row["detected_bytes"], row["measured_bytes"], row["used_bytes"]) for row in machine["caches"]
    }


def test_the_false_l3_of_a_virtual_machine_shows(invented: dict[str, Any]) -> None:
    machine = probe_machine(numpy_backend())
    told = rows(machine)
    assert told["L3"][0] == 480 * MIB
    assert told["L3"][1] == told["L3"][2]
    assert 24 * MIB <= (told["L3"][2] or 0) <= 34 * MIB
    assert told["L2"][2] == MIB
    assert told["L1d"][1] is not None, "the latency shows what the bandwidth hides"
    assert 48 * 2**10 <= told["L1d"][1] <= 68 * 2**10
    assert machine["warnings"] == [
        "this virtual machine is told of an L3 of 480 MiB for 2 processors: it is the host's, and other machines use "
        "it too; the measured size is used.",
        "busy. Remedy: wait.",
    ]
    assert max(invented["sizes"]) >= 2 * 128 * MIB, "the sweep goes beyond what can be believed"
    assert (machine["peak_gigaflops"], machine["peak_gigabytes_per_second"]) == (200.0, 100.0)


def test_a_true_l3_is_used_as_detected(invented: dict[str, Any]) -> None:
    invented["l3"] = 32 * MIB
    machine = probe_machine(numpy_backend())
    assert rows(machine)["L3"][2] == 32 * MIB
    assert machine["warnings"] == ["busy. Remedy: wait."]
    assert 64 * MIB <= max(invented["sizes"]) <= 128 * MIB


def test_a_doubtful_l3_that_does_not_show_asks_for_the_true_one(invented: dict[str, Any]) -> None:
    invented["capacities"] = [MIB, 2**50]
    machine = probe_machine(numpy_backend())
    assert rows(machine)["L3"] == (480 * MIB, None, 480 * MIB)
    assert machine["warnings"][0].endswith("no other size shows; give the true one.")


def test_an_override_silences_the_doubt(invented: dict[str, Any]) -> None:
    machine = probe_machine(numpy_backend(), overrides={"L3": 20 * MIB})
    assert rows(machine)["L3"][2] == 20 * MIB
    assert machine["caches"][-1]["overridden"] is True
    assert machine["warnings"] == ["busy. Remedy: wait."]


def test_little_memory_bounds_the_sweep(invented: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_probe, "available_memory", lambda: 2**28)
    probe_machine(numpy_backend())
    assert max(invented["sizes"]) <= 2**25


def test_a_device_tells_its_cache_its_multiprocessors_and_its_shared_memory(
    invented: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    install_fake_cupy(monkeypatch)
    invented["capacities"], invented["speeds"] = [50 * MIB], [6000.0, 3000.0]
    machine = probe_machine(cupy_backend("1"))
    assert machine["device"] == {
        "name": "Pretended GPU 1",
        "multiprocessors": 132,
        "shared_bytes_per_multiprocessor": 228 * 2**10,
    }
    [cache] = machine["caches"]
    assert (cache["level"], cache["detected_bytes"], cache["used_bytes"]) == ("L2", 60 * MIB, 60 * MIB)
    assert cache["source"] == "device"
    assert 50 * MIB <= cache["measured_bytes"] <= 71 * MIB
    assert machine["latency"] == []


def test_the_time_of_a_device_is_that_of_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch)
    assert cupy_backend().seconds(lambda: None) == 0.25


def test_a_real_probe_is_quick_complete_and_json(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_probe, "BEYOND", 0)  # one mebibyte is enough to see that it works
    machine = probe_machine(backend, seconds=0.1)
    assert json.loads(json.dumps(machine)) == machine
    assert list(machine) == KEYS
    assert all(row["gigabytes_per_second"] > 0 for row in machine["bandwidth"])
    assert machine["peak_gigaflops"] > 0


def test_arrays_of_every_size_are_timed_on_every_backend(backend: Backend, request: pytest.FixtureRequest) -> None:
    if "numpy-readonly" in request.node.name:
        pytest.skip("arrays that nobody may write to cannot be changed in place")
    sizes = sweep_sizes(2**16)
    curve = bandwidth_curve(backend, sizes, 0.02)
    assert [row["array_bytes"] for row in curve] == sizes
    assert all(0 < row["gigabytes_per_second"] < 1e5 for row in curve)


def test_the_best_of_the_rounds_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([3e-6, 2e-6, 5e-6, 4e-6, *[9e-6] * 100])
    monkeypatch.setattr(cache_sweep, "_seconds", lambda backend, part, deadline: next(times))
    curve = bandwidth_curve(numpy_backend(), [2**14, 2**15], 10.0)
    assert [row["gigabytes_per_second"] for row in curve] == pytest.approx([2**15 / 3e3, 2**16 / 2e3])


def test_the_global_random_state_is_left_alone() -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    bandwidth_curve(numpy_backend(), [2**14], 0.01)
    latency_curve([2**14], 0.01)
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]


def test_the_walk_visits_every_line_once() -> None:
    for size in (64, 2**12, 2**18):
        following, place, seen = cache_sweep._ring(size), 0, set()
        for _ in range(size // 64):
            seen.add(place)
            place = int(following[place])
        assert place == 0
        assert seen == set(range(0, size // 8, 8))


def test_latency_needs_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert latency_curve([2**14], 1.0) == []


def test_latency_where_numba_is_installed() -> None:
    pytest.importorskip("numba", reason="the compiled probe needs Numba")
    curve = latency_curve([2**14, 2**15], 600.0)  # it ends when both are measured
    assert [row["array_bytes"] for row in curve] == [2**14, 2**15]
    following, loads = cache_sweep._ring(2**14).tolist(), 2**14

    def plainly() -> None:
        place = 0
        for _ in range(loads):
            place = following[place]

    interpreted = min(processor_seconds(plainly) for _ in range(3)) / loads * 1e9
    assert all(1e-3 * interpreted < row["nanoseconds"] < 3.0 * interpreted for row in curve)
    assert latency_curve([2**14], -1.0) == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_peak_is_measured_in_the_dtype(backend: Backend, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    product = machine_probe._product_seconds

    def watched(backend: Backend, a: Any) -> float:
        seen.append((dtype_name(a.dtype), a.shape[0]))
        return product(backend, a)

    monkeypatch.setattr(machine_probe, "_product_seconds", watched)
    assert 0.01 < peak_gigaflops(backend, dtype, 0.01) < 1e7
    assert {name for name, _ in seen} == {dtype}
    assert seen[0][1] == 256


def test_the_peak_is_the_best_rate_of_the_largest_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    """An invented device of 10 GFLOP/s, where every call costs 50 ms on top: only large products show the rate."""
    monkeypatch.setattr(machine_probe, "_product_seconds", lambda backend, a: 0.05 + 2 * a.shape[0] ** 3 / 1e10)
    clock = iter(range(100))
    monkeypatch.setattr(machine_probe.time, "perf_counter", lambda: float(next(clock)))
    work = 2 * 2048**3  # the clock of this test ticks once a look: 256, 512, 1024 and 2048 come before the time is up
    assert peak_gigaflops(numpy_backend(), "float32", 15.0) == pytest.approx(10 * work / (0.05e10 + work))


def test_matrices_stay_within_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = []
    monkeypatch.setattr(machine_probe, "available_memory", lambda: 8 * 2 * 512**2 * 8)
    monkeypatch.setattr(machine_probe, "_product_seconds", lambda backend, a: sides.append(a.shape[0]) or 1e-6)
    clock = iter(range(100))
    monkeypatch.setattr(machine_probe.time, "perf_counter", lambda: float(next(clock)))
    peak_gigaflops(numpy_backend(), "float32", 10.0)
    assert max(sides) == 512
