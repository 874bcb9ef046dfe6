"""Training: the trainer, its batches and targets, callbacks, early stopping and the history."""

from polydnn.training.callbacks import Callback
from polydnn.training.early_stopping import EarlyStopping
from polydnn.training.history import History
from polydnn.training.trainer import Trainer

__all__ = ["Callback", "EarlyStopping", "History", "Trainer"]
