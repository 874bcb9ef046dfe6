"""The contract of an activation: a function of the pre-activation, and how a gradient goes back through it."""

from dataclasses import dataclass, field
from typing import Protocol

from polydnn.arrays import device_of, namespace_of
from polydnn.errors import InvalidArgumentError
from polydnn.types import Array, Namespace, Options

__all__ = ["Activation", "Backward", "Derivative", "Forward"]


class Forward(Protocol):
    def __call__(self, z: Array, *, xp: Namespace) -> Array: ...


class Derivative(Protocol):
    def __call__(self, z: Array, y: Array, *, xp: Namespace) -> Array: ...


class Backward(Protocol):
    def __call__(self, dy: Array, z: Array, y: Array, *, xp: Namespace) -> Array: ...


@dataclass(frozen=True)
class Activation:
    """An activation function and its way back.

    ``forward(z, *, xp) -> y`` takes the pre-activation z (n, units) and returns y of the same shape, dtype and device.
    An elementwise activation gives ``derivative(z, y, *, xp)``, the derivative at every point. A row-wise one, like
    softmax, gives ``backward(dy, z, y, *, xp) -> dz`` instead: the contraction of dy with the Jacobian of each row.
    An elementwise activation may give both where the product can be had more cheaply; they must agree.

    ``options`` are the arguments it was made with; they are written into model files. A plugin's factory may leave
    them empty: the registry fills them in.

    >>> import numpy as np
    >>> square = Activation("square", lambda z, *, xp: z * z, derivative=lambda z, y, *, xp: 2 * z)
    >>> square(np.asarray([[3.0]])).tolist()
    [[9.0]]
    """

    name: str
    forward: Forward
    derivative: Derivative | None = None
    backward: Backward | None = None
    options: Options = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.derivative is None and self.backward is None:
            msg = f"activation {self.name!r} has neither derivative nor backward; give one of them."
            raise InvalidArgumentError(msg)

    @property
    def elementwise(self) -> bool:
        """Whether every output depends on the input at its own place only."""
        return self.derivative is not None

    def __call__(self, z: Array) -> Array:
        """y for a pre-activation of any library."""
        return self.forward(z, xp=namespace_of(z))

    def pull_back(self, dy: Array, z: Array, y: Array, *, xp: Namespace) -> Array:
        """dz (n, units) for the gradient dy of the cost with respect to y (n, units)."""
        if self.backward is not None:
            return self.backward(dy, z, y, xp=xp)
        assert self.derivative is not None
        return dy * self.derivative(z, y, xp=xp)

    def jacobian(self, z: Array) -> Array:
        """The dense Jacobian d y_ij / d z_uv of shape (n, units, n, units), for teaching and for tests.

        Contracted over its first two axes with dy it gives ``pull_back``. Memory grows with (n units)**2.

        >>> import numpy as np
        >>> identity = Activation("identity", lambda z, *, xp: z, derivative=lambda z, y, *, xp: xp.ones_like(z))
        >>> identity.jacobian(np.zeros((1, 2)))[0, :, 0, :].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        xp = namespace_of(z)
        y = self.forward(z, xp=xp)
        n, units = z.shape
        unit = xp.eye(units, dtype=y.dtype, device=device_of(y))
        rows = [self.pull_back(xp.zeros_like(y) + unit[j, :], z, y, xp=xp) for j in range(units)]
        blocks = xp.stack(rows, axis=1)  # (n, units, units): rows do not mix, so one pass serves all of them
        same_row = xp.eye(n, dtype=y.dtype, device=device_of(y))
        return blocks[:, :, None, :] * same_row[:, None, :, None]
