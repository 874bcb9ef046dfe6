"""``polydnn parity``: the same training on several backends, compared array by array and step by step."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from polydnn.cli.experiment import Experiment
from polydnn.cli.experiment_file import experiment_argument
from polydnn.cli.option_types import Whole
from polydnn.cli.options import experiment_options
from polydnn.cli.output import only_results_on_stdout, print_json
from polydnn.cli.sections import SectionedCommand, option
from polydnn.cli.shared_options import RUN, json_option

if TYPE_CHECKING:
    from polydnn import Trainer
    from polydnn.training.parity import Difference, Parity

__all__ = ["parity"]


@click.command(cls=SectionedCommand)
@experiment_argument
@experiment_options
@option(RUN, "--backends", metavar="NAME,NAME", required=True, help="Backends to compare; the first is the measure.")
@option(RUN, "--steps", metavar="N", type=Whole(), default=10, show_default=True, help="Training steps to compare.")
@json_option(RUN)
@click.pass_context
def parity(ctx: click.Context, /, backends: str, steps: int, json: bool, **options: Any) -> None:
    """Train on several backends from the same seed, weights and batches, and compare every array of every step.

    Names the first array that has other bits and the first that departs beyond what rounding explains, and how it
    grows. Exit status 1 where one does. Options of the experiment are those of train.

    \b
    polydnn parity --backends numpy,torch
    polydnn parity --backends numpy,cupy --hidden 512,512 --optimizer sgd:momentum=0.9 --steps 50
    """
    names = [name.strip() for name in backends.split(",") if name.strip()]
    if len(names) < 2:
        msg = f"--backends compares two or more, such as numpy,torch; found {backends!r}."
        raise click.UsageError(msg)
    with only_results_on_stdout():
        found = _compare(Experiment.of_options(options), names, steps)
    beyond = any(each.first_beyond for each in found)
    if json:
        print_json({"status": "beyond the bound" if beyond else "within the bound", "pairs": [*map(_plain, found)]})
    else:
        click.echo("\n".join(map(_in_words, found)))
    if beyond:
        ctx.exit(1)


def _compare(experiment: Experiment, names: list[str], steps: int) -> "list[Parity]":
    from polydnn.training.parity import compare_training

    experiments = [replace(experiment, backend=name) for name in names]
    for each in experiments:
        each.check_names()
    dataset = experiment.load_data()
    measure, *others = (each.resolved_for(dataset) for each in experiments)

    def trainer(resolved: Experiment) -> "Trainer":
        return resolved.trainer_for(resolved.network_for(dataset))

    x, y = dataset.train.x, dataset.train.y
    return [compare_training(trainer(measure), trainer(other), x, y, steps=steps) for other in others]


def _plain(found: "Parity") -> dict[str, Any]:
    beyond = found.first_beyond
    return {
        "reference": found.reference,
        "backend": found.other,
        "steps": found.steps,
        "arrays_compared": found.compared,
        "bound": found.bound,
        "first_difference": None if found.first_difference is None else asdict(found.first_difference),
        "first_beyond_bound": None if beyond is None else asdict(beyond) | {"growth": found.growth(beyond.tensor)},
        "worst_by_step": [asdict(each) for each in found.worst()],
    }


def _in_words(found: "Parity") -> str:
    lines = [f"{found.other} against {found.reference}: {found.compared} arrays in {found.steps} steps"]
    if found.first_difference is None:
        return f"{lines[0]}, all with the same bits"
    lines.append(f"first other bits:   {_told(found.first_difference)}")
    if found.first_beyond is None:
        lines.append(f"beyond {found.bound:g}:       none")
    else:
        lines.append(f"beyond {found.bound:g}:       {_told(found.first_beyond)}")
        growth = found.growth(found.first_beyond.tensor)
        lines.append(f"  its growth by step: {' '.join(f'{each:.1e}' for each in growth)}")
    lines.append("worst by step:")
    lines += [f"  {_told(each)}" for each in found.worst()]
    return "\n".join(lines)


def _told(each: "Difference") -> str:
    return f"step {each.step}, {each.tensor}: relative {each.relative:.2e}, {each.ulp:.4g} ulp"
