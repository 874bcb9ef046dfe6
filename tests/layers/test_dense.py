"""The dense layer beside its gradients: what a class of the user's own keeps."""

from polydnn import Dense


class Doubled(Dense):
    """A layer with a forward of its own."""


def test_another_activation_keeps_the_class() -> None:
    """A loss with a stable form exchanges the last activation; a user's layer must not lose its methods by that."""
    layer = Doubled(3, "softmax", use_bias=False)
    twin = layer.with_activation(Dense(1, "identity").activation)
    assert type(twin) is Doubled
    assert (twin.units, twin.use_bias, twin.activation.name) == (3, False, "identity")
    assert layer.activation.name == "softmax"
