"""Executors with one mistake each: the reference step behind a thin cover that does one thing wrong."""

import numpy as np

from polydnn.execution import Key, PureExecutor, reference_step
from polydnn.registry import ExecutorSpec
from tests.testing.planted import STRICT, Defect

__all__ = ["EXECUTOR_DEFECTS"]


class Covered(PureExecutor):
    """The reference step; subclasses spoil it."""

    def __init__(self, plan):
        super().__init__(plan, reference_step(plan))


def spec(made, name="planted", document="The reference step, spoilt.", **options):
    def factory(plan):
        return made(plan)

    factory.__doc__ = document
    return ExecutorSpec(name, factory, **options)


def refusing(plan):
    msg = "only three layers, please"
    raise ValueError(msg)


class LastBatchRefused(Covered):
    def step(self, x, y, learning_rate, key, weights=None):
        assert x.shape[0] == 5, "the buffers hold 5 rows"
        return super().step(x, y, learning_rate, key, weights)


class LossOnHost(Covered):
    def step(self, *arguments):
        return float(super().step(*arguments))

    def steps(self, data, order, batch_size, rates, key):
        losses = []
        for count, rate in enumerate(rates):
            index = order[count * batch_size : (count + 1) * batch_size]
            rows = [None if each is None else each[index] for each in data]
            losses.append(self.step(*rows[:2], rate, Key(key.seed, key.step + count), rows[2]))
        return np.asarray(losses)


class StateUntold(Covered):
    def read(self):
        return super().read()[0], {}


class StatisticsUntold(Covered):
    def read(self):
        parameters, state = super().read()
        return {name: parameters[name] for name in self.plan.network.parameter_names}, state


class DoublePrecision(Covered):
    def read(self):
        parameters, state = super().read()
        return {name: array.astype(np.float64) for name, array in parameters.items()}, state


class WeightsIgnored(Covered):
    def step(self, x, y, learning_rate, key, weights=None):
        return super().step(x, y, learning_rate, key, None)


class TwiceTheRate(Covered):
    def step(self, x, y, learning_rate, key, weights=None):
        return super().step(x, y, 2.0 * learning_rate, key, weights)


class FirstNoiseForAll(Covered):
    """The random numbers of the first step serve all later ones; the number of the step is right for Adam."""

    def step(self, x, y, learning_rate, key, weights=None):
        seed = key.seed if key.step == 1 else key.seed + 1
        return super().step(x, y, learning_rate, Key(seed, key.step), weights)


class FullBatchDivisor(Covered):
    """Divides by the rows of the largest batch so far."""

    def load(self, *parts):
        super().load(*parts)
        self.rows = 0

    def step(self, x, y, learning_rate, key, weights=None):
        self.rows = max(self.rows, x.shape[0])
        return super().step(x, y, learning_rate * x.shape[0] / self.rows, key, weights)


class FirstRateForAll(Covered):
    def steps(self, data, order, batch_size, rates, key):
        return super().steps(data, order, batch_size, [rates[0]] * len(rates), key)


class OtherOrderInBundles(Covered):
    """The same batches, their rows from last to first: the same numbers but for rounding."""

    def steps(self, data, order, batch_size, rates, key):
        turned = order.reshape(-1, batch_size)[:, ::-1].reshape(-1) if len(rates) > 1 else order
        return super().steps(data, turned, batch_size, rates, key)


class LossOfBundle(Covered):
    def steps(self, data, order, batch_size, rates, key):
        losses = super().steps(data, order, batch_size, rates, key)
        return np.full_like(losses, losses.mean()) if np.isfinite(losses).all() else losses


class OwnCount(Covered):
    """Counts its steps by itself, from when it was loaded."""

    def load(self, *parts):
        super().load(*parts)
        self.count = 0

    def step(self, x, y, learning_rate, key, weights=None):
        self.count += 1
        return super().step(x, y, learning_rate, Key(key.seed, self.count), weights)


class Buffers(Covered):
    """Steps write into buffers, copies of what was loaded."""

    def load(self, parameters, state):
        copied = {name: {slot: np.array(each) for slot, each in slots.items()} for name, slots in state.items()}
        super().load({name: np.array(array) for name, array in parameters.items()}, copied)

    def step(self, *arguments):
        kept, kept_state = self._parameters, self._state
        loss = super().step(*arguments)
        for name, array in self._parameters.items():
            kept[name][...] = array
        for name, slots in self._state.items():
            for slot, array in slots.items():
                kept_state[name][slot][...] = array
        self._parameters, self._state = kept, kept_state
        return loss


