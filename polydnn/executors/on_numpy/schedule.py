"""How the rows of a batch are gone through: all at once, or in blocks that fit the caches, shared among threads."""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np

from polydnn.arrays import usable_threads
from polydnn.execution.executor import Data
from polydnn.execution.plan import StepPlan
from polydnn.execution.tuning import SETTLE, fastest_made
from polydnn.executors.on_numpy.blas import ALONE, Matrix, thread_limit
from polydnn.executors.on_numpy.block import Block
from polydnn.executors.on_numpy.buffers import Buffers, aligned
from polydnn.executors.on_numpy.team import parts_of, together
from polydnn.executors.on_numpy.updates import CHUNK
from polydnn.layers import Dense, Dropout, Normalization
from polydnn.types import Array

__all__ = ["Batch", "Schedule", "Threads", "Whole", "schedule_for"]

BLOCK_ROWS = 512
"""Rows whose activations stay in a second-level cache for layers of usual widths; enough for products at full speed."""

BLOCK_UNITS = 2**17
"""Rows times units of all layers that are a block at least: of narrow layers 512 rows are less work than the calls.
[8, 10, 1] and [8, 64, 1] took 0.71 and 2.2 ms for 16,384 rows in blocks of 512, and take 0.36 and 1.8."""

NARROW = 64
"""Widths of inputs and layers, added up, up to which two threads gain nothing.

With blocks of their own they hand Python's lock to and fro: 1.7 ms for 16,384 rows of [8, 10, 1] where one thread takes
0.4, and up to 4 beside another process. Those of a BLAS have too little to do in each product."""

SHARED_PRODUCT = 2**18
"""Multiplications beyond which a BLAS may give a product of matrices to several threads; OpenBLAS needs as many."""

FEWEST_SHARED = 128
"""Rows that a thread gets at least, where a batch is shared among threads."""

SURELY_SHARED = 1024
"""Rows from which on threads with blocks of their own are taken unmeasured. They wait for each other twice a step, not
at every product: 6 to 20 % less time for a step of [784, 512, 512, 10] on two quiet cores, more on busy ones."""

MOST_AT_ONCE = 4096
"""Rows beyond which a batch is always cut, for the sake of memory."""

LEAST_WORK = 2**22
"""Rows times parameters from which on anything but all rows at once is tried."""

ROW_WISE = (Dense.forward, Dropout.forward, Normalization.forward)
"""What layers compute that treat each row for itself, so that a batch may be cut."""


class Batch(NamedTuple):
    """A batch by its place in the data, the random arrays for it, and each row's share where rows have weights."""

    data: Data
    index: Any
    rows: int
    noise: Mapping[int, Array]
    shares: Matrix | None


class Threads(Enum):
    """What the products of a schedule get."""

    UNTOUCHED = "as many threads as the library likes, which gives one to products as small as these"
    ONE = "one thread, for the schedule has threads of its own, or two would be in each other's way"
    PACED = "as many as are fastest just now"


class Schedule(Protocol):
    """Forward and backward of a batch of one size."""

    threads: Threads

    def run(self, batch: Batch, learning_rate: float) -> tuple[Any, float | None]:
        """The loss, with the gradients in the buffers and None.

        Or, where the parameters were moved on the way back, an upper bound of the square of any element's move.
        """


class Whole:
    """All rows at once; ``direct`` says that parameters are moved on the way back."""

    def __init__(self, plan: StepPlan, buffers: Buffers, rows: int, *, direct: bool) -> None:
        self.threads = _threads_of_all_rows(plan, buffers, rows)
        with thread_limit(self.threads is Threads.ONE):
            self._block, self._direct = Block(plan, buffers, buffers.gradients, rows, direct=direct), direct
            if not direct:
                self._block.prepare(first=True)

    def run(self, batch: Batch, learning_rate: float) -> tuple[Any, float | None]:
        self.take(batch)
        loss = self.forward(batch)
        return loss, self.backward(learning_rate)

    def take(self, batch: Batch) -> None:
        self._block.take(batch.data, batch.index)

    def forward(self, batch: Batch) -> Any:
        return self._block.forward(batch.noise, 1.0 / batch.rows, batch.shares)

    def backward(self, learning_rate: float) -> float | None:
        if self._direct:
            return self._block.descend(learning_rate)
        self._block.backward(first=True)
        return None


