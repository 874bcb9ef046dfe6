"""``polydnn train``: from options or an experiment file to a trained model in a run folder."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polydnn.cli.checkpointing import CHECKPOINTS, Found, Saver, Saving, configuration_of, find_checkpoint
from polydnn.cli.curves import INSTALL_PLOT, draw_curves
from polydnn.cli.experiment import Experiment
from polydnn.cli.experiment_file import experiment_argument, experiment_text
from polydnn.cli.interruption import Interruption, exit_status
from polydnn.cli.option_types import Whole
from polydnn.cli.options import EXPERIMENT_SECTIONS, experiment_options
from polydnn.cli.output import only_results_on_stdout, print_json
from polydnn.cli.progress import Shown, progress_callbacks
from polydnn.cli.resuming import with_experiment_of_run
from polydnn.cli.run_folder import (
    CURVES,
    EXPERIMENT,
    HISTORY,
    MODEL,
    clear_run,
    open_run_folder,
    remove_if_empty,
    write_text,
)
from polydnn.cli.run_report import Run, finished_before, finished_now, heading, interrupted, summary
from polydnn.cli.sections import SectionedCommand, SectionedOption, option
from polydnn.cli.shared_options import RUN, json_option, quiet_option

if TYPE_CHECKING:
    from polydnn import Trainer
    from polydnn.datasets import Dataset

__all__ = ["train"]

CHECKPOINTING = "Checkpoints"
FILE_SECTIONS = (*EXPERIMENT_SECTIONS, CHECKPOINTING)


@click.command(cls=SectionedCommand)
@experiment_argument
@experiment_options
@option(
    CHECKPOINTING,
    "--checkpoint-every",
    metavar="STEPS",
    type=Whole(words={"none": None}),
    help="Save the whole state of the training after every so many steps; only when interrupted unless given.",
)
@option(
    CHECKPOINTING,
    "--keep",
    metavar="N",
    type=Whole(),
    default=3,
    show_default=True,
    help="How many checkpoints are kept, besides the best.",
)
@option(
    CHECKPOINTING,
    "--on-storage-failure",
    type=click.Choice(["stop", "continue"]),
    default="stop",
    show_default=True,
    help="What to do when a checkpoint cannot be written.",
)
@option(RUN, "--output", metavar="DIR", help="Folder for the results; runs/<data set>-<time> unless given.")
@option(RUN, "--resume", is_flag=True, help="Go on with the run in --output where it was stopped, to the same bits.")
@option(RUN, "--overwrite", is_flag=True, help="Replace the run that the folder holds.")
@quiet_option
@option(RUN, "--verbose", is_flag=True, help="Say which executor computed the steps, and why that one.")
@json_option(RUN)
@click.pass_context
def train(
    ctx: click.Context,
    /,
    output: str | None,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    verbose: bool,
    json: bool,
    **options: Any,
) -> None:
    """Train a network and keep it in a folder with its experiment, history and curves.

    EXPERIMENT.toml sets options by their names with underscores (batch_size = 32); a flag wins over the file. An ITEM
    is a name with options where it takes some: relu, sgd:momentum=0.9,nesterov=true, or package:name:key=value.

    \b
    polydnn train
    polydnn train --dataset california_housing --hidden 64,64 --epochs 60
    polydnn train --dataset flowers.csv --target species --validation-fraction 0.2 --patience 5
    polydnn train runs/digits-20260101-120000/experiment.toml --backend torch
    polydnn train --output DIR --checkpoint-every 100, and after any end: polydnn train --output DIR --resume
    """
    if resume and (output is None or overwrite):
        msg = "--resume goes on with the run in a folder; name it with --output, and leave --overwrite out."
        raise click.UsageError(msg)
    if resume:
        options = with_experiment_of_run(ctx, options, Path(output or "").expanduser() / EXPERIMENT)
    experiment = Experiment.of_options(options)
    if experiment.patience is not None and experiment.validation_fraction is None:
        msg = "--patience looks at validation rows; set some aside with --validation-fraction 0.1."
        raise click.UsageError(msg)
    saving = Saving(options["checkpoint_every"], options["keep"], options["on_storage_failure"])
    with only_results_on_stdout():
        report = _train(experiment, saving, output, resume=resume, overwrite=overwrite, quiet=quiet)
    if verbose and "execution" in report:
        for line in (f"steps computed by: {report['execution']}", *report["execution_why"]):
            click.echo(line, err=True)
    if json:
        print_json(report)
    else:
        click.echo(summary(report))
    if report["status"] == "interrupted":
        ctx.exit(exit_status(report["signal"]))


def _train(
    experiment: Experiment, saving: Saving, output: str | None, *, resume: bool, overwrite: bool, quiet: bool
) -> dict[str, Any]:
    """Find data, folder and checkpoint, and train; the report is what ``--json`` prints."""
    if resume and output is not None and (Path(output).expanduser() / MODEL).exists():
        return finished_before(Path(output).expanduser())
    experiment.check_names()
    if not quiet:
        _say_why(experiment.backend)
    dataset = experiment.load_data()
    resolved = experiment.resolved_for(dataset)
    folder = open_run_folder(output, dataset.name, overwrite=overwrite, resume=resume)
    try:
        found = find_checkpoint(folder) if resume else None
        if resume and found is None:
            click.echo(f"{folder} holds no checkpoint yet; training starts from the beginning.", err=True)
        if overwrite:
            clear_run(folder)
        if found is not None and resolved.batch_size == "auto":  # settled when the run began
            resolved = replace(resolved, batch_size=found.configuration["batch_size"])
        interruption, shown = Interruption(), progress_callbacks(quiet=quiet)
        trainer = resolved.trainer_for(resolved.network_for(dataset), [*shown, interruption])
        resolved = _with_batch_size(resolved, trainer, dataset, quiet=quiet)
        run = Run(resolved, saving, dataset, trainer, folder)
        return _carry_out(run, found, interruption, shown, quiet=quiet)
    finally:
        remove_if_empty(folder)


def _say_why(backend: str | None) -> None:
    """Why it is this backend, where "auto" left the choice."""
    from polydnn import get_backend

    reason = get_backend(backend).reason
    if reason:
        click.echo(reason, err=True)


def _with_batch_size(experiment: Experiment, trainer: "Trainer", dataset: "Dataset", *, quiet: bool) -> Experiment:
    """The experiment with the batch size settled, which is measured now where it is "auto"."""
    if experiment.batch_size != "auto":
        return experiment
    if not quiet:
        click.echo("measuring which batch size trains fastest", err=True)
    weights: Any = "balanced" if experiment.class_weight == "balanced" else None
    size = trainer.settle_batch_size(
        dataset.train.x, dataset.train.y, class_weight=weights, validation_fraction=experiment.validation_fraction
    )
    if not quiet:
        click.echo(f"batch size {size}: {trainer.batch_size_reason}", err=True)
    return replace(experiment, batch_size=size)


def _carry_out(
    run: Run, found: Found | None, interruption: Interruption, shown: Sequence[Shown], *, quiet: bool
) -> dict[str, Any]:
    """Train, store, measure; a run that is interrupted is stored as far as it came."""
    started = time.perf_counter()
    configuration = configuration_of(run.experiment, run.trainer, run.dataset)
    if found is not None:
        _go_on(run, found, configuration)
    write_text(run.folder / EXPERIMENT, _experiment_text(run))
    if not quiet:
        click.echo(heading(run), err=True)
    saver = Saver(run.folder, run.saving, configuration, run.trainer.best_so_far)
    run.trainer.callbacks = (*run.trainer.callbacks, saver)
    try:
        with interruption.listening():
            _fit(run)
    except Exception:
        _leave_no_empty_run(run.folder)
        raise
    finally:
        saver.close()
        for each in shown:
            each.close()
    if run.trainer.interrupted:
        return interrupted(run, saver)
    report = finished_now(run, time.perf_counter() - started)
    _store(run, report)
    return report


def _go_on(run: Run, found: Found, configuration: Mapping[str, Any]) -> None:
    from polydnn.training.snapshot import restore

    found.refuse_differences(configuration)
    restore(run.trainer, found.snapshot)
    click.echo(f"Going on from {found.path}.", err=True)


def _fit(run: Run) -> None:
    run.trainer.fit(
        run.dataset.train.x,
        run.dataset.train.y,
        epochs=run.experiment.epochs,
        validation_fraction=run.experiment.validation_fraction,
        class_weight="balanced" if run.experiment.class_weight == "balanced" else None,
    )


def _leave_no_empty_run(folder: Path) -> None:
    """Where a run failed before its first checkpoint there is nothing to resume; the next one may use the folder."""
    if not any((folder / CHECKPOINTS).glob("*.safetensors")):
        (folder / EXPERIMENT).unlink(missing_ok=True)


def _store(run: Run, report: dict[str, Any]) -> None:
    folder, trainer = run.folder, run.trainer
    write_text(folder / HISTORY, trainer.history.to_csv())
    levels = {"loss": report["test_loss"], **report["test_metrics"]}
    title = f"{run.dataset.name}, {len(trainer.history)} epochs, seed {run.experiment.seed}"
    try:
        draw_curves(trainer.history, [metric.name for metric in trainer.metrics], levels, title, folder / CURVES)
    except ImportError:
        click.echo(f"No {CURVES}: it needs matplotlib, {INSTALL_PLOT}.", err=True)
    # A folder with a model holds a finished run; before that, its experiment file must stay the one to resume with.
    run.network.save(folder / MODEL)
    write_text(folder / EXPERIMENT, _experiment_text(run))


def _experiment_text(run: Run) -> str:
    """The experiment with nothing left open; running it again gives the same model."""
    trainer, saving = run.trainer, run.saving
    settled = vars(run.experiment) | {
        "learning_rate": trainer.learning_rate,
        "execution": run.experiment.execution if trainer.choice is None else trainer.choice.name,
        "checkpoint_every": saving.every,
        "keep": saving.keep,
        "on_storage_failure": saving.on_failure,
    }
    sections = {
        section: [
            (str(option.name), _as_written(option, settled[str(option.name)]))
            for option in _options(section)
            if option.name != "target" or settled["target"]
        ]
        for section in FILE_SECTIONS
    }
    return experiment_text(sections, "What was trained here: polydnn train experiment.toml does it again.")


def _as_written(option: SectionedOption, value: Any) -> Any:
    """The value, or the word for none where leaving the key out would mean the option's default instead."""
    return "none" if value is None and isinstance(option.default, str | int | float) else value


def _options(section: str) -> list[SectionedOption]:
    return [param for param in train.params if isinstance(param, SectionedOption) and param.section == section]
