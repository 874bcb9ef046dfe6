"""What a training step is made of: the one record that the reference step and every executor are built from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from polydnn.activations import identity, sigmoid, softmax
from polydnn.arrays import Backend, stream
from polydnn.layers import Dense, Layer
from polydnn.losses.loss import LogitsForm, Loss
from polydnn.network import Network
from polydnn.optimizers.optimizer import Optimizer, State
from polydnn.types import Array, Parameters

__all__ = ["Key", "Noise", "OptimizerState", "Penalties", "Step", "StepPlan", "first_state"]

LINEAR = identity()
JOINED = {each.name: each.forward for each in (sigmoid(), softmax())}
"""What the built-in losses mean by the names in their stable forms; another function may bear the same name."""

OptimizerState: TypeAlias = dict[str, State]
"""The optimizer's state of every parameter, by the parameter's name."""

Noise: TypeAlias = Mapping[int, Array]
"""The random arrays of one step by the number of the layer that asked for them."""


class Key(NamedTuple):
    """Where in the random stream a step stands: the run's seed and the step's number, counted from 1."""

    seed: int
    step: int


class Step(Protocol):
    """One update of all parameters from one batch; pure: it returns new mappings and changes no array."""

    def __call__(
        self,
        parameters: Parameters,
        optimizer_state: OptimizerState,
        x: Array,
        y: Array,
        learning_rate: float | Array,
        key: Key,
        weights: Array | None = None,
    ) -> tuple[Parameters, OptimizerState, Array]: ...


@dataclass(frozen=True)
class Penalties:
    """What is added to the cost or taken from the gradients.

    ``l1`` and ``l2`` add l1 * sum |W| + l2 / 2 * sum W^2 over the weights to the cost; ``weight_decay`` is decoupled
    (see Optimizer; None means the optimizer's own). Biases are left alone by all three. ``clip_value`` bounds every
    element of the gradients, ``clip_norm`` the norm of all gradients together.
    """

    l1: float = 0.0
    l2: float = 0.0
    weight_decay: float | None = None
    clip_value: float | None = None
    clip_norm: float | None = None


@dataclass(frozen=True)
class StepPlan:
    """Network, loss, optimizer and penalties of a fit, with what follows from them worked out once.

    ``layers`` are the network's, but where the loss has a stable form for the last activation, ``form`` is that form
    and the last layer stops at its pre-activation.
    """

    network: Network
    loss: Loss
    optimizer: Optimizer
    penalties: Penalties = field(default_factory=Penalties)

    @property
    def backend(self) -> Backend:
        """Where the step runs."""
        return self.network.backend

    @cached_property
    def form(self) -> LogitsForm | None:
        """The stable form that joins the loss with the last activation, if there is one."""
        last = self.network.layers[-1]
        if not isinstance(last, Dense):
            return None
        name, forward = last.activation.name, last.activation.forward
        return self.loss.logits_forms.get(name) if JOINED.get(name, forward) is forward else None

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers a step runs through."""
        *inner, last = self.network.layers
        if self.form is not None and isinstance(last, Dense):
            last = last.with_activation(LINEAR)
        return (*inner, last)

    @cached_property
    def names(self) -> tuple[dict[str, str], ...]:
        """For every layer its arrays: short name to full name."""
        found: list[dict[str, str]] = [{} for _ in self.network.layers]
        for full in self.network.arrays:
            owner, _, rest = full.partition(".")
            if owner == "layers":
                index, _, short = rest.partition(".")
                found[int(index)][short] = full
        return tuple(found)

    @cached_property
    def weight_names(self) -> frozenset[str]:
        """The parameters that penalties and weight decay reach: weights, not biases."""
        return frozenset(name for name in self.network.parameter_names if name.endswith(".weight"))

    @cached_property
    def random_layers(self) -> tuple[int, ...]:
        """The numbers of the layers that draw random numbers."""
        return tuple(index for index, layer in enumerate(self.network.layers) if layer.random)

    def host_noise(self, key: Key, rows: int) -> dict[int, np.ndarray[Any, Any]]:
        """The random arrays that the step at ``key`` needs for a batch of ``rows``, as they are drawn on the host."""
        drawn: dict[int, np.ndarray[Any, Any]] = {}
        for index in self.random_layers:
            generator = stream(key.seed, "dropout", key.step, index)
            drawn[index] = np.asarray(self.network.layers[index].noise(rows, self.network.widths[index], generator))
        return drawn

    def noise(self, key: Key, rows: int) -> Noise:
        """``host_noise``, moved to the device."""
        dtype = self.network.real_dtype
        return {index: self.backend.asarray(host, dtype=dtype) for index, host in self.host_noise(key, rows).items()}

    def describe(self) -> dict[str, Any]:
        """The plan in plain values, for messages and reports."""
        return {
            "backend": self.backend.name,
            "dtype": self.network.dtype,
            "widths": list(self.network.widths),
            "layers": [repr(layer) for layer in self.network.layers],
            "loss": self.loss.name,
            "optimizer": self.optimizer.name,
        }


def first_state(plan: StepPlan) -> OptimizerState:
    """The optimizer's state before the first step, for every parameter."""
    xp = plan.backend.xp
    return {name: plan.optimizer.init(array, xp=xp) for name, array in plan.network.parameters.items()}
