"""Libraries that are missing, broken or talkative when they are imported."""

import logging
import sys
import warnings
from pathlib import Path

import pytest

from polydnn.arrays import cause_of
from polydnn.arrays.installing import import_library, warnings_logged
from polydnn.errors import BackendUnavailableError


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (
            "raise ImportError('libcudart.so.13: cannot open shared object file')",
            "ImportError: libcudart.so.13: cannot",
        ),
        ("raise RuntimeError('numpy was built for another version')", "RuntimeError: numpy was built for"),
        ("import surely_not_installed", "ModuleNotFoundError: No module named 'surely_not_installed'"),
    ],
)
def test_a_broken_library_is_told_from_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, cause: str
) -> None:
    (tmp_path / "broken_cupy.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    text = rf"backend 'cupy': CuPy is installed but cannot be imported \({cause}.*\). Install it anew: pip install"
    with pytest.raises(BackendUnavailableError, match=text):
        import_library("cupy", "broken_cupy")
    sys.modules.pop("broken_cupy", None)


def test_warnings_of_a_library_are_logged_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="polydnn"), warnings_logged("cupy"):
        warnings.warn("several CuPy packages are installed\nand more", UserWarning, stacklevel=1)
    assert caplog.messages == ["cupy: several CuPy packages are installed"]


def test_warnings_are_logged_also_when_the_probe_fails(caplog: pytest.LogCaptureFixture) -> None:
    def probe() -> None:
        with warnings_logged("torch"):
            warnings.warn("the driver is too old", UserWarning, stacklevel=1)
            raise RuntimeError

    with caplog.at_level(logging.WARNING, logger="polydnn"), pytest.raises(RuntimeError):
        probe()
    assert caplog.messages == ["torch: the driver is too old"]


def test_a_cause_is_one_line() -> None:
    assert cause_of(ValueError("first.\nsecond")) == "ValueError: first"
    assert cause_of(KeyError()) == "KeyError"
