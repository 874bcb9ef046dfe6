"""``Trainer(batch_size="auto")``: measured once, told, and settled for good, in checkpoints as well."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.batch_size import automatic
from polydnn.batch_size.automatic import Chosen
from polydnn.errors import InvalidArgumentError, InvalidDataError

RNG = np.random.default_rng(4)
X = RNG.normal(size=(120, 3)).astype(np.float32)
Y = (X[:, :1] - X[:, 1:2]).astype(np.float32)


def trainer(batch_size: Any = "auto", **options: Any) -> polydnn.Trainer:
    network = polydnn.Network(3, [polydnn.Normalization("standard"), polydnn.Dense(4, "tanh"), polydnn.Dense(1)])
    return polydnn.Trainer(network, loss="mean_squared_error", optimizer="adam", batch_size=batch_size, **options)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the choice is asked for; it always answers 24."""
    calls: list[dict[str, Any]] = []

    def choose(trainer: Any, x: Any, y: Any, **options: Any) -> Chosen:
        calls.append(options)
        return Chosen(24, "24 it shall be.")

    monkeypatch.setattr(automatic, "choose_batch_size", choose)
    return calls


def test_a_real_choice_leaves_the_fit_of_that_number(caplog: pytest.LogCaptureFixture) -> None:
    one = trainer()
    with caplog.at_level(logging.INFO, logger="polydnn"):
        size = one.settle_batch_size(X, Y, budget=1.0)
    assert size == one.batch_size
    assert isinstance(size, int)
    assert 1 <= size <= 120
    assert f"batch_size='auto' chose {size}: {one.batch_size_reason}" in caplog.messages
    other = trainer(size)
    assert one.fit(X, Y, epochs=3)["loss"] == other.fit(X, Y, epochs=3)["loss"]
    assert all((one.network.arrays[name] == array).all() for name, array in other.network.arrays.items())


def test_it_is_measured_once_with_what_the_fit_is_given(asked: list[dict[str, Any]]) -> None:
    one = trainer()
    weights = np.linspace(0.5, 1.5, 120)
    one.fit(X, Y, epochs=1, sample_weight=weights, validation_fraction=0.25)
    one.fit(X, Y, epochs=1)
    assert len(asked) == 1
    assert asked[0]["sample_weight"] is weights
    assert asked[0]["validation_fraction"] == 0.25
    assert one.batch_size == 24
    assert one.batch_size_reason == "24 it shall be."
    assert one.progress is not None
    assert one.progress.step == -(-90 // 24) + 120 // 24


def test_a_number_is_never_measured(asked: list[dict[str, Any]]) -> None:
    one = trainer(10)
    one.fit(X, Y, epochs=1)
    assert one.settle_batch_size(X, Y) == 10
    assert one.batch_size_reason == ""
    assert not asked


class Stop(polydnn.Callback):
    def on_step_end(self, trainer: Any, loss: Any) -> None:
        if trainer.progress.step == 7:
            trainer.interrupted = "SIGTERM"


def test_a_resumed_run_does_not_measure_again_and_has_the_same_bits(
    asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    whole = trainer()
    whole.fit(X, Y, epochs=3)
    broken = trainer(callbacks=[Stop()])
    broken.fit(X, Y, epochs=3, checkpoints=tmp_path)
    assert len(asked) == 2
    resumed = polydnn.Trainer.resume(tmp_path)
    assert resumed.batch_size == 24
    resumed.fit(X, Y, epochs=3)
    assert len(asked) == 2
    assert resumed.history["loss"] == whole.history["loss"]
    assert all((whole.network.arrays[name] == array).all() for name, array in resumed.network.arrays.items())


def test_mistakes_come_before_the_measurement(asked: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidArgumentError, match="epochs must be a whole number"):
        trainer().fit(X, Y, epochs=0)
    with pytest.raises(InvalidArgumentError, match=r"batch_size must be .*, 'full' or 'auto', found 'atuo'"):
        trainer("atuo")
    assert not asked


def test_rows_that_a_fit_would_refuse_are_refused() -> None:
    one = trainer()
    with pytest.raises(InvalidDataError, match="x must be finite"):
        one.fit(X * np.inf, Y, epochs=1)
    assert one.fit(X, Y, epochs=1)["epoch"] == [1]
    assert one.batch_size_reason
