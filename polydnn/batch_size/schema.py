"""The form of a batch-size record, as plain values, and the check of a record against it.

Times are seconds, sizes bytes, every interval is [low, high] at 95 %. A form is read like the thing it describes: a
dictionary stands for an object with at least these keys, a list of one form for a list of such, a tuple for one form
out of several, ``ANY`` for whatever JSON holds. Further keys are let through, so that a part may say more.
"""

import math
from typing import Any

from polydnn.errors import InvalidArgumentError

__all__ = ["FORM", "SCHEMA", "check_form"]

SCHEMA = "polydnn.batch_size/1"
"""The name and version of the form; the number rises when a key changes its meaning."""

ANY = object()
TEXT, COUNT, NUMBER, YES = str, int, float, bool
INTERVAL = [NUMBER]
OPEN_INTERVAL = [(NUMBER, None)]

FORM: dict[str, Any] = {
    "schema": TEXT,
    "provenance": {
        "polydnn": TEXT,
        "python": TEXT,
        "packages": {},
        "backend": TEXT,
        "device": TEXT,
        "dtype": TEXT,
        "execution": TEXT,
        "threads": COUNT,
        "seed": COUNT,
        "dataset": {"name": TEXT, "rows": COUNT, "in_features": COUNT, "fingerprint": TEXT},
        "widths": [COUNT],
        "loss": TEXT,
        "optimizer": {"name": TEXT, "options": {}},
        "learning_rate": NUMBER,
        "activation": [TEXT],
        "budget_seconds": (NUMBER, None),
        "started": TEXT,
        "environment": {},
        "plugins": [ANY],
    },
    "machine": {
        "cpu": TEXT,
        "caches": [
            {
                "level": TEXT,
                "detected_bytes": (COUNT, None),
                "source": (TEXT, None),
                "measured_bytes": (COUNT, None),
                "used_bytes": (COUNT, None),
                "overridden": YES,
            }
        ],
        "bandwidth": [{"array_bytes": COUNT, "gigabytes_per_second": NUMBER}],
        "latency": [{"array_bytes": COUNT, "nanoseconds": NUMBER}],
        "peak_gigaflops": (NUMBER, None),
        "peak_gigabytes_per_second": (NUMBER, None),
        "load_average": [NUMBER],
        "warnings": [TEXT],
    },
    "sweep": [
        {
            "batch_size": COUNT,
            "seconds_per_step": NUMBER,
            "seconds_per_step_interval": INTERVAL,
            "repeats": COUNT,
            "warm_up_seconds": NUMBER,
            "split": {"gather": NUMBER, "forward": NUMBER, "backward": NUMBER, "optimizer": NUMBER},
            "seconds_per_epoch": NUMBER,
            "samples_per_second": NUMBER,
            "flops": NUMBER,
            "gigaflops_per_second": NUMBER,
            "bytes_moved": NUMBER,
            "gigabytes_per_second": NUMBER,
            "working_set_bytes": COUNT,
            "cache_level": TEXT,
            "peak_memory_bytes": (COUNT, None),
            "execution": TEXT,
        }
    ],
    "skipped": [{"batch_size": COUNT, "why": TEXT}],
    "noise_scale": (
        {
            "value": NUMBER,
            "interval": OPEN_INTERVAL,
            "trace": NUMBER,
            "squared_norm": NUMBER,
            "examples": COUNT,
            "drift": [{"step": COUNT, "loss": NUMBER, "value": NUMBER, "interval": OPEN_INTERVAL}],
        },
        None,
    ),
    "cost_model": {
        "t0": NUMBER,
        "t1": NUMBER,
        "half_saturation": (NUMBER, None),
        "knees": [{"batch_size": COUNT, "cache_level": (TEXT, None)}],
    },
    "prediction": [
        {
            "batch_size": COUNT,
            "relative_steps": NUMBER,
            "seconds_to_target": NUMBER,
            "seconds_to_target_interval": INTERVAL,
        }
    ],
    "best": {
        "batch_size": COUNT,
        "interval": INTERVAL,
        "smallest_within_5_percent": COUNT,
        "fastest_throughput": COUNT,
        "why": TEXT,
        "below": TEXT,
        "at": TEXT,
        "above": TEXT,
    },
    "validation": (
        {
            "target_loss": NUMBER,
            "scaling": TEXT,
            "seeds": ANY,
            "rows": [
                {
                    "batch_size": COUNT,
                    "learning_rate": NUMBER,
                    "seed": COUNT,
                    "steps": (COUNT, None),
                    "seconds": (NUMBER, None),
                    "reached": YES,
                }
            ],
            "measured": [
                {"batch_size": COUNT, "seconds_to_target": NUMBER, "seconds_to_target_interval": INTERVAL},
            ],
            "measured_best": ({"batch_size": COUNT, "interval": INTERVAL}, None),
        },
        None,
    ),
    "crossover": (
        {"slower_backend": TEXT, "faster_backend": TEXT, "batch_size": (COUNT, None), "why": TEXT},
        None,
    ),
}

NAMES = {TEXT: "a text", COUNT: "a whole number", NUMBER: "a finite number", YES: "true or false", None: "null"}


def check_form(value: Any, form: Any = FORM, where: str = "the record") -> None:
    """Raise InvalidArgumentError, naming the place, what was found and what is expected, unless the value has the form.

    >>> check_form({"batch_size": 64, "why": "memory"}, {"batch_size": int, "why": str})
    """
    if form is ANY:
        return
    if isinstance(form, dict):
        _check_object(value, form, where)
    elif isinstance(form, list):
        if not isinstance(value, list | tuple):
            raise _unexpected(where, value, "a list")
        if form is INTERVAL or form is OPEN_INTERVAL:
            _check_interval(value, where)
        for place, item in enumerate(value):
            check_form(item, form[0], f"{where}[{place}]")
    elif isinstance(form, tuple):
        if value is not None:  # every choice here is between something and nothing
            check_form(value, form[0], where)
    elif not _is(value, form):
        raise _unexpected(where, value, NAMES[form])


def _check_object(value: Any, form: dict[str, Any], where: str) -> None:
    if not isinstance(value, dict):
        raise _unexpected(where, value, "an object")
    for key, item in form.items():
        if key not in value:
            msg = f"{where} lacks the key '{key}'; it has {', '.join(map(str, value)) or 'none'}."
            raise InvalidArgumentError(msg)
        check_form(value[key], item, f"{where}.{key}")


def _check_interval(value: Any, where: str) -> None:
    if len(value) != 2 or (None not in value and not value[0] <= value[1]):
        raise _unexpected(where, value, "an interval [low, high]")


def _is(value: Any, kind: type) -> bool:
    if kind is NUMBER:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is kind


def _unexpected(where: str, value: Any, expected: str) -> InvalidArgumentError:
    found = repr(value)
    found = found if len(found) <= 60 else f"{found[:57]}..."
    return InvalidArgumentError(f"{where} is {found}; expected is {expected}.")
