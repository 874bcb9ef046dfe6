"""Whatever is wrong with a plugin, loading it says so in one text and raises nothing else."""

import sys
from types import ModuleType

import pytest

from polydnn.activations import Activation
from polydnn.registry import API_VERSION, ActivationSpec, LossSpec, hookimpl
from polydnn.registry.loading import Fault, cause_of, load


def offering(result):
    @hookimpl
    def polydnn_activations():
        return result

    return polydnn_activations


def spec(name="cube", **fields):
    return ActivationSpec(name, lambda: Activation(name, abs, derivative=abs), **fields)


@hookimpl
def polydnn_activatons():
    return []


@hookimpl
def polydnn_something_else():
    return []


@hookimpl
def polydnn_epoch_end(trainer, epoch, loss):
    pass


@hookimpl
def polydnn_losses(names):
    return []


@hookimpl(wrapper=True)
def polydnn_metrics():
    return (yield)


@hookimpl
def polydnn_schedules():
    msg = "no schedules"
    raise KeyError(msg)


@hookimpl
def polydnn_layers():
    yield 1
    sys.exit(2)


def polydnn_optimizers():
    return []


class Exploding:
    @property
    def polydnn_activations(self):
        msg = "do not touch"
        raise RuntimeError(msg)


class Instance:
    @hookimpl
    def polydnn_activations(self):
        return [spec()]


TWO_LINES = "two\nlines"

FAULTS = {
    "module without hooks": (
        ModuleType("empty"),
        r"the module empty implements no hook; possible: polydnn_activations,",
    ),
    "class": (Instance, r"the entry point names the class Instance; name a module, or an instance\."),
    "attribute that raises": (Exploding(), r"RuntimeError: do not touch"),
    "import error": (ImportError("No module named 'x'"), r"^ImportError: No module named 'x'"),
    "exit at import": (SystemExit("no licence"), r"^SystemExit: no licence"),
    "syntax error": (SyntaxError("invalid syntax"), r"^SyntaxError: invalid syntax"),
    "misspelt hook": (
        polydnn_activatons,
        r"there is no hook 'polydnn_activatons'\. Did you mean 'polydnn_activations'\?",
    ),
    "wrapper": (polydnn_metrics, r"polydnn_metrics is a hook wrapper; a plugin may not change what others offer"),
    "hook that raises": (
        polydnn_schedules,
        r"polydnn_schedules raised KeyError: 'no schedules' \(.*test_loading\.py:\d+\)",
    ),
    "generator that exits": (polydnn_layers, r"polydnn_layers raised SystemExit: 2"),
    "undecorated hook": (
        polydnn_optimizers,
        r"polydnn_optimizers is not marked .* write @polydnn\.hookimpl above it\.",
    ),
    "unknown argument of an event": (
        polydnn_epoch_end,
        r"polydnn_epoch_end asks for the argument 'loss'; possible: trainer, epoch, logs\. Did you mean 'logs'\?",
    ),
    "unknown argument": (polydnn_losses, r"polydnn_losses asks for the argument 'names'; possible: none\."),
    "nothing returned": (
        offering(None),
        r"polydnn_activations must return an iterable of ActivationSpec, found None\. Is a 'return' missing\?",
    ),
    "a record, no list": (offering(spec()), r"found an object of type ActivationSpec\. Wrap it in a list\."),
    "a number": (offering(3), r"must return an iterable of ActivationSpec, found an object of type int\.$"),
    "record of another kind": (
        offering([LossSpec("cube", abs)]),
        r"polydnn_activations must return ActivationSpec records, found an object of type LossSpec\.",
    ),
    "no record": (offering(["cube"]), r"must return ActivationSpec records, found an object of type str\."),
    "name twice": (offering([spec(), spec()]), r"it offers the activation 'cube' twice; remove one of them\."),
    "name in capitals": (offering([spec("ReLU")]), r"whose name must be in lower snake case, .*, found 'ReLU'\."),
    "name with a colon": (offering([spec("a:b")]), r"whose name must be in lower snake case, .*, found 'a:b'\."),
    "factory that is none": (
        offering([ActivationSpec("cube", None)]),
        r"whose factory must be callable, found None \(name 'cube'\)\.",
    ),
    "summary that is none": (offering([spec(summary=3)]), r"whose summary must be a string, found 3 \(name 'cube'\)\."),
    "api that is none": (offering([spec(api="1")]), r"whose api must be a whole number, found '1'\."),
    "api that is a truth value": (offering([spec(api=True)]), r"whose api must be a whole number, found True\."),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_told_in_words(plugin, case):
    target, text = FAULTS[case]
    hook = getattr(target, "__name__", "").startswith("polydnn_")
    entry_point = plugin("cube", target) if hook else plugin("cube", target=target)
    with pytest.raises(Fault, match=text):
        load(entry_point)


def test_an_undecided_hook_is_fault_unless_it_is_optional(plugin):
    with pytest.raises(Fault, match=r"there is no hook 'polydnn_something_else'"):
        load(plugin("cube", polydnn_something_else))

    @hookimpl(optionalhook=True)
    def polydnn_things_to_come():
        return []

    assert list(load(plugin("cube", polydnn_things_to_come, offering([]))).hooks) == ["polydnn_activations"]


def test_the_keyboard_still_interrupts(plugin):
    with pytest.raises(KeyboardInterrupt):
        load(plugin("cube", target=KeyboardInterrupt()))


@pytest.mark.parametrize("result", [[spec()], (spec(),), iter([spec()])], ids=["list", "tuple", "generator"])
def test_records_come_in_any_iterable(plugin, result):
    assert [each.name for each in load(plugin("cube", offering(result))).specs] == ["cube"]


def test_a_plugin_may_be_an_instance(plugin):
    assert [each.name for each in load(plugin("cube", target=Instance())).specs] == ["cube"]


def test_a_hook_may_have_another_function_name(plugin):
    @hookimpl(specname="polydnn_activations")
    def my_functions():
        return [spec()]

    assert [each.name for each in load(plugin("cube", my_functions)).specs] == ["cube"]


def test_records_for_another_api_are_set_apart_and_not_judged(plugin):
    other = spec(api=API_VERSION + 1, summary=object())
    loaded = load(plugin("cube", offering([spec(), other])))
    assert loaded.specs[0].api == API_VERSION
    assert loaded.incompatible == (other,)


def test_what_a_plugin_prints_goes_to_standard_error(plugin, capsys):
    @hookimpl
    def polydnn_activations():
        print("thank you for installing")
        return []

    load(plugin("cube", polydnn_activations))
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "thank you for installing\n"


def test_a_cause_names_the_place():
    with pytest.raises(ValueError, match="two") as caught:
        raise ValueError(TWO_LINES)
    assert cause_of(caught.value).startswith("ValueError: two lines (")
    assert "test_loading.py:" in cause_of(caught.value)
    assert cause_of(SystemExit()) == "SystemExit"


class UnspeakableError(Exception):
    """An exception that cannot even be printed."""

    def __str__(self):
        return str(1 / 0)


def test_an_exception_that_cannot_be_printed_is_a_fault_like_any_other(plugin):
    with pytest.raises(Fault, match="UnspeakableError"):
        load(plugin("odd", target=UnspeakableError()))


def test_a_hook_implemented_twice_is_a_fault(plugin):
    @hookimpl
    def polydnn_activations():
        return [spec("first")]

    @hookimpl(specname="polydnn_activations")
    def more():
        return [spec("second")]

    with pytest.raises(Fault, match=r"it implements polydnn_activations twice; return all records from one function\."):
        load(plugin("double", polydnn_activations, more))
