"""What was measured fastest is kept, so that two runs compute the same bits; otherwise nothing is measured."""

import json
import multiprocessing
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from polydnn.execution import tuning
from polydnn.execution.tuning import VARIABLE, fastest, forget, tuning_folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    forget()
    yield tmp_path / "kept"
    forget()


def slow() -> None:
    time.sleep(0.004)


def quick() -> None:
    pass


def no_measuring() -> None:
    raise AssertionError


def test_the_fastest_is_found_and_the_sentence_has_the_figures() -> None:
    name, why = fastest({"what": "nap"}, {"slow": slow, "quick": quick})
    assert name == "quick"
    found = re.fullmatch(r"'quick' was measured fastest \(microseconds: slow ([\d.e+]+), quick ([\d.e+-]+)\).*", why)
    assert found, why
    assert float(found[1]) >= 4000.0  # it slept that long at least
    assert float(found[1]) > float(found[2])


def test_an_answer_outlives_the_process(folder: Path) -> None:
    assert fastest({"what": "nap"}, {"slow": slow, "quick": quick})[0] == "quick"
    forget()
    assert fastest({"what": "nap"}, {"slow": no_measuring, "quick": no_measuring})[0] == "quick"
    with pytest.raises(AssertionError):
        fastest({"what": "another nap"}, {"slow": no_measuring, "quick": no_measuring})
    with pytest.raises(AssertionError):
        fastest({"what": "nap"}, {"slow": no_measuring, "third": no_measuring})
    assert len(list(folder.glob("*.json"))) == 1


def test_another_machine_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fastest({"what": "nap"}, {"slow": slow, "quick": quick})
    forget()
    monkeypatch.setattr(tuning, "cpu_name", lambda: "another processor")
    with pytest.raises(AssertionError):
        fastest({"what": "nap"}, {"slow": no_measuring, "quick": no_measuring})


def test_off_takes_the_first_unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    assert tuning_folder() is None
    assert fastest({"what": "nap"}, {"slow": no_measuring, "quick": no_measuring})[0] == "slow"


def test_where_nothing_can_be_kept_the_first_is_taken_unmeasured(folder: Path) -> None:
    folder.write_text("in the way", encoding="utf-8")
    name, why = fastest({"what": "nap"}, {"slow": no_measuring, "quick": no_measuring})
    assert name == "slow"
    assert "cannot be written" in why


@pytest.mark.parametrize("damage", ["", "{}", '{"seconds": {"slow": "x"}}', "[1]"])
def test_a_damaged_answer_is_measured_anew(folder: Path, damage: str) -> None:
    fastest({"what": "nap"}, {"slow": slow, "quick": quick})
    path = next(folder.glob("*.json"))
    path.write_text(damage, encoding="utf-8")
    forget()
    assert fastest({"what": "nap"}, {"slow": slow, "quick": quick})[0] == "quick"
    assert set(json.loads(path.read_text(encoding="utf-8"))["seconds"]) == {"slow", "quick"}


def ask(_: int) -> str:
    """Both candidates cost the same, so that each process would answer for itself if it could."""
    return fastest({"what": "tie"}, {"one": quick, "other": quick})[0]


def test_processes_that_ask_at_once_get_one_answer() -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1


def test_the_folder_follows_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert tuning_folder() == tmp_path / "polydnn" / "tuning"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert tuning_folder() == Path.home() / ".cache" / "polydnn" / "tuning"
