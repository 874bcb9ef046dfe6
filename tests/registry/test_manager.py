"""The registry keeps working whatever its plugins do, and says what they did."""

import importlib.metadata
import re
import threading
import time
import warnings

import pytest

from polydnn.activations import Activation
from polydnn.errors import AmbiguousNameError, InvalidArgumentError, PluginLoadError, UnknownNameError
from polydnn.registry import (
    API_VERSION,
    ActivationSpec,
    PluginSettings,
    PolydnnPluginWarning,
    Registry,
    activation,
    hookimpl,
)

NOTHING_SAID = PluginSettings()


def registry(*entry_points, disabled=(), strict=False, all_off=""):
    settings = PluginSettings(dict.fromkeys(disabled, "--no-plugin"), all_off, strict)
    return Registry(entry_points, settings=settings)


def warned(made):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made.names("activation")
    assert {each.category for each in caught} <= {PolydnnPluginWarning}
    return [without_place(each.message) for each in caught]


def without_place(text):
    """The text without the files and lines that stand in it."""
    return re.sub(r" \(\S+\.py:\d+\)", "", str(text))


def state(made):
    return {record.plugin.distribution: record.status for record in made.records()}


@pytest.fixture
def broken(plugin):
    return plugin("broken", target=ImportError("No module named 'nowhere'"), version="0.3")


@pytest.fixture
def good(plugin, activations):
    return plugin("good", activations("cube"))


def test_a_registry_loads_nothing_until_a_name_is_looked_up(good):
    made = registry(good)
    assert good.loads == 0
    assert [record.as_dict()["status"] for record in made.records()] == ["not loaded"]
    assert good.loads == 0
    assert made.names("loss")
    made.names("activation")
    assert good.loads == 1


def test_a_broken_plugin_leaves_the_others_working(broken, good):
    made = registry(broken, good)
    (text,) = warned(made)
    assert text == (
        "plugin polydnn-broken 0.3 (entry point broken = polydnn_broken) failed and is left out: "
        "ImportError: No module named 'nowhere'\n"
        "Update it, remove it, or switch it off with POLYDNN_DISABLE_PLUGINS=polydnn-broken."
    )
    assert made.make("activation", "cube").name == "cube"
    assert made.make("activation", "relu").name == "relu"
    assert state(made) == {"polydnn-broken": "failed", "polydnn-good": "ok"}
    assert warned(made) == []


def test_a_warning_points_at_the_users_line(broken):
    with pytest.warns(PolydnnPluginWarning) as caught:
        registry(broken).find("activation", "relu")
    assert caught[0].filename == __file__


def test_a_warning_made_an_error_leaves_a_whole_registry(broken, good):
    made = registry(broken, good)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PolydnnPluginWarning, match="polydnn-broken"):
            made.names("activation")
        assert made.make("activation", "cube").name == "cube"


def test_an_unknown_name_repeats_what_failed(broken, good):
    made = registry(broken, good, disabled=["good"])
    warned(made)
    with pytest.raises(UnknownNameError) as caught:
        made.find("activation", "cube")
    assert without_place(caught.value).splitlines()[1:] == [
        "These plugins are installed and out of use; one of them may offer it:",
        "  polydnn-broken 0.3 (entry point broken = polydnn_broken) failed: ImportError: No module named 'nowhere'",
        "  polydnn-good 1.0 (entry point good = polydnn_good) disabled: switched off by --no-plugin",
    ]


def test_an_unknown_name_stays_short_where_nothing_failed(good):
    with pytest.raises(UnknownNameError, match=r"^unknown activation 'rellu'; registered: .*\. Did you mean 'relu'\?$"):
        registry(good).find("activation", "rellu")


