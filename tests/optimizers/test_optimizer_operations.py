"""How many array operations one update takes: each is a pass over memory on a CPU and a launch on a GPU."""

from typing import Any

import numpy as np
import pytest

from polydnn.optimizers import adagrad, adam, rmsprop, sgd

FACTORIES = {"adagrad": adagrad, "adam": adam, "rmsprop": rmsprop, "sgd": sgd}


class Counting:
    """An array that counts the operations on it and on what comes of it."""

    calls = 0

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any) -> "Counting":
        Counting.calls += 1
        return Counting(ufunc(*(each.array if isinstance(each, Counting) else each for each in inputs)))


for operator in ("add", "radd", "sub", "mul", "rmul", "truediv"):
    name = operator.removeprefix("r") if operator.startswith("r") else operator
    ufunc = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide}[name]
    setattr(Counting, f"__{operator}__", lambda self, other, ufunc=ufunc: self.__array_ufunc__(ufunc, "", self, other))


@pytest.mark.parametrize(
    ("name", "options", "most"),
    [
        ("sgd", {}, 2),
        ("sgd", {"momentum": 0.9}, 4),
        ("sgd", {"momentum": 0.9, "nesterov": True}, 6),
        ("adagrad", {}, 7),
        ("rmsprop", {}, 8),
        ("adam", {}, 10),
        ("adam", {"amsgrad": True}, 11),
    ],
)
def test_array_operations_of_one_update(name: str, options: dict[str, Any], most: int) -> None:
    optimizer = FACTORIES[name](**options)
    state = {key: Counting(array) for key, array in optimizer.init(np.ones(2), xp=np).items()}
    Counting.calls = 0
    optimizer.update(Counting(np.ones(2)), state, Counting(np.ones(2)), learning_rate=0.1, step=3, xp=np)
    assert Counting.calls == most
