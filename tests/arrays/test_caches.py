"""Cache sizes: read from a pretended sysfs, and from what there is where sysfs is silent."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from polydnn.arrays import caches
from polydnn.arrays.caches import Cache, cpu_caches, read_caches

EXAMPLE = {
    "index0": {"level": "1", "type": "Data", "size": "48K", "coherency_line_size": "64", "shared_cpu_list": "0"},
    "index1": {"level": "1", "type": "Instruction", "size": "32K", "coherency_line_size": "64", "shared_cpu_list": "0"},
    "index2": {"level": "2", "type": "Unified", "size": "1024K", "coherency_line_size": "64", "shared_cpu_list": "0"},
    "index3": {"level": "3", "type": "Unified", "size": "32M", "coherency_line_size": "64", "shared_cpu_list": "0-1"},
}


def tree(root: Path, indices: dict[str, dict[str, str]], cpu: int = 0) -> Path:
    for index, files in indices.items():
        folder = root / f"cpu{cpu}" / "cache" / index
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text + "\n")
    return root


@pytest.fixture(autouse=True)
def _first_cpu_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_first_cpu", lambda: 0)


def test_sizes_lines_and_sharing_come_from_sysfs(tmp_path: Path) -> None:
    root = tree(tmp_path, EXAMPLE)
    assert cpu_caches(root) == {"L1d": 49152, "L2": 1048576, "L3": 33554432}
    assert read_caches(root) == [
        Cache(1, "Data", 49152, 64, "0"),
        Cache(1, "Instruction", 32768, 64, "0"),
        Cache(2, "Unified", 1048576, 64, "0"),
        Cache(3, "Unified", 33554432, 64, "0-1"),
    ]
    assert read_caches(root)[1].record() == {
        "name": "L1i",
        "level": 1,
        "kind": "Instruction",
        "size_bytes": 32768,
        "line_bytes": 64,
        "shared_cpus": "0",
        "source": "sysfs",
    }


def test_a_cache_without_a_size_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_from_sysconf", list)
    bad = {"level": "2", "type": "Unified"}
    indices = {
        "index0": EXAMPLE["index0"],
        "index1": bad,
        "index2": {**bad, "size": "0K"},
        "index3": {**bad, "size": "?"},
    }
    assert cpu_caches(tree(tmp_path, indices)) == {"L1d": 49152}
    assert cpu_caches(tmp_path / "nothing") == {}


def test_a_line_size_that_is_missing_is_unknown(tmp_path: Path) -> None:
    [cache] = read_caches(tree(tmp_path, {"index0": {"level": "1", "type": "Data", "size": "2048"}}))
    assert cache == Cache(1, "Data", 2048, None, "")
    assert cache.sharers() == 0


def test_the_caches_of_a_processor_that_may_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"index0": {"level": "1", "type": "Data", "size": "32K"}}
    root = tree(tree(tmp_path, EXAMPLE), small, cpu=3)
    monkeypatch.setattr(caches, "_first_cpu", lambda: 3)
    assert cpu_caches(root) == {"L1d": 32768}
    monkeypatch.setattr(caches, "_first_cpu", lambda: 5)
    assert cpu_caches(root)["L1d"] == 49152, "a processor that sysfs leaves out stands for the first"


def test_sysconf_answers_for_the_private_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"SC_LEVEL1_DCACHE_SIZE": 32768, "SC_LEVEL2_CACHE_SIZE": 524288, "SC_LEVEL3_CACHE_SIZE": 2**30}
    monkeypatch.setattr(caches.os, "sysconf", lambda name: answers.get(name, 0), raising=False)
    monkeypatch.setattr(caches.sys, "platform", "linux")
    assert read_caches(tmp_path) == [
        Cache(1, "Data", 32768, None, source="sysconf"),
        Cache(2, "Unified", 524288, None, source="sysconf"),
    ]


def test_macos_is_asked_by_sysctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"hw.perflevel0.l1dcachesize": "131072\n", "hw.l2cachesize": "4194304\n", "hw.cachelinesize": "128\n"}

    def run(command: list[str], **options: Any) -> Any:
        return subprocess.CompletedProcess(command, 0, answers.get(command[-1], ""), "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(caches.sys, "platform", "darwin")
    assert cpu_caches(tmp_path) == {"L1d": 131072, "L2": 4194304}
    assert {cache.line_bytes for cache in read_caches(tmp_path)} == {128}


def test_a_system_without_sysctl_knows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: Any, **options: Any) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", missing)
    monkeypatch.setattr(caches.sys, "platform", "darwin")
    assert cpu_caches(tmp_path) == {}
