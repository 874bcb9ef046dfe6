"""``polydnn batch-size``: which batch size is best for a training on this machine, and why."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from polydnn.cli.experiment import Experiment
from polydnn.cli.experiment_file import experiment_argument
from polydnn.cli.option_types import Caches, Number, Sizes, Whole
from polydnn.cli.options import experiment_options
from polydnn.cli.output import PIPE_WIDTH, only_results_on_stdout, print_json
from polydnn.cli.run_folder import open_run_folder, remove_if_empty
from polydnn.cli.sections import SectionedCommand, option
from polydnn.cli.shared_options import RUN, json_option, quiet_option
from polydnn.cli.study_progress import StudyProgress
from polydnn.errors import InvalidArgumentError, PolydnnError

__all__ = ["batch_size"]

STUDY = "Study"
RECORD, PAGE = "record.json", "report.html"
SECONDS = Number("a number of seconds above 0", low=0.0, open=True)
SCALINGS = ("none", "linear", "square root")
FOR_VALIDATION = {"scaling": "none", "validation_seeds": 3, "validation_budget": 120.0}


@click.command(cls=SectionedCommand)
@experiment_argument
@experiment_options
@option(
    STUDY,
    "--sizes",
    metavar="RANGE|LIST",
    type=Sizes(),
    help="Batch sizes: 1:4096 means its powers of two, a list is 16,64,256; 1:4096, or the rows, unless given.",
)
@option(
    STUDY,
    "--budget",
    metavar="SECONDS",
    type=SECONDS,
    default=90.0,
    show_default=True,
    help="How long the study may take, validation apart.",
)
@option(
    STUDY,
    "--caches",
    metavar="SIZES",
    type=Caches(),
    help="Cache sizes that win over what is detected and measured, such as L2=1M,L3=32M.",
)
@option(
    STUDY,
    "--compare-execution",
    metavar="NAME",
    multiple=True,
    help="Sweep with this executor too; on a GPU with the reference step unless given. Can be repeated.",
)
@option(
    STUDY,
    "--target-loss",
    metavar="LOSS",
    type=Number("a number"),
    help="The training loss to be reached; chosen by a first training unless given.",
)
@option(STUDY, "--validate", is_flag=True, help="Train to the target loss at each size, and compare.")
@option(
    STUDY,
    "--scaling",
    type=click.Choice(SCALINGS),
    default="none",
    show_default=True,
    help="How the learning rate follows the batch size in these trainings.",
)
@option(
    STUDY,
    "--validation-seeds",
    metavar="N",
    type=Whole(),
    default=3,
    show_default=True,
    help="How many seeds these trainings have.",
)
@option(
    STUDY,
    "--validation-budget",
    metavar="SECONDS",
    type=SECONDS,
    default=120.0,
    show_default=True,
    help="How long these trainings may take.",
)
@option(RUN, "--output", metavar="DIR", help="Folder for the report; runs/<data set>-batch-size-<time> unless given.")
@option(RUN, "--overwrite", is_flag=True, help="Replace the study that the folder holds.")
@quiet_option
@json_option(RUN, "one JSON object, the whole record,")
def batch_size(output: str | None, overwrite: bool, quiet: bool, json: bool, **options: Any) -> None:
    """Measure steps of every batch size and the noise of the gradient, and tell which size trains fastest, and why.

    Nothing is trained for keeps. The folder gets the record as JSON, its pictures, and a page that shows them. Options
    of the experiment are those of train; --batch-size is where the learning rate belongs to.

    \b
    polydnn batch-size
    polydnn batch-size --dataset california_housing --hidden 64 --sizes 1:1024 --budget 30
    polydnn batch-size runs/digits-20260101-120000/experiment.toml --validate --target-loss 0.1
    polydnn batch-size --backend cupy --dataset fashion_mnist --hidden 512,512 --output study
    """
    experiment = Experiment.of_options(options)
    validation = _validation(options)
    with only_results_on_stdout():
        record, folder = _studied(experiment, validation, options, output, overwrite=overwrite, quiet=quiet)
    if json:
        print_json({**record, "output": str(folder)})
    else:
        _print(record)
        click.echo(f"in {folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}")


def _validation(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments of the validation, None where there shall be none."""
    if options["validate"]:
        return {
            "scaling": options["scaling"],
            "seeds": tuple(range(options["validation_seeds"])),
            "budget": options["validation_budget"],
        }
    for name, default in FOR_VALIDATION.items():
        if options[name] != default:
            msg = f"--{name.replace('_', '-')} is about the trainings of --validate; add that, or leave it out."
            raise click.UsageError(msg)
    return None


def _studied(
    experiment: Experiment,
    validation: dict[str, Any] | None,
    options: Mapping[str, Any],
    output: str | None,
    *,
    overwrite: bool,
    quiet: bool,
) -> tuple[dict[str, Any], Path]:
    """The record of the study and the folder that holds it."""
    from polydnn.batch_size import study

    experiment.check_names()
    dataset = experiment.load_data()
    resolved = experiment.resolved_for(dataset)
    stem = Path(dataset.name).name.split(".")[0] or "data"
    folder = open_run_folder(output, f"{stem}-batch-size", overwrite=overwrite, resume=True)  # a run may lie beside it
    try:
        _refuse_second(folder, overwrite)
        with StudyProgress(quiet=quiet) as progress:
            record = study(
                resolved.trainer_for(resolved.network_for(dataset)),
                dataset.train.x,
                dataset.train.y,
                sizes=options["sizes"],
                budget=options["budget"],
                caches=options["caches"],
                dataset=dataset.name,
                executions=options["compare_execution"],
                epochs=resolved.epochs,
                target_loss=options["target_loss"],
                class_weight="balanced" if resolved.class_weight == "balanced" else None,
                validation_fraction=resolved.validation_fraction,
                validation=validation,
                progress=progress,
            )
        _store(record, folder)
    finally:
        remove_if_empty(folder)
    return record, folder


def _refuse_second(folder: Path, overwrite: bool) -> None:
    found = [file for file in (RECORD, PAGE) if (folder / file).exists()]
    if found and not overwrite:
        msg = (
            f"{folder} holds a study already ({', '.join(found)}); add --overwrite to replace it, or choose another "
            f"--output."
        )
        raise InvalidArgumentError(msg)


def _store(record: dict[str, Any], folder: Path) -> None:
    """Record first: should a picture fail, nothing that was measured is lost."""
    from polydnn.batch_size import write_record
    from polydnn.batch_size.report.page import write_page
    from polydnn.batch_size.report.plots import draw_plots

    write_record(folder / RECORD, record)
    write_page(record, folder / PAGE)
    try:
        draw_plots(record, folder)
    except PolydnnError as error:
        click.echo(str(error), err=True)


def _print(record: Mapping[str, Any]) -> None:
    from rich.console import Console

    from polydnn.batch_size.report.table import print_study

    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    with console.capture() as text:
        print_study(record, console)
    click.echo("\n".join(line.rstrip() for line in text.get().splitlines()))
