"""``polydnn datasets``: what data there are, what is in them, and fetching those that do not come along."""

from typing import Any

import click

from polydnn.cli.output import only_results_on_stdout, print_json, print_table
from polydnn.cli.sections import SectionedGroup
from polydnn.cli.shared_options import json_option

__all__ = ["datasets"]


@click.group(cls=SectionedGroup)
def datasets() -> None:
    """List the data sets, describe one, or fetch one."""


@datasets.command("list")
@json_option()
def list_datasets(json: bool) -> None:
    """List the data sets that train --dataset takes by name."""
    from polydnn.registry import default_registry

    with only_results_on_stdout():
        registry = default_registry()
        entries = registry.entries("dataset")
        builtin = {entry.spec.name for entry in entries if entry.owner.built_in}
        found = [
            {
                "name": entry.spec.name if entry.owner.built_in or entry.spec.name not in builtin else entry.qualified,
                "package": entry.owner.distribution,
                "summary": entry.spec.summary,
                "available": not entry.owner.built_in or _here(entry.spec.name),
            }
            for entry in entries
        ]
    if json:
        print_json({"datasets": found})
    else:
        print_table(("name", "", "from"), [_row(each) for each in found])


def _here(name: str) -> bool:
    from polydnn.datasets import locate_fashion_mnist

    return name != "fashion_mnist" or locate_fashion_mnist() is not None


def _row(about: dict[str, Any]) -> tuple[str, str, str]:
    missing = "" if about["available"] else f"; not here yet: polydnn datasets fetch {about['name']}"
    return about["name"], about["summary"] + missing, about["package"]


@datasets.command()
@click.argument("name", metavar="NAME|FILE")
@click.option("--target", metavar="COLUMN", multiple=True, help="Target column of a .csv file. Can be repeated.")
@click.option("--folder", metavar="DIR", help="Where the files lie.")
@json_option()
def info(name: str, target: tuple[str, ...], folder: str | None, json: bool) -> None:
    """Describe a data set: its task, rows, features, targets, classes and source."""
    from polydnn.cli.data import load_data

    with only_results_on_stdout():
        found = load_data(name, target=target, folder=folder)
    about = {
        "name": found.name,
        "summary": found.summary,
        "task": found.task,
        "training_rows": len(found.train),
        "test_rows": len(found.test),
        "features": list(found.features),
        "targets": list(found.targets),
        "classes": list(found.classes),
        "scaling": found.scaling,
        "dtype": str(found.train.x.dtype),
        "source": found.source,
    }
    if json:
        print_json(about)
    else:
        width = max(len(key) for key in about)
        for key, value in about.items():
            click.echo(f"{key.replace('_', ' '):<{width}}  {_in_words(value)}")


def _in_words(value: Any, most: int = 12) -> str:
    if not isinstance(value, list):
        return f"{value:,}" if isinstance(value, int) else str(value)
    more = f", ... ({len(value)} in all)" if len(value) > most else ""
    return (", ".join(value[:most]) + more) or "-"


@datasets.command()
@click.argument("name")
@click.option("--folder", metavar="DIR", help="Where to keep the files; POLYDNN_DATA or the user's cache unless given.")
@json_option()
def fetch(name: str, folder: str | None, json: bool) -> None:
    """Download a data set that does not come with polydnn, and verify it."""
    from polydnn.datasets import fetch as download

    with only_results_on_stdout():
        place = download(name, folder, lambda line: click.echo(line, err=True))
    if json:
        print_json({"name": name, "folder": str(place)})
    else:
        click.echo(
            f"{name} is in {place}; train on it with polydnn train --dataset {name}"
            + (f" --folder {place}." if folder else ".")
        )
