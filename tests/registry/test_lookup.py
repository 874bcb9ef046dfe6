"""The public look-ups go to the registry of the process."""

from pathlib import Path

import numpy as np
import pytest

from polydnn.datasets.dataset import Dataset, Rows
from polydnn.errors import DatasetUnavailableError, InvalidArgumentError, PluginError, UnknownNameError
from polydnn.registry import (
    BackendSpec,
    DatasetSpec,
    ExecutorSpec,
    backend_entry,
    dataset,
    executor_entries,
    hookimpl,
    lookup,
)

ITEMS = {
    "activation": "relu",
    "initializer": "zeros",
    "layer": "dropout",
    "loss": "hinge",
    "metric": "accuracy",
    "optimizer": "adam",
    "schedule": "cosine",
}
OPTIONS = {"layer": {"rate": 0.5}}


@pytest.fixture
def stranger(monkeypatch, no_settings, plugin):
    """A plugin with a backend, an executor and four data sets, as if it were installed."""
    rows = Rows(np.zeros((2, 1)), np.zeros((2, 1)))
    folders = []

    def tiny(folder):
        folders.append(folder)
        return Dataset("tiny", "regression", rows, rows, ("a",), ("b",))

    def failing(folder):
        return {}["rows"]

    def missing(folder):
        msg = "the table of missing is nowhere"
        raise DatasetUnavailableError(msg)

    @hookimpl
    def polydnn_backends():
        return [BackendSpec("mlx", lambda device: device), BackendSpec("numpy-too", lambda device: device)]

    @hookimpl
    def polydnn_executors():
        return [ExecutorSpec("a_first_by_name", abs)]

    @hookimpl
    def polydnn_datasets():
        return [
            DatasetSpec("tiny", tiny),
            DatasetSpec("wrong", lambda folder: 3),
            DatasetSpec("failing", failing),
            DatasetSpec("missing", missing),
        ]

    made = plugin("mlx", polydnn_backends, polydnn_executors, polydnn_datasets, distribution="mlx")
    monkeypatch.setattr("polydnn.registry.manager.installed", lambda: [made])
    return folders


@pytest.mark.parametrize("kind", ITEMS)
def test_a_name_a_pair_an_object_and_the_error(no_settings, kind):
    look_up, name, options = getattr(lookup, kind), ITEMS[kind], OPTIONS.get(kind, {})
    item = look_up(name, **options)
    assert look_up(item) is item
    assert type(look_up((f"polydnn:{name}", options))) is type(item)
    with pytest.raises(UnknownNameError, match=rf"^unknown {kind} 'nobody'; registered: .*{name}"):
        look_up("nobody")
    with pytest.raises(InvalidArgumentError, match=rf"^{kind} '{name}' .* 'nonsense'"):
        look_up(name, nonsense=1, **options)


@pytest.mark.parametrize(
    ("name", "found", "device"),
    [
        ("numpy", "polydnn:numpy", None),
        ("cupy:1", "polydnn:cupy", "1"),
        ("torch:cuda:0", "polydnn:torch", "cuda:0"),
        ("polydnn:torch:cuda", "polydnn:torch", "cuda"),
        ("mlx", "mlx:mlx", None),
        ("mlx:gpu", "mlx:mlx", "gpu"),
        ("mlx:mlx:gpu", "mlx:mlx", "gpu"),
        ("MLX:numpy-too", "mlx:numpy-too", None),
    ],
)
def test_a_device_stands_behind_the_colon(stranger, name, found, device):
    entry, rest = backend_entry(name)
    assert (entry.qualified, rest) == (found, device)


def test_an_unknown_backend(stranger):
    with pytest.raises(UnknownNameError, match=r"^unknown backend 'cuppy'; .* Did you mean 'cupy'\?"):
        backend_entry("cuppy:1")
    with pytest.raises(InvalidArgumentError, match=r"^the name of a backend must be a string, found 3\.$"):
        backend_entry(3)


def test_executors_of_plugins_come_after_our_own(stranger):
    names = [entry.spec.name for entry in executor_entries()]
    assert names[-1] == "a_first_by_name"
    assert [entry.owner.built_in for entry in executor_entries()] == [True] * (len(names) - 1) + [False]


def test_a_dataset_is_given_its_folder(stranger):
    assert dataset("tiny").name == "tiny"
    assert dataset("mlx:tiny", "here").name == "tiny"
    assert stranger == [None, Path("here")]


def test_a_dataset_that_is_none(stranger):
    text = r"^the factory of dataset 'wrong' of mlx 1\.0 must return a polydnn\.Dataset, found an object of type int; "
    with pytest.raises(PluginError, match=text):
        dataset("wrong")


def test_a_dataset_whose_factory_fails_is_named_with_the_cause(stranger):
    text = (
        r"^dataset 'failing' of mlx 1\.0 could not be read: KeyError: 'rows' \(.*test_lookup\.py:\d+\); "
        r"report it to the authors of mlx\.$"
    )
    with pytest.raises(PluginError, match=text) as caught:
        dataset("failing")
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_dataset_that_is_unavailable_says_so_itself(stranger):
    with pytest.raises(DatasetUnavailableError, match=r"^the table of missing is nowhere$"):
        dataset("missing")
