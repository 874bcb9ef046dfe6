"""Random changes to model files: the reader takes a file or raises ModelFileError, and never anything else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from polydnn.errors import ModelFileError
from polydnn.storage import read_model

DIGITS = slice(37, 101)
SETTINGS = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
EDITS = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["format", "kind", "polydnn", "network", "components", "in_features", "dtype", "layers", "task", "classes"]


def outcome(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        read_model(path)
    except ModelFileError as error:
        assert str(error).startswith(f"'{path}' cannot be used as a model file: ")  # noqa: PT017 - most are refused
        event("refused")
    else:
        event("taken")


@SETTINGS
@given(edits=EDITS, repair=st.booleans())
@example(edits=[(0, 8, b"\xff" * 8)], repair=False)
def test_edited_bytes(
    tmp_path: Path, craft: Callable[..., bytes], checksum: Callable[[bytes], str], edits: list[Any], repair: bool
) -> None:
    content = bytearray(craft())
    for place, removed, added in edits:
        content[place : place + removed] = added
    if repair and len(content) >= DIGITS.stop:
        content[DIGITS] = b"0" * 64
        content[DIGITS] = checksum(bytes(content)).encode()
    outcome(tmp_path / "m", bytes(content))


@SETTINGS
@given(key=st.sampled_from(KEYS), value=JSON)
def test_any_value_in_the_place_of_another(tmp_path: Path, craft: Callable[..., bytes], key: str, value: Any) -> None:
    network: dict[str, Any] = {"in_features": 2, "dtype": "float32", "layers": [], "task": None, "classes": []}
    description = {"format": 1, "polydnn": "1", "kind": "model", "network": network, "components": []}
    (network if key in network else description)[key] = value
    outcome(tmp_path / "m", craft(description))


@SETTINGS
@given(
    name=st.text(max_size=6), entry=JSON | st.fixed_dictionaries({"dtype": JSON, "shape": JSON, "data_offsets": JSON})
)
def test_any_entry_for_an_array(tmp_path: Path, craft: Callable[..., bytes], name: str, entry: Any) -> None:
    outcome(tmp_path / "m", craft(entries=f"{json.dumps(name)}:{json.dumps(entry)}"))


@SETTINGS
@given(content=st.binary(max_size=300))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    outcome(tmp_path / "m", content)


def test_the_repaired_file_is_valid_where_nothing_was_edited(
    tmp_path: Path, craft: Callable[..., bytes], checksum: Callable[[bytes], str]
) -> None:
    content = bytearray(craft())
    digits = bytes(content[DIGITS])
    content[DIGITS] = b"0" * 64
    assert checksum(bytes(content)).encode() == digits
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(ModelFileError, match="checksum does not match"):
        read_model(tmp_path / "m")