def test_a_qualified_name_tells_what_is_the_matter_with_its_package(broken, good):
    made = registry(broken, good)
    warned(made)
    with pytest.raises(
        UnknownNameError, match=r"\npolydnn-broken 0\.3 .* failed: ImportError: No module named 'nowhere' "
    ):
        made.find("activation", "polydnn-broken:cube")
    with pytest.raises(UnknownNameError, match=r"No plugin package 'polydnn-nowhere' is installed\.$"):
        made.find("activation", "polydnn-nowhere:cube")
    with pytest.raises(
        UnknownNameError, match=r"unknown activation 'polydnn-good:square'; registered: cube, .*tanh\.$"
    ):
        made.find("activation", "polydnn-good:square")


def test_a_record_for_another_api_is_left_out_and_the_rest_stays(plugin, activations):
    both = [*activations("cube")(), ActivationSpec("square", abs, api=API_VERSION + 1)]

    @hookimpl
    def polydnn_activations():
        return both

    made = registry(plugin("dual", polydnn_activations))
    (text,) = warned(made)
    assert text == (
        "plugin polydnn-dual 1.0 (entry point dual = polydnn_dual) is incompatible: activation 'square' made for "
        "plugin API 2, while this polydnn has 1, and left out. Install a version of polydnn-dual made for this polydnn."
    )
    assert state(made) == {"polydnn-dual": "incompatible"}
    assert made.find("activation", "cube").spec.name == "cube"
    with pytest.raises(
        UnknownNameError, match=r"polydnn-dual 1\.0 has it for plugin API 2, while this polydnn has 1\.$"
    ):
        made.find("activation", "square")


def test_two_packages_with_one_entry_point_name_both_work(plugin, activations):
    made = registry(
        plugin("twin", activations("left"), distribution="polydnn-a"),
        plugin("twin", activations("right"), distribution="polydnn-b"),
    )
    (text,) = warned(made)
    assert text == (
        "the entry-point name 'twin' is used by polydnn-a 1.0 (entry point twin = polydnn_twin) and "
        "polydnn-b 1.0 (entry point twin = polydnn_twin). All of them are loaded; "
        "switch one off by its package's name, not by 'twin'."
    )
    assert {"left", "right"} <= set(made.names("activation"))
    assert state(made) == {"polydnn-a": "shadowed", "polydnn-b": "shadowed"}


@pytest.mark.parametrize("turned", [False, True])
def test_two_owners_of_one_name(plugin, activations, turned):
    plugins = [plugin("a", activations("cube", "fine")), plugin("b", activations("cube"), version="2.0")]
    made = registry(*(plugins[::-1] if turned else plugins))
    (text,) = warned(made)
    assert text == (
        "activation 'cube' offered by polydnn-a 1.0 (entry point a = polydnn_a) and polydnn-b 2.0 (entry point "
        "b = polydnn_b). The plain name is an error; write 'polydnn-a:cube' or 'polydnn-b:cube'."
    )
    with pytest.raises(AmbiguousNameError, match=r"'polydnn-a:cube' or 'polydnn-b:cube'\.$"):
        made.make("activation", "cube")
    assert made.make("activation", "polydnn-b:cube").name == "polydnn-b:cube"
    assert made.make("activation", "fine").name == "fine"
    assert state(made) == {"polydnn-a": "shadowed", "polydnn-b": "shadowed"}
    assert all("activation 'cube' offered by" in record.cause for record in made.records())


def test_a_built_in_is_not_replaced(plugin, activations):
    made = registry(plugin("imitator", activations("relu", "softmax")))
    (text,) = warned(made)
    assert text == (
        "activation 'relu', activation 'softmax' built in, and offered by polydnn-imitator 1.0 (entry point imitator = "
        "polydnn_imitator) as well. The plain name means the built-in; write 'polydnn-imitator:relu' for the other."
    )
    assert made.find("activation", "relu").owner.built_in
    # the name of the item says which it is: a loss joins its stable form to an activation by its name
    assert made.make("activation", "polydnn-imitator:softmax").name == "polydnn-imitator:softmax"
    assert made.make("activation", "polydnn:softmax").name == "softmax"
    assert state(made) == {"polydnn-imitator": "shadowed"}


