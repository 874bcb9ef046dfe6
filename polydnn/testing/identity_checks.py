"""The checks of what an item says about itself: name, docstring and options."""

import functools
import json
import re

from polydnn.testing.bench import Bench
from polydnn.testing.check import Check
from polydnn.testing.finding import Finding, NotApplicable

__all__ = ["DOCSTRING", "NAME", "OPTIONS"]

PATTERN = r"[a-z][a-z0-9_]*"


def name(bench: Bench) -> None:
    found = bench.item.name
    if not isinstance(found, str) or not re.fullmatch(PATTERN, found):
        raise Finding(expected=f"a name that matches {PATTERN}", found=repr(found))


def docstring(bench: Bench) -> None:
    factory = bench.factory
    if factory is None:
        raise NotApplicable(because="an object was given; give its factory and its docstring is looked at")
    while isinstance(factory, functools.partial):
        factory = factory.func
    label = getattr(factory, "__name__", type(factory).__name__)
    if label == "<lambda>":
        raise NotApplicable(because="a lambda was given; give the factory itself and its docstring is looked at")
    if not (getattr(factory, "__doc__", None) or "").strip():
        raise Finding(expected=f"a docstring on {label}", found="none")


def options(bench: Bench) -> None:
    for key, value in dict(bench.item.options).items():
        try:
            same = json.loads(json.dumps(value, allow_nan=False)) == (
                list(value) if isinstance(value, tuple) else value
            )
        except (TypeError, ValueError):
            same = False
        if not isinstance(key, str) or not same:
            raise Finding(
                expected="options that JSON can hold: numbers, strings, booleans, lists",
                found=f"{key!r}: {value!r} ({type(value).__name__})",
            )


NAME = Check(
    "name",
    "the name can be typed anywhere: lower case letters, digits and underscores, a letter first",
    "choose a name like leaky_relu.",
    name,
)
DOCSTRING = Check(
    "docstring",
    "the factory has a docstring",
    "write one: the formula in a sentence, the options with their ranges, the errors, the source.",
    docstring,
)
OPTIONS = Check(
    "options",
    "the options can be written into a model file",
    "keep plain Python values in options, and make everything else from them in the factory.",
    options,
)
