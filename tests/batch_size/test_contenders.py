"""The set of sizes that may be the best: it holds the best as often as it says, whatever the errors have in common."""

import numpy as np
import pytest

from polydnn.batch_size.contenders import CONFIDENCE, contenders, student_errors

STEPS = np.asarray([0.5, 0.2, 0.0, 0.02, 0.3, 0.8])


@pytest.mark.parametrize("shared", [0.0, 5.0])
@pytest.mark.parametrize("times", [STEPS, np.zeros(6)])
def test_the_best_is_in_the_set_as_often_as_stated(times: np.ndarray, shared: float) -> None:
    """Errors of a twentieth of each size's own, and ones that all sizes share, which tell nothing."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(400):
        errors = 0.05 * rng.standard_normal((2001, 6)) + shared * rng.standard_normal((2001, 1))
        held += 2 in contenders(times + errors[0], errors[1:])
    assert held / 400 >= CONFIDENCE - 0.025
    if not times.any():
        assert held / 400 == pytest.approx(CONFIDENCE, abs=0.025)


def test_few_degrees_of_freedom_widen_the_set() -> None:
    """One estimate of the deviation from two degrees of freedom: the same share of sets holds the best."""
    rng, held = np.random.default_rng(2), 0
    normal, chi = rng.standard_normal((2000, 6)), rng.standard_normal((2000, 2))
    for _ in range(600):
        deviation = 0.05 * float(np.sqrt((rng.standard_normal(2) ** 2).mean()))
        held += 2 in contenders(0.05 * rng.standard_normal(6), student_errors(normal, chi, deviation, 2))
    assert held / 600 == pytest.approx(CONFIDENCE, abs=0.025)


def test_what_is_known_exactly_leaves_the_best_and_its_equals() -> None:
    nothing = np.zeros((100, 4))
    assert contenders(np.asarray([1.0, 0.5, 0.5, 0.7]), nothing) == [1, 2]
    assert contenders(np.asarray([1.0]), np.zeros((100, 1))) == [0]


def test_the_least_is_always_in_the_set() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        logs, skewed = rng.standard_normal(5), rng.exponential(size=(500, 5))
        assert int(np.argmin(logs)) in contenders(logs, skewed)
