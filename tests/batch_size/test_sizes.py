"""Which batch sizes a sweep takes, from numbers and from text."""

from typing import Any

import pytest

from polydnn.batch_size.sizes import check_sizes, default_sizes, parse_sizes
from polydnn.errors import InvalidArgumentError


def test_the_default_ends_at_the_rows_or_at_4096() -> None:
    assert default_sizes(1) == [1]
    assert default_sizes(1000)[-1] == 512
    assert default_sizes(60_000) == [2**k for k in range(13)]


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("1:4096", [2**k for k in range(13)]),
        ("7", [7]),
        ("16,64,256", [16, 64, 256]),
        ("256, 16 ,64,16", [16, 64, 256]),
        ("3:9", [3, 4, 8, 9]),
        ("5:7,1:2", [1, 2, 5, 7]),
        ("64:64", [64]),
    ],
)
def test_text_is_read(text: str, sizes: list[int]) -> None:
    assert parse_sizes(text) == sizes
    assert check_sizes(text, 10) == sizes


@pytest.mark.parametrize(
    ("text", "part"),
    [("", "''"), ("0:8", "'0:8'"), ("16,,64", "''"), ("9:3", "'9:3'"), ("1:2:3", "'1:2:3'"), ("-4", "'-4'"),
     ("1.5", "'1.5'"), ("16 64", "'16 64'"), ("full", "'full'"), ("9" * 60, ""), ("1:99999999999", "'1:99999999999'"),
     ("\u0664", "'\u0664'")],
)  # fmt: skip
def test_other_text_is_refused_with_the_part_and_the_way_to_write_it(text: str, part: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        parse_sizes(text)
    assert part in str(refused.value)
    assert "write a range with its powers of two as 1:4096, or a list as 16,64,256." in str(refused.value)


@pytest.mark.parametrize("sizes", [[], [0], [1.5], [True], 64, ["8"], [-1], None.__class__])
def test_other_values_are_refused(sizes: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^sizes must be whole numbers of at least 1, found "):
        check_sizes(sizes, 10)
