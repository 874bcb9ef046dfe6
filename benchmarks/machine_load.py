"""How busy the machine is: before a run, to refuse one that means nothing, and beside it, to judge its figures."""

import os
import resource
import time
from pathlib import Path
from typing import Any

__all__ = ["OthersWatch", "load_of_machine"]


def processor_ticks() -> list[int] | None:
    """User, nice, system, idle, iowait, irq, softirq and steal ticks of all processors; None where there is no such."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    except OSError:
        return None
    return [int(each) for each in first.split()[1:9]]


def busy_seconds() -> tuple[float, float] | None:
    """Processor seconds since the start of the machine: used by anyone, and stolen by its host."""
    ticks = processor_ticks()
    if ticks is None:
        return None
    each = 1.0 / os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - ticks[3] - ticks[4] - ticks[7]) * each, ticks[7] * each


def own_seconds() -> float:
    """Processor seconds of this process and of its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class OthersWatch:
    """How much of the machine others took from its making until ``figures`` is asked, children having ended."""

    def __init__(self) -> None:
        self.start = (time.monotonic(), busy_seconds(), own_seconds())

    def figures(self) -> dict[str, float | None]:
        """Seconds gone by, and processors that other processes and the machine's host used in the mean."""
        seconds = time.monotonic() - self.start[0]
        before, now = self.start[1], busy_seconds()
        if before is None or now is None:
            return {"seconds": seconds, "other_processors": None, "stolen_processors": None}
        others = (now[0] - before[0] - (own_seconds() - self.start[2])) / seconds
        return {"seconds": seconds, "other_processors": others, "stolen_processors": (now[1] - before[1]) / seconds}


def load_of_machine(seconds: float) -> dict[str, Any]:
    """How many processors are busy and how many are stolen by the host, over ``seconds`` of waiting; load average.

    Without /proc/stat the load average of the last minute stands for the first.
    """
    average = list(os.getloadavg()) if hasattr(os, "getloadavg") else [0.0]
    before = busy_seconds()
    time.sleep(seconds)
    now = busy_seconds()
    if before is None or now is None:
        return {"busy_processors": average[0], "stolen_processors": None, "load_average": average}
    busy, stolen = ((b - a) / seconds for a, b in zip(before, now, strict=True))
    return {"busy_processors": busy, "stolen_processors": stolen, "load_average": average}
