"""What is fastest on this machine, measured once and remembered, so that the next run computes the same bits."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import threadpool_info

from polydnn.arrays import cpu_name

__all__ = ["VARIABLE", "Trial", "fastest", "fastest_made", "forget", "tuning_folder"]

VARIABLE = "POLYDNN_TUNING"
"""Set to "off", nothing is measured and the first candidate taken; set to a folder, answers are kept there."""

ROUNDS = 20
LONGEST = 0.02
"""Seconds after which no further round of a measurement begins."""

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


def fastest_made(question: Mapping[str, Any], makers: Mapping[str, Callable[[], Trial | None]]) -> tuple[str, str]:
    """As ``fastest``, for trials that are made when they are needed, and None where a candidate turns out not to do."""
    names = list(makers)
    text = json.dumps({**question, "candidates": names, "machine": machine()}, sort_keys=True, default=str)
    if text not in _answers:
        _answers[text] = _asked(text, makers)
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


def _asked(text: str, makers: Mapping[str, Callable[[], Trial | None]]) -> tuple[str, str]:
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
    _write(path, {"question": json.loads(text), "seconds": measured(made or dict.fromkeys(makers, _nothing))})
    return _read(path, text) or _unmeasured(makers, f"is taken unmeasured: {path} cannot be kept")


def _unmeasured(makers: Mapping[str, Callable[[], Trial | None]], why: str) -> tuple[str, str]:
    """The first that will do, or the first of all."""
    names = list(makers)
    chosen = next((name for name in names[:-1] if makers[name]() is not None), names[-1]) if names[1:] else names[0]
    return chosen, f"{chosen!r} {why}"


def _nothing() -> None:
    """The trial where no candidate will do, and the first is as good as any."""


def measured(candidates: Mapping[str, Trial]) -> dict[str, float]:
    """The shortest of a few calls of each, in rounds, so that a disturbance meets all alike; the first call is free."""
    best = dict.fromkeys(candidates, float("inf"))
    for call in candidates.values():
        call()
    started = time.perf_counter()
    for _ in range(ROUNDS):
        for name, call in candidates.items():
            begun = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - begun)
        if time.perf_counter() - started > LONGEST * len(candidates):
            break
    return best


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
