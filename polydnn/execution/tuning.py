"""What is fastest on this machine, measured once and remembered, so that the next run computes the same bits."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from polydnn.arrays import cpu_name

__all__ = ["VARIABLE", "fastest", "forget", "tuning_folder"]

VARIABLE = "POLYDNN_TUNING"
"""Set to "off", nothing is measured and the first candidate taken; set to a folder, answers are kept there."""

ROUNDS = 40
LONGEST = 0.03
"""Seconds after which no further round of a measurement begins."""

_answers: dict[str, tuple[str, str]] = {}


def fastest(question: Mapping[str, Any], candidates: Mapping[str, Callable[[], None]]) -> tuple[str, str]:
    """The name of the fastest candidate, and a sentence with the figures.

    Two candidates that round differently must not take turns, or no run could be repeated. So an answer holds for the
    process, and on disk for this processor, its BLAS and its thread count: the first writer wins. Where nothing can be
    kept, the first candidate is taken unmeasured, for the same reason.
    """
    names = list(candidates)
    text = json.dumps({**question, "candidates": names, "machine": machine()}, sort_keys=True, default=str)
    if text not in _answers:
        _answers[text] = _asked(text, names, candidates)
    return _answers[text]


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
    """What an answer depends on besides the question."""
    pools = [
        (pool["internal_api"], pool.get("version"), pool.get("architecture"), pool["num_threads"])
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    return f"{cpu_name()}, {os.cpu_count()} processors, numpy {np.__version__}, {sorted(map(str, pools))}"


def _asked(text: str, names: list[str], candidates: Mapping[str, Callable[[], None]]) -> tuple[str, str]:
    folder = tuning_folder()
    if len(names) == 1 or folder is None:
        return names[0], f"{names[0]!r} is taken unmeasured"
    path = folder / f"{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}.json"
    kept = _read(path, text, names)
    if kept is not None:
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return names[0], f"{names[0]!r} is taken unmeasured: {folder} cannot be written"
    _write(path, {"question": json.loads(text), "seconds": measured(candidates)})
    return _read(path, text, names) or (names[0], f"{names[0]!r} is taken unmeasured: {path} cannot be kept")


def measured(candidates: Mapping[str, Callable[[], None]]) -> dict[str, float]:
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


def _read(path: Path, text: str, names: list[str]) -> tuple[str, str] | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        seconds = {name: float(kept["seconds"][name]) for name in names}
        if kept["question"] != json.loads(text):
            return None
    except (OSError, ValueError, KeyError, TypeError):
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
            if _read(path, json.dumps(record["question"]), list(record["seconds"])) is None:
                os.replace(draft, path)
        draft.unlink(missing_ok=True)
    except OSError:
        return
