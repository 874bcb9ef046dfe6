"""Items carry their name and options, and options that do not fit are explained."""

import functools

import numpy as np
import pytest

from polydnn.activations import Activation
from polydnn.errors import InvalidArgumentError, PluginError, ShapeError
from polydnn.registry import ActivationSpec, PluginSettings, Registry, hookimpl


def forward(z, *, xp):
    return z


def derivative(z, y, *, xp):
    return xp.ones_like(z)


@pytest.fixture
def make(plugin):
    """Registers one factory as the activation "bent" and makes it."""

    def making(factory, **options):
        @hookimpl
        def polydnn_activations():
            return [ActivationSpec("bent", factory)]

        return Registry([plugin("x", polydnn_activations)], settings=PluginSettings()).make(
            "activation", "bent", **options
        )

    return making


def bent(alpha=0.1, *, beta=None, gammas=(1, 2)):
    return Activation("bent", forward, derivative)


def test_options_are_completed_with_what_a_file_can_hold(make):
    assert make(bent).options == {"alpha": 0.1, "beta": None, "gammas": (1, 2)}
    assert make(bent, alpha=0.2, beta=0.3).options == {"alpha": 0.2, "beta": 0.3, "gammas": (1, 2)}


@pytest.mark.parametrize("number", [np.float32(2.0), np.int64(2), np.asarray(2.0)])
def test_numbers_of_numpy_become_plain_ones_that_a_file_can_hold(make, number):
    options = make(bent, alpha=number).options
    assert options["alpha"] == 2
    assert type(options["alpha"]) in (int, float)


def test_options_and_name_that_the_factory_wrote_stay(make):
    item = Activation("bent", forward, derivative, options={"alpha": 7})
    assert make(lambda alpha=0.1: item, alpha=1) is item


def test_a_name_that_would_not_be_found_again_is_replaced(make):
    assert make(lambda: Activation("Bent", forward, derivative)).name == "bent"


def test_a_factory_may_be_a_class_or_a_partial(make):
    class Bent(Activation):
        def __init__(self, alpha=0.1):
            super().__init__("bent", forward, derivative, options={"alpha": alpha})

    assert make(Bent, alpha=2).options == {"alpha": 2}
    assert make(functools.partial(bent, gammas=()), alpha=2).options == {"alpha": 2, "beta": None, "gammas": ()}


def test_a_factory_that_takes_anything_is_not_second_guessed(make):
    assert make(lambda **anything: Activation("bent", forward, derivative), alpha=2).options == {"alpha": 2}


OPTIONS = {
    "misspelt": (
        bent,
        {"alhpa": 1},
        r"^activation 'bent' of polydnn-x 1\.0 has no option 'alhpa'; "
        r"possible: alpha, beta, gammas\. Did you mean 'alpha'\?$",
    ),
    "none possible": (
        lambda: Activation("bent", forward, derivative),
        {"alpha": 1},
        r"^activation 'bent' of polydnn-x 1\.0 takes no options, found 'alpha'\.$",
    ),
    "missing": (
        lambda slope, offset: None,
        {"slope": 1},
        r"^activation 'bent' of polydnn-x 1\.0 needs the option 'offset'\.$",
    ),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_that_do_not_fit(make, case):
    factory, options, text = OPTIONS[case]
    with pytest.raises(InvalidArgumentError, match=text):
        make(factory, **options)


def raising(error):
    def factory(alpha=0.1):
        raise error

    return factory


@pytest.mark.parametrize("error", [ValueError("alpha is negative"), TypeError("alpha is negative")])
def test_an_option_that_the_factory_refuses(make, error):
    text = rf"^activation 'bent' of polydnn-x 1\.0 refused alpha=-1: {type(error).__name__}: alpha is negative$"
    with pytest.raises(InvalidArgumentError, match=text):
        make(raising(error), alpha=-1)


def test_a_factory_that_fails_is_named(make):
    with pytest.raises(
        PluginError, match=r"^activation 'bent' of polydnn-x 1\.0 could not be made: KeyError: 'table'$"
    ):
        make(raising(KeyError("table")))


def test_an_error_of_polydnn_passes(make):
    with pytest.raises(ShapeError, match=r"^as it is$"):
        make(raising(ShapeError("as it is")))


def test_what_a_factory_returns_is_checked(make):
    text = (
        r"^the factory of activation 'bent' of polydnn-x 1\.0 must return a polydnn\.Activation, found an object of "
        r"type int; report it to the authors of polydnn-x\.$"
    )
    with pytest.raises(PluginError, match=text):
        make(lambda: 3)


def test_a_built_in_is_named_without_its_package():
    with pytest.raises(
        InvalidArgumentError, match=r"^optimizer 'sgd' has no option 'momentm'; possible: momentum, nesterov\."
    ):
        Registry([], settings=PluginSettings()).make("optimizer", "sgd", momentm=1)
