"""Events reach the plugins that ask for them, and one that fails does not stop the training."""

import pytest

from polydnn.errors import InvalidArgumentError, PluginError
from polydnn.registry import PluginSettings, PolydnnPluginWarning, Registry, hookimpl


@pytest.fixture
def listener(plugin):
    """A plugin that notes the epochs it is told of."""
    seen = []

    @hookimpl
    def polydnn_epoch_end(epoch, logs):
        seen.append((epoch, logs))

    made = plugin("listener", polydnn_epoch_end)
    made.seen = seen
    return made


@pytest.fixture(params=[RuntimeError("no network"), SystemExit(3)], ids=["exception", "exit"])
def failing(plugin, request):
    @hookimpl
    def polydnn_epoch_end(trainer):
        raise request.param

    return plugin("failing", polydnn_epoch_end)


def test_there_is_no_caller_where_nobody_listens(listener):
    registry = Registry([listener], settings=PluginSettings())
    assert registry.hooks_for("polydnn_fit_start") is None
    assert registry.hooks_for("polydnn_epoch_end") is not None


def test_a_listener_gets_the_arguments_it_names(listener):
    call = Registry([listener], settings=PluginSettings()).hooks_for("polydnn_epoch_end")
    call(trainer=object(), epoch=1, logs={"loss": 0.5})
    assert listener.seen == [(1, {"loss": 0.5})]


def test_a_failing_listener_is_reported_once_and_the_others_go_on(listener, failing):
    call = Registry([failing, listener], settings=PluginSettings()).hooks_for("polydnn_epoch_end")
    text = (
        r"^plugin polydnn-failing 1\.0 \(entry point failing = polydnn_failing\): polydnn_epoch_end raised "
        r"(RuntimeError: no network|SystemExit: 3) \(.*test_events\.py:\d+\)\nIt is not called again\.$"
    )
    with pytest.warns(PolydnnPluginWarning, match=text):
        call(trainer=None, epoch=1, logs={})
    call(trainer=None, epoch=2, logs={})  # warnings are errors here
    assert [epoch for epoch, _ in listener.seen] == [1, 2]


def test_in_strict_mode_a_failing_listener_is_an_error(failing):
    call = Registry([failing], settings=PluginSettings(strict=True)).hooks_for("polydnn_epoch_end")
    with pytest.raises(PluginError, match=r"^plugin polydnn-failing 1\.0 .*: polydnn_epoch_end raised "):
        call(trainer=None, epoch=1, logs={})


def test_an_interrupt_passes(plugin):
    @hookimpl
    def polydnn_fit_start():
        raise KeyboardInterrupt

    call = Registry([plugin("x", polydnn_fit_start)], settings=PluginSettings()).hooks_for("polydnn_fit_start")
    with pytest.raises(KeyboardInterrupt):
        call(trainer=None)


@pytest.mark.parametrize("name", ["polydnn_epoch_start", "polydnn_activations"])
def test_only_events_can_be_asked_for(name):
    text = f"^event must be one of polydnn_fit_start, polydnn_epoch_end, polydnn_fit_end; found '{name}'\\."
    with pytest.raises(InvalidArgumentError, match=text):
        Registry([], settings=PluginSettings()).hooks_for(name)
