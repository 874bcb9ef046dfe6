"""``polydnn train``: from options or an experiment file to a trained model in a run folder."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polydnn.cli.curves import INSTALL_PLOT, draw_curves
from polydnn.cli.experiment import Experiment
from polydnn.cli.experiment_file import experiment_argument, experiment_text
from polydnn.cli.options import EXPERIMENT_SECTIONS, experiment_options, option
from polydnn.cli.output import figure, only_results_on_stdout, print_json
from polydnn.cli.progress import progress_callbacks
from polydnn.cli.run_folder import CURVES, EXPERIMENT, HISTORY, MODEL, open_run_folder, remove_if_empty, write_text
from polydnn.cli.sections import SectionedCommand, SectionedOption

if TYPE_CHECKING:
    from polydnn import Trainer
    from polydnn.datasets import Dataset

__all__ = ["train"]

RUN = "Run"


@click.command(cls=SectionedCommand)
@experiment_argument
@experiment_options
@option(RUN, "--output", metavar="DIR", help="Folder for the results; runs/<data set>-<time> unless given.")
@option(RUN, "--overwrite", is_flag=True, help="Replace the run that the folder holds.")
@option(RUN, "--quiet", is_flag=True, help="Show no progress.")
@option(RUN, "--json", "json", is_flag=True, help="Print one JSON object on standard output.")
@click.pass_context
def train(ctx: click.Context, output: str | None, overwrite: bool, quiet: bool, json: bool, **options: Any) -> None:
    """Train a network and keep it in a folder with its experiment, history and curves.

    EXPERIMENT.toml sets options by their names with underscores (batch_size = 32); a flag wins over the file. An ITEM
    is a name with options where it takes some: relu, sgd:momentum=0.9,nesterov=true, or package:name:key=value.

    \b
    polydnn train
    polydnn train --dataset california_housing --hidden 64,64 --epochs 60
    polydnn train --dataset flowers.csv --target species --validation-fraction 0.2 --patience 5
    polydnn train runs/digits-20260101-120000/experiment.toml --backend torch
    """
    experiment = Experiment.of_options(options)
    if experiment.patience is not None and experiment.validation_fraction is None:
        msg = "--patience looks at validation rows; set some aside with --validation-fraction 0.1."
        raise click.UsageError(msg)
    with only_results_on_stdout():
        experiment.check_names()
        dataset = experiment.load_data()
        resolved = experiment.resolved_for(dataset)
        folder = open_run_folder(output, dataset.name, overwrite=overwrite)
        try:
            report = _run(resolved, dataset, folder, quiet=quiet)
        finally:
            remove_if_empty(folder)
    if json:
        print_json(report)
    else:
        click.echo(_summary(report))


def _run(experiment: Experiment, dataset: "Dataset", folder: Path, *, quiet: bool) -> dict[str, Any]:
    """Train, store, measure; the report is what ``--json`` prints."""
    shown = progress_callbacks(quiet=quiet)
    trainer = experiment.trainer_for(experiment.network_for(dataset), shown)
    if not quiet:
        click.echo(_heading(trainer, dataset), err=True)
    started = time.perf_counter()
    try:
        trainer.fit(
            dataset.train.x,
            dataset.train.y,
            epochs=experiment.epochs,
            validation_fraction=experiment.validation_fraction,
            class_weight="balanced" if experiment.class_weight == "balanced" else None,
        )
    finally:
        for each in shown:
            each.close()
    seconds = time.perf_counter() - started
    report = _report(experiment, trainer, dataset, folder, seconds)
    _store(experiment, trainer, dataset, folder, report)
    return report


def _heading(trainer: "Trainer", dataset: "Dataset") -> str:
    """What is about to be trained, in two lines, and why this backend where that was a choice."""
    network, backend = trainer.network, trainer.network.backend
    widths = "-".join(str(width) for width in _dense_widths(trainer))
    lines = [
        f"{dataset.name}: {dataset.task}, {len(dataset.train):,} training and {len(dataset.test):,} test rows, "
        f"{dataset.in_features} features",
        f"network {widths}: {network.parameter_count():,} parameters, {network.dtype} on {backend.name} "
        f"({backend.device_name()})",
    ]
    return "\n".join([*lines, *([backend.reason] if backend.reason else [])])


def _dense_widths(trainer: "Trainer") -> list[int]:
    layers = trainer.network.layers
    return [trainer.network.in_features, *(layer.units for layer in layers if hasattr(layer, "units"))]


def _report(
    experiment: Experiment, trainer: "Trainer", dataset: "Dataset", folder: Path, seconds: float
) -> dict[str, Any]:
    network, history = trainer.network, trainer.history
    train, test = (trainer.evaluate(rows.x, rows.y) for rows in (dataset.train, dataset.test))
    busy = sum(history["seconds"])
    assert trainer.progress is not None
    assert trainer.choice is not None
    return {
        "backend": network.backend.name,
        "device": network.backend.device_name(),
        "dataset": dataset.name,
        "task": dataset.task,
        "epochs": len(history),
        "steps": trainer.progress.step,
        "parameters": network.parameter_count(),
        "train_loss": train["loss"],
        "test_loss": test["loss"],
        "test_metrics": {name: value for name, value in test.items() if name != "loss"},
        "seconds": seconds,
        "samples_per_second": sum(row["samples_per_second"] * row["seconds"] for row in history) / busy,
        "model": str(folder / MODEL),
        "execution": trainer.choice.name,
        "output": str(folder),
        "seed": experiment.seed,
        "history": history.rows,
    }


def _store(
    experiment: Experiment, trainer: "Trainer", dataset: "Dataset", folder: Path, report: dict[str, Any]
) -> None:
    trainer.network.save(folder / MODEL)
    write_text(folder / EXPERIMENT, _experiment_text(experiment, trainer))
    write_text(folder / HISTORY, trainer.history.to_csv())
    levels = {"loss": report["test_loss"], **report["test_metrics"]}
    title = f"{dataset.name}, {len(trainer.history)} epochs, seed {experiment.seed}"
    try:
        draw_curves(trainer.history, [metric.name for metric in trainer.metrics], levels, title, folder / CURVES)
    except ImportError:
        click.echo(f"No {CURVES}: it needs matplotlib, {INSTALL_PLOT}.", err=True)


def _experiment_text(experiment: Experiment, trainer: "Trainer") -> str:
    """The experiment with nothing left open; running it again gives the same model."""
    assert trainer.choice is not None
    settled = vars(experiment) | {"learning_rate": trainer.learning_rate, "execution": trainer.choice.name}
    sections = {
        section: [(name, settled[name]) for name in _names(section) if name != "target" or settled[name]]
        for section in EXPERIMENT_SECTIONS
    }
    return experiment_text(sections, "What was trained here: polydnn train experiment.toml does it again.")


def _names(section: str) -> list[str]:
    options = (param for param in train.params if isinstance(param, SectionedOption) and param.section == section)
    return [str(param.name) for param in options]


def _summary(report: dict[str, Any]) -> str:
    measures = "  ".join(f"{name} {figure(value)}" for name, value in report["test_metrics"].items())
    folder = Path(report["output"])
    files = ", ".join(name for name in (MODEL, EXPERIMENT, HISTORY, CURVES) if (folder / name).exists())
    return (
        f"test rows: loss {figure(report['test_loss'])}  {measures}\n"
        f"{report['epochs']} epochs, {report['steps']:,} steps in {report['seconds']:.1f} s, "
        f"{report['samples_per_second']:,.0f} samples/s on {report['backend']}\n"
        f"in {folder}: {files}\n"
        f"next: polydnn evaluate {folder}, or polydnn predict {folder} FILE"
    )