class Shared:
    """Blocks of rows in turn, dealt out to ``shares`` threads that each add up gradients of their own.

    Which block belongs to which share is fixed, and so are the sums: one thread or many, the bits are the same. With
    ``direct`` the parameters are moved by the gradients as these are added up.
    """

    def __init__(self, plan: StepPlan, buffers: Buffers, rows: int, shares: int, *, direct: bool = False) -> None:
        self.threads = Threads.ONE if shares > 1 or _is_narrow(plan) else Threads.PACED
        self._buffers, self._direct = buffers, direct
        edges = [*range(0, rows, min(_block_rows(plan), -(-rows // shares))), rows]
        spans = [slice(start, end) for start, end in pairwise(edges)]
        self._spans = [spans[share::shares] for share in range(shares)]
        self._gradients = [buffers.gradients, *(aligned(buffers.size, buffers.dtype) for _ in range(shares - 1))]
        with thread_limit(self.threads is Threads.ONE):
            own = zip(self._spans, self._gradients, strict=True)
            self._blocks = [
                _blocks(plan, buffers, flat, [span.stop - span.start for span in each]) for each, flat in own
            ]

    def run(self, batch: Batch, learning_rate: float) -> tuple[Any, float | None]:
        loss = sum(together([partial(self._share, each, batch) for each in range(len(self._spans))]))
        parts = parts_of(self._buffers.size)
        if self._direct:
            return loss, sum(together([partial(self._descend, part, learning_rate) for part in parts]))
        together([partial(self._add_up, part) for part in parts])
        return loss, None

    def _add_up(self, part: slice) -> None:
        """The shares' gradients of one part of the parameters, added in the order of the shares."""
        total = self._gradients[0][part]
        for flat in self._gradients[1:]:
            np.add(total, flat[part], total)

    def _descend(self, part: slice, learning_rate: float) -> float:
        """Move one part of the parameters, a piece of cache at a time; the sum of the squares of its moves."""
        squares = 0.0
        for start in range(part.start, part.stop, CHUNK):
            piece = slice(start, min(start + CHUNK, part.stop))
            self._add_up(piece)
            move, parameters = self._gradients[0][piece], self._buffers.parameters[piece]
            np.multiply(move, learning_rate, move)
            np.subtract(parameters, move, parameters)
            squares += float(move.dot(move))
        return squares

    def _share(self, number: int, batch: Batch) -> Any:
        loss: Any = 0.0
        for turn, span in enumerate(self._spans[number]):
            block = self._blocks[number][span.stop - span.start]
            block.take(batch.data, _part(batch.index, span))
            noise = {layer: array[span] for layer, array in batch.noise.items()}
            shares = None if batch.shares is None else batch.shares[span]
            loss = loss + block.forward(noise, 1.0 / batch.rows, shares)
            block.backward(first=turn == 0)
        return loss


def _blocks(plan: StepPlan, buffers: Buffers, gradients: Matrix, sizes: Sequence[int]) -> dict[int, Block]:
    """By its rows each of the blocks that one thread goes through in turn."""
    blocks = {rows: Block(plan, buffers, gradients, rows, direct=False) for rows in set(sizes)}
    for turn, rows in enumerate(sizes):
        blocks[rows].prepare(first=turn == 0)
    return blocks


def _block_rows(plan: StepPlan) -> int:
    """The rows of a block: as many as are worth the calls."""
    return max(BLOCK_ROWS, BLOCK_UNITS // sum(plan.network.widths))


def _is_narrow(plan: StepPlan) -> bool:
    return sum(plan.network.widths) <= NARROW


def _threads_of_all_rows(plan: StepPlan, buffers: Buffers, rows: int) -> Threads:
    weights = [shape for shape in buffers.shapes.values() if len(shape) == 2]
    if buffers.size <= ALONE and not any(_is_shared(rows, inputs + 1, outputs) for inputs, outputs in weights):
        return Threads.UNTOUCHED
    return Threads.ONE if _is_narrow(plan) else Threads.PACED


def _is_shared(*sizes: int) -> bool:
    """Whether a library may give two threads to the product of so many rows, inputs and outputs."""
    return math.prod(sizes) > (ALONE if 1 in sizes else SHARED_PRODUCT)


def _part(index: Any, span: slice) -> Any:
    return slice(index.start + span.start, index.start + span.stop) if isinstance(index, slice) else index[span]


def schedule_for(plan: StepPlan, buffers: Buffers, rows: int, *, direct: bool) -> Schedule:
    """The fastest schedule for batches of ``rows``."""
    makers: dict[str, Callable[[], Schedule]] = {"whole": lambda: Whole(plan, buffers, rows, direct=direct)}
    threads = 1 if _is_narrow(plan) else min(usable_threads(), rows // FEWEST_SHARED)
    worth_cutting = rows > MOST_AT_ONCE or rows * buffers.size >= LEAST_WORK
    if rows >= 2 * FEWEST_SHARED and worth_cutting and all(type(layer).forward in ROW_WISE for layer in plan.layers):
        shared: dict[str, Callable[[], Schedule]] = {
            f"blocks by {threads}": partial(Shared, plan, buffers, rows, threads, direct=direct)
        }
        surely = rows > MOST_AT_ONCE or (threads > 1 and rows >= SURELY_SHARED)
        makers = shared if surely else makers | shared
    if len(makers) == 1:
        return next(iter(makers.values()))()
    question = {"what": "schedule", **plan.describe(), "rows": rows, "direct": direct, "threads": usable_threads()}
    trials = {name: partial(_trial, plan, buffers, make, rows) for name, make in makers.items()}
    kept = buffers.parameters.copy()
    chosen = fastest_made(question, trials, settle=SETTLE)[0]
    buffers.parameters[...] = kept  # a product with a factor of 0 is skipped, so that trials do move them a little
    return makers[chosen]()


def _trial(plan: StepPlan, buffers: Buffers, make: Callable[[], Schedule], rows: int) -> Callable[[], None]:
    return _timed(make(), buffers, Batch(_zeros(plan, rows), slice(0, rows), rows, {}, None))


def _timed(schedule: Schedule, buffers: Buffers, trial: Batch) -> Callable[[], None]:
    """A trial that hardly moves anything."""

    def call() -> None:
        with thread_limit(schedule.threads is Threads.ONE):
            _, moved = schedule.run(trial, 1e-30)
        if moved is None:  # the pass over the parameters that moving them on the way saves
            np.subtract(buffers.parameters, buffers.gradients, out=buffers.gradients)

    return call


def _zeros(plan: StepPlan, rows: int) -> Data:
    kinds = plan.loss.target_kind == "classes"
    y = np.zeros(rows, np.int64) if kinds else np.zeros((rows, plan.network.outputs), plan.network.dtype)
    return Data(np.zeros((rows, plan.network.in_features), plan.network.dtype), y)
