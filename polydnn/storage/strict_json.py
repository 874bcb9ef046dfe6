"""JSON as the files of polydnn use it: what is written comes back equal, and nothing else is let in.

The text is ASCII. Refused are duplicate keys, NaN and Infinity (also as 1e999), integers beyond the given bounds, more
than 32 levels, more than 300,000 elements, and halves of surrogate pairs. The bounds keep the memory that parsing
takes below a few dozen megabytes, whatever the text is.
"""

import json
import math
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np

from polydnn.errors import InvalidArgumentError
from polydnn.storage.refusal import Refusal, shown

__all__ = ["MAX_DEPTH", "MAX_ELEMENTS", "dumps", "loads"]

MAX_DEPTH = 32
MAX_ELEMENTS = 300_000
MAX_NUMBER_LENGTH = 40  # repr(float) needs 24; longer literals only serve to make a parser slow

# possessive, and closed by the end of the text as well, so that the time is linear whatever the text is
_STRINGS = re.compile(r'"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+"?')
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")
_SURROGATES = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # the parser joins whole pairs to one character
_LEVEL = {"[": 1, "{": 1, "]": -1, "}": -1}


def dumps(value: Any, where: str) -> str:
    """The value as JSON text: ASCII, no spaces, keys in the order they were given, floats as ``repr`` writes them.

    Dictionaries with string keys, lists, tuples (which come back as lists), strings, numbers, True, False and None can
    be written. Raises InvalidArgumentError for anything else; ``where`` names the value in its text.

    >>> dumps({"rate": 0.1, "sizes": (3, 4)}, "options")
    '{"rate":0.1,"sizes":[3,4]}'
    """
    _check(value, where, 1)
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def loads(data: bytes, what: str, integers: tuple[int, int]) -> Any:
    """Parse JSON text under the rules above; ``integers`` is the least and the greatest integer allowed.

    Raises Refusal with the reason; ``what`` names the text in it.

    >>> loads(b'{"rate":0.1}', "description", (-(2**63), 2**64 - 1))
    {'rate': 0.1}
    """
    if not data.isascii():
        msg = f"{what} holds bytes that are not ASCII"
        raise Refusal(msg)
    text = data.decode("ascii")
    _bound(_STRINGS.sub("", text), what)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique(what),
            parse_int=_integer(what, *integers),
            parse_float=_float(what),
            parse_constant=_float(what),
        )
    except json.JSONDecodeError as error:
        msg = f"{what} is not valid JSON: {error.msg.removesuffix(' at')} at character {error.pos}"
        raise Refusal(msg) from None
    if _SURROGATES.search(text):
        _refuse_lone_surrogates(value, what)
    return value


def _check(value: Any, where: str, level: int) -> None:
    if level > MAX_DEPTH:
        msg = f"{where} is nested more than {MAX_DEPTH} levels deep; keep descriptions flat."
        raise InvalidArgumentError(msg)
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                msg = f"{where} has the key {shown(key)}; keys must be strings."
                raise InvalidArgumentError(msg)
            _check(item, f"{where}.{key}", level + 1)
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            _check(item, f"{where}[{place}]", level + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            msg = f"{where} is {value}, which JSON does not have; write None, or keep the number in an array."
            raise InvalidArgumentError(msg)
    elif isinstance(value, np.generic) or not isinstance(value, str | int | None):
        msg = f"{where} is a {type(value).__name__}; files hold dict, list, str, int, float, bool and None."
        raise InvalidArgumentError(msg)


def _bound(structure: str, what: str) -> None:
    """Refuse too many elements and too many levels, before the parser builds an object for each."""
    elements = sum(structure.count(mark) for mark in ",:[{")
    if elements > MAX_ELEMENTS:
        msg = f"{what} has more than {MAX_ELEMENTS} elements; long columns belong into arrays"
        raise Refusal(msg)
    brackets = _NO_BRACKETS.sub("", structure)
    depth = max(accumulate(map(_LEVEL.__getitem__, brackets)), default=0)
    if depth > MAX_DEPTH:
        msg = f"{what} is nested {depth} levels deep; {MAX_DEPTH} are allowed"
        raise Refusal(msg)


def _unique(what: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            msg = f"{what} has the key {shown(twice)} twice"
            raise Refusal(msg)
        return result

    return unique


def _integer(what: str, least: int, greatest: int) -> Callable[[str], int]:
    def integer(literal: str) -> int:
        if len(literal) > MAX_NUMBER_LENGTH or not least <= int(literal) <= greatest:
            msg = f"{what} has the integer {shown(literal)[1:-1]}, outside {least} to {greatest}"
            raise Refusal(msg)
        return int(literal)

    return integer


def _float(what: str) -> Callable[[str], float]:
    def number(literal: str) -> float:
        if len(literal) > MAX_NUMBER_LENGTH or not math.isfinite(float(literal)):
            msg = f"{what} has the number {shown(literal)[1:-1]}, which is too long or not finite"
            raise Refusal(msg)
        return float(literal)

    return number


def _refuse_lone_surrogates(value: Any, what: str) -> None:
    if isinstance(value, str):
        if _LONE_SURROGATE.search(value):
            msg = f"{what} holds half of a surrogate pair, which is no character"
            raise Refusal(msg)
    elif isinstance(value, dict | list):
        for item in value:
            _refuse_lone_surrogates(item, what)
        if isinstance(value, dict):
            _refuse_lone_surrogates(list(value.values()), what)