def test_two_entry_points_of_one_package_cannot_share_a_name(plugin, activations):
    made = registry(
        plugin("one", activations("cube"), distribution="polydnn-x"),
        plugin("two", activations("cube"), distribution="polydnn-x"),
    )
    (text,) = warned(made)
    assert "its package offers the activation 'cube' already, by entry point one\n" in text
    assert [record.status for record in made.records()] == ["ok", "failed"]
    assert made.make("activation", "cube").name == "cube"


def test_a_plugin_fails_as_a_whole(plugin, activations):
    @hookimpl
    def polydnn_losses():
        msg = "no losses today"
        raise RuntimeError(msg)

    made = registry(plugin("half", activations("cube"), polydnn_losses))
    assert len(warned(made)) == 1
    with pytest.raises(UnknownNameError, match=r"polydnn_losses raised RuntimeError: no losses today"):
        made.find("activation", "cube")


@pytest.mark.parametrize("name", ["good", "polydnn-good"])
def test_a_disabled_plugin_is_not_imported(good, name):
    made = registry(good, disabled=[name])
    assert warned(made) == []
    assert good.loads == 0
    assert [(r.status, r.cause) for r in made.records()] == [("disabled", "switched off by --no-plugin")]


def test_all_plugins_can_be_kept_out(broken, good):
    made = registry(broken, good, all_off="--no-plugins")
    assert warned(made) == []
    assert broken.loads == good.loads == 0
    assert {record.cause for record in made.records()} == {"switched off by --no-plugins"}


def test_switching_off_what_is_not_there_is_said(good):
    (text,) = warned(registry(good, disabled=["goood"]))
    assert text == (
        "--no-plugin switches off 'goood', and no such plugin is installed; installed: good, polydnn-good. "
        "Did you mean 'good'?"
    )


def test_strict_makes_every_fault_an_error_each_time(broken, good, plugin, activations):
    made = registry(broken, good, plugin("rival", activations("cube")), strict=True)
    for _ in range(2):
        with pytest.raises(PluginLoadError) as caught:
            made.find("activation", "relu")
        assert str(caught.value).startswith("plugins are strict, and not all of them work:\nplugin polydnn-broken 0.3")
        assert "activation 'cube' offered by" in str(caught.value)
    assert state(made)["polydnn-broken"] == "failed"
    with pytest.raises(PluginLoadError):
        made.records(load=True)


def test_strict_is_content_with_what_works(good, broken):
    made = registry(good, broken, strict=True, disabled=["broken"])
    assert made.make("activation", "cube").name == "cube"


def test_listing_can_load(good):
    started = time.perf_counter()
    (record,) = registry(good).records(load=True)
    assert (record.status, record.hooks, record.items) == ("ok", ("polydnn_activations",), {"activation": ("cube",)})
    assert 0 <= record.seconds <= time.perf_counter() - started
    assert record.as_dict() == {
        "distribution": "polydnn-good",
        "version": "1.0",
        "entry_point": "good",
        "module": "polydnn_good",
        "status": "ok",
        "cause": "",
        "hooks": ["polydnn_activations"],
        "items": {"activation": ["cube"]},
        "seconds": record.seconds,
    }


def test_an_interrupt_while_loading_leaves_no_half_registry(plugin, good):
    interrupting = plugin("interrupting", target=KeyboardInterrupt())
    made = registry(interrupting, good)
    with pytest.raises(KeyboardInterrupt):
        made.names("activation")
    interrupting.target = good.target
    assert len(warned(made)) == 1  # now two packages offer the name
    assert "polydnn-good:cube" in made.names("activation")


def test_a_plugin_may_look_up_built_ins_while_it_loads(plugin):
    @hookimpl
    def polydnn_activations():
        inner = made.make("activation", "relu")
        return [ActivationSpec("relu_again", lambda: Activation("relu_again", inner.forward, inner.derivative))]

    made = registry(plugin("nested", polydnn_activations))
    assert made.make("activation", "relu_again").name == "relu_again"


