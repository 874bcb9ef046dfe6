"""The options of elu and gelu: kept in the record, refused where they make no sense."""

import numpy as np
import pytest

from polydnn.activations import elu, gelu, relu
from polydnn.errors import InvalidArgumentError


def test_options_are_recorded():
    assert elu(alpha=0.3).options == {"alpha": 0.3}
    assert gelu(approximate=True).options == {"approximate": True}
    assert relu().options == {}


@pytest.mark.parametrize("alpha", [0, -1.0, float("nan"), float("inf"), "1.0", None, True])
def test_alpha_must_be_positive(alpha):
    with pytest.raises(InvalidArgumentError, match="elu: alpha must be a positive number, found"):
        elu(alpha=alpha)


@pytest.mark.parametrize("approximate", ["tanh", 1, None])
def test_approximate_must_be_a_boolean(approximate):
    with pytest.raises(InvalidArgumentError, match="gelu: approximate must be True or False, found"):
        gelu(approximate=approximate)


def test_alpha_scales_the_negative_side_only():
    z = np.asarray([-2.0, 2.0])
    np.testing.assert_allclose(elu(alpha=3.0)(z), [3.0 * np.expm1(-2.0), 2.0])


def test_approximate_gelu_is_as_near_as_it_says():
    z = np.linspace(-6, 6, 2001)
    distance = np.max(np.abs(gelu(approximate=True)(z) - gelu()(z)))
    assert 1e-4 < distance < 5e-4
