"""JAX with optax: the step as one jit-compiled function with donated weights."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from peer_frameworks.framework import BETA1, BETA2, EPS, Arrays, Framework, Problem

__all__ = ["JaxJit"]

State = tuple[list[jax.Array], Any]


class JaxJit(Framework):
    """One call of XLA a step; in an epoch the rows are gathered in that same call."""

    libraries = ("jax", "jaxlib", "optax")

    def load(self, problem: Problem, weights: Arrays) -> None:
        jax.config.update("jax_default_matmul_precision", "highest")  # float32 is float32 on a GPU as well
        self.problem, self.initial = problem, weights
        x, y = problem.data
        self.x, self.y = jnp.asarray(x), jnp.asarray(y.astype(np.int32) if y.ndim == 1 else y)
        self.batch = (jnp.array(self.x[: problem.batch_size]), jnp.array(self.y[: problem.batch_size]))
        rate = problem.learning_rate
        self.optimizer = (
            optax.sgd(rate) if problem.optimizer == "sgd" else optax.adam(rate, b1=BETA1, b2=BETA2, eps=EPS)
        )
        self.key = jax.random.key(3)
        self.build()
        self.reset()

    def build(self) -> None:
        """The compiled functions."""
        self.on_batch = jax.jit(self.step, donate_argnums=0)
        self.on_rows = jax.jit(self._gathered_step, donate_argnums=0)
        self.shuffled = jax.jit(lambda key: jax.random.permutation(key, len(self.x)))

    def cost(self, values: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
        """The mean loss of a batch."""
        for place in range(0, len(values), 2):
            x = x @ values[place] + values[place + 1]
            if place < len(values) - 2:
                x = jax.nn.relu(x)
        if y.ndim == 1:
            return optax.softmax_cross_entropy_with_integer_labels(x, y).mean()
        return jnp.mean(jnp.square(x - y))

    def step(self, state: State, x: jax.Array, y: jax.Array) -> tuple[State, jax.Array]:
        """One update, pure; the loss before it."""
        values, slots = state
        loss, gradients = jax.value_and_grad(self.cost)(values, x, y)
        moves, slots = self.optimizer.update(gradients, slots, values)
        return (optax.apply_updates(values, moves), slots), loss

    def _gathered_step(
        self, state: State, x: jax.Array, y: jax.Array, order: jax.Array, start: int
    ) -> tuple[State, jax.Array]:
        index = jax.lax.dynamic_slice_in_dim(order, start, self.problem.batch_size)
        return self.step(state, x[index], y[index])

    def reset(self) -> None:
        values = [jnp.array(each) for each in self.initial]
        self.state: State = jax.block_until_ready((values, self.optimizer.init(values)))

    def steps(self, count: int) -> None:
        state, (x, y) = self.state, self.batch
        for _ in range(count):
            state, _ = self.on_batch(state, x, y)
        self.state = jax.block_until_ready(state)

    def epochs(self, count: int) -> None:
        state, x, y, size = self.state, self.x, self.y, self.problem.batch_size
        for _ in range(count):
            self.key, key = jax.random.split(self.key)
            order = self.shuffled(key)
            for start in range(0, len(x), size):
                state, _ = self.on_rows(state, x, y, order, start)
        self.state = jax.block_until_ready(state)

    def losses(self, count: int) -> list[float]:
        found = []
        for _ in range(count):
            self.state, loss = self.on_batch(self.state, *self.batch)
            found.append(float(loss))
        return found

    def parameters(self) -> Arrays:
        return [np.asarray(each) for each in self.state[0]]

    def device_bytes(self) -> int | None:
        found = jax.devices()[0].memory_stats() if self.device == "cuda" else None
        return None if found is None else int(found["peak_bytes_in_use"])