def test_in_strict_mode_a_look_up_while_loading_is_not_blamed_for_others(broken, plugin):
    @hookimpl
    def polydnn_activations():
        return [ActivationSpec(made.find("activation", "relu").spec.name + "_again", abs)]

    made = registry(broken, plugin("nested", polydnn_activations), strict=True)
    with pytest.raises(PluginLoadError, match=r"polydnn-broken") as caught:
        made.find("activation", "relu")
    assert "polydnn-nested" not in str(caught.value)


def test_threads_load_once_and_wait_for_the_whole_registry(plugin):
    @hookimpl
    def polydnn_activations():
        time.sleep(0.05)
        return [ActivationSpec("slow", abs)]

    slow = plugin("slow", polydnn_activations)
    made = registry(slow)
    found = []
    threads = [threading.Thread(target=lambda: found.append(made.find("activation", "slow"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (slow.loads, len(found)) == (1, 4)


def test_settings_are_read_where_none_are_given(monkeypatch, no_settings, good):
    monkeypatch.setenv("POLYDNN_DISABLE_PLUGINS", "good")
    assert [record.status for record in Registry([good]).records()] == ["disabled"]


def test_the_installed_entry_points_are_taken_where_none_are_given(monkeypatch, no_settings, good):
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [good] if group == "polydnn" else [])
    assert Registry().make("activation", "cube").name == "cube"


def test_a_name_a_pair_and_an_object(good):
    made = registry(good)
    relu = activation("relu")
    assert made.make("activation", relu) is relu
    assert made.make("activation", "cube", factor=3.0).options == {"factor": 3.0}
    for pair in (("cube", {"factor": 3.0}), ["cube", {"factor": 3.0}]):
        assert made.make("activation", pair).options == {"factor": 3.0}
    assert made.make("activation", ("cube", {"factor": 3.0}), factor=4.0).options == {"factor": 4.0}


WANTED = {
    "a number": (3, r"^activation must be a name, a \(name, options\) pair or a polydnn\.Activation; found 3\.$"),
    "None": (None, r"found None\.$"),
    "triple": (("cube", {}, {}), r"found \('cube', \{\}, \{\}\)\.$"),
    "pair without options": (("cube", 3), r"found \('cube', 3\)\.$"),
    "the factory": (abs, r"found <built-in function abs>\. Call it first, or give its name\.$"),
}


@pytest.mark.parametrize("case", WANTED)
def test_what_is_no_name(case):
    wanted, text = WANTED[case]
    with pytest.raises(InvalidArgumentError, match=text):
        registry().make("activation", wanted)


def test_an_object_takes_no_options():
    with pytest.raises(InvalidArgumentError, match=r"^activation is an object already and takes no options, found 'a'"):
        registry().make("activation", activation("relu"), a=1)


def test_kinds_are_checked():
    made = registry()
    with pytest.raises(
        InvalidArgumentError, match=r"^kind must be one of .*; found 'activations'\. Did you mean 'activation'"
    ):
        made.find("activations", "relu")
    with pytest.raises(
        InvalidArgumentError, match=r"^an executor is not made from options; use find\('executor', name\)"
    ):
        made.make("executor", "fast")
    with pytest.raises(InvalidArgumentError, match=r"^the name of an activation must be a string, found 3\.$"):
        made.find("activation", 3)


def test_names_in_the_options_of_a_layer_become_objects(good):
    made = registry(good)
    dense = made.make("layer", ("dense", {"units": 3, "activation": ("cube", {"factor": 2.0}), "initializer": "zeros"}))
    assert dense.activation.options == {"factor": 2.0}
    assert dense.initializer.name == "zeros"
    assert made.make("layer", "dense", units=3).activation.name == "identity"
    with pytest.raises(InvalidArgumentError, match=r"^layer 'dense' needs the option 'units'\.$"):
        made.make("layer", "dense")


def test_the_kind_of_a_layer_option_is_not_mixed_up_with_the_registrys():
    assert registry().make("layer", "normalization", kind="min-max").options["kind"] == "min-max"
