"""Thirteen broken packages installed beside a good one: the command line goes on working, and says what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin_environments import Place
from tests.plugin_packages import BROKEN

TRAIN = ["train", "--activation", "stretched", "--hidden", "8", "--epochs", "1", "--quiet", "--json", "--output", "run"]


@pytest.fixture
def place(seeing: Callable[..., Place], broken_target: Path) -> Place:
    """An interpreter that sees the good package and all the broken ones."""
    return seeing(broken_target)


def test_there_are_ten_ways_and_more_to_be_broken() -> None:
    assert len(BROKEN) >= 10


def test_training_with_the_good_one_works_and_every_broken_one_is_named(place: Place) -> None:
    done = place.polydnn(*TRAIN)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["epochs"] == 1
    assert "Traceback" not in done.stderr
    for package in BROKEN:
        assert f"{package.name} {package.version}" in done.stderr
    assert 'activation = "stretched' in (place.home / "run" / "experiment.toml").read_text()


@pytest.mark.parametrize(
    "command", ["--help", "--version", "train --help", "plugins list", "plugins list --load", "datasets list"]
)
def test_asking_for_help_and_lists_always_works(place: Place, command: str) -> None:
    done = place.polydnn(*command.split())
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout


def test_the_list_names_all_of_them(place: Place) -> None:
    records = json.loads(place.polydnn("plugins", "list", "--load", "--json").stdout)["plugins"]
    status = {record["distribution"]: record["status"] for record in records}
    assert status.pop("polydnn-good") == "ok"
    assert sorted(status) == sorted(package.name for package in BROKEN)
    assert set(status.values()) == {"failed", "incompatible", "shadowed"}


def test_strict_mode_refuses_to_train(place: Place) -> None:
    for done in (place.polydnn(*TRAIN, POLYDNN_STRICT_PLUGINS="1"), place.polydnn("--strict-plugins", *TRAIN)):
        assert done.returncode == 1
        assert done.stdout == ""
        assert "plugins are strict, and not all of them work" in done.stderr
        assert "polydnn-import-error 1.0" in done.stderr
        assert not (place.home / "run").exists()


def test_strict_mode_accepts_the_good_one_alone(place: Place) -> None:
    switched_off = [word for package in BROKEN for word in ("--no-plugin", package.name)]
    done = place.polydnn("--strict-plugins", *switched_off, *TRAIN)
    assert (done.returncode, done.stderr) == (0, "the good plugin saw epoch 1\n")


def test_what_a_broken_one_would_have_supplied_repeats_the_cause(place: Place) -> None:
    done = place.polydnn("train", "--activation", "futuristic", "--epochs", "1")
    assert done.returncode == 1
    last = done.stderr[done.stderr.rindex("unknown activation 'futuristic'") :]
    assert "polydnn-other-api 1.0 has it for plugin API 99, while this polydnn has 1." in last
    assert "Traceback" not in done.stderr


def test_a_name_of_two_packages_is_settled_by_the_qualified_name(place: Place) -> None:
    done = place.polydnn("train", "--activation", "contested", "--epochs", "1")
    assert done.returncode == 1
    assert "say which: 'polydnn-rival-a:contested' or 'polydnn-rival-b:contested'" in done.stderr
    settled = ["polydnn-rival-b:contested" if word == "stretched" else word for word in TRAIN]
    assert place.polydnn(*settled).returncode == 0
