"""Training steps: the reference, and the choice of an executor that agrees with it."""

from polydnn.execution.choice import Batch, Candidate, Choice, choose
from polydnn.execution.plan import Key, OptimizerState, Penalties, Step, StepPlan, first_state
from polydnn.execution.reference import back_propagation, reference_step

__all__ = [
    "Batch",
    "Candidate",
    "Choice",
    "Key",
    "OptimizerState",
    "Penalties",
    "Step",
    "StepPlan",
    "back_propagation",
    "choose",
    "first_state",
    "reference_step",
]
