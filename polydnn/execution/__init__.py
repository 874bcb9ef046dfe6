"""Training steps: the reference, the executors, and the choice of one that agrees."""

from polydnn.execution.choice import Candidate, Choice, FirstBatch, choose
from polydnn.execution.executor import Data, Executor, PureExecutor
from polydnn.execution.plan import Key, OptimizerState, Penalties, Step, StepPlan, first_state
from polydnn.execution.reference import back_propagation, reference_step

__all__ = [
    "Candidate",
    "Choice",
    "Data",
    "Executor",
    "FirstBatch",
    "Key",
    "OptimizerState",
    "Penalties",
    "PureExecutor",
    "Step",
    "StepPlan",
    "back_propagation",
    "choose",
    "first_state",
    "reference_step",
]
