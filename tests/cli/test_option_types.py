"""The types of options: what they read, and what they say about what they refuse."""

from typing import Any

import click
import pytest

from polydnn.cli.item_text import Item
from polydnn.cli.option_types import ExperimentType, Hidden, ItemType, Number, Whole

POSITIVE = Number("a number above 0", low=0.0, open=True, words={"none": None})


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (POSITIVE, "0.5", 0.5),
        (POSITIVE, 2, 2.0),
        (POSITIVE, "none", None),
        (Whole(), "3", 3),
        (Whole(low=0), 0, 0),
        (Whole(words={"full": "full"}), "full", "full"),
        (Hidden(), "512,512", (512, 512)),
        (Hidden(), [], ()),
        (Hidden(), "none", ()),
        (Hidden(), [64], (64,)),
        (ItemType(), "relu", Item("relu", {})),
        (ItemType(), {"name": "sgd", "momentum": 0.9}, Item("sgd", {"momentum": 0.9})),
        (ItemType(optional=True), "none", None),
    ],
)
def test_a_value_is_read(kind: ExperimentType, given: Any, expected: Any) -> None:
    assert kind.convert(given, None, None) == expected


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (POSITIVE, "0"),
        (POSITIVE, "-1"),
        (POSITIVE, "nan"),
        (POSITIVE, "inf"),
        (POSITIVE, "much"),
        (Whole(), "0"),
        (Whole(), "2.5"),
        (Whole(), "1e3"),
        (Hidden(), "64,0"),
        (Hidden(), "64,a"),
        (Hidden(), "64,"),
        (Hidden(), ""),
        (Hidden(), [64.5]),
        (Hidden(), [True]),
    ],
)
def test_a_refusal_says_what_was_expected_and_found(kind: ExperimentType, given: Any) -> None:
    with pytest.raises(click.BadParameter) as caught:
        kind.convert(given, None, None)
    assert kind.expected in caught.value.message
    assert repr(given) in caught.value.message


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        (POSITIVE, "0.5", False),
        (POSITIVE, 0.5, True),
        (POSITIVE, True, False),
        (POSITIVE, "none", True),
        (Whole(), 2.0, False),
        (Whole(), 2, True),
        (Whole(words={"full": "full"}), "full", True),
        (Hidden(), 64, False),
        (ItemType(), {"momentum": 0.9}, False),
        (ItemType(), 3, False),
    ],
)
def test_a_file_holds_numbers_where_a_flag_has_only_text(kind: ExperimentType, value: Any, fits: bool) -> None:
    assert kind.fits(value) is fits
