"""Activation functions, each with its way back, and the contract they keep."""

from polydnn.activations.activation import Activation
from polydnn.activations.elu import elu
from polydnn.activations.gelu import gelu
from polydnn.activations.identity import identity
from polydnn.activations.log_softmax import log_softmax
from polydnn.activations.relu import relu
from polydnn.activations.selu import selu
from polydnn.activations.sigmoid import sigmoid
from polydnn.activations.silu import silu
from polydnn.activations.softmax import softmax
from polydnn.activations.softplus import softplus
from polydnn.activations.tanh import tanh

__all__ = [
    "Activation",
    "elu",
    "gelu",
    "identity",
    "log_softmax",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]