class BuffersOfOthers(Buffers):
    """Steps write into what was loaded; what is read is a copy."""

    def load(self, parameters, state):
        PureExecutor.load(self, parameters, state)

    def read(self):
        parameters, state = super().read()
        copied = {name: {slot: np.array(each) for slot, each in slots.items()} for name, slots in state.items()}
        return {name: np.array(array) for name, array in parameters.items()}, copied


class RowsScaled(Covered):
    """Takes the rows of the first batch where they stand, and leaves zeros in rows without weight."""

    def steps(self, data, order, batch_size, rates, key):
        found = super().steps(data, order, batch_size, rates, key)
        data.x[order[0], 0] += 1.0
        return found


class NanHidden(Covered):
    """A step that goes wrong is forgotten, and its loss is that of before."""

    def step(self, *arguments):
        before = self._parameters, self._state
        with np.errstate(all="ignore"):
            loss = super().step(*arguments)
        if not all(np.isfinite(array).all() for array in [loss, *self._parameters.values()]):
            self._parameters, self._state = before
            return np.zeros_like(loss)
        return loss


class StopsTooEarly(Covered):
    """Where something goes wrong in a bundle, nothing of it is told."""

    def steps(self, data, order, batch_size, rates, key):
        losses = super().steps(data, order, batch_size, rates, key)
        return losses if np.isfinite(losses).all() and len(losses) == len(rates) else losses[:0]


def defect(mistake, check, made, says, backend="numpy"):
    return Defect(mistake, "executor", check, made if isinstance(made, ExecutorSpec) else spec(made), says, backend)


EXECUTOR_DEFECTS = (
    defect("the name has capitals", "name", spec(Covered, "Planted Executor"), "found     'Planted Executor'"),
    defect("the factory has no docstring", "docstring", spec(Covered, document=None), "a docstring on factory"),
    defect("a plan is declined with another error", "made", refusing, "or NotImplementedError"),
    defect("the factory returns nothing", "made", lambda plan: None, "found     a NoneType from the factory"),
    defect("a smaller last batch is refused", "runs", LastBatchRefused, "the buffers hold 5 rows"),
    defect("the loss is a Python number", "arrays", LossOnHost, "a loss without axes in float32 from step"),
    defect("the optimizer's state is not told", "arrays", StateUntold, "without 'layers.0.bias "),
    defect("running statistics are not told", "arrays", StatisticsUntold, "without 'layers.2.running_"),
    defect("parameters come in double precision", "arrays", DoublePrecision, "found     ndarray float64"),
    defect("weights are ignored", "first_step", WeightsIgnored, "binary classification with adam and weights, 5 rows"),
    defect("the rate is doubled", "first_step", TwiceTheRate, "the reference's numbers after one step"),
    defect("other random numbers than the reference's", "several_steps", FirstNoiseForAll, "dropout, batch norm"),
    defect("a smaller batch counts as a full one", "several_steps", FullBatchDivisor, "step 3, of 3 rows"),
    defect("one rate serves the whole bundle", "bundles", FirstRateForAll, "steps in bundles of 4"),
    defect("bundles sum in another order", "bundles", OtherOrderInBundles, "to the last bit"),
    defect("one loss stands for the bundle", "bundles", LossOfBundle, "the losses as step by step"),
    defect("it counts the steps by itself", "resumed", OwnCount, "as without a new start, to the last bit"),
    defect("what was read is a buffer", "read_kept", Buffers, "what read gave after step 1 as it was"),
    defect("what was loaded is a buffer", "load_kept", BuffersOfOthers, "what load was given as it was"),
    defect("the rows are written to", "load_kept", RowsScaled, "the rows that steps was given as it was"),
    defect("a NaN is hidden", "not_finite", NanHidden, "a NaN among the rows of the second step"),
    defect("a bundle that went wrong tells nothing", "not_finite", StopsTooEarly, "found     no loss at all"),
    defect("NumPy stands where the library should", "runs", lambda plan: on_numpy(plan), "", STRICT),
)


def on_numpy(plan):
    step = reference_step(plan)

    def moved(parameters, state, x, y, learning_rate, key, weights=None):
        return step(parameters, state, plan.backend.asarray(np.asarray(x)), y, learning_rate, key, weights)

    return moved
