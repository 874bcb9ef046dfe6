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
