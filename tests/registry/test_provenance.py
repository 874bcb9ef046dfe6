"""A model file names the packages of its items, and reading one says what to install."""

import copy
import gc
import pickle
from dataclasses import replace

import pytest

from polydnn.activations import Activation, relu
from polydnn.errors import ModelFileError, UnknownNameError
from polydnn.layers import Dropout
from polydnn.registry import (
    ActivationSpec,
    PluginSettings,
    PolydnnPluginWarning,
    Provenance,
    Registry,
    entry_of,
    hookimpl,
    provenance,
)

CUBE = Provenance("activation", "cube", "polydnn-cube", "1.0")


def registry(*entry_points, disabled=()):
    return Registry(entry_points, settings=PluginSettings(dict.fromkeys(disabled, "--no-plugin")))


@pytest.fixture
def cube(plugin, activations):
    return plugin("cube", activations("cube"))


def test_an_item_says_where_it_came_from(cube):
    made = registry(cube)
    assert provenance("activation", made.make("activation", "cube"), registry=made) == CUBE
    built_in = provenance("activation", made.make("activation", "relu"), registry=made)
    assert (built_in.distribution, built_in.built_in) == ("polydnn", True)
    assert not CUBE.built_in


def test_an_item_made_without_the_registry_is_known_by_name_and_package():
    made = registry()
    assert provenance("activation", relu(), registry=made).name == "relu"
    assert provenance("activation", copy.deepcopy(relu()), registry=made).name == "relu"
    assert provenance("layer", Dropout(0.5), registry=made).name == "dropout"
    assert provenance("layer", pickle.loads(pickle.dumps(Dropout(0.5))), registry=made).name == "dropout"


def test_a_users_own_item_of_a_known_name_is_not_mistaken():
    own = Activation("relu", lambda z, *, xp: z, lambda z, y, *, xp: z)
    assert provenance("activation", own, registry=registry()) is None


def test_the_item_of_a_shadowed_plugin_keeps_its_origin(plugin, activations):
    made = registry(plugin("imitator", activations("relu")))
    with pytest.warns(PolydnnPluginWarning, match="polydnn-imitator"):
        item = made.make("activation", "polydnn-imitator:relu")
    assert provenance("activation", item, registry=made).qualified == "polydnn-imitator:relu"


def test_an_item_composed_of_built_in_functions_keeps_its_origin(plugin):
    @hookimpl
    def polydnn_activations():
        return [ActivationSpec("relu_by_another_name", lambda: replace(relu(), name="relu_by_another_name"))]

    made = registry(plugin("composed", polydnn_activations))
    item = made.make("activation", "relu_by_another_name")
    assert provenance("activation", item, registry=made).distribution == "polydnn-composed"


def test_items_that_are_gone_are_forgotten(cube):
    made = registry(cube)
    for _ in range(3):
        made.make("activation", "cube")
    gc.collect()
    assert made._origins._known == {}


def test_the_record_of_a_file_comes_back():
    assert Provenance.from_dict(CUBE.as_dict()) == CUBE
    assert CUBE.as_dict() == {"kind": "activation", "name": "cube", "distribution": "polydnn-cube", "version": "1.0"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "activations"),
        ("name", "cube; rm -rf"),
        ("name", "polydnn-cube:cube"),
        ("distribution", "polydnn-cube && curl"),
        ("distribution", "-r requirements"),
        ("distribution", "git+ssh://x"),
        ("version", "1.0; reboot"),
        ("version", "1" * 300),
        ("version", 1),
        ("version", None),
    ],
)
def test_the_record_of_a_file_is_checked(key, value):
    with pytest.raises(ModelFileError, match=f"^the record of a component has no valid '{key}': found "):
        Provenance.from_dict(CUBE.as_dict() | {key: value})


def test_the_package_that_is_named_is_the_one_that_is_used(cube, plugin, activations):
    made = registry(cube, plugin("other", activations("cube")))
    with pytest.warns(PolydnnPluginWarning, match="offered by"):
        assert entry_of(CUBE, registry=made).owner.distribution == "polydnn-cube"


def test_a_missing_package():
    text = (
        r"^activation 'cube' of polydnn-cube 1\.0 is needed, and the package is not installed; "
        r"if you trust it: pip install polydnn-cube$"
    )
    with pytest.raises(UnknownNameError, match=text):
        entry_of(CUBE, registry=registry())


def test_a_disabled_package(cube):
    text = (
        r"is needed, and polydnn-cube 1\.0 \(entry point cube = polydnn_cube\) disabled: switched off by --no-plugin$"
    )
    with pytest.raises(UnknownNameError, match=text):
        entry_of(CUBE, registry=registry(cube, disabled=["cube"]))


def test_a_failed_package(plugin):
    made = registry(plugin("cube", target=ImportError("No module named 'torch'")))
    with pytest.warns(PolydnnPluginWarning, match="No module named 'torch'"):
        made.names("activation")
    with pytest.raises(
        UnknownNameError, match=r"and polydnn-cube 1\.0 \(.*\) failed: ImportError: No module named 'torch' "
    ):
        entry_of(CUBE, registry=made)


def test_a_package_that_no_longer_offers_it(plugin, activations):
    text = r"is needed, and version 3\.0 of the package does not offer it; pip install polydnn-cube==1\.0$"
    with pytest.raises(UnknownNameError, match=text):
        entry_of(CUBE, registry=registry(plugin("cube", activations("square"), version="3.0")))


def test_a_built_in_that_this_polydnn_lacks():
    wanted = Provenance("activation", "cube", "polydnn", "9.0")
    with pytest.raises(
        UnknownNameError, match=r"this polydnn does not have it; it takes another version: pip install polydnn"
    ):
        entry_of(wanted, registry=registry())


def test_another_version_warns(plugin, activations):
    made = registry(plugin("cube", activations("cube"), version="1.1"))
    text = (
        r"^activation 'cube' of polydnn-cube 1\.0 is needed, and version 1\.1 is installed; results may differ\. "
        r"For the one it was saved with: pip install polydnn-cube==1\.0$"
    )
    with pytest.warns(PolydnnPluginWarning, match=text):
        assert entry_of(CUBE, registry=made).owner.version == "1.1"


def test_the_same_version_is_silent(cube):
    assert entry_of(CUBE, registry=registry(cube)).spec.name == "cube"
