"""Reading metadata survives packages that are half removed."""

from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from polydnn.registry.installed import built_in_source, installed, normalized, sources


class Broken:
    """A distribution whose metadata file is gone."""

    @property
    def name(self):
        msg = "METADATA"
        raise FileNotFoundError(msg)


@pytest.mark.parametrize("spelling", ["polydnn-leaky-relu", "Polydnn_Leaky.ReLU", "polydnn--leaky_relu"])
def test_spellings_of_a_package_are_one_name(spelling):
    assert normalized(spelling) == "polydnn-leaky-relu"


@pytest.mark.parametrize("dist", [None, Broken()], ids=["no distribution", "broken metadata"])
def test_a_package_without_metadata_goes_by_its_entry_point(dist):
    (source,) = sources([SimpleNamespace(name="cube", value="polydnn_cube", dist=dist)])
    assert str(source.plugin) == "cube unknown (entry point cube = polydnn_cube)"


def test_the_order_of_installation_does_not_matter(plugin):
    made = [plugin("b"), plugin("a"), plugin("c", distribution="polydnn-a")]
    expected = [("polydnn-a", "a"), ("polydnn-a", "c"), ("polydnn-b", "b")]
    for order in (made, made[::-1]):
        found = [(source.plugin.distribution, source.plugin.entry_point) for source in sources(order)]
        assert found == expected


def test_polydnn_needs_no_entry_point_of_its_own(plugin):
    assert sources([plugin("builtins", distribution="PolyDNN")]) == []
    assert built_in_source().plugin.built_in


def test_installed_reads_one_group():
    assert all(isinstance(each, EntryPoint) and each.group == "polydnn" for each in installed())
