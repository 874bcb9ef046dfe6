"""The predicted best batch size beside the measured one, in time to a target loss, for three networks and two runs.

    python benchmarks/batch_size_prediction.py --quick --loaded-anyway
    python benchmarks/batch_size_prediction.py --output benchmarks/results/batch_size_prediction.json   # ten minutes

A run makes a study (sweep and gradient noise), which predicts, and then trains to the target loss at every size with
several seeds, which measures. At every size the learning rate is the best of a few over the seeds, since the prediction
is about rates that are right for their size. The second run repeats the study as it is, and trains with other seeds; a
further study of other first weights and another order of the rows shows how far a prediction moves with those. The
prediction has to lie within a factor of 2 of what was measured, and the intervals of the two runs have to meet: each
spans the sizes that cannot be told from the best.
"""

from batch_size_parts import UNSET  # isort: skip # noqa: F401 - before NumPy

import argparse
from pathlib import Path
from typing import Any

from batch_size_parts.cases import CASES, Case
from batch_size_parts.pictures import Curve, Panel, draw_panels
from batch_size_parts.runs import Report, parser_of, progress, run

from polydnn.batch_size import study, validate

FACTOR = 2.0
RUNS, SEEDS = 2, 4
STUDY_SECONDS = {"fashion": 45.0, "california": 25.0, "digits": 20.0}
TRAINING_SECONDS = {"fashion": 110.0, "california": 40.0, "digits": 25.0}
QUICK = 0.25


def measure(chosen: argparse.Namespace) -> Report:
    """Every case, the runs of a case one after the other."""
    part = QUICK if chosen.quick else 1.0
    cases = {}
    for name in chosen.cases or CASES:
        case = CASES[name]
        runs = [once(case, number, name, part) for number in range(RUNS)]
        progress(f"{case.name}, another seed")
        other = best_of(predicted(case, 1, part * STUDY_SECONDS[name]))
        cases[name] = {"name": case.name, **compared(runs), "other_seed": other, "runs": runs}
    return {"settings": {"factor": FACTOR, "seeds": SEEDS, "part": part}, "cases": cases}


def predicted(case: Case, seed: int, seconds: float) -> Report:
    """The record of a study."""
    x, y = case.rows()
    trainer = case.trainer(x.shape[1], seed=seed)
    settings: dict[str, Any] = {"sizes": case.sizes, "dataset": case.dataset, "target_loss": case.target_loss}
    return study(trainer, x, y, budget=seconds, **settings)


def best_of(record: Report) -> dict[str, Any]:
    """What a study recommends."""
    return {key: record["best"][key] for key in ("batch_size", "interval", "closed_form", "near", "why")}


def once(case: Case, number: int, name: str, part: float) -> dict[str, Any]:
    """A prediction and a measurement."""
    progress(f"{case.name}, run {number + 1}")
    record = predicted(case, 0, part * STUDY_SECONDS[name])
    x, y = case.rows()
    measured = validate(
        case.trainer(x.shape[1]),
        x,
        y,
        sizes=[row["batch_size"] for row in record["sweep"]],
        target_loss=case.target_loss,
        scaling="square root",
        factors=case.factors,
        seeds=range(number * SEEDS, (number + 1) * SEEDS),
        budget=part * TRAINING_SECONDS[name],
        report=progress,
    )
    found = {"predicted": best_of(record), "measured": measured["measured_best"]}
    return {**found, "record": record, "validation": measured}


def compared(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """How far the prediction is off in each run, and whether the runs agree."""
    ratios = [
        run["predicted"]["batch_size"] / run["measured"]["batch_size"] if run["measured"] else None for run in runs
    ]
    return {
        "predicted_over_measured": ratios,
        "within_factor": [each is not None and 1 / FACTOR <= each <= FACTOR for each in ratios],
        "predictions_agree": meet([run["predicted"] for run in runs]),
        "measurements_agree": meet([run["measured"] for run in runs]),
    }


def meet(found: list[dict[str, Any] | None]) -> bool | None:
    """Whether the intervals have a size in common; None where something was not measured."""
    ends = [each["interval"] for each in found if each is not None]
    if len(ends) < len(found):
        return None
    return bool(max(low for low, _ in ends) <= min(high for _, high in ends))


def table(found: Report) -> str:
    """Two lines for each case."""
    lines = [f"{'case':<36}{'run':>4}{'predicted':>11}  {'interval':<14}{'measured':>9}  {'interval':<14}{'verdict'}"]
    for case in found["cases"].values():
        for number, (each, close) in enumerate(zip(case["runs"], case["within_factor"], strict=True), 1):
            cells = [
                f"{part['batch_size']}  {part['interval'][0]}..{part['interval'][1]}" if part else "-  -"
                for part in (each["predicted"], each["measured"])
            ]
            (p, pi), (m, mi) = (cell.split("  ") for cell in cells)
            verdict = f"within {FACTOR:g} times" if close else "off"
            lines.append(f"{case['name']:<36}{number:>4}{p:>11}  {pi:<14}{m:>9}  {mi:<14}{verdict}")
        lines.append(f"{'':<40}agree: {case['predictions_agree']!s:<20}agree: {case['measurements_agree']}")
        lines.append(f"{'':<36}{'':>4}{case['other_seed']['batch_size']:>11}  with another seed")
    return "\n".join(lines)


def draw(found: Report, path: Path) -> None:
    """For each case the measured times, and the predicted ones drawn to the same shortest."""
    panels = []
    for case in found["cases"].values():
        curves = []
        for number, each in enumerate(case["runs"], 1):
            rows = each["validation"]["measured"]
            points = [(row["batch_size"], row["seconds_to_target"]) for row in rows]
            curves.append(Curve(f"measured, run {number}", points, [row["seconds_to_target_interval"] for row in rows]))
            shortest = min((value for _, value in points), default=1.0)
            predicted = [(row["batch_size"], row["seconds_to_target"]) for row in each["record"]["prediction"]]
            least = min((value for _, value in predicted), default=1.0)
            scaled = [(size, value / least * shortest) for size, value in predicted]
            curves.append(Curve(f"predicted, run {number}", scaled, dashed=True))
        panels.append(Panel(case["name"], "seconds to the target", curves))
    draw_panels(panels, path, "Time to the target loss, measured and predicted")


def main(arguments: list[str] | None = None) -> None:
    """Measure, store, print."""
    parser = parser_of(__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), metavar="CASE")
    chosen = parser.parse_args(arguments)
    run(chosen, "batch_size_prediction", lambda: measure(chosen), table, draw)


if __name__ == "__main__":
    main()
