"""``polydnn evaluate``: loss and metrics of a trained model on a data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from polydnn.cli.columns import feature_columns, target_columns
from polydnn.cli.data import as_model_expects, is_file, is_table, load_data, rows_of
from polydnn.cli.experiment import DEFAULT_METRICS
from polydnn.cli.item_text import Item, item_from_text
from polydnn.cli.loss_fit import as_loss_wants, check_loss, default_loss
from polydnn.cli.model import TrainedModel, open_model
from polydnn.cli.option_types import ItemType, Number
from polydnn.cli.output import counted, figure, only_results_on_stdout, print_json
from polydnn.cli.run_report import units_of_loss
from polydnn.cli.sections import SectionedCommand
from polydnn.cli.shared_options import backend_option, json_option
from polydnn.datasets import Task

if TYPE_CHECKING:
    from polydnn.datasets import Dataset

__all__ = ["evaluate"]

DATA_KEYS = ("target", "task", "test_fraction", "folder")


@click.command(cls=SectionedCommand)
@click.argument("model")
@click.option("--dataset", metavar="NAME|FILE", help="What to measure on; the data it was trained on unless given.")
@click.option(
    "--split",
    type=click.Choice(["train", "test", "all"]),
    help="Which rows; unless given, those for testing, and all of a file that the model was not trained on.",
)
@click.option(
    "--target", metavar="COLUMN", multiple=True, help="Target column of a .csv file; the model's unless given."
)
@click.option(
    "--task", type=click.Choice(get_args(Task)), help="What a file's targets are; the model's task unless given."
)
@click.option("--test-fraction", metavar="SHARE", type=Number("a number between 0 and 1", low=0, high=1, open=True),
              help="The share of a file's rows that is for the test.")  # fmt: skip
@click.option("--folder", metavar="DIR", help="Where a data set's files lie.")
@click.option("--loss", metavar="ITEM", type=ItemType(), help="The loss it was trained with unless given.")
@click.option("--metric", metavar="ITEM", type=ItemType(), multiple=True, help="Can be repeated.")
@backend_option
@json_option()
def evaluate(
    model: str,
    dataset: str | None,
    split: str | None,
    loss: Item | None,
    metric: Sequence[Item],
    backend: str | None,
    json: bool,
    **about_data: Any,
) -> None:
    """Measure a trained model on a data set.

    MODEL is a .safetensors file or the folder of a run. In the folder of a run the data set, the loss and the metrics
    are those of its training, unless they are given. Columns of a .csv file that the model does not use are ignored.
    """
    with only_results_on_stdout():
        trained = open_model(model, backend)
        data, rows = _data(trained, dataset, split, about_data)
        report = _measure(trained, data, rows, loss, metric)
    print_json(report) if json else click.echo(_summary(report))


def _data(
    trained: TrainedModel, name: str | None, split: str | None, given: Mapping[str, Any]
) -> tuple["Dataset", str]:
    """The data set as the model understands it, and which of its rows are to be measured."""
    network = trained.network
    if name is None and "dataset" not in trained.experiment:
        msg = f"say what to measure on with --dataset; no experiment.toml lies beside {trained.path}."
        raise click.UsageError(msg)
    own = name is None or _is_training_data(trained, name)
    name = str(trained.experiment["dataset"]) if name is None else name
    chosen: dict[str, Any] = {key: given[key] or (trained.experiment.get(key) if own else None) for key in DATA_KEYS}
    if is_table(name):
        if not name.lower().endswith(".npz"):
            chosen["target"] = chosen["target"] or target_columns(name, network)
            if chosen["target"]:
                chosen["features"] = feature_columns(name, network, chosen["target"])
        chosen["task"] = chosen["task"] or network.task
        if split == "all" or not (split or own or given["test_fraction"]):
            chosen["test_fraction"] = 1.0  # nothing is split: a single row, or rows of one class, can be measured
    chosen["target"] = tuple(chosen["target"] or ())
    dataset = load_data(name, **chosen, classes=network.classes if chosen["task"] == network.task else ())
    return as_model_expects(dataset, network), split or ("test" if len(dataset.train) else "all")


def _is_training_data(trained: TrainedModel, name: str) -> bool:
    kept = str(trained.experiment.get("dataset", ""))
    return name == kept or (is_file(name) and Path(name).expanduser().resolve() == Path(kept).resolve())


def _measure(
    trained: TrainedModel, data: "Dataset", split: str, loss: Item | None, metrics: Sequence[Item]
) -> dict[str, Any]:
    from polydnn import Trainer

    network = trained.network
    loss = loss or _kept_loss(trained) or default_loss(network.task)
    check_loss(loss, data)
    data = as_loss_wants(data, loss)
    trainer = Trainer(
        network,
        loss=loss,
        metrics=metrics or _kept_metrics(trained) or DEFAULT_METRICS[network.task],
    )
    rows = rows_of(data, split)
    measured = trainer.evaluate(rows.x, rows.y)
    scaling = network.target_normalization
    return {
        "model": str(trained.path),
        "dataset": data.name,
        "task": network.task,
        "split": split,
        "rows": len(rows),
        "backend": network.backend.name,
        "device": network.backend.device_name(),
        "target_normalization": "none" if scaling is None else scaling.kind,
        "loss": measured["loss"],
        "metrics": {name: value for name, value in measured.items() if name != "loss"},
    }


def _kept_loss(trained: TrainedModel) -> Item | None:
    text = trained.experiment.get("loss")
    return item_from_text(text) if isinstance(text, str) else None


def _kept_metrics(trained: TrainedModel) -> tuple[Item, ...]:
    return tuple(item_from_text(text) for text in trained.experiment.get("metric", ()) if isinstance(text, str))


def _summary(report: Mapping[str, Any]) -> str:
    kind = {"train": "training row", "test": "test row", "all": "row"}[report["split"]]
    metrics = "  ".join(f"{name} {figure(value)}" for name, value in report["metrics"].items())
    loss = f"{figure(report['loss'])}{units_of_loss(report)}"
    return f"{report['dataset']}, {counted(report['rows'], kind)}: loss {loss}  {metrics}"
