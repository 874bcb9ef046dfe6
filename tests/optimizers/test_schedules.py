"""The schedules against PyTorch's schedulers, and their warm-up, lengths and errors by hand."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from polydnn.errors import InvalidArgumentError
from polydnn.optimizers import (
    Schedule,
    constant_schedule,
    cosine_schedule,
    exponential_schedule,
    step_schedule,
)

FACTORIES = {
    "constant": constant_schedule,
    "cosine": cosine_schedule,
    "exponential": exponential_schedule,
    "step": step_schedule,
}
each_schedule = pytest.mark.parametrize("name", FACTORIES)


def curve(schedule: Schedule, total: int) -> list[float]:
    return [schedule.factor(step, total) for step in range(1, total + 1)]


def torchs(name: str, total: int, **options: Any) -> list[float]:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of the schedules")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    rates = []
    for _ in range(total):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "kind", "options"),
    [
        (constant_schedule(), "ConstantLR", {"factor": 1.0}),
        (step_schedule(factor=0.5, every=7), "StepLR", {"step_size": 7, "gamma": 0.5}),
        (step_schedule(), "StepLR", {"step_size": 10, "gamma": 0.1}),
        (exponential_schedule(factor=0.9, every=1), "ExponentialLR", {"gamma": 0.9}),
        (exponential_schedule(factor=0.25, every=0.5), "ExponentialLR", {"gamma": 0.25 ** (1 / 15)}),
        (cosine_schedule(), "CosineAnnealingLR", {"T_max": 30}),
        (cosine_schedule(final=0.2), "CosineAnnealingLR", {"T_max": 30, "eta_min": 0.2}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_curves_are_pytorchs(schedule: Schedule, kind: str, options: dict[str, Any]) -> None:
    np.testing.assert_allclose(curve(schedule, 30), torchs(kind, 30, **options), rtol=1e-12)


@each_schedule
def test_warm_up_rises_to_one_and_the_schedule_begins_behind_it(name: str) -> None:
    warmed, plain = FACTORIES[name](warm_up=4), FACTORIES[name]()
    assert curve(warmed, 20)[:4] == [0.25, 0.5, 0.75, 1.0]
    assert curve(warmed, 20)[4:] == curve(plain, 16)


@each_schedule
def test_a_share_of_the_steps_is_a_length(name: str) -> None:
    assert curve(FACTORIES[name](warm_up=0.1), 50) == curve(FACTORIES[name](warm_up=5), 50)
    assert curve(FACTORIES[name](warm_up=0.0), 5) == curve(FACTORIES[name](), 5)


@each_schedule
def test_any_fit_however_short_has_a_factor(name: str) -> None:
    for warm_up in (0, 0.5, 3):
        for total in (1, 2, 3, 4):
            for step in range(1, total + 3):  # a fit prolonged beyond its plan goes on
                factor = FACTORIES[name](warm_up=warm_up).factor(step, total)
                assert type(factor) is float
                assert 0.0 <= factor <= 1.0


@pytest.mark.parametrize("total", [3, 6, 9, 30, 33, 300, 3000, 29_997])
def test_shares_drop_at_the_step_they_name(total: int) -> None:
    factors = curve(step_schedule(factor=0.5, every=1 / 3), total)
    assert [factors.count(level) for level in (1.0, 0.5, 0.25)] == [total // 3] * 3


@pytest.mark.parametrize("total", range(1, 100))
def test_drops_stand_where_exact_fractions_put_them(total: int) -> None:
    wanted = [Fraction(1, 2) ** (Fraction(10 * done, total).__floor__()) for done in range(total)]
    assert curve(step_schedule(factor=0.5, every=0.1), total) == wanted


@each_schedule
def test_a_prolonged_fit_does_not_speed_up_again(name: str) -> None:
    schedule = FACTORIES[name]()
    assert schedule.factor(30, 20) <= schedule.factor(20, 20)


@each_schedule
def test_options_make_the_same_schedule_again(name: str) -> None:
    made = FACTORIES[name](warm_up=0.25)
    assert made.name == name
    assert made.options["warm_up"] == 0.25
    assert curve(FACTORIES[name](**made.options), 13) == curve(made, 13)


STEPS = "must be a whole number of steps from {} up, or a share of all steps between 0 and 1, found {}."


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("step", {"factor": 0.0}, "step_schedule: factor must be a number in (0, 1], found 0.0."),
        ("step", {"factor": "half"}, "step_schedule: factor must be a number in (0, 1], found 'half'."),
        ("step", {"every": 0}, "step_schedule: every " + STEPS.format(1, 0)),
        ("step", {"every": 1.0}, "step_schedule: every " + STEPS.format(1, 1.0)),
        ("step", {"every": float("nan")}, "step_schedule: every " + STEPS.format(1, "nan")),
        ("exponential", {"every": 2.5}, "exponential_schedule: every " + STEPS.format(1, 2.5)),
        ("exponential", {"factor": 1.5}, "exponential_schedule: factor must be a number in (0, 1], found 1.5."),
        ("cosine", {"final": -0.1}, "cosine_schedule: final must be a number in [0, 1], found -0.1."),
        ("cosine", {"warm_up": -1}, "cosine_schedule: warm_up " + STEPS.format(0, -1)),
        ("constant", {"warm_up": True}, "constant_schedule: warm_up " + STEPS.format(0, True)),
        ("constant", {"warm_up": "5"}, "constant_schedule: warm_up " + STEPS.format(0, "'5'")),
    ],
)
def test_argument_errors_name_argument_range_and_value(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        FACTORIES[name](**options)
    assert str(raised.value) == text
