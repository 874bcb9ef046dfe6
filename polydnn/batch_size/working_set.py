"""What a step touches and does: bytes of its working set, the cache that holds them, operations, least traffic.

    working set = itemsize (P (2 + slots) + B (m_x + 2 sum of the layers' widths))

for P parameters, their gradients, the optimizer's slots, B rows of m_x inputs, and the value and the gradient of every
layer's output. Targets and the scratch memory of libraries are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from polydnn.execution.plan import StepPlan, first_state
from polydnn.layers import Dense
from polydnn.types import Array, Namespace

__all__ = ["HOLDINGS", "MEMORY", "Holding", "StepCounts", "WorkingSet", "cache_level", "count_step"]

MEMORY = "memory"
"""The level of a working set that no cache holds."""


@dataclass(frozen=True)
class Holding:
    """How many copies of each kind of array the step of an executor works on."""

    parameters: int = 1
    gradients: int = 1
    state: int = 1


HOLDINGS = {"reference": Holding(parameters=2, state=2)}
"""By the executor's name; the reference step is pure and writes parameters and state anew. Others hold one of each."""


@dataclass(frozen=True)
class WorkingSet:
    """The bytes of a step of one batch size, by what they hold."""

    parameters: int
    gradients: int
    optimizer_state: int
    activations: int
    batch: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.parameters + self.gradients + self.optimizer_state + self.activations + self.batch


@dataclass(frozen=True)
class StepCounts:
    """The counts of a plan's step, from which those of every batch size follow.

    Bytes: ``parameters``, ``state`` (one copy), and per row ``activations`` and ``batch``. Operations (a multiplication
    and an addition are two): ``row_flops`` of the matrix products per row. Traffic in bytes, every operand of every
    operation read once and every result written once: ``fixed_traffic`` and ``row_traffic`` per row.
    """

    parameters: int
    state: int
    activations: int
    batch: int
    row_flops: int
    fixed_traffic: int
    row_traffic: int
    holding: Holding = Holding()

    def working_set(self, batch_size: int) -> WorkingSet:
        """The bytes of a step of ``batch_size`` rows."""
        held = self.holding
        return WorkingSet(
            parameters=held.parameters * self.parameters,
            gradients=held.gradients * self.parameters,
            optimizer_state=held.state * self.state,
            activations=batch_size * self.activations,
            batch=batch_size * self.batch,
        )

    def flops(self, batch_size: int) -> int:
        """Floating-point operations of the matrix products of a step; what is done element by element is left out."""
        return batch_size * self.row_flops

    def bytes_moved(self, batch_size: int) -> int:
        """The least traffic of a step between the arithmetic and whatever holds the arrays, in bytes."""
        return self.fixed_traffic + batch_size * self.row_traffic

    def largest_in(self, capacity: int) -> int:
        """The largest batch size whose working set fits into ``capacity`` bytes; 0 where none does."""
        fixed = self.working_set(0).total
        return max(0, (capacity - fixed) // (self.activations + self.batch))


def count_step(plan: StepPlan, execution: str = "") -> StepCounts:
    """The counts of the plan's step; ``execution`` names the executor that runs it.

    The optimizer's slots are counted by making its state once, which needs that much memory for a moment.

    >>> import polydnn
    >>> trainer = polydnn.Trainer(polydnn.Network(3, [polydnn.Dense(2)]), loss="mean_squared_error", optimizer="adam")
    >>> count_step(trainer.plan).working_set(10).total == 4 * (8 * (2 + 2) + 10 * (3 + 2 * 2))
    True
    """
    network, xp = plan.network, plan.backend.xp
    item = _itemsize(network.real_dtype, xp)
    parameters = sum(_bytes(each, xp) for each in network.parameters.values())
    state = sum(_bytes(array, xp) for slots in first_state(plan).values() for array in slots.values())
    widths = network.widths
    masks = sum(width for width, layer in zip(widths[:-1], network.layers, strict=True) if layer.random)
    row_flops, read_back, row_values = _dense_counts(plan)
    # forward reads the parameters, back the weights again and writes gradients; the update reads the gradients, and
    # reads and writes parameters and state
    fixed = 5 * parameters + read_back * item + 2 * state
    return StepCounts(
        parameters=parameters,
        state=state,
        activations=item * (2 * sum(widths[1:]) + masks),
        batch=item * widths[0],
        row_flops=row_flops,
        fixed_traffic=fixed,
        row_traffic=item * (row_values + 2 * widths[0]),  # and a batch is gathered: read and written
        holding=HOLDINGS.get(execution, Holding()),
    )


def _dense_counts(plan: StepPlan) -> tuple[int, int, int]:
    """Per row the operations of the products; the weights that are read on the way back; per row the values moved."""
    network = plan.network
    flops = read_back = values = 0
    first = True
    for layer, inputs, outputs in zip(network.layers, network.widths[:-1], network.widths[1:], strict=True):
        if not isinstance(layer, Dense):
            values += 2 * (inputs + outputs)  # reads and writes a value and a gradient
            continue
        products = 2 if first else 3  # the first dense layer sends no gradient further back
        flops += products * 2 * inputs * outputs
        # x W: x, z; activation: z, y, and back: dy, y, dz; x' dz: x, dz; and dz W' where it goes on: dz, dx
        values += 2 * inputs + 7 * outputs
        if not first:
            read_back += inputs * outputs
            values += inputs + outputs
        first = False
    return flops, read_back, values


def cache_level(working_set_bytes: int, caches: Mapping[str, int]) -> str:
    """The smallest cache that holds so many bytes, by name; "memory" where none does.

    >>> cache_level(500_000, {"L1d": 48 * 2**10, "L2": 2**20, "L3": 2**25})
    'L2'
    >>> cache_level(2**26, {"L1d": 48 * 2**10, "L2": 2**20, "L3": 2**25})
    'memory'
    """
    fitting = [(size, name) for name, size in caches.items() if working_set_bytes <= size]
    return min(fitting)[1] if fitting else MEMORY


def _bytes(array: Array, xp: Namespace) -> int:
    return int(np.prod(array.shape)) * _itemsize(array.dtype, xp)


def _itemsize(dtype: object, xp: Namespace) -> int:
    facts = xp.finfo(dtype) if xp.isdtype(dtype, "real floating") else xp.iinfo(dtype)
    return int(facts.bits) // 8
