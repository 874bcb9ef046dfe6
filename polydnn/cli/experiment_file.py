"""Experiment files: TOML with one key for every option, named like it with underscores; flags win over the file.

Reading turns the file into the defaults of the command's options, so that its values pass through the options' own
types. Lists are TOML arrays, items are text as on the command line or inline tables.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import tomli_w

from polydnn.cli.item_text import Item
from polydnn.cli.option_types import ExperimentType
from polydnn.errors import ExperimentFileError, StorageError, did_you_mean

__all__ = ["experiment_argument", "experiment_text", "read_experiment"]

TRAIN_ONLY = {"checkpoint_every", "keep", "on_storage_failure"}
"""Keys that train writes and that are no part of the experiment: other commands pass them over."""


def experiment_argument(command: Any) -> Any:
    """The argument EXPERIMENT.toml, whose values become the defaults of the other parameters."""
    return click.argument(
        "experiment", metavar="[EXPERIMENT.toml]", required=False, is_eager=True, expose_value=False, callback=_adopt
    )(command)


def _adopt(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None and not ctx.resilient_parsing:
        ctx.default_map = read_experiment(Path(value), ctx)


def read_experiment(path: Path, ctx: click.Context) -> dict[str, Any]:
    """The values of an experiment file for the options of the context's command.

    Raises StorageError where there is no such file and ExperimentFileError where it is no TOML, has a key that is no
    option, or a value of another kind than the option's; the text names file, key, what was expected and found.
    """
    content = _parsed(path)
    options = {each.name: each for each in ctx.command.params if isinstance(each, click.Option) and each.expose_value}
    for key in TRAIN_ONLY - options.keys():
        content.pop(key, None)
    for key, value in content.items():
        if key not in options:
            possible = [str(name) for name in options]
            dashed = did_you_mean(key.replace("-", "_").lower(), possible)
            msg = (
                f"{path}: unknown key {key!r}.{dashed} A key is an option's name with underscores; "
                f"see polydnn {ctx.info_name} --help."
            )
            raise ExperimentFileError(msg)
        _check(path, key, value, options[key], ctx)
    return {
        key: [value] if options[key].multiple and not isinstance(value, list) else value
        for key, value in content.items()
    }


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is no TOML file: {error}."
        raise ExperimentFileError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path} is no TOML file: it is not UTF-8 text (byte {error.start})."
        raise ExperimentFileError(msg) from error
    except OSError as error:
        hint = f" For a data set write --dataset {path}." if path.suffix != ".toml" else ""
        if (path / "experiment.toml").exists():
            hint = f" It is the folder of a run; write {path}/experiment.toml to train as that did."
        msg = f"the experiment file {path} cannot be read: {error.strerror or error}.{hint}"
        raise StorageError(msg) from error


def _check(path: Path, key: str, value: Any, option: click.Option, ctx: click.Context) -> None:
    """Raise unless the option takes the value; text is no number here, although a flag would be read as one."""
    values = value if option.multiple and isinstance(value, list) else [value]
    for each in values:
        if not _fits(option.type, each):
            listed = "a list of values, each " if option.multiple and len(values) > 1 else ""
            msg = f"{path}: {key} must be {listed}{_expected(option)}, found {each!r}."
            raise ExperimentFileError(msg)
        try:
            option.type.convert(each, option, ctx)
        except click.BadParameter as error:
            msg = f"{path}: {key}: {error.message}"
            raise ExperimentFileError(msg) from error


def _fits(kind: Any, value: Any) -> bool:
    if isinstance(kind, ExperimentType):
        return kind.fits(value)
    return isinstance(value, bool if isinstance(kind, click.types.BoolParamType) else str)


def _expected(option: click.Option) -> str:
    match option.type:
        case ExperimentType() as kind:
            return kind.expected
        case click.Choice() as choice:
            return f"one of {', '.join(map(repr, choice.choices))}"
        case click.types.BoolParamType():
            return "true or false"
    return "text in quotes"


def experiment_text(sections: Mapping[str, Sequence[tuple[str, Any]]], heading: str) -> str:
    """The file that sets these values, one key a line under the sections' names; None is left out.

    >>> pairs = [("hidden", (64, 64)), ("activation", Item("elu", {"alpha": 0.5}))]
    >>> print(experiment_text({"Network": pairs}, "Ours."))
    # Ours.
    <BLANKLINE>
    # Network
    hidden = [64, 64]
    activation = "elu:alpha=0.5"
    <BLANKLINE>
    """
    parts = [f"# {heading}\n"]
    for title, pairs in sections.items():
        lines = [_line(key, value) for key, value in pairs if value is not None]
        parts.append(f"# {title}\n" + "".join(lines))
    return "\n".join(parts)


def _line(key: str, value: Any) -> str:
    if isinstance(value, tuple) and not isinstance(value, Item):
        items = [str(each) if isinstance(each, Item) else each for each in value]
        return f"{key} = [{', '.join(_scalar(each) for each in items)}]\n"
    return f"{key} = {_scalar(str(value) if isinstance(value, Item) else value)}\n"


def _scalar(value: Any) -> str:
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")
