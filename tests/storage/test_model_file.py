"""Model files: there and back, weights that are not finite, and the agreement of description and arrays."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polydnn.errors import InvalidArgumentError, ModelFileError, StorageError, UnknownNameError
from polydnn.storage import read_checkpoint, read_model, write_checkpoint, write_model


def test_a_model_comes_back(
    tmp_path: Path, description: dict[str, Any], arrays: dict[str, np.ndarray], same_arrays: Callable[..., bool]
) -> None:
    path = tmp_path / "m.safetensors"
    written = write_model(path, description, arrays)
    assert written == path.stat().st_size
    found_description, found = read_model(path)
    assert found_description == description
    assert same_arrays(found, arrays)


def test_the_file_is_what_the_format_says(tmp_path: Path, craft: Callable[..., bytes], description: Any) -> None:
    write_model(tmp_path / "m", description, {"w": np.zeros((2, 1), np.float32)})
    text = json.dumps(description, separators=(",", ":"))
    entries = '"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}'
    padding = next(blanks for blanks in range(8) if craft(text, entries, after=" " * blanks)[0] % 8 == 0)
    assert (tmp_path / "m").read_bytes() == craft(text, entries, after=" " * padding)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_weights_that_are_not_finite_are_refused_unless_asked_for(
    tmp_path: Path, description: dict[str, Any], value: float, dtype: str
) -> None:
    weights = np.zeros((300, 5), dtype)
    weights[217, 3] = value
    path = tmp_path / "m"
    write_model(path, description, {"w": np.zeros(3)})
    with pytest.raises(
        InvalidArgumentError, match="array 'w' holds a NaN or an infinity; such a model is only written"
    ):
        write_model(path, description, {"b": np.zeros(3), "w": weights})
    np.testing.assert_array_equal(read_model(path)[1]["w"], np.zeros(3))  # the earlier model is still there
    write_model(path, description, {"w": weights}, allow_nonfinite=True)
    with pytest.raises(
        ModelFileError, match="m' cannot be used as a model file: array 'w' holds a NaN or an infinity; allow"
    ):
        read_model(path)
    np.testing.assert_array_equal(read_model(path, allow_nonfinite=True)[1]["w"], weights)


def shapes(description: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {"w": (description["network"]["in_features"], 3), "b": (3,)}


MISMATCHES = {
    "shape": ({"w": (3, 2), "b": (3,)}, r"array 'w' has the shape \(3, 2\); its description asks for \(2, 3\)"),
    "rank": ({"w": (2, 3), "b": (3, 1)}, r"array 'b' has the shape \(3, 1\); its description asks for \(3,\)"),
    "missing": ({"w": (2, 3)}, "array 'b', which its description asks for, is missing"),
    "extra": ({"w": (2, 3), "b": (3,), "c": (1,)}, "its description has no place for the array 'c'"),
}


@pytest.mark.parametrize(("found", "reason"), MISMATCHES.values(), ids=MISMATCHES)
def test_arrays_must_be_those_the_description_asks_for(
    tmp_path: Path, description: dict[str, Any], found: dict[str, tuple[int, ...]], reason: str
) -> None:
    write_model(tmp_path / "m", description, {name: np.zeros(shape) for name, shape in found.items()})
    assert set(read_model(tmp_path / "m")[1]) == set(found)
    with pytest.raises(ModelFileError, match=reason):
        read_model(tmp_path / "m", expected=shapes)


def test_arrays_that_fit_are_taken_and_the_callers_errors_pass_through(
    tmp_path: Path, description: dict[str, Any]
) -> None:
    write_model(tmp_path / "m", description, {"w": np.zeros((2, 3)), "b": np.zeros(3)})
    assert set(read_model(tmp_path / "m", expected=shapes)[1]) == {"w", "b"}

    def unknown(description: dict[str, Any]) -> dict[str, tuple[int, ...]]:
        msg = "unknown layer 'noise'"
        raise UnknownNameError(msg)

    with pytest.raises(UnknownNameError, match="unknown layer 'noise'"):
        read_model(tmp_path / "m", expected=unknown)


def test_a_checkpoint_is_no_model_and_a_model_is_no_checkpoint(tmp_path: Path, description: dict[str, Any]) -> None:
    from polydnn.errors import CheckpointError

    write_checkpoint(tmp_path / "c", 1, {}, {})
    write_model(tmp_path / "m", description, {})
    with pytest.raises(
        ModelFileError, match="c' cannot be used as a model file: it is 'checkpoint' by its description"
    ):
        read_model(tmp_path / "c")
    with pytest.raises(CheckpointError, match="m' cannot be used as a checkpoint: it is 'model' by its description"):
        read_checkpoint(tmp_path / "m")


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot open '.*none': No such file or directory\. Check the path"):
        read_model(tmp_path / "none")


def test_a_file_with_two_hard_links_is_read(tmp_path: Path, description: dict[str, Any]) -> None:
    write_model(tmp_path / "m", description, {})
    (tmp_path / "n").hardlink_to(tmp_path / "m")
    assert read_model(tmp_path / "n")[0] == description
