"""The yardstick tells long work from short, and is generous to what was disturbed once."""

import pytest

from tests.yardstick import assert_ratio, assert_within, fixed_work


def test_the_yardstick_is_ten_of_itself_and_not_a_third() -> None:
    assert_within(10.0, fixed_work)
    with pytest.raises(AssertionError, match=r"times the yardstick's .* s; at most 0.333333 are allowed"):
        assert_within(1 / 3, fixed_work)


def test_the_least_of_several_turns_counts() -> None:
    disturbed = iter([9.0, 8.0, 1.5, 9.0])
    assert_ratio(2.0, lambda: next(disturbed), lambda: 1.0)
    assert next(disturbed) == 9.0  # the turn that was good enough was the last
