"""JAX with many steps in one call of XLA: lax.scan over steps, and over a whole epoch."""

import jax

from peer_frameworks.framework import Arrays, Problem
from peer_frameworks.jax_jit import JaxJit, State

__all__ = ["JaxScan"]


class JaxScan(JaxJit):
    """``block`` steps on the batch in one call; an epoch with its gathering is one call."""

    def load(self, problem: Problem, weights: Arrays) -> None:
        self.block = max(1, min(64, int(2e10 / problem.products_flop)))  # a call takes a second at most
        super().load(problem, weights)
        self.notes = [f"{self.block} steps a call"]

    def build(self) -> None:
        self.on_batch_often = jax.jit(self._scan, static_argnums=3, donate_argnums=0)
        self.on_rows = jax.jit(self._epoch, donate_argnums=0)

    def _scan(self, state: State, x: jax.Array, y: jax.Array, length: int) -> tuple[State, jax.Array]:
        return jax.lax.scan(lambda state, _: self.step(state, x, y), state, length=length)

    def _epoch(self, state: State, x: jax.Array, y: jax.Array, key: jax.Array) -> tuple[State, jax.Array]:
        order = jax.random.permutation(key, len(x)).reshape(-1, self.problem.batch_size)
        return jax.lax.scan(lambda state, index: self.step(state, x[index], y[index]), state, order)

    def steps(self, count: int) -> None:
        state, (x, y) = self.state, self.batch
        for _ in range(count // self.block):
            state, _ = self.on_batch_often(state, x, y, self.block)
        self.state = jax.block_until_ready(state)

    def epochs(self, count: int) -> None:
        state = self.state
        for _ in range(count):
            self.key, key = jax.random.split(self.key)
            state, _ = self.on_rows(state, self.x, self.y, key)
        self.state = jax.block_until_ready(state)

    def losses(self, count: int) -> list[float]:
        self.state, found = self.on_batch_often(self.state, *self.batch, count)
        return [float(each) for each in found]
