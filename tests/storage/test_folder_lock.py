"""The lock of a checkpoint folder: one writer, in whatever process, and none once it is dead."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from polydnn.errors import StorageError
from polydnn.storage import CheckpointFolder

HOLD = """
import sys, time
from polydnn.storage import CheckpointFolder
folder = CheckpointFolder(sys.argv[1])
print("locked", flush=True)
time.sleep(60)
"""


def test_another_process_is_named_and_its_death_ends_the_lock(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        text = (
            rf"'{tmp_path}' is in use by process {holder.pid}, and two writers would mix their files\. End it or choose"
        )
        with pytest.raises(StorageError, match=text):
            CheckpointFolder(tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    CheckpointFolder(tmp_path).close()


def test_the_same_process_cannot_open_a_folder_twice(tmp_path: Path) -> None:
    with CheckpointFolder(tmp_path), pytest.raises(StorageError, match="is in use by this process itself"):
        CheckpointFolder(tmp_path)
    first = CheckpointFolder(tmp_path)
    first.close()
    first.close()
    CheckpointFolder(tmp_path).close()


def test_a_folder_that_cannot_be_opened_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", broken)
        with pytest.raises(StorageError, match=r"cannot lock '.*': Input/output error\. Choose a folder that can be"):
            CheckpointFolder(tmp_path)
    CheckpointFolder(tmp_path).close()


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"keep me")
    (tmp_path / ".lock").symlink_to("precious")
    with pytest.raises(StorageError, match="cannot lock .*: Too many levels of symbolic links"):  # noqa: RUF043
        CheckpointFolder(tmp_path)
    assert (tmp_path / "precious").read_bytes() == b"keep me"


def test_a_file_system_without_locks_and_a_full_disk_do_not_stop_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    monkeypatch.setattr(os, "pwrite", full)
    with CheckpointFolder(tmp_path) as folder:
        folder.write(1, {}, {})
        assert folder.latest() is not None
