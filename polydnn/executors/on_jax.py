"""The reference step compiled by JAX, and many steps in one compiled loop."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from polydnn.errors import BackendError, InvalidArgumentError
from polydnn.execution.executor import Data, Executor, all_finite_on_device
from polydnn.execution.plan import Key, OptimizerState, StepPlan
from polydnn.execution.reference import back_propagation, update_rule
from polydnn.types import Array, Parameters

__all__ = ["JaxExecutor"]

Carry: TypeAlias = tuple[Parameters, OptimizerState]
Host: TypeAlias = np.ndarray[Any, Any]

MOST_STEPS = 128
"""Steps that one call of the compiled loop takes at most."""

AHEAD_ON_HOST, AHEAD_ON_DEVICE = 2**20, 2**26
"""Bytes of rows and random numbers laid out ahead of a loop: a cache's worth, or what a GPU does not notice."""

LAST_STEP = 2**31 - 1 - MOST_STEPS
"""Where the step number, an int32 on the device, stops counting; all corrections for the start are over by then."""


PROGRAMS_KEPT = 64
"""Compiled programs that the process remembers, the oldest going first."""

_programs: dict[Any, Any] = {}


class Feed(NamedTuple):
    """What a loop is given: rows (k, batch_size, ...), random arrays (k, ...), rates (k,), the first step's number."""

    batches: Data
    noise: dict[int, Host]
    rates: Host
    first: np.int32


class Looped(NamedTuple):
    """What a loop tells: the losses (k,), zeros behind the steps taken, their number, and whether all is finite."""

    losses: Array
    taken: Array
    well: Array


