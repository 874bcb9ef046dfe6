"""Optimizers, and what bends their path: schedules, weight decay, clipping."""

from polydnn.optimizers.adagrad import adagrad
from polydnn.optimizers.adam import adam
from polydnn.optimizers.adamw import adamw
from polydnn.optimizers.clipping import clip_by_global_norm, clip_by_value, global_norm
from polydnn.optimizers.optimizer import Optimizer, State
from polydnn.optimizers.rmsprop import rmsprop
from polydnn.optimizers.schedule import Schedule
from polydnn.optimizers.schedules import constant_schedule, cosine_schedule, exponential_schedule, step_schedule
from polydnn.optimizers.sgd import sgd
from polydnn.optimizers.weight_decay import add_penalty_gradient, decay_weight, penalty

__all__ = [
    "Optimizer",
    "Schedule",
    "State",
    "adagrad",
    "adam",
    "adamw",
    "add_penalty_gradient",
    "clip_by_global_norm",
    "clip_by_value",
    "constant_schedule",
    "cosine_schedule",
    "decay_weight",
    "exponential_schedule",
    "global_norm",
    "penalty",
    "rmsprop",
    "sgd",
    "step_schedule",
]
