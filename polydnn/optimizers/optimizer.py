"""The contract of an optimizer: two pure functions, one that makes its state and one that takes a step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from polydnn.types import Array, Namespace, Options

__all__ = ["Init", "Optimizer", "State", "Update"]

State: TypeAlias = Mapping[str, Array]
"""Arrays by name, each shaped like the parameter it belongs to."""


class Init(Protocol):
    def __call__(self, parameter: Array, *, xp: Namespace) -> State: ...


class Update(Protocol):
    def __call__(
        self,
        gradient: Array,
        state: State,
        parameter: Array,
        *,
        learning_rate: float | Array,
        step: int | Array,
        xp: Namespace,
    ) -> tuple[Array, State]: ...


@dataclass(frozen=True)
class Optimizer:
    """How one parameter moves along its gradient.

    ``init(parameter, *, xp) -> state`` gives a mapping of arrays shaped like the parameter (empty where nothing is
    remembered). ``update(gradient, state, parameter, *, learning_rate, step, xp) -> (parameter, state)`` returns new
    arrays and changes none; ``step`` counts from 1; ``learning_rate`` and ``step`` are numbers, or 0-d arrays where an
    executor keeps them on the device.

    ``elementwise`` says that every element moves by its own gradient alone, so that an executor may run ``update`` once
    over all parameters laid end to end. ``weight_decay`` is decoupled: before the update every weight, but no bias, is
    multiplied by 1 - learning_rate * weight_decay. ``learning_rate`` is the default for trainers that are given none.
    """

    name: str
    init: Init
    update: Update
    elementwise: bool = False
    learning_rate: float = 0.01
    weight_decay: float = 0.0
    options: Options = field(default_factory=dict)
