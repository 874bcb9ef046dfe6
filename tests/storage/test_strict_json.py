"""The JSON of files: what goes in comes back, and what may not go in is named."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polydnn.errors import InvalidArgumentError
from polydnn.storage import strict_json
from polydnn.storage.refusal import Refusal
from tests.yardstick import assert_within

INTEGERS = (-(2**63), 2**64 - 1)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(*INTEGERS)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def loads(text: str) -> Any:
    return strict_json.loads(text.encode(), "text", INTEGERS)


@given(VALUES)
def test_values_come_back_equal_and_of_the_same_types(value: Any) -> None:
    again = loads(strict_json.dumps(value, "value"))
    assert repr(again) == repr(value)  # tells 1 from 1.0 and from True, and 0.0 from -0.0


def test_a_numpy_float_is_written_as_the_float_it_is() -> None:
    assert strict_json.dumps([np.float64(0.1)], "value") == "[0.1]"


def test_keys_keep_their_order_and_text_is_ascii() -> None:
    text = strict_json.dumps({"b": 1, "a": "é"}, "value")
    assert text == '{"b":1,"a":"\\u00e9"}'
    assert list(loads(text)) == ["b", "a"]


REFUSED = {
    "duplicate key": ('{"a":1,"b":2,"a":3}', "has the key 'a' twice"),
    "NaN": ('{"a":NaN}', r"has the number NaN, which is too long or not finite"),
    "Infinity": ("[Infinity]", "has the number Infinity"),
    "-Infinity": ("[-Infinity]", "has the number -Infinity"),
    "1e999": ("[1e999]", "has the number 1e999"),
    "2**64": (f"[{2**64}]", "has the integer 18446744073709551616, outside"),
    "-2**63 - 1": (f"[{-(2**63) - 1}]", "has the integer -9223372036854775809, outside"),
    "integer of a million digits": ("[" + "9" * 10**6 + "]", "has the integer 9999"),
    "float of a million digits": ("[0." + "1" * 10**6 + "]", r"has the number 0\.1111"),
    "33 levels": ("[" * 33 + "]" * 33, "nested 33 levels deep; 32 are allowed"),
    "a million levels": ("[" * 10**5 + "{" * 10**5, "nested 200000 levels deep"),
    "too many elements": ("[" + "0," * 300_000 + "0]", "more than 300000 elements"),
    "half a surrogate pair": ('["\\ud800"]', "half of a surrogate pair"),
    "half a pair as key, deep inside": ('{"a":[{"\\udc00":1}]}', "half of a surrogate pair"),
    "not ASCII": ('["é"]', "not ASCII"),
    "no JSON": ("{a:1}", "not valid JSON: Expecting property name enclosed in double quotes at character 1"),
    "two values": ("{} {}", "not valid JSON: Extra data at character 3"),
    "control character": ('["\n"]', "not valid JSON: Invalid control character at character 2"),
    "open string": ('["' + '\\"' * 10**6, "not valid JSON: Unterminated string starting at character 1"),
    "nothing": ("", "not valid JSON: Expecting value at character 0"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_named_at_once(text: str, reason: str) -> None:
    def refused() -> None:
        with pytest.raises(Refusal, match=reason):
            loads(text)

    assert_within(20.0, refused)


def test_brackets_and_commas_inside_strings_do_not_count() -> None:
    text = '["' + "[,:{" * 200_000 + '"]'
    assert loads(text) == ["[,:{" * 200_000]


def test_32_levels_and_a_surrogate_pair_are_taken() -> None:
    assert loads("[" * 32 + "]" * 32)
    assert loads('["\\ud83d\\ude00"]') == ["\U0001f600"]


@pytest.mark.parametrize("unit", ["{},", "[],", '{"":0},', '"ab",', "0.1,", '"\\ud83d\\ude00",'])
def test_the_densest_text_allowed_takes_less_than_48_megabytes(unit: str) -> None:
    count = strict_json.MAX_ELEMENTS // sum(unit.count(mark) for mark in ",:[{") - 1
    text = ("[" + unit * count + "0]").encode()
    tracemalloc.start()
    strict_json.loads(text, "text", INTEGERS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48e6


DEEP: list[Any] = []
for _ in range(32):
    DEEP = [DEEP]

UNWRITABLE = {
    "NaN": ({"history": [1.0, float("nan")]}, r"description\.history\[1\] is nan, which JSON does not have"),
    "infinity": ({"best": float("inf")}, r"description\.best is inf"),
    "integer key": ({"a": {1: 2}}, r"description\.a has the key 1; keys must be strings"),
    "NumPy integer": ({"step": np.int64(3)}, r"description\.step is a int64; files hold dict"),
    "NumPy boolean": ({"last": np.bool_(True)}, r"description\.last is a bool"),
    "array": ({"w": np.zeros(2)}, r"description\.w is a ndarray"),
    "set": ({"names": {"a"}}, r"description\.names is a set"),
    "33 levels": (DEEP, "is nested more than 32 levels deep"),
}


@pytest.mark.parametrize(("value", "reason"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_cannot_be_written_is_named_with_its_place(value: Any, reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        strict_json.dumps(value, "description")
