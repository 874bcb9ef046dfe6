"""Sizes in bytes, in words."""

import math

import pytest

from polydnn.arrays.byte_sizes import bytes_text

CASES = {
    0: "0 B",
    1023: "1023 B",
    49152: "48 KiB",
    3 * 2**19: "1.50 MiB",
    2**51: "2048 TiB",
    11_400_000: "10.9 MiB",
    1018 * 1024 + 512: "1018 KiB",
    25276514304: "23.5 GiB",
}


@pytest.mark.parametrize("count", CASES)
def test_sizes_in_words(count: int) -> None:
    assert bytes_text(count) == CASES[count]


@pytest.mark.parametrize("count", [None, math.nan, math.inf])
def test_what_is_not_known_is_said_in_the_readers_word(count: float | None) -> None:
    assert bytes_text(count) == "unknown"
    assert bytes_text(count, "–") == "–"  # noqa: RUF001 - the dash of the reports
