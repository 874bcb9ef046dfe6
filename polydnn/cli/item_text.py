"""How an item is written where only text fits: ``name``, ``name:key=value,key=value``, both also behind a package.

    relu                              elu:alpha=0.5
    sgd:momentum=0.9,nesterov=true    polydnn-huber:huber:delta=2.0

What stands behind the last colon is options where it has an equals sign, and part of the name otherwise. A value is
written as in TOML: a number, true or false, a list in brackets, text in quotes; text that could be nothing else needs
no quotes.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import tomli_w

from polydnn.errors import InvalidArgumentError

__all__ = ["Item", "item_from_text", "item_to_text"]

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'|[^"\']', re.DOTALL)
"""A quoted text as TOML has it, or a single letter."""


class Item(NamedTuple):
    """An item as the look-ups take it: a (name, options) pair."""

    name: str
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return item_to_text(self)


def item_from_text(text: str) -> Item:
    """The name and the options in ``text``; raises InvalidArgumentError where there are none to be read.

    >>> item_from_text("sgd:momentum=0.9,nesterov=true")
    Item(name='sgd', options={'momentum': 0.9, 'nesterov': True})
    >>> item_from_text("polydnn-huber:huber")
    Item(name='polydnn-huber:huber', options={})
    """
    name, options = text.strip(), ""
    before, equals, _ = text.partition("=")
    if equals:
        name, colon, _ = before.rpartition(":")
        options = text[len(name) + 1 :] if colon else ""
        if not colon:
            name = ""
    if not name.strip():
        msg = f"expected a name, or name:key=value,key=value; found {text!r}."
        raise InvalidArgumentError(msg)
    return Item(name.strip(), dict(_pair(part, text) for part in _split(options)))


def item_to_text(item: Item) -> str:
    """The text that reads as this item.

    >>> item_to_text(Item("step", {"factor": 0.5, "every": 10}))
    'step:factor=0.5,every=10'
    """
    if not item.options:
        return item.name
    return f"{item.name}:" + ",".join(f"{key}={_value_to_text(value)}" for key, value in item.options.items())


def _split(options: str) -> Iterator[str]:
    """The parts between commas, those inside brackets and quotes left alone."""
    depth, start = 0, 0
    for token in TOKEN.finditer(options):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if token[0] == "," and depth == 0:
            yield options[start : token.start()]
            start = token.end()
    if options:
        yield options[start:]


def _pair(part: str, text: str) -> tuple[str, Any]:
    key, equals, value = (word.strip() for word in part.partition("="))
    if not (key and equals and value):
        msg = f"expected options as key=value,key=value behind the last colon; found {part!r} in {text!r}."
        raise InvalidArgumentError(msg)
    return key, _value_from_text(value)


def _value_from_text(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return float(text)  # .5 and 1. are numbers to everyone but TOML
    except ValueError:
        return text


def _value_to_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ",".join(_quoted(each) if isinstance(each, str) else _value_to_text(each) for each in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    readable = value and value.isprintable() and value.strip() == value and not set(value) & set(",[]{}'\"#")
    return value if readable and _value_from_text(value) == value else _quoted(value)


def _quoted(value: str) -> str:
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")
