"""``polydnn plugins new``: a package with one working item, its tests and its README, ready to be changed."""

import keyword
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from polydnn.cli.output import print_json
from polydnn.cli.run_folder import write_text
from polydnn.cli.sections import SectionedCommand
from polydnn.cli.shared_options import json_option
from polydnn.errors import InvalidArgumentError, StorageError

__all__ = ["new"]

NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
PREFIX = "polydnn-"
TRY = {
    "activation": "polydnn train --activation {item}",
    "loss": "polydnn train --dataset california_housing --loss {item}",
    "optimizer": "polydnn train --optimizer {item}",
}


@click.command(cls=SectionedCommand)
@click.argument("name")
@click.option("--activation", "kind", flag_value="activation", help="Offer an activation.")
@click.option("--loss", "kind", flag_value="loss", help="Offer a loss.")
@click.option("--optimizer", "kind", flag_value="optimizer", help="Offer an optimizer.")
@click.option("--directory", metavar="DIR", default=".", help="Where the package's folder is made; here unless given.")
@json_option()
def new(name: str, kind: str | None, directory: str, json: bool) -> None:
    """Start a plugin: a package polydnn-NAME with pyproject.toml, one module, its tests and a README.

    It installs and passes its tests as written; change the formula and go on from there.
    """
    if kind is None:
        msg = "say what the plugin is to offer: --activation, --loss or --optimizer."
        raise click.UsageError(msg)
    item = _item_name(name, kind)
    folder = Path(directory).expanduser() / f"{PREFIX}{item.replace('_', '-')}"
    written = _write(folder, dict(_package(item, kind)))
    if json:
        print_json({"name": item, "kind": kind, "folder": str(folder), "files": written})
    else:
        click.echo(f"{folder}: {', '.join(written)}\n\nnext:")
        place = folder if folder.is_absolute() else f"./{folder}"  # without the dot pip would ask an index for it
        click.echo(f"  pip install --editable '{place}[test]'")
        click.echo(f"  pytest {folder}")
        click.echo(f"  {TRY[kind].format(item=item)}")


def _item_name(name: str, kind: str) -> str:
    """The item's name in snake case; raises InvalidArgumentError for one that cannot be used or is taken."""
    from polydnn.registry import default_registry

    short = name.removeprefix(PREFIX).removeprefix("polydnn_")
    item = short.replace("-", "_")
    if not NAME.fullmatch(short) or keyword.iskeyword(item):
        msg = (
            f"NAME must be lower-case letters and digits, words joined by - or _, a letter first, and no word of "
            f"Python itself, as in soft_sign; found {name!r}."
        )
        raise InvalidArgumentError(msg)
    taken = [entry for entry in default_registry().entries(kind) if entry.spec.name == item]
    if taken:
        article = "an" if kind[0] in "aeiou" else "a"
        msg = f"{taken[0].owner.distribution} offers {article} {kind} {item!r} already; choose another name."
        raise InvalidArgumentError(msg)
    return item


def _package(item: str, kind: str) -> Iterator[tuple[str, str]]:
    """The name and the text of every file."""
    package = f"{PREFIX}{item.replace('_', '-')}"
    words = {
        "item": item,
        "kind": kind,
        "package": package,
        "module": f"polydnn_{item}",
        "needed": _needed(),
        "try_it": TRY[kind].format(item=item),
    }
    templates = files("polydnn.cli") / "templates"
    sources = {
        "pyproject.toml": "pyproject.toml.template",
        "README.md": "README.md.template",
        f"polydnn_{item}.py": f"{kind}.py.template",
        f"tests/test_{item}.py": f"test_{kind}.py.template",
    }
    for target, source in sources.items():
        yield target, Template((templates / source).read_text(encoding="utf-8")).substitute(words)


def _needed() -> str:
    """The oldest polydnn the package works with: this one's minor version."""
    try:
        return ".".join(version("polydnn").split(".")[:2])
    except PackageNotFoundError:
        return "0.1"


def _write(folder: Path, package: dict[str, str]) -> list[str]:
    if folder.exists():
        msg = f"{folder} exists already; remove it, or choose another name or --directory."
        raise InvalidArgumentError(msg)
    try:
        for name in package:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"the folder {folder} cannot be made: {error.strerror or error}. Choose another with --directory."
        raise StorageError(msg) from error
    for name, text in package.items():
        write_text(folder / name, text)
    return list(package)
