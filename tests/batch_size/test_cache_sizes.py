"""Cache sizes settled from invented sysfs trees and knees: detected, measured, used, and the user's word."""

import re
from pathlib import Path

import pytest

from polydnn.arrays import caches
from polydnn.arrays.caches import Cache, believable_bytes, doubt, read_caches
from polydnn.batch_size.cache_sizes import parse_caches, settle_caches
from polydnn.errors import InvalidArgumentError

MIB = 2**20


def sysfs(root: Path, l3: str, shared: str) -> list[Cache]:
    levels = (("1", "Data", "48K", "0"), ("1", "Instruction", "32K", "0"), ("2", "Unified", "1024K", "0"))
    for number, (level, kind, size, cpus) in enumerate((*levels, ("3", "Unified", l3, shared))):
        folder = root / "cpu0" / "cache" / f"index{number}"
        folder.mkdir(parents=True)
        for name, text in (("level", level), ("type", kind), ("size", size), ("shared_cpu_list", cpus)):
            (folder / name).write_text(text + "\n")
    return read_caches(root)


@pytest.fixture(autouse=True)
def _first_cpu_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_first_cpu", lambda: 0)


def used(rows: list) -> dict:
    return {row.level: row.used_bytes for row in rows}


@pytest.mark.parametrize("knees", [[], [1_100_000, 24 * MIB]])
def test_where_sysfs_is_right_it_is_used(tmp_path: Path, knees: list[int]) -> None:
    rows = settle_caches(sysfs(tmp_path, "32768K", "0-1"), knees, virtual=True, processors=2)
    assert used(rows) == {"L1d": 48 * 2**10, "L2": MIB, "L3": 32 * MIB}
    assert [row.measured_bytes for row in rows] == ([None, *knees] if knees else [None] * 3)
    assert all(row.source == "sysfs" and not row.overridden and row.doubt is None for row in rows)


def test_the_hosts_cache_gives_way_to_the_measured_one(tmp_path: Path) -> None:
    rows = settle_caches(sysfs(tmp_path, "480M", "0-1"), [2 * MIB, 100 * MIB], virtual=True, processors=2)
    last = rows[-1]
    assert (last.detected_bytes, last.measured_bytes, last.used_bytes) == (480 * MIB, 100 * MIB, 100 * MIB)
    assert last.doubt is not None
    assert last.doubt.startswith("this virtual machine is told of an L3 of 480 MiB for 2 processors: it is the host's")


def test_a_false_size_stays_where_nothing_was_measured_and_the_doubt_is_told(tmp_path: Path) -> None:
    last = settle_caches(sysfs(tmp_path, "480M", "0-1"), [], virtual=True, processors=2)[-1]
    assert (last.used_bytes, last.measured_bytes) == (480 * MIB, None)
    assert last.doubt


def test_a_last_level_many_times_what_bandwidth_shows(tmp_path: Path) -> None:
    told = sysfs(tmp_path, "96M", "0-1")
    last = settle_caches(told, [16 * MIB], virtual=True, processors=2)[-1]
    assert last.used_bytes == 16 * MIB
    assert last.doubt == "this virtual machine is told of an L3 of 96 MiB, and the sweep shows 16 MiB."
    assert settle_caches(told, [40 * MIB], virtual=True, processors=2)[-1].used_bytes == 96 * MIB
    assert settle_caches(told, [16 * MIB], virtual=False, processors=2)[-1].used_bytes == 96 * MIB


def test_a_cache_shared_with_processors_out_of_sight(tmp_path: Path) -> None:
    last = settle_caches(sysfs(tmp_path, "32M", "0-15"), [6 * MIB], processors=2)[-1]
    assert last.used_bytes == 6 * MIB
    assert last.doubt == "the L3 of 32 MiB is shared by 16 processors, of which 2 are to be seen here."


def test_the_users_word_wins(tmp_path: Path) -> None:
    told = sysfs(tmp_path, "480M", "0-1")
    rows = settle_caches(told, [100 * MIB], virtual=True, processors=2, overrides={"L3": 24 * MIB, "L4": 64 * MIB})
    assert used(rows) == {"L1d": 48 * 2**10, "L2": MIB, "L3": 24 * MIB, "L4": 64 * MIB}
    assert [row.overridden for row in rows] == [False, False, True, True]
    assert rows[-1].record() == {
        "level": "L4",
        "detected_bytes": None,
        "source": "none",
        "measured_bytes": None,
        "used_bytes": 64 * MIB,
        "overridden": True,
    }


def test_a_silent_system_is_measured() -> None:
    assert used(settle_caches([], [MIB, 20 * MIB])) == {"L2": MIB, "L3": 20 * MIB}
    assert settle_caches([], []) == []


def test_only_a_last_level_is_doubted() -> None:
    assert doubt(Cache(2, "Unified", 2**34), virtual=True, processors=1) is None
    assert believable_bytes(Cache(3, "Unified", 480 * MIB, 64, "0-1")) == 128 * MIB
    assert believable_bytes(Cache(3, "Unified", 32 * MIB, 64, "")) == 32 * MIB


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L2=1M,L3=32M", {"L2": MIB, "L3": 32 * MIB}),
        (" l1D = 48 KiB , l3=1.5g", {"L1d": 48 * 2**10, "L3": 3 * 2**29}),
        ("L3=33554432", {"L3": 32 * MIB}),
        ("L2=512kb", {"L2": 2**19}),
    ],
)
def test_what_the_user_writes(text: str, expected: dict[str, int]) -> None:
    assert parse_caches(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("L5=1M", "caches 'L5=1M': 'L5=1M' names no cache; possible: L1d, L2, L3, L4; write it as in 'L2=1M,L3=32M'."),
        ("L1=32K", "'L1=32K' names no cache; .* Did you mean 'L1d'?"),
        ("", "caches '': '' names no cache"),
        ("L2", "'L2' names no cache; possible: L1d"),
        ("L2=1M,", "'' names no cache"),
        ("L2=", "caches 'L2=': '' is no size; give a number of bytes, or one with K, M or G; write it as in"),
        ("L2=-1M", "'-1M' is no size"),
        ("L2=0", "'0' is no size"),
        ("L2=1T", "'1T' is no size"),
        ("L2=1M,L2=2M", "L2 is given twice; give each level once."),
        ("L3=1M,L2=32M", "L2 has 33554432 bytes and L3 1048576; a cache holds more than the one before it."),
    ],
)
def test_what_cannot_be_understood_is_explained(text: str, message: str) -> None:
    pattern = message if ".*" in message else re.escape(message)
    with pytest.raises(InvalidArgumentError, match=pattern):
        parse_caches(text)
