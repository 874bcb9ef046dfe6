"""The activation leaky_relu for polydnn: a rectifier that lets a little of what is negative through."""

from numbers import Real
from typing import Any

from polydnn import Activation, ActivationSpec, hookimpl
from polydnn.errors import InvalidArgumentError

__all__ = ["leaky_relu"]


def leaky_relu(negative_slope: float = 0.01) -> Activation:
    """z where z >= 0, else negative_slope * z; derivative 1 where z >= 0, else negative_slope.

    ``negative_slope`` is a number from 0 to 1; 0 gives relu, but for the derivative at 0, which is 1 here. Raises
    InvalidArgumentError for anything else.
    Sources: Araab, *An Overview on Deep Neural Networks*; Maas, Hannun & Ng, *Rectifier nonlinearities improve neural
    network acoustic models*, 2013.

    >>> import numpy as np
    >>> leaky_relu(negative_slope=0.25)(np.asarray([[-4.0, 0.0, 3.0]])).tolist()
    [[-1.0, 0.0, 3.0]]
    """
    if isinstance(negative_slope, bool) or not isinstance(negative_slope, Real) or not 0.0 <= negative_slope <= 1.0:
        msg = f"leaky_relu: negative_slope must be a number from 0 to 1, found {negative_slope!r}; 0.01 is usual."
        raise InvalidArgumentError(msg)
    slope = float(negative_slope)

    def forward(z: Any, *, xp: Any) -> Any:
        return xp.where(z >= 0.0, z, slope * z)  # NaN is not >= 0, and stays NaN

    def derivative(z: Any, y: Any, *, xp: Any) -> Any:
        return xp.where(z >= 0.0, xp.ones_like(z), slope)

    return Activation("leaky_relu", forward, derivative=derivative, options={"negative_slope": slope})


@hookimpl
def polydnn_activations() -> list[ActivationSpec]:
    return [ActivationSpec("leaky_relu", leaky_relu, "z, or a hundredth of it where z is negative")]
