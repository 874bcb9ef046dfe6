"""Layers: dense, dropout, batch normalization, and normalization of inputs and targets."""

from polydnn.layers.batch_normalization import BatchNormalization
from polydnn.layers.dense import Dense
from polydnn.layers.dropout import Dropout
from polydnn.layers.layer import Layer
from polydnn.layers.normalization import Normalization

__all__ = ["BatchNormalization", "Dense", "Dropout", "Layer", "Normalization"]
