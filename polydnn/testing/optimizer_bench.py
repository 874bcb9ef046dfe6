"""An optimizer laid out for its checks: single updates as calls, and short runs that keep its own state objects."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from polydnn.arrays import Backend
from polydnn.optimizers.optimizer import Optimizer, State
from polydnn.testing.bench import Bench, Call, Host, draw, on_backend
from polydnn.testing.finding import Finding, raised
from polydnn.types import Array, Namespace

__all__ = ["RATE", "OptimizerBench", "as_state"]

RATE, STEP = 0.01, 3
PREFIX = "state."


class OptimizerBench(Bench):
    """An optimizer; a weight (rows, width) and a bias (width,) are moved along fixed gradients."""

    kind = "optimizer"
    item: Optimizer

    def calls(self, rows: int = 4, width: int = 3) -> list[Call]:
        return [
            call for shape in ((rows, width), (width,)) for call in (self._init_call(shape), self.update_call(shape))
        ]

    def update_call(self, shape: tuple[int, ...], learning_rate: Any = RATE, step: Any = STEP) -> Call:
        """The third update of a parameter of that shape; its state arrives as a plain mapping, as from a checkpoint."""
        parameter, state = self.run(self.numpy, "float64", shape, steps=2)
        held = {f"{PREFIX}{key}": np.asarray(value) for key, value in state.items()}
        label = f"update of a parameter {shape}"
        inputs = {"gradient": gradient(shape, STEP), "parameter": np.asarray(parameter), **held}
        outputs = ["the new parameter", *(f"the new state[{key!r}]" for key in state)]
        function = partial(self._update, label, learning_rate, step)
        return Call(label, function, inputs, dict.fromkeys(outputs, shape))

    def run(
        self,
        backend: Backend,
        dtype: str,
        shape: tuple[int, ...],
        *,
        steps: int,
        between: Callable[[State], State] = lambda state: state,
        distract: Callable[[], None] = lambda: None,
    ) -> tuple[Array, State]:
        """Several updates; ``between`` may replace the state and ``distract`` may do something else before each."""
        parameter = on_backend(draw("parameter", *shape), backend, dtype)
        state = self.start(parameter, backend.xp)
        for step in range(1, steps + 1):
            state = between(state)
            distract()
            slope = on_backend(gradient(shape, step), backend, dtype)
            parameter, state = self.step(slope, state, parameter, RATE, step, backend.xp)
        return parameter, state

    def start(self, parameter: Array, xp: Namespace) -> State:
        """init, with what it raises made a finding."""
        try:
            return self.item.init(parameter, xp=xp)
        except Exception as error:
            raise raised(error, "init(parameter)") from error

    def step(
        self, slope: Array, state: State, parameter: Array, learning_rate: Any, step: Any, xp: Namespace
    ) -> tuple[Array, State]:
        """update, with what it raises made a finding."""
        try:
            result = self.item.update(slope, state, parameter, learning_rate=learning_rate, step=step, xp=xp)
        except Exception as error:
            raise raised(error, "update(gradient, state, parameter)") from error
        if not isinstance(result, tuple) or len(result) != 2:
            shown = f"{len(result)} things" if isinstance(result, tuple) else f"one {type(result).__name__}"
            raise Finding(expected="(parameter, state) from update", found=shown)
        return result

    def _init_call(self, shape: tuple[int, ...]) -> Call:
        keys = [f"init's state[{key!r}]" for key in self.start(draw("parameter", *shape), self.numpy.xp)]
        inputs = {"parameter": draw("parameter", *shape)}
        return Call(f"init of a parameter {shape}", self._init, inputs, dict.fromkeys(keys, shape))

    def _init(self, arrays: Mapping[str, Array], xp: Namespace) -> dict[str, Array]:
        return {f"init's state[{key!r}]": value for key, value in self.start(arrays["parameter"], xp).items()}

    def _update(
        self, label: str, learning_rate: Any, step: Any, arrays: Mapping[str, Array], xp: Namespace
    ) -> dict[str, Array]:
        state = as_state(arrays)
        parameter, new = self.step(arrays["gradient"], state, arrays["parameter"], learning_rate, step, xp)
        return {"the new parameter": parameter} | {f"the new state[{key!r}]": value for key, value in new.items()}


def as_state(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The state among a call's inputs, as a plain dictionary."""
    return {name.removeprefix(PREFIX): value for name, value in arrays.items() if name.startswith(PREFIX)}


def gradient(shape: tuple[int, ...], step: int) -> Host:
    """The gradient of a step: of one size, and different from step to step."""
    return draw(f"gradient {step}", *shape)
