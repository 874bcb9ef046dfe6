"""Whose name it is does not depend on what was installed first."""

import itertools

import pytest

from polydnn.errors import AmbiguousNameError, UnknownNameError
from polydnn.registry import ActivationSpec, Plugin
from polydnn.registry.table import Table

BUILT_IN = Plugin("polydnn", "0.1", "builtins", "polydnn.registry.builtins")
A = Plugin("polydnn-a", "1.0", "a", "polydnn_a")
B = Plugin("polydnn-b", "2.0", "b", "polydnn_b")
OFFERS = {BUILT_IN: ["relu"], A: ["relu", "cube", "contested"], B: ["contested"]}


@pytest.fixture(params=list(itertools.permutations(OFFERS)), ids=lambda order: "-".join(p.entry_point for p in order))
def table(request):
    """The same offers, added in every order."""
    made = Table()
    for owner in request.param:
        made.add([ActivationSpec(name, abs) for name in OFFERS[owner]], owner)
    return made


def test_a_built_in_keeps_its_plain_name(table):
    assert table.find("activation", "relu").owner == BUILT_IN
    assert table.find("activation", "polydnn:relu").owner == BUILT_IN
    assert table.find("activation", "polydnn-a:relu").owner == A


def test_a_name_of_two_plugins_is_an_error_that_names_both(table):
    text = (
        r"^activation 'contested' is offered by 2 packages; "
        r"say which: 'polydnn-a:contested' or 'polydnn-b:contested'\.$"
    )
    with pytest.raises(AmbiguousNameError, match=text):
        table.find("activation", "contested")
    assert table.find("activation", "polydnn-b:contested").owner == B


def test_a_qualified_name_is_compared_as_package_names_are(table):
    assert table.find("activation", "Polydnn_A:cube").owner == A


@pytest.mark.parametrize("name", ["cubic", "polydnn-b:cube", "cube:", ":cube", ""])
def test_an_unknown_name_lists_what_there_is(table, name):
    text = (
        f"unknown activation '{name}'; registered: cube, polydnn-a:contested, polydnn-a:relu, polydnn-b:contested, relu"
    )
    with pytest.raises(UnknownNameError) as caught:
        table.find("activation", name)
    assert str(caught.value).startswith(text)


def test_kinds_do_not_mix(table):
    with pytest.raises(UnknownNameError, match=r"unknown loss 'relu'"):
        table.find("loss", "relu")


def test_the_address_finds_the_entry_again(table):
    entries = table.of_kind("activation")
    assert [table.find("activation", table.address(entry)) for entry in entries] == entries
    assert [table.address(entry) for entry in entries] == [
        "polydnn-a:contested",
        "polydnn-b:contested",
        "cube",
        "relu",
        "polydnn-a:relu",
    ]


def test_conflicts_are_grouped_by_their_owners(table):
    found = {owners: [entry.spec.name for entry in entries] for owners, entries in table.conflicts()}
    assert found == {(BUILT_IN, A): ["relu"], (A, B): ["contested"]}
