"""Where and how a batch-size study was made, and in what two studies differ."""

import os
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from polydnn.arrays import machine_report, usable_threads
from polydnn.arrays.advice import relevant_environment
from polydnn.arrays.blas import blas_libraries
from polydnn.errors import InvalidArgumentError
from polydnn.execution.plan import StepPlan
from polydnn.layers import Dense
from polydnn.registry import provenance

__all__ = ["check_comparable", "differences", "study_provenance"]

NO_DIFFERENCE = frozenset({"started", "budget_seconds"})
"""When a study was made and how long it might take says nothing about what it is of."""

SHOWN = 5


def study_provenance(
    plan: StepPlan,
    *,
    dataset: Mapping[str, Any],
    execution: str,
    learning_rate: float,
    seed: int,
    budget_seconds: float | None,
) -> dict[str, Any]:
    """The record's ``provenance`` for a study of ``plan`` on this machine, begun now.

    ``dataset`` holds name, rows, in_features and fingerprint; ``execution`` is what was asked for. ``threads`` are
    those that BLAS uses on the host. ``plugins`` names what the plan takes from other packages.
    """
    network, optimizer = plan.network, plan.optimizer
    software = machine_report(gpu=False)["software"]
    threads = [library.threads for library in blas_libraries() if library.threads]
    return {
        "polydnn": _version("polydnn"),
        "python": software["python"],
        "packages": software["packages"],
        "backend": plan.backend.name,
        "device": plan.backend.device_name(),
        "dtype": network.dtype,
        "execution": execution,
        "threads": threads[0] if threads else usable_threads(),
        "seed": seed,
        "dataset": dict(dataset),
        "widths": list(network.widths[1:]),  # the data set says how wide its rows are
        "loss": plan.loss.name,
        "optimizer": {"name": optimizer.name, "options": dict(optimizer.options)},
        "learning_rate": learning_rate,
        "activation": [layer.activation.name for layer in network.layers if isinstance(layer, Dense)],
        "budget_seconds": budget_seconds,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": relevant_environment(os.environ),
        "plugins": sorted(set(_plugins(plan))),
    }


def _plugins(plan: StepPlan) -> Iterator[str]:
    dense = [layer for layer in plan.network.layers if isinstance(layer, Dense)]
    used = [("loss", plan.loss), ("optimizer", plan.optimizer), *(("activation", each.activation) for each in dense)]
    for kind, item in used:
        found = provenance(kind, item)
        if found is not None and not found.built_in:
            yield str(found)


def differences(one: Mapping[str, Any], two: Mapping[str, Any], *, ignored: Collection[str] = ()) -> list[str]:
    """In what two records differ that makes their numbers differ: provenance, processor and sizes of caches.

    One text for each, "backend: 'numpy' and 'cupy'". ``ignored`` are keys of the provenance that may differ.
    """
    texts = []
    for key in one["provenance"]:
        if key not in NO_DIFFERENCE | set(ignored):
            texts += _between(key, one["provenance"][key], two["provenance"].get(key))
    texts += _between("cpu", one["machine"]["cpu"], two["machine"]["cpu"])
    return texts + _between("caches", _capacities(one), _capacities(two))


def check_comparable(
    one: Mapping[str, Any], two: Mapping[str, Any], *, different: bool = False, ignored: Collection[str] = ()
) -> list[str]:
    """The differences of two records, where ``different`` allows them; otherwise there have to be none.

    Raises InvalidArgumentError that names them.
    """
    found = differences(one, two, ignored=ignored)
    if found and not different:
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        msg = (
            f"the two studies are of different provenance, so their numbers say little about each other: "
            f"{'; '.join(found[:SHOWN])}{more}. Measure both alike, or allow different provenance explicitly."
        )
        raise InvalidArgumentError(msg)
    return found


def _between(key: str, one: Any, two: Any) -> list[str]:
    if isinstance(one, dict) and isinstance(two, dict):
        keys = sorted(one.keys() | two.keys())
        return [text for each in keys for text in _between(f"{key}.{each}", one.get(each), two.get(each))]
    return [] if one == two else [f"{key}: {one!r} and {two!r}"]


def _capacities(record: Mapping[str, Any]) -> dict[str, int | None]:
    """The sizes that the system told or the user gave; measured ones differ a little from run to run."""
    return {
        each["level"]: each["used_bytes"] if each["overridden"] else each["detected_bytes"]
        for each in record["machine"]["caches"]
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
