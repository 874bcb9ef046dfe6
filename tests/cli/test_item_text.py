"""Items as text: the grammar, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polydnn.cli.item_text import Item, item_from_text, item_to_text
from polydnn.errors import InvalidArgumentError


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("relu", "relu", {}),
        ("elu:alpha=0.5", "elu", {"alpha": 0.5}),
        ("elu:alpha=.5", "elu", {"alpha": 0.5}),
        ("sgd:momentum=0.9,nesterov=true", "sgd", {"momentum": 0.9, "nesterov": True}),
        ("polydnn-huber:huber", "polydnn-huber:huber", {}),
        ("polydnn-huber:huber:delta=2", "polydnn-huber:huber", {"delta": 2}),
        ("f1:average=micro", "f1", {"average": "micro"}),
        ('x:word="true",list=[1,2],other=a', "x", {"word": "true", "list": [1, 2], "other": "a"}),
        ("""x:word="a\\",b",other=['c,d', "]"]""", "x", {"word": 'a",b', "other": ["c,d", "]"]}),
        (" step : factor = 0.5 , every = 10 ", "step", {"factor": 0.5, "every": 10}),
        ("x:ratio=1e-3,link=http:there", "x", {"ratio": 0.001, "link": "http:there"}),
    ],
)
def test_text_reads_as_name_and_options(text: str, name: str, options: dict[str, object]) -> None:
    assert item_from_text(text) == Item(name, options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a name, or name:key=value,key=value; found ''."),
        ("momentum=0.9", "expected a name, or name:key=value"),
        ("sgd:momentum=", "behind the last colon; found 'momentum=' in 'sgd:momentum='"),
        ("sgd:momentum=0.9,nesterov", "found 'nesterov' in"),
    ],
)
def test_text_without_a_name_or_a_value_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        item_from_text(text)
    assert words in str(caught.value)


KEYS = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
PLAIN = st.one_of(
    st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)
)


@given(KEYS, st.dictionaries(KEYS, st.one_of(PLAIN, st.lists(PLAIN, max_size=3)), max_size=3))
def test_every_item_survives_being_written_as_text(name: str, options: dict[str, object]) -> None:
    item = Item(name, options)
    assert item_from_text(item_to_text(item)) == item
