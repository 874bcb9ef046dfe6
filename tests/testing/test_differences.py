"""The kit's own measure: central differences that know kinks, and comparisons that name the worst point."""

import numpy as np
import pytest

from polydnn.testing.differences import factor_between, require_equal, require_slope, slopes
from polydnn.testing.finding import Finding

AT = np.array([-1.5, 0.0, 2.0])


def test_a_smooth_function_is_measured_to_nine_digits() -> None:
    assert slopes(np.sin, AT).central == pytest.approx(np.cos(AT), abs=1e-9)


def test_any_number_between_the_slopes_of_a_kink_is_right_and_no_other() -> None:
    found = slopes(lambda z: np.maximum(z, 0.0), AT)
    for slope in (0.0, 0.5, 1.0):
        assert not found.excess(np.array([0.0, slope, 1.0])).any()
    assert found.excess(np.array([0.0, 1.1, 1.0]))[1] > 0.09
    assert found.excess(np.array([0.0, -0.1, 1.0]))[1] > 0.09


def test_a_jump_of_the_second_derivative_is_no_mistake() -> None:
    found = slopes(lambda z: z / (1.0 + np.abs(z)), AT)
    assert not found.excess((1.0 / (1.0 + np.abs(AT))) ** 2).any()


def test_a_small_mistake_is_seen() -> None:
    with pytest.raises(
        Finding, match=r"expected -0\.41614684 \(central difference of forward in float64\), found -0\.41613684"
    ) as caught:
        require_slope("derivative", "forward", np.cos(AT) + 1e-5 * (AT > 1.0), slopes(np.sin, AT), {"z": AT})
    assert caught.value.where == "z[2] = 2; the worst of 1 wrong among 3"


def test_nan_is_never_the_slope() -> None:
    with pytest.raises(Finding, match="found nan from derivative"):
        require_slope("derivative", "forward", np.full(3, np.nan), slopes(np.sin, AT), {"z": AT})


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (3.0 * AT, ": everywhere 3 times the expected number"),
        (-AT, ": the sign is reversed everywhere"),
        (AT, ""),
        (AT + 1.0, ""),
        (0.0 * AT, ""),
    ],
)
def test_a_constant_factor_is_named(found: np.ndarray, says: str) -> None:
    assert factor_between(found, AT) == says


def test_equal_numbers_nan_and_infinity_agree() -> None:
    same = np.array([1.0, np.nan, np.inf, -np.inf])
    require_equal(same, same.copy(), 0.0, what="this", same_as="that")


@pytest.mark.parametrize(("found", "expected"), [(np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (np.inf, -np.inf)])
def test_nan_and_infinity_do_not_agree_with_numbers(found: float, expected: float) -> None:
    with pytest.raises(Finding, match=r"\(that\), found .* from this"):
        require_equal(np.array([found]), np.array([expected]), 1e-3, what="this", same_as="that")


def test_shapes_are_compared_first() -> None:
    with pytest.raises(Finding, match=r"expected that, shape \(2,\), found this of shape \(1, 2\)"):
        require_equal(np.ones((1, 2)), np.ones(2), 1e-3, what="this", same_as="that")
