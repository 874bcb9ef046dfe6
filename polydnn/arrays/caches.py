"""The caches of this computer's processor, as the operating system tells them."""

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Cache", "believable_bytes", "cpu_caches", "doubt", "read_caches"]

SYSFS = Path("/sys/devices/system/cpu")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
PLAUSIBLE_SHARE = 64 * 2**20
"""Bytes of a last-level cache for one processor; more than any product has."""


@dataclass(frozen=True)
class Cache:
    """One cache that one processor sees; ``shared_cpus`` lists the processors that share it, as in "0-1"."""

    level: int
    kind: str
    size_bytes: int
    line_bytes: int | None = None
    shared_cpus: str = ""
    source: str = "sysfs"

    @property
    def name(self) -> str:
        """L1d, L1i, L2, L3."""
        return f"L{self.level}" + {"Data": "d", "Instruction": "i"}.get(self.kind, "")

    def sharers(self) -> int:
        """How many processors share it; 0 where the system does not say.

        >>> Cache(3, "Unified", 2**25, 64, "0-3,8").sharers()
        5
        """
        ranges = [part.split("-") for part in self.shared_cpus.split(",") if part]
        return sum(int(ends[-1]) - int(ends[0]) + 1 for ends in ranges)

    def record(self) -> dict[str, Any]:
        """The cache as plain values, for reports."""
        return {"name": self.name, **asdict(self)}


def cpu_caches(root: Path = SYSFS) -> dict[str, int]:
    """Sizes in bytes of the data caches that one processor sees, by level: ``{"L1d": 49152, "L2": ..., "L3": ...}``."""
    return {cache.name: cache.size_bytes for cache in read_caches(root) if cache.kind != "Instruction"}


def read_caches(root: Path = SYSFS) -> list[Cache]:
    """The caches of the first processor that this process may use, smallest level first; empty where nobody knows.

    sysfs is asked first. Where it is silent, ``sysconf`` (Linux) gives the levels that a core has to itself: for the
    shared one it reports that of the whole socket, also to a virtual machine that has a few of its cores. On macOS
    ``sysctl`` is asked.
    """
    found = _from_sysfs(root / f"cpu{_first_cpu()}" / "cache") or _from_sysfs(root / "cpu0" / "cache")
    if found:
        return found
    return _from_sysctl() if sys.platform == "darwin" else _from_sysconf()


def believable_bytes(cache: Cache) -> int:
    """The size that the system tells, cut where no product gives its sharers that much."""
    return min(cache.size_bytes, PLAUSIBLE_SHARE * max(cache.sharers(), 1))


def doubt(cache: Cache, *, virtual: bool, processors: int | None = None) -> str | None:
    """Why a last-level cache is not this machine's alone, in a sentence; None where the system can be believed.

    ``virtual`` says whether this is a virtual machine, ``processors`` how many are to be seen.

    >>> doubt(Cache(3, "Unified", 32 * 2**20, 64, "0-1"), virtual=True, processors=2) is None
    True
    """
    if cache.level < 3:
        return None
    size, sharers = f"{cache.name} of {cache.size_bytes // 2**20} MiB", cache.sharers()
    if virtual and cache.size_bytes > believable_bytes(cache):
        return (
            f"this virtual machine is told of an {size} for {sharers} processors: "
            f"it is the host's, and other machines use it too."
        )
    if processors is not None and sharers > processors:
        return f"the {size} is shared by {sharers} processors, of which {processors} are to be seen here."
    return None


def _first_cpu() -> int:
    return min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


def _from_sysfs(folder: Path) -> list[Cache]:
    found = []
    for index in sorted(folder.glob("index*")):
        try:
            level, size = int(_word(index / "level")), _bytes(_word(index / "size"))
            kind = _word(index / "type")
        except (OSError, ValueError):
            continue  # a hypervisor may show a cache and not its size
        found.append(Cache(level, kind, size, _line(index), _optional(index / "shared_cpu_list")))
    return sorted(found, key=lambda cache: (cache.level, cache.kind))


def _line(index: Path) -> int | None:
    text = _optional(index / "coherency_line_size")
    return int(text) if text.isdecimal() else None


def _word(path: Path) -> str:
    return path.read_text().strip()


def _optional(path: Path) -> str:
    try:
        return _word(path)
    except OSError:
        return ""


def _bytes(text: str) -> int:
    """A size as sysfs writes it: "48K", "32M" or plain bytes; ValueError for zero, which means unknown."""
    size = int(text[:-1]) * UNITS[text[-1]] if text[-1:] in UNITS else int(text)
    if size <= 0:
        msg = f"no size: {text!r}"
        raise ValueError(msg)
    return size


def _from_sysconf() -> list[Cache]:
    names = {(1, "Data"): "SC_LEVEL1_DCACHE", (2, "Unified"): "SC_LEVEL2_CACHE"}
    found = []
    for (level, kind), name in names.items():
        size, line = _sysconf(f"{name}_SIZE"), _sysconf(f"{name}_LINESIZE")
        if size:
            found.append(Cache(level, kind, size, line or None, source="sysconf"))
    return found


def _sysconf(name: str) -> int:
    try:
        return max(os.sysconf(name), 0)
    except (AttributeError, OSError, ValueError):
        return 0


def _from_sysctl() -> list[Cache]:
    """macOS: the performance cores' caches where there are two kinds of core."""
    found = []
    for level, kind, key in ((1, "Data", "l1dcachesize"), (2, "Unified", "l2cachesize"), (3, "Unified", "l3cachesize")):
        size = _sysctl(f"hw.perflevel0.{key}") or _sysctl(f"hw.{key}")
        if size:
            found.append(Cache(level, kind, size, _sysctl("hw.cachelinesize") or None, source="sysctl"))
    return found


def _sysctl(key: str) -> int:
    import subprocess  # needed on macOS alone; "import polydnn" need not wait for it

    try:
        done = subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, timeout=5, check=False)
        return int(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
