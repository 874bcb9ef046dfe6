"""Random streams: one place gives the same numbers for ever, another place other numbers, and nothing is global."""

import hashlib
import itertools
from typing import Any

import numpy as np
import pytest

from polydnn.arrays import check_seed, permutation, stream
from polydnn.errors import InvalidArgumentError

WORD = 2**64


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x64-10 in plain integers, from the paper: the oracle."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(p1 >> 64) ^ c[1] ^ k[0], p1 % WORD, (p0 >> 64) ^ c[3] ^ k[1], p0 % WORD]
        k = [(k[0] + 0x9E3779B97F4A7C15) % WORD, (k[1] + 0xBB67AE8584CAA73B) % WORD]
    return c


def words(count: int, *place: Any) -> list[int]:
    return [int(word) for word in stream(*place).bit_generator.random_raw(count)]


def test_the_oracle_gives_the_known_answer_for_zeros() -> None:
    answer = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert philox([0] * 4, [0] * 2) == answer


@pytest.mark.parametrize("position", [(), (5,), (5, 2), (WORD - 1, WORD - 1)])
def test_words_are_philox_of_seed_purpose_and_position(position: tuple[int, ...]) -> None:
    digest = hashlib.blake2b(b"dropout", digest_size=8).digest()
    key = [WORD - 1, (int.from_bytes(digest, "little") >> 2) * 4 + len(position)]
    places = (*position, 0, 0)[:2]
    expected = philox([1, 0, *places], key) + philox([2, 0, *places], key)
    assert words(8, WORD - 1, "dropout", *position) == expected


def test_the_position_stands_beyond_all_draws() -> None:
    generator = stream(1, "dropout", 5).bit_generator
    generator.random_raw(1000)
    assert generator.state["state"]["counter"].tolist() == [250, 0, 5, 0]


def test_golden_values_hold() -> None:
    # Whoever changes these numbers changes every initial weight, batch order and mask of every seed.
    assert words(3, 7, "dropout", 5, 2) == [9107934517652250214, 13905278074054737524, 15874433032522449163]
    uniform = stream(0, "initialize", 1).random(3)
    np.testing.assert_array_equal(uniform, [0.4023592475418739, 0.9582556865733906, 0.116824964378335])
    np.testing.assert_array_equal(stream(3, "shuffle").standard_normal(2), [0.3948626656779219, -1.0991287426070655])
    assert permutation(10, 0, 0).tolist() == [1, 4, 0, 8, 7, 5, 9, 2, 6, 3]
    assert permutation(10, 0, 1).tolist() == [0, 6, 4, 8, 1, 9, 7, 3, 5, 2]


def test_every_argument_makes_another_stream() -> None:
    seeds, purposes = (0, 1, WORD - 1), ("initialize", "shuffle", "dropout", "a purpose in words")
    positions = ((), (0,), (1,), (0, 0), (0, 1), (1, 0))
    drawn = [tuple(words(2, seed, purpose, *at)) for seed, purpose, at in itertools.product(seeds, purposes, positions)]
    assert len(set(drawn)) == len(drawn)
    again = [tuple(words(2, seed, purpose, *at)) for seed, purpose, at in itertools.product(seeds, purposes, positions)]
    assert again == drawn


def test_neighbouring_streams_are_uncorrelated() -> None:
    drawn = np.stack([stream(0, "dropout", step).random(4000) for step in range(6)])
    between = np.corrcoef(drawn) - np.eye(6)
    assert np.abs(between).max() < 5 / np.sqrt(4000)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 64, 65, 1000])
def test_a_permutation_visits_every_row_once(n: int) -> None:
    order = permutation(n, seed=5, epoch=3)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(n))


def test_permutations_favour_no_order() -> None:
    counts: dict[tuple[int, ...], int] = {}
    for epoch in range(2400):
        order = tuple(permutation(4, 0, epoch).tolist())
        counts[order] = counts.get(order, 0) + 1
    chi_square = sum((count - 100) ** 2 / 100 for count in counts.values())
    assert len(counts) == 24
    assert chi_square < 49.7  # the 0.999 quantile for 23 degrees of freedom


def test_the_global_random_state_is_left_alone() -> None:
    before = np.random.get_state()
    stream(0, "shuffle", 1).random(10)
    permutation(10, 0, 0)
    after = np.random.get_state()
    np.testing.assert_array_equal(after[1], before[1])
    assert after[2:] == before[2:]


@pytest.mark.parametrize("seed", [-1, WORD, 1.0, True, None, "1", np.float64(3)])
def test_a_seed_that_is_no_word_is_refused(seed: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"seed must be an integer from 0 to 2\*\*64 - 1, found "):
        check_seed(seed)
    with pytest.raises(InvalidArgumentError, match=r"seed must be an integer from 0 to 2\*\*64 - 1, found "):
        stream(seed, "shuffle")


def test_a_numpy_integer_is_a_seed() -> None:
    assert type(check_seed(np.int32(5))) is int
    assert words(2, np.uint64(5), "shuffle", np.int64(2)) == words(2, 5, "shuffle", 2)


@pytest.mark.parametrize("position", [(1, 2, 3), (-1,), (1.5,), (WORD,), (True,)])
def test_a_position_that_cannot_be_written_down_is_refused(position: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidArgumentError, match="up to 2 positions, integers from 0"):
        stream(0, "shuffle", *position)


@pytest.mark.parametrize("purpose", ["", None, 3])
def test_a_purpose_is_a_word(purpose: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="purpose is a word such as 'shuffle', found"):
        stream(0, purpose)
