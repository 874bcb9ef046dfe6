"""Every built-in comes through the hooks, under the name it carries itself, with a line for listings."""

import pytest

from polydnn.registry import PluginSettings, Registry
from polydnn.registry.kinds import KINDS

REGISTRY = Registry([], settings=PluginSettings())
MADE = ("activation", "loss", "optimizer", "initializer", "metric", "schedule")


@pytest.mark.parametrize("kind", KINDS)
def test_built_ins_have_a_summary_and_belong_to_polydnn(kind):
    for entry in REGISTRY.entries(kind):
        assert entry.owner.distribution == "polydnn"
        assert entry.spec.summary, entry.spec.name


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in MADE for name in REGISTRY.names(kind)])
def test_the_registered_name_is_the_items_own(kind, name):
    assert REGISTRY.find(kind, name).spec.factory().name == name
    assert REGISTRY.make(kind, name).name == name


def test_every_built_in_is_listed():
    made = Registry([], settings=PluginSettings())
    assert set(made.names("activation")) >= {"identity", "relu", "sigmoid", "tanh", "softmax", "log_softmax", "gelu"}
    assert set(made.names("loss")) >= {"mean_squared_error", "categorical_cross_entropy", "hinge"}
    assert set(made.names("optimizer")) == {"sgd", "rmsprop", "adagrad", "adam", "adamw"}
    assert set(made.names("initializer")) >= {
        "zeros",
        "uniform",
        "normal",
        "glorot_uniform",
        "he_normal",
        "lecun_normal",
    }
    assert set(made.names("schedule")) == {"constant", "step", "exponential", "cosine"}
    assert set(made.names("layer")) == {"dense", "dropout", "batch_normalization", "normalization"}
    assert set(made.names("dataset")) >= {"digits", "breast_cancer", "california_housing", "yeast", "fashion_mnist"}
    assert set(made.names("metric")) >= {"accuracy", "top_k_accuracy", "f1", "roc_auc", "r2", "hamming_loss"}
    assert set(made.names("backend")) == {"numpy", "cupy", "torch", "jax", "array-api-strict"}
