"""Optimizers with one mistake each."""

import numpy as np

from polydnn.optimizers.optimizer import Optimizer
from tests.testing.planted import STRICT, Defect

__all__ = ["OPTIMIZER_DEFECTS"]


def nothing(parameter, *, xp):
    return {}


def velocity(parameter, *, xp):
    return {"velocity": xp.zeros_like(parameter)}


def momentum(gradient, state, parameter, *, learning_rate, step, xp):
    v = 0.9 * state["velocity"] + gradient
    return parameter - learning_rate * v, {"velocity": v}


def item(init=velocity, update=momentum, elementwise=True, learning_rate=0.01):
    return Optimizer("momentum", init, update, elementwise=elementwise, learning_rate=learning_rate)


# something is remembered beside the state


def counting():
    steps = []

    def update(gradient, state, parameter, *, learning_rate, step, xp):
        steps.append(step)
        return parameter - learning_rate * gradient / len(steps) ** 0.5, state

    return item(nothing, update)


def remembering():
    held = {}

    def update(gradient, state, parameter, *, learning_rate, step, xp):
        if step == 1:
            held.clear()
        held["size"] = max(held.get("size", 0.0), float(xp.max(xp.abs(gradient))))
        return parameter - learning_rate * gradient / held["size"], state

    return item(nothing, update, elementwise=False)


class Counted(dict):
    steps = 0


def counted(parameter, *, xp):
    return Counted(velocity(parameter, xp=xp))


def count_on_the_state(gradient, state, parameter, *, learning_rate, step, xp):
    new = Counted(velocity=0.9 * state["velocity"] + gradient)
    new.steps = state.steps + 1
    return parameter - learning_rate * new["velocity"] / new.steps, new


def counter_in_the_state(parameter, *, xp):
    return {"velocity": xp.zeros_like(parameter), "steps": xp.zeros(())}


def count(gradient, state, parameter, *, learning_rate, step, xp):
    parameter, new = momentum(gradient, state, parameter, learning_rate=learning_rate, step=step, xp=xp)
    return parameter, {**new, "steps": state["steps"] + 1.0}


def tuple_state(parameter, *, xp):
    return (xp.zeros_like(parameter),)


def from_tuple(gradient, state, parameter, *, learning_rate, step, xp):
    v = 0.9 * state[0] + gradient
    return parameter - learning_rate * v, (v,)


# memory, dtype, device


def double_precision(parameter, *, xp):
    return {"velocity": xp.zeros(parameter.shape)}


def numpy_root(gradient, state, parameter, *, learning_rate, step, xp):
    v = 0.9 * state["velocity"] + 0.1 * gradient**2
    return parameter - learning_rate * gradient / (np.sqrt(v) + 1e-8), {"velocity": v}


def parameter_in_place(gradient, state, parameter, *, learning_rate, step, xp):
    parameter -= learning_rate * gradient
    return parameter, state


def mapping_in_place(gradient, state, parameter, *, learning_rate, step, xp):
    state["velocity"] = 0.9 * state["velocity"] + gradient
    return parameter - learning_rate * state["velocity"], state


# the wrong motion


def by_its_norm(gradient, state, parameter, *, learning_rate, step, xp):
    return parameter - learning_rate * gradient / (xp.sqrt(xp.sum(gradient**2)) + 1e-8), state


def corrected_for_numbers_only(gradient, state, parameter, *, learning_rate, step, xp):
    v = 0.9 * state["velocity"] + 0.1 * gradient
    correction = 1.0 - 0.9**step if isinstance(step, int) else 1.0
    return parameter - learning_rate * v / correction, {"velocity": v}


def root_by_numpy(gradient, state, parameter, *, learning_rate, step, xp):
    return parameter - learning_rate * gradient * (1.0 / float(np.sqrt(np.asarray(step)))), state


def uphill(gradient, state, parameter, *, learning_rate, step, xp):
    return parameter + learning_rate * gradient, state


def fixed_rate(gradient, state, parameter, *, learning_rate, step, xp):
    return parameter - 0.01 * gradient, state


def squares(parameter, *, xp):
    return {"square": xp.zeros_like(parameter)}


def without_eps(gradient, state, parameter, *, learning_rate, step, xp):
    square = 0.9 * state["square"] + 0.1 * gradient**2
    return parameter - learning_rate * gradient / xp.sqrt(square), {"square": square}


def without_nan(gradient, state, parameter, *, learning_rate, step, xp):
    gradient = xp.where(xp.isnan(gradient), xp.zeros_like(gradient), gradient)
    return parameter - learning_rate * gradient, state


def parameter_alone(gradient, state, parameter, *, learning_rate, step, xp):
    return parameter - learning_rate * gradient


def defect(mistake, check, made, says, backend="numpy"):
    return Defect(mistake, "optimizer", check, made, says, backend)


OPTIMIZER_DEFECTS = (
    defect("calls are counted in a closure", "pure", counting(), "a second time"),
    defect("the largest gradient is remembered for all parameters", "pure", remembering(), "among updates of another"),
    defect("the state counts in an attribute", "round_trip", item(counted, count_on_the_state), "plain dictionary"),
    defect("the state holds a 0-d counter", "state", item(counter_in_the_state, count), "state['steps'] from init"),
    defect("the state is a tuple", "state", item(tuple_state, from_tuple), "found     a tuple"),
    defect("update returns the parameter alone", "runs", item(nothing, parameter_alone), "(parameter, state)"),
    defect("the state is in the default dtype", "dtype", item(double_precision), "found     float64"),
    defect("NumPy stands where xp should", "portable", item(update=numpy_root), "a NumPy function was given", STRICT),
    defect(
        "the parameter is moved in place",
        "inputs_unchanged",
        item(nothing, parameter_in_place),
        "parameter after update",
    ),
    defect("the state's mapping is changed", "inputs_unchanged", item(update=mapping_in_place), "under 'velocity'"),
    defect("the gradient's norm is used elementwise", "flat_buffer", item(nothing, by_its_norm), "laid end to end"),
    defect(
        "0-d steps are not corrected for", "numbers_on_device", item(update=corrected_for_numbers_only), "0-d arrays"
    ),
    defect(
        "the step is read back to the host", "numbers_on_device", item(nothing, root_by_numpy), "no float(...)", STRICT
    ),
    defect("the step is added", "descends", item(nothing, uphill), "after 100 steps"),
    defect("the learning rate is ignored", "learning_rate", item(nothing, fixed_rate), "a tenth of the learning rate"),
    defect("eps is missing", "zero_gradient", item(squares, without_eps), "gradient = 0"),
    defect("NaN is replaced by 0", "nan_kept", item(nothing, without_nan), "expected  nan"),
    defect("the default learning rate is 0", "defaults", item(learning_rate=0.0), "learning_rate above 0"),
)
