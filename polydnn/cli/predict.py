"""``polydnn predict``: classes or values for the rows of a file, in the user's words and units."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polydnn.cli.columns import read_features
from polydnn.cli.model import open_model
from polydnn.cli.output import counted, only_results_on_stdout, print_json
from polydnn.cli.run_folder import write_text
from polydnn.cli.sections import SectionedCommand
from polydnn.cli.shared_options import backend_option, json_option

if TYPE_CHECKING:
    import numpy as np

    from polydnn import Network

__all__ = ["predict"]


@click.command(cls=SectionedCommand)
@click.argument("model")
@click.argument("file")
@click.option("--output", metavar="FILE", help="Write a .csv file; standard output unless given.")
@backend_option
@json_option()
def predict(model: str, file: str, output: str | None, backend: str | None, json: bool) -> None:
    """Predict for the rows of FILE with a trained model.

    MODEL is a .safetensors file or the folder of a run. FILE is a .csv file that has the columns the model was trained
    on, in any order and among others, or an .npz file with the array x. A classification gives the class and the
    probability of every class, a regression the targets in their own units.
    """
    with only_results_on_stdout():
        trained = open_model(model, backend)
        x = read_features(file, trained.network)
        columns, rows = predictions(trained.network, x)
        if output is not None:
            write_text(Path(output).expanduser(), _csv(columns, rows))
    if json:
        about = {"model": str(trained.path), "file": file, "task": trained.network.task, "output": output}
        print_json({**about, "rows": len(rows), "columns": columns, "predictions": rows})
    elif output is None:
        click.echo(_csv(columns, rows), nl=False)
    else:
        click.echo(f"{counted(len(rows), 'prediction')} in {output}: {', '.join(columns)}")


def predictions(network: "Network", x: "np.ndarray[Any, Any]") -> tuple[list[str], list[list[Any]]]:
    """The names of the columns and the rows of the result, for x (n, in_features)."""
    output = network.forward(x)
    decided = network.backend.to_numpy(network.decide(network.backend.asarray(output))).tolist()
    scores = output.tolist()
    targets = network.targets or tuple(f"y{number}" for number in range(network.outputs))
    kind = _kind_of_score(network)
    match network.task:
        case "regression":
            return list(targets), decided
        case "multilabel":
            columns = [*targets, *(f"{kind}_{name}" for name in targets)]
            return columns, [[*labels, *row] for labels, row in zip(decided, scores, strict=True)]
        case "binary":
            classes = network.classes or ("0", "1")
            columns = ["prediction", f"{kind}_{classes[1]}"]
            return columns, [[classes[row[0]], *score] for row, score in zip(decided, scores, strict=True)]
    classes = network.classes or tuple(str(number) for number in range(network.outputs))
    columns = ["prediction", *(f"{kind}_{name}" for name in classes)]
    return columns, [[classes[label], *row] for label, row in zip(decided, scores, strict=True)]


def _kind_of_score(network: "Network") -> str:
    """What the outputs are: probabilities behind sigmoid and softmax, scores behind anything else."""
    last = getattr(network.layers[-1], "activation", None)
    return "probability" if last is not None and last.name in ("sigmoid", "softmax") else "score"


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
