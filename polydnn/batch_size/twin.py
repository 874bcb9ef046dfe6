"""A training in a copy of its own: what is measured on it leaves the trainer, its network and its history alone."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from polydnn.arrays import Backend
from polydnn.execution import Choice, Executor, FirstBatch, Key, PureExecutor, StepPlan, choose, reference_step
from polydnn.execution.executor import executor_of
from polydnn.layers import Normalization
from polydnn.network import Network
from polydnn.training import Trainer
from polydnn.training.batches import Rows, epoch_batches
from polydnn.training.placement import place_fit
from polydnn.training.snapshot import fingerprint
from polydnn.training.weights import ClassWeight
from polydnn.types import Parameters

__all__ = ["Twin", "copy_trainer", "first_arrays", "twin_of"]


def copy_trainer(trainer: Trainer, **changes: Any) -> Trainer:
    """A new trainer like this one, before its first fit: its network a copy, without callbacks and without history.

    What it shares with the original, layers, loss, optimizer and executors, is never changed by training. ``changes``
    are arguments of the trainer to set otherwise.
    """
    network = trainer.network
    items = ("loss", "optimizer", "schedule", "metrics", "executors")
    arguments = {name: getattr(trainer, name) for name in items} | trainer.settings
    return Trainer(network.to(network.backend), **arguments | changes)


@dataclass(frozen=True)
class Twin:
    """A copy of a trainer with the rows of a fit in place."""

    trainer: Trainer
    rows: Rows
    validation: Rows | None = None

    @property
    def plan(self) -> StepPlan:
        """What its steps are made of."""
        return self.trainer.plan

    @property
    def backend(self) -> Backend:
        """Where it computes."""
        return self.trainer.network.backend

    @cached_property
    def fingerprint(self) -> str:
        """The digest of its rows that a fit would keep."""
        return fingerprint(self.trainer, self.rows, self.validation)

    def choice(self, size: int, execution: str | None = None) -> Choice:
        """The executor that a fit with batches of ``size`` rows would use; ``execution`` stands in for the trainer's.

        It has run one batch; load it before use.
        """
        trainer = self.trainer
        batch = next(epoch_batches(self.rows, size, trainer.seed, 0, self.backend))
        first = FirstBatch(
            trainer.network.arrays,
            trainer.optimizer_state,
            batch.x,
            batch.y,
            trainer.learning_rate,
            Key(trainer.seed, 1),
            batch.weights,
            bundles=size < len(self.rows),
        )
        return choose(self.plan, first, trainer.executors, execution or trainer.execution)

    def executor(self, name: str) -> Executor:
        """A new executor of that name, loaded with the copy's parameters and a first optimizer state."""
        builders = {each.name: each.build for each in self.trainer.executors}
        if name in builders:
            made = executor_of(self.plan, builders[name](self.plan))
        else:
            made = PureExecutor(self.plan, reference_step(self.plan))
        self.load(made)
        return made

    @property
    def untrained(self) -> bool:
        """Whether the network has the first weights of its own seed still."""
        network, host = self.trainer.network, self.backend.to_numpy
        first = first_arrays(network, network.seed)
        return all(np.array_equal(host(first[name]), host(array)) for name, array in network.arrays.items())

    def load(self, executor: Executor) -> None:
        """Put the executor back to where the copy stands."""
        executor.load(self.trainer.network.arrays, self.trainer.optimizer_state)


def first_arrays(network: Network, seed: int) -> Parameters:
    """What a network of the same make starts from with ``seed``, with the constants that its normalizations learnt."""
    fresh = Network(
        network.in_features,
        network.layers,
        backend=network.backend,
        dtype=network.dtype,
        seed=seed,
        target_normalization=network.target_normalization,
        task=network.task,
    )
    owners = ("target.", "layers.0.") if isinstance(network.layers[0], Normalization) else ("target.",)
    constants = {name: array for name, array in network.arrays.items() if name.startswith(owners)}
    return {**fresh.arrays, **constants}


def twin_of(
    trainer: Trainer,
    x: object,
    y: object,
    *,
    sample_weight: object | None = None,
    class_weight: ClassWeight | None = None,
    validation_fraction: float | None = None,
) -> Twin:
    """A copy of ``trainer`` with the rows x (n, in_features) and y that its ``fit`` would train on.

    Raises as ``fit`` does for rows that it would refuse.
    """
    copy = copy_trainer(trainer)
    rows, validation = place_fit(
        copy.network,
        copy.loss,
        x,
        y,
        seed=copy.seed,
        sample_weight=sample_weight,
        class_weight=class_weight,
        validation_data=None,
        validation_fraction=validation_fraction,
    )
    return Twin(copy, rows, validation)