class JaxExecutor(Executor):
    """``jit`` of the reference step, alone for ``step`` and in a loop for ``steps``.

    The rows of several batches are gathered first, then the loop runs over them; its length is an argument. So one
    program, compiled once for a batch size, serves bundles of every length and data sets of every size, and the bits
    depend on neither. Learning rates and step numbers are arguments too; parameters and state are updated where they
    lie. Random numbers are drawn on the host, as in the reference. A loop ends after a step that leaves
    something that is not finite.
    """

    order_on_host = True  # a slice on the device would be a program of its own for every length

    def __init__(self, plan: StepPlan) -> None:
        super().__init__(plan)
        import jax

        self._jax = jax
        self._dtype = np.dtype(plan.network.dtype)
        self._ahead = AHEAD_ON_HOST if plan.backend.on_host else AHEAD_ON_DEVICE
        update = _update(plan)
        self._update = jax.jit(update, donate_argnums=0)
        self._loop = jax.jit(partial(_loop, update, plan.network.parameter_names), donate_argnums=0)
        self._gather = jax.jit(_gather)
        self._ready: dict[Any, Any] = {}

    def load(self, parameters: Parameters, optimizer_state: OptimizerState) -> None:
        self._carry: Carry = (dict(parameters), dict(optimizer_state))
        self._well = True
        self._shared = True

    def read(self) -> tuple[Parameters, OptimizerState]:
        self._shared = True
        return self._carry

    def step(self, x: Array, y: Array, learning_rate: float, key: Key, weights: Array | None = None) -> Array:
        drawn = self.plan.host_noise(key, x.shape[0])
        noise = {index: each.astype(self._dtype, copy=False) for index, each in drawn.items()}
        rate, number = self._dtype.type(learning_rate), np.int32(min(key.step, LAST_STEP))
        self._carry, loss = self._run(self._update, self._own(), Data(x, y, weights), noise, rate, number)
        return loss

    def steps(self, data: Data, order: Array, batch_size: int, rates: Sequence[float], key: Key) -> Array:
        rows = np.asarray(order)
        if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < data.x.shape[0]:
            msg = f"order names row {int(rows.max())} or {int(rows.min())}, but there are {data.x.shape[0]} rows."
            raise InvalidArgumentError(msg)
        length = self._loop_length(data, batch_size)
        starts = range(0, len(rates), length)

        def feed(start: int) -> Feed:
            places = rows[start * batch_size : (start + length) * batch_size].reshape(-1, batch_size)
            return self._feed(data, places, rates[start : start + length], Key(key.seed, key.step + start), length)

        losses: list[Host] = []
        ready = feed(0)
        for start in starts:
            count = min(length, len(rates) - start)
            self._carry, (found, taken, well) = self._run(self._loop, self._own(), ready, np.int32(count))
            if start + length < len(rates):
                ready = feed(start + length)  # the host draws and gathers while the device computes
            losses.append(np.asarray(found)[: int(taken)])
            self._well = bool(well)
            if not self._well:
                break
        return np.concatenate(losses)

    def stopped(self, loss: Array) -> bool:
        return not self._well

    def _loop_length(self, data: Data, batch_size: int) -> int:
        """How many batches are laid out at once; it may depend on nothing that differs between bundles."""
        row: int = sum(each.dtype.itemsize * int(np.prod(each.shape[1:])) for each in data if each is not None)
        widths = [self.plan.network.widths[index] for index in self.plan.random_layers]
        row += sum(widths) * self._dtype.itemsize
        return max(1, min(MOST_STEPS, self._ahead // (row * batch_size)))

    def _feed(self, data: Data, places: Host, rates: Sequence[float], key: Key, length: int) -> Feed:
        """Arrays for ``length`` steps, whatever stands behind those that are asked for."""
        count = len(rates)
        index = np.zeros((length, places.shape[1]), np.int32)
        index[:count] = places
        padded = np.zeros(length, self._dtype)
        padded[:count] = rates
        noise: dict[int, Host] = {}
        for number in range(count if self.plan.random_layers else 0):
            for layer, array in self.plan.host_noise(Key(key.seed, key.step + number), places.shape[1]).items():
                noise.setdefault(layer, np.zeros((length, *array.shape), self._dtype))[number] = array
        return Feed(self._gather(data, index), noise, padded, np.int32(min(key.step, LAST_STEP)))

    def _run(self, function: Any, carry: Carry, *arguments: Any) -> tuple[Carry, Any]:
        """Call the program for arguments of these shapes; parameters and state never change theirs."""
        signature = (function, *((each.shape, each.dtype) for each in self._jax.tree.leaves(arguments)))
        program = self._ready.get(signature)
        if program is None:
            program = self._ready[signature] = _compiled(function, self.plan.backend.name, carry, *arguments)
        result: tuple[Carry, Any] = program(carry, *arguments)
        return result

    def _own(self) -> Carry:
        """Parameters and state that may be given up to a program: copies where somebody else holds them."""
        if self._shared:
            self._carry = self._jax.device_put(self._carry, self.plan.backend.device, may_alias=False)
            self._shared = False
        return self._carry


Update: TypeAlias = Callable[[Carry, Data, dict[int, Array], Array, Array], tuple[Carry, Array]]


def _compiled(function: Any, device: str, *arguments: Any) -> Any:
    """The program for these arguments, compiled unless another plan has led to the very same one.

    What JAX cannot trace, in a plugin's function say, is told in one line.
    """
    import jax

    try:
        lowered = function.lower(*arguments)
    except jax.errors.JAXTypeError as error:
        first = str(error).partition("\n")[0]
        msg = f"JAX cannot compile this step ({type(error).__name__}: {first})"
        raise BackendError(msg) from error
    question = (device, lowered.in_tree, lowered.out_tree, lowered.as_text())
    if question not in _programs:
        while len(_programs) >= PROGRAMS_KEPT:
            del _programs[next(iter(_programs))]
        _programs[question] = lowered.compile()
    return _programs[question]


def _update(plan: StepPlan) -> Update:
    """The reference step as a function of arrays alone."""
    differentiate, update = back_propagation(plan), update_rule(plan)

    def once(carry: Carry, batch: Data, noise: dict[int, Array], rate: Array, step: Array) -> tuple[Carry, Array]:
        result = differentiate(carry[0], batch.x, batch.y, noise, batch.weights)
        return update(*carry, result, rate, step), result.loss

    return once


def _gather(data: Data, index: Array) -> Data:
    import jax.numpy as xp

    # out of bounds it would give rows of NaN, at twice the price; the bounds are checked on the host
    return Data(*(None if each is None else xp.take(each, index, axis=0, mode="clip") for each in data))


def _loop(update: Update, trained: Sequence[str], carry: Carry, feed: Feed, count: Array) -> tuple[Carry, Looped]:
    """``count`` updates, or as many as leave finite numbers and one more."""
    import jax

    xp = jax.numpy

    def going(held: tuple[Array, Array, Carry, Array]) -> Array:
        i, well, *_ = held
        return (i < count) & well

    def body(held: tuple[Array, Array, Carry, Array]) -> tuple[Array, Array, Carry, Array]:
        i, _, carry, losses = held
        batch, noise = jax.tree.map(lambda each: each[i], (feed.batches, feed.noise))
        carry, loss = update(carry, batch, noise, feed.rates[i], feed.first + i)
        well = _all_finite(loss, [carry[0][name] for name in trained])
        return i + 1, well, carry, losses.at[i].set(loss)

    start = (np.int32(0), np.bool_(True), carry, xp.zeros_like(feed.rates))
    taken, well, carry, losses = jax.lax.while_loop(going, body, start)
    return carry, Looped(losses, taken, well)


def _all_finite(loss: Array, arrays: Sequence[Array]) -> Array:
    """Whether loss and arrays are finite: their sum of squares, which JAX takes fast, says so unless it overflows."""
    import jax

    total = sum((jax.numpy.vdot(each, each) for each in arrays), loss)
    told = jax.numpy.isfinite(total)
    return jax.lax.cond(told, lambda: told, lambda: all_finite_on_device(jax.numpy, [loss, *arrays]))
