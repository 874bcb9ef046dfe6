"""Processor and memory, from pretended files of the kernel."""

import os
from pathlib import Path

import pytest

from polydnn.arrays import available_memory, cpu_name, machine, usable_threads
from polydnn.arrays.machine import cpu_flags, physical_cores, total_memory, vector_level


def test_this_machine_has_a_processor_and_memory() -> None:
    assert cpu_name()
    assert 1 <= usable_threads() <= (os.cpu_count() or 1)
    total, available = total_memory(), available_memory()
    assert total is None or available is None or 0 < available <= total


def test_flags_come_from_cpuinfo(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: sse2 avx avx2 fma\n\nprocessor\t: 1\n")
    assert cpu_flags(path) == {"sse2", "avx", "avx2", "fma"}
    path.write_text("processor\t: 0\nFeatures\t: fp asimd sve\n")
    assert cpu_flags(path) == {"fp", "asimd", "sve"}
    assert cpu_flags(tmp_path / "nothing") == frozenset()


@pytest.mark.parametrize(
    ("flags", "level"),
    [
        ("sse2 avx avx2 fma avx512f avx512bw avx512dq avx512vl", "avx512"),
        ("sse2 avx avx2 fma avx512f", "avx2"),  # the first processors with AVX-512 lack what the kernels need
        ("sse2 avx avx2", "avx"),
        ("sse2", "sse"),
        ("fp asimd sve", None),
    ],
)
def test_vector_levels(flags: str, level: str | None) -> None:
    assert vector_level(frozenset(flags.split())) == level


def test_cores_count_their_threads_once(tmp_path: Path) -> None:
    for cpu, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "core_cpus_list").write_text(siblings + "\n")
    (tmp_path / "cpufreq").mkdir()
    assert physical_cores(tmp_path) == 2
    assert physical_cores(tmp_path / "nothing") is None


@pytest.mark.parametrize(("quota", "threads"), [(None, 8), (2.0, 2), (1.6, 2), (0.1, 1), (64.0, 8)])
def test_a_quota_cuts_the_threads(monkeypatch: pytest.MonkeyPatch, quota: float | None, threads: int) -> None:
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(machine, "cpu_quota", lambda: quota)
    assert usable_threads() == threads


def test_a_containers_limit_cuts_the_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 2000 kB\nMemAvailable: 1000 kB\n")
    monkeypatch.setattr(machine, "MEMINFO", meminfo)
    monkeypatch.setattr(machine, "memory_left", lambda: None)
    assert available_memory() == 1000 * 1024
    monkeypatch.setattr(machine, "memory_left", lambda: 4096)
    assert available_memory() == 4096
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "nothing")
    assert available_memory() == 4096
