"""What can be learnt about this computer without privileges: processor, caches, memory."""

import functools
import os
import platform
from pathlib import Path

__all__ = ["available_memory", "cpu_caches", "cpu_name"]

SYSFS = Path("/sys/devices/system/cpu")


@functools.cache
def cpu_name() -> str:
    """The processor's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown processor"


def cpu_caches(root: Path = SYSFS) -> dict[str, int]:
    """Sizes in bytes of the caches that the first processor sees, by level, from sysfs.

    Instruction caches are left out. Where sysfs has nothing the mapping is empty: ``getconf`` and CPUID wrappers
    are not asked, for on virtual machines they report the caches of the whole socket.
    """
    found: dict[str, int] = {}
    for index in sorted((root / "cpu0" / "cache").glob("index*")):
        try:
            kind = (index / "type").read_text().strip()
            level = (index / "level").read_text().strip()
            size = _bytes((index / "size").read_text().strip())
        except (OSError, ValueError):
            continue
        if kind != "Instruction":
            found[f"L{level}d" if kind == "Data" and level == "1" else f"L{level}"] = size
    return found


def _bytes(text: str) -> int:
    """A size as sysfs writes it: "48K", "32M" or plain bytes."""
    units = {"K": 2**10, "M": 2**20, "G": 2**30}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


def available_memory() -> int | None:
    """Bytes of main memory that can be had without swapping, None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None
