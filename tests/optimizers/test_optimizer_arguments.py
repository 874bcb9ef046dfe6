"""What optimizers refuse to be made with, and in which words."""

from typing import Any

import pytest

from polydnn.errors import InvalidArgumentError
from polydnn.optimizers import adagrad, adam, adamw, rmsprop, sgd

FACTORIES = {"adagrad": adagrad, "adam": adam, "adamw": adamw, "rmsprop": rmsprop, "sgd": sgd}

ARGUMENT_ERRORS = [
    ("sgd", {"momentum": 1.0}, "sgd: momentum must be a number in [0, 1), found 1.0."),
    ("sgd", {"momentum": -0.1}, "sgd: momentum must be a number in [0, 1), found -0.1."),
    ("sgd", {"momentum": float("nan")}, "sgd: momentum must be a number in [0, 1), found nan."),
    ("sgd", {"momentum": True}, "sgd: momentum must be a number in [0, 1), found True."),
    ("sgd", {"momentum": "0.9"}, "sgd: momentum must be a number in [0, 1), found '0.9'."),
    ("sgd", {"momentum": None}, "sgd: momentum must be a number in [0, 1), found None."),
    ("sgd", {"momentum": 0.9, "nesterov": 1}, "sgd: nesterov must be True or False, found 1."),
    ("sgd", {"nesterov": True}, "sgd: nesterov needs a momentum above 0; try momentum=0.9."),
    ("rmsprop", {"decay": 1.0}, "rmsprop: decay must be a number in [0, 1), found 1.0."),
    ("rmsprop", {"momentum": 2}, "rmsprop: momentum must be a number in [0, 1), found 2."),
    ("rmsprop", {"eps": 0.0}, "rmsprop: eps must be a number in (0, inf), found 0.0."),
    ("rmsprop", {"centered": "yes"}, "rmsprop: centered must be True or False, found 'yes'."),
    ("rmsprop", {"eps_inside_sqrt": 0}, "rmsprop: eps_inside_sqrt must be True or False, found 0."),
    ("adagrad", {"initial_sum": -1.0}, "adagrad: initial_sum must be a number in [0, inf), found -1.0."),
    ("adagrad", {"eps": -1e-9}, "adagrad: eps must be a number in (0, inf), found -1e-09."),
    ("adagrad", {"eps_inside_sqrt": None}, "adagrad: eps_inside_sqrt must be True or False, found None."),
    ("adam", {"beta1": 1}, "adam: beta1 must be a number in [0, 1), found 1."),
    ("adam", {"beta2": -0.5}, "adam: beta2 must be a number in [0, 1), found -0.5."),
    ("adam", {"eps": float("inf")}, "adam: eps must be a number in (0, inf), found inf."),
    ("adam", {"eps": 10**400}, f"adam: eps must be a number in (0, inf), found {10**400}."),
    ("adam", {"amsgrad": 1}, "adam: amsgrad must be True or False, found 1."),
    ("adam", {"eps_hat": "no"}, "adam: eps_hat must be True or False, found 'no'."),
    ("adam", {"eps_inside_sqrt": 2}, "adam: eps_inside_sqrt must be True or False, found 2."),
    ("adamw", {"beta1": 1.5}, "adamw: beta1 must be a number in [0, 1), found 1.5."),
    ("adamw", {"weight_decay": -0.01}, "adamw: weight_decay must be a number in [0, inf), found -0.01."),
    ("adamw", {"weight_decay": [0.1]}, "adamw: weight_decay must be a number in [0, inf), found [0.1]."),
]


@pytest.mark.parametrize(("name", "options", "text"), ARGUMENT_ERRORS)
def test_argument_errors_name_argument_range_and_value(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        FACTORIES[name](**options)
    assert str(raised.value) == text
