"""The record of a batch-size study: built from what was measured, checked, written and read."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polydnn.batch_size.cost_model import Timing, fit_cost_model
from polydnn.batch_size.explanation import Facts, explain
from polydnn.batch_size.noise_scale import NoiseScale
from polydnn.batch_size.prediction import predict
from polydnn.batch_size.schema import FORM, SCHEMA, check_form
from polydnn.errors import FileFormatError, InvalidArgumentError
from polydnn.storage import strict_json, write_atomically
from polydnn.storage.atomic import storage_error
from polydnn.storage.refusal import Refusal

__all__ = ["analyse", "build_record", "check_record", "read_record", "timings_of", "write_record"]

LARGEST_FILE = 64 * 2**20
INTEGERS = (-(2**63), 2**64 - 1)


def build_record(
    *,
    provenance: Mapping[str, Any],
    machine: Mapping[str, Any],
    sweep: Sequence[Mapping[str, Any]],
    noise_scale: NoiseScale | None,
    skipped: Sequence[Mapping[str, Any]] = (),
    validation: Mapping[str, Any] | None = None,
    crossover: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A whole record: what was measured, and what the analysis makes of it.

    ``sweep`` holds a row for each batch size, in any order. The stream of the provenance's seed serves the intervals.
    Raises InvalidArgumentError where a part has not the form of the schema, naming the place.
    """
    rows = sorted((dict(row) for row in sweep), key=lambda row: int(row["batch_size"]))
    check_form(rows, FORM["sweep"], "sweep")
    check_form(dict(provenance), FORM["provenance"], "provenance")
    check_form(dict(machine), FORM["machine"], "machine")
    record = {
        "schema": SCHEMA,
        "provenance": dict(provenance),
        "machine": dict(machine),
        "sweep": rows,
        "skipped": [dict(each) for each in skipped],
        "noise_scale": None if noise_scale is None else noise_scale.as_dict(),
        **analyse(rows, machine, noise_scale, seed=provenance["seed"]),
        "validation": None if validation is None else dict(validation),
        "crossover": None if crossover is None else dict(crossover),
    }
    check_record(record)
    return record


def analyse(
    sweep: Sequence[Mapping[str, Any]], machine: Mapping[str, Any], noise_scale: NoiseScale | None, *, seed: int = 0
) -> dict[str, Any]:
    """The record's ``cost_model``, ``prediction`` and ``best`` from its other parts."""
    cost = fit_cost_model(timings_of(sweep))
    found = predict(cost, noise_scale, seed=seed)
    facts = Facts(
        caches={each["level"]: each["used_bytes"] for each in machine["caches"] if each["used_bytes"]},
        working_sets={row["batch_size"]: row["working_set_bytes"] for row in sweep},
        gigaflops={row["batch_size"]: row["gigaflops_per_second"] for row in sweep},
        peak_gigaflops=machine["peak_gigaflops"],
    )
    best = {
        "batch_size": found.best,
        "interval": list(found.interval),
        "smallest_within_5_percent": found.smallest_near,
        "fastest_throughput": found.fastest,
        "closed_form": found.closed_form,
        "near": list(found.near),
        **explain(cost, noise_scale, found, facts).as_dict(),
    }
    return {"cost_model": cost.as_dict(), "prediction": [row.as_dict() for row in found.rows], "best": best}


def timings_of(sweep: Sequence[Mapping[str, Any]]) -> list[Timing]:
    """The rows of a sweep as the cost model takes them."""
    return [
        Timing(
            row["batch_size"],
            row["seconds_per_step"],
            (row["seconds_per_step_interval"][0], row["seconds_per_step_interval"][1]),
            row["cache_level"],
        )
        for row in sweep
    ]


def check_record(record: Any) -> None:
    """Raise InvalidArgumentError, naming the place, unless this is a record of the schema this polydnn knows."""
    found = record.get("schema") if isinstance(record, dict) else None
    if found != SCHEMA:
        msg = f"the record's schema is {found!r}; this polydnn reads {SCHEMA!r}. Make the study again with it."
        raise InvalidArgumentError(msg)
    check_form(record)


def write_record(path: str | os.PathLike[str], record: dict[str, Any]) -> int:
    """Write a checked record as JSON, atomically; returns the bytes written.

    Raises InvalidArgumentError for what is no record, and StorageError.
    """
    check_record(record)
    strict_json.dumps(record, "the record")  # whatever a reader would refuse is refused here
    text = json.dumps(record, allow_nan=False, indent=1)
    return write_atomically(path, [text.encode("ascii"), b"\n"])


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a record; raises StorageError where the file cannot be read and FileFormatError where it is no record."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        msg = f"cannot read '{path}': {error.strerror}. Give the JSON file that a batch-size study wrote."
        raise storage_error(msg, error) from error
    try:
        if len(data) > LARGEST_FILE:
            msg = f"it has more than {LARGEST_FILE} bytes"
            raise Refusal(msg)
        record = strict_json.loads(data, "the text", INTEGERS)
        check_record(record)
    except (Refusal, InvalidArgumentError) as error:
        msg = f"'{path}' is no record of a batch-size study: {str(error).rstrip('.')}."
        raise FileFormatError(msg) from None
    assert isinstance(record, dict)
    return record
