"""What is polydnn's own is told by its functions, and plans with anything else are left to others."""

import sys
from typing import Any

import pytest
from polydnn_numba import numba_executor

import polydnn
from polydnn import Dense, Dropout, Network, Trainer


def chain(*layers: Any, loss: Any = "mean_squared_error", features: int = 5, **options: Any) -> Trainer:
    return Trainer(Network(features, list(layers)), loss=loss, **options)


def refused(trainer: Trainer) -> str:
    with pytest.raises(NotImplementedError) as caught:
        numba_executor(trainer.plan)
    return str(caught.value)


def test_a_function_of_another_package_is_not_mistaken_for_the_one_of_its_name() -> None:
    own = polydnn.activation("relu")
    leaky = polydnn.Activation("relu", lambda z, *, xp: xp.where(z > 0.0, z, 0.1 * z), derivative=own.derivative)
    assert "the activation 'relu' is not one of polydnn's own" in refused(chain(Dense(4, leaky), Dense(2)))
    bent = polydnn.Activation("relu", own.forward, derivative=lambda z, y, *, xp: xp.ones_like(z))
    assert "the activation 'relu' is not one of polydnn's own" in refused(chain(Dense(4, bent), Dense(2)))
    squared = polydnn.loss("mean_squared_error")
    doubled = polydnn.Loss(
        "mean_squared_error", lambda p, t, /, *, xp: 2.0 * squared.value(p, t, xp=xp), squared.gradient
    )
    assert "the loss 'mean_squared_error' is not one of polydnn's own" in refused(chain(Dense(2), loss=doubled))
    sgd = polydnn.optimizer("sgd")

    def update(gradient: Any, state: Any, parameter: Any, *, learning_rate: Any, step: Any, xp: Any) -> Any:
        return parameter + learning_rate * gradient, state

    ascent = polydnn.Optimizer("sgd", sgd.init, update, elementwise=True, options=sgd.options)
    assert "the optimizer 'sgd' is not one of polydnn's own" in refused(chain(Dense(2), optimizer=ascent))


def test_options_that_do_not_tell_the_truth_are_seen_through() -> None:
    slow = polydnn.optimizer(("adam", {"beta1": 0.5}))
    liar = polydnn.Optimizer("adam", slow.init, slow.update, options=polydnn.optimizer("adam").options)
    assert "the optimizer 'adam' is not one of polydnn's own" in refused(chain(Dense(2), optimizer=liar))
    wide = polydnn.activation(("elu", {"alpha": 2.0}))
    elu = polydnn.Activation("elu", wide.forward, derivative=wide.derivative, options={"alpha": 1.0})
    assert "the activation 'elu' is not one of polydnn's own" in refused(chain(Dense(4, elu), Dense(2)))


def test_a_stable_form_of_ones_own_is_not_mistaken() -> None:
    own = polydnn.loss("binary_cross_entropy")
    form = polydnn.LogitsForm(lambda z, t, /, *, xp: xp.sum(z - t, axis=-1), own.logits_forms["sigmoid"].gradient)
    other = polydnn.Loss(own.name, own.value, own.gradient, "probabilities", {"sigmoid": form}, on_probabilities=True)
    assert "the loss 'binary_cross_entropy' is not one" in refused(chain(Dense(1, "sigmoid"), loss=other))


def test_a_dense_layer_that_computes_something_else_is_not_mistaken() -> None:
    class Twice(Dense):
        def forward(self, arrays: Any, x: Any, noise: Any, *, xp: Any) -> Any:
            return super().forward(arrays, 2.0 * x, noise, xp=xp)

    assert "a layer Twice(" in refused(chain(Twice(4, "relu"), Dense(2)))


def test_other_layers_and_large_networks_without_hidden_ones_are_left_to_others() -> None:
    batch_normalization = chain(Dense(4, "relu"), polydnn.BatchNormalization(), Dense(2))
    assert "a layer BatchNormalization(" in refused(batch_normalization)
    assert "the last layer is not a dense one" in refused(chain(Dense(4), Dropout(0.5)))
    reason = refused(chain(Dense(200), features=100))
    assert "more than 16384" in reason
    assert "there is no hidden layer to share" in reason


def test_another_library_is_left_to_others() -> None:
    pytest.importorskip("array_api_strict")
    network = Network(5, [Dense(2)], backend="array-api-strict")
    assert "not on those of array-api-strict" in refused(Trainer(network, loss="mean_squared_error"))


def test_without_numba_everything_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.startswith("polydnn_numba.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    assert "numba cannot be imported" in refused(chain(Dense(2)))
