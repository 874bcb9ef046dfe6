"""Metrics: one number for a whole set of predictions, computed where the predictions are."""

from polydnn.metrics.accuracy import accuracy
from polydnn.metrics.f1 import f1
from polydnn.metrics.hamming_loss import hamming_loss
from polydnn.metrics.mean_absolute_error import mean_absolute_error
from polydnn.metrics.metric import Metric
from polydnn.metrics.precision import precision
from polydnn.metrics.r2 import r2
from polydnn.metrics.recall import recall
from polydnn.metrics.roc_auc import roc_auc
from polydnn.metrics.root_mean_squared_error import root_mean_squared_error
from polydnn.metrics.top_k_accuracy import top_k_accuracy

__all__ = [
    "Metric",
    "accuracy",
    "f1",
    "hamming_loss",
    "mean_absolute_error",
    "precision",
    "r2",
    "recall",
    "roc_auc",
    "root_mean_squared_error",
    "top_k_accuracy",
]
