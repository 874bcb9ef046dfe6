"""The layers as users write them: names of activations and initializers become objects here."""

from typing import Any

from polydnn.activations.activation import Activation
from polydnn.initializers.initializer import Initializer
from polydnn.layers import Dense as DenseLayer
from polydnn.registry import activation as activation_of
from polydnn.registry import initializer as initializer_of
from polydnn.registry.lookup import Wanted

__all__ = ["Dense"]


class Dense(DenseLayer):
    """A dense layer: Z = X W + b, Y = activation(Z), for X (n, in_features) and Y (n, units).

    ``activation`` is a name ("relu", "distribution:name"), a (name, options) pair or an Activation. ``initializer``
    likewise; by default he_normal before relu and glorot_uniform before anything else. Biases start at zero.

    Raises InvalidArgumentError for units below 1 and for options that do not fit, UnknownNameError for unknown names.
    Source: Araab, *An Overview on Deep Neural Networks*.

    >>> Dense(10, "softmax").activation.name
    'softmax'
    >>> Dense(64, ("elu", {"alpha": 0.5})).activation.options
    {'alpha': 0.5}
    """

    def __init__(
        self,
        units: int,
        activation: Wanted[Activation] = "identity",
        *,
        use_bias: bool = True,
        initializer: Wanted[Initializer] | None = None,
    ) -> None:
        drawn: Any = None if initializer is None else initializer_of(initializer)
        super().__init__(units, activation_of(activation), use_bias=use_bias, initializer=drawn)
