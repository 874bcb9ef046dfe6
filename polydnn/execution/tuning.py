"""What is fastest on this machine, measured once and remembered, so that the next run computes the same bits."""

import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import threadpool_info

from polydnn.arrays import cpu_name

__all__ = ["SETTLE", "VARIABLE", "Trial", "fastest", "fastest_made", "forget", "machine", "tuning_folder"]

VARIABLE = "POLYDNN_TUNING"
"""Set to "off", nothing is measured and the first candidate taken; set to a folder, answers are kept there."""

FEWEST, ROUNDS = 5, 25
"""Calls that are timed, at least and at most."""

TURNS, FEWEST_ALONE = 3, 2
"""Turns of a candidate that is measured by itself, and the calls in each at least."""

LONGEST = 0.02
"""Seconds for each candidate after which no further round begins."""

SETTLE = 0.06
"""Seconds after which threads that wait for work have gone to sleep."""

_answers: dict[str, tuple[str, str]] = {}


Trial: TypeAlias = Callable[[], object]
"""One go at the work that is to be timed."""


def fastest(question: Mapping[str, Any], candidates: Mapping[str, Trial]) -> tuple[str, str]:
    """The name of the fastest candidate, and a sentence with the figures.

    Two candidates that round differently must not take turns, or no run could be repeated. So an answer holds for the
    process, and on disk for this processor and NumPy's BLAS with its threads: the first writer wins. Where nothing can
    be kept, the first candidate is taken unmeasured, for the same reason.
    """
    return fastest_made(question, {name: partial(_itself, call) for name, call in candidates.items()})


def fastest_made(
    question: Mapping[str, Any], makers: Mapping[str, Callable[[], Trial | None]], *, settle: float = 0.0
) -> tuple[str, str]:
    """As ``fastest``, for trials that are made when they are needed, and None where a candidate turns out not to do.

    ``settle`` is for candidates that use the processors differently: an idle thread of a BLAS keeps its core busy for
    some hundredths of a second after its last work, at the cost of whatever runs there next.
    """
    names = list(makers)
    text = json.dumps({**question, "candidates": names, "machine": machine()}, sort_keys=True, default=str)
    if text not in _answers:
        _answers[text] = _asked(text, makers, settle)
    return _answers[text]


def _itself(call: Trial) -> Trial:
    return call


def forget() -> None:
    """Ask the disk again; for whoever changes the folder within a process."""
    _answers.clear()
    machine.cache_clear()


def tuning_folder() -> Path | None:
    """Where answers are kept; None where the user wants no measuring."""
    wish = os.environ.get(VARIABLE, "")
    if wish == "off":
        return None
    if wish:
        return Path(wish)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "polydnn" / "tuning"


@cache
def machine() -> str:
    """What an answer depends on besides the question; libraries that others loaded into the process do not count."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    own = [pool for pool in pools if "numpy" in pool["filepath"]] or pools[:1]
    blas = [f"{pool.get('architecture')} with {pool['num_threads']} threads" for pool in own]
    return f"{cpu_name()}, {os.cpu_count()} processors, numpy {np.__version__}, {', '.join(blas)}"


def _asked(text: str, makers: Mapping[str, Callable[[], Trial | None]], settle: float) -> tuple[str, str]:
    folder = tuning_folder()
    if len(makers) == 1 or folder is None:
        return _unmeasured(makers, "is taken unmeasured")
    path = folder / f"{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}.json"
    kept = _read(path, text)
    if kept is not None:
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return _unmeasured(makers, f"is taken unmeasured: {folder} cannot be written")
    made = {name: trial for name, make in makers.items() if (trial := make()) is not None}
    _write(path, {"question": json.loads(text), "seconds": measured(made or dict.fromkeys(makers, _nothing), settle)})
    return _read(path, text) or _unmeasured(makers, f"is taken unmeasured: {path} cannot be kept")


def _unmeasured(makers: Mapping[str, Callable[[], Trial | None]], why: str) -> tuple[str, str]:
    """The first that will do, or the first of all."""
    names = list(makers)
    chosen = next((name for name in names[:-1] if makers[name]() is not None), names[-1]) if names[1:] else names[0]
    return chosen, f"{chosen!r} {why}"


def _nothing() -> None:
    """The trial where no candidate will do, and the first is as good as any."""


def measured(candidates: Mapping[str, Trial], settle: float = 0.0) -> dict[str, float]:
    """The median seconds of some calls of each; the first call is free.

    Not the shortest: what is fast on a machine that is quiet for a moment may be what suffers most when it is not. The
    calls go round, so that a disturbance meets all alike; with ``settle`` each candidate has some turns by itself, each
    after so many seconds in which the threads of the one before come to rest, and its own wake.
    """
    if settle:
        alone = [{name: _median_alone(call, settle) for name, call in candidates.items()} for _ in range(TURNS)]
        return {name: statistics.median(turn[name] for turn in alone) for name in candidates}
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for call in candidates.values():
        call()
    started = time.perf_counter()
    for count in range(ROUNDS):
        for name, call in candidates.items():
            taken[name].append(_seconds(call))
        if count + 1 >= FEWEST and time.perf_counter() - started > LONGEST * len(candidates):
            break
    return {name: statistics.median(each) for name, each in taken.items()}


def _median_alone(call: Trial, settle: float) -> float:
    time.sleep(settle)
    awake = time.perf_counter() + settle
    call()
    while time.perf_counter() < awake:  # what has slept may be slow at first
        call()
    taken: list[float] = []
    while len(taken) < FEWEST_ALONE or (len(taken) < ROUNDS and sum(taken) < 0.5 * settle):
        taken.append(_seconds(call))
    return statistics.median(taken)


def _seconds(call: Trial) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _read(path: Path, text: str) -> tuple[str, str] | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        seconds = {str(name): float(value) for name, value in kept["seconds"].items()}
        if kept["question"] != json.loads(text) or not set(seconds) <= set(kept["question"]["candidates"]):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not seconds:
        return None
    name = min(seconds, key=lambda each: seconds[each])
    figures = ", ".join(f"{each} {value * 1e6:.1f}" for each, value in seconds.items())
    return name, f"{name!r} was measured fastest (microseconds: {figures})"


def _write(path: Path, record: Mapping[str, Any]) -> None:
    """Put a whole file in place unless there is one already."""
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        draft.write_text(json.dumps(record, indent=1), encoding="utf-8")
        try:
            os.link(draft, path)  # unlike a rename it does not replace what another process has just written
        except FileExistsError:
            if _read(path, json.dumps(record["question"])) is None:
                os.replace(draft, path)
        draft.unlink(missing_ok=True)
    except OSError:
        return
