"""Atomic writing: the order of system calls, and what stands after each of them fails."""

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polydnn.errors import StorageError
from polydnn.storage import remove_orphans, write_atomically
from polydnn.storage.atomic import link_atomically

CHUNKS = [b"first ", b"", bytearray(b"second "), memoryview(b"third")]
CONTENT = b"first second third"
CALLS = ["write"] * 3 + ["fsync", "replace", "fsync"]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"previous")
    return path


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


class Recorder:
    """Stands in for functions of ``os``: notes each call, and lets call number ``fail_at`` fail."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, functions: list[str], fail_at: int = -1, number: int = 0
    ) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fail_at, self.number = fail_at, number
        for name in functions:
            monkeypatch.setattr(os, name, self.wrap(name, getattr(os, name)))

    def wrap(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls.append((name, *arguments))
            if len(self.calls) - 1 == self.fail_at:
                raise OSError(self.number, os.strerror(self.number))
            return original(*arguments, **options)

        return call


def test_the_chunks_become_the_file_and_nothing_else_is_left(target: Path) -> None:
    assert write_atomically(target, CHUNKS) == len(CONTENT)
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == [target.name]


def test_calls_come_in_the_order_that_survives_a_power_cut(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch, ["open", "write", "fsync", "replace"])
    write_atomically(target, CHUNKS)
    assert [call[0] for call in recorder.calls] == [
        "open",
        "write",
        "write",
        "write",
        "fsync",
        "replace",
        "open",
        "fsync",
    ]
    opened, temporary = recorder.calls[0][1], recorder.calls[5][1]
    assert opened == temporary
    assert re.fullmatch(rf"\.model\.safetensors\.{os.getpid()}\.\d+\.polydnn-tmp", temporary.name)
    assert temporary.parent == target.parent
    assert recorder.calls[5][2] == target
    assert recorder.calls[6][1] == target.parent
    assert recorder.calls[4][1] == recorder.calls[1][1]  # the file that was written is the one that is flushed


def test_the_kernel_sees_the_same_order(target: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    log = target.parent / "strace.log"
    program = f"from polydnn.storage import write_atomically; write_atomically({str(target)!r}, [b'new'])"
    traced = "openat,write,fsync,rename,renameat,renameat2"
    command = ["strace", "-f", "-y", "-e", f"trace={traced}", "-o", str(log), sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ptrace" in result.stderr:
        pytest.skip(f"strace may not trace here: {result.stderr.strip()[:100]}")
    assert result.returncode == 0, result.stderr
    lines = [line for line in log.read_text().splitlines() if str(target.parent) in line]
    calls = [match[1] for line in lines if (match := re.match(r"\d+ +(\w+)\(", line))]
    assert calls in (["openat", "write", "fsync", rename, "openat", "fsync"] for rename in ("rename", "renameat2"))
    assert "O_EXCL" in lines[0]
    assert "polydnn-tmp" in lines[2]
    assert f"<{target.parent}>" in lines[5]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EACCES, errno.EDQUOT])
@pytest.mark.parametrize("fail_at", range(len(CALLS) - 1))
def test_whatever_call_fails_the_previous_file_is_intact(
    target: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int, number: int
) -> None:
    Recorder(monkeypatch, ["write", "fsync", "replace"], fail_at, number)
    with pytest.raises(StorageError, match=r"cannot write .*18 bytes are needed, .*before is unchanged") as caught:
        write_atomically(target, CHUNKS)
    monkeypatch.undo()
    assert str(target) in str(caught.value)
    assert caught.value.errno == number
    assert target.read_bytes() == b"previous"
    assert names(target.parent) == [target.name]


def test_when_only_the_folder_cannot_be_flushed_the_new_file_is_whole(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Recorder(monkeypatch, ["write", "fsync", "replace"], len(CALLS) - 1, errno.EIO)
    with pytest.raises(StorageError, match=r"is complete and in its place, but its folder could not be flushed .*EIO"):
        write_atomically(target, CHUNKS)
    assert target.read_bytes() == CONTENT


def test_a_file_system_that_cannot_flush_folders_is_no_failure(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Recorder(monkeypatch, ["write", "fsync", "replace"], len(CALLS) - 1, errno.EINVAL)
    assert write_atomically(target, CHUNKS) == len(CONTENT)


def test_short_writes_are_gone_on_with(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: original(descriptor, data[:2]))
    write_atomically(target, CHUNKS)
    assert target.read_bytes() == CONTENT


def test_ctrl_c_leaves_the_previous_file_alone(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, CHUNKS)
    assert target.read_bytes() == b"previous"
    assert names(target.parent) == [target.name]


CAUSES = {
    errno.ENOSPC: "no space left on the disk, ENOSPC.*both together.*Make room or choose another folder",
    errno.EFBIG: "the file-size limit is exceeded .*EFBIG",
    errno.EDQUOT: "the disk quota is used up, EDQUOT",
    errno.EACCES: "no permission, EACCES",
    errno.EROFS: "the file system is read-only, EROFS",
    errno.EIO: "Input/output error, EIO",
}


@pytest.mark.parametrize(("number", "words"), CAUSES.items(), ids=errno.errorcode.get)
def test_the_cause_is_told_in_words(target: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str) -> None:
    Recorder(monkeypatch, ["write"], 0, number)
    with pytest.raises(StorageError, match=words):
        write_atomically(target, CHUNKS)


def test_a_missing_folder_and_a_folder_as_target_are_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere/a': .* folder, ENOENT\. Make the folder '.*nowhere' first\.$"):
        write_atomically(tmp_path / "nowhere" / "a", [b"x"])
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError, match=r"taken': there is a folder of that name, EISDIR"):
        write_atomically(tmp_path / "taken", [b"x"])
    assert names(tmp_path) == ["taken"]


FORBIDDEN = """
import os, sys
from polydnn.errors import StorageError
from polydnn.storage import write_atomically
if os.geteuid() == 0:
    os.setuid(65534)
try:
    write_atomically(sys.argv[1], [b"new"])
except StorageError as error:
    print(error)
"""


def test_a_folder_without_write_permission_is_named(run_python: Callable[..., Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path stands in a folder that another user may not enter
        path = Path(folder, "model")
        path.write_bytes(b"previous")
        Path(folder).chmod(0o555)
        result = run_python(FORBIDDEN, path)
        Path(folder).chmod(0o755)
        assert f"cannot write '{path}': no permission, EACCES. 3 bytes are needed" in result.stdout, result.stderr
        assert path.read_bytes() == b"previous"


def test_a_symbolic_link_is_replaced_and_not_followed(target: Path) -> None:
    link = target.with_name("link")
    link.symlink_to(target)
    write_atomically(link, [b"new"])
    assert target.read_bytes() == b"previous"
    assert not link.is_symlink()


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)
    write_atomically(path, [b"x"])
    assert path.read_bytes() == b"x"


LIMITED = """
import resource, sys
from polydnn.errors import StorageError
from polydnn.storage import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_atomically(sys.argv[1], [bytes(60_000), bytes(60_000)])
except StorageError as error:
    print(error)
"""


def test_a_file_size_limit_keeps_the_previous_file(target: Path, run_python: Callable[..., Any]) -> None:
    result = run_python(LIMITED, target)
    assert "the file-size limit is exceeded (see `ulimit -f`), EFBIG. 120000 bytes are needed" in result.stdout
    assert target.read_bytes() == b"previous"
    assert names(target.parent) == [target.name]


FULL = """
import os, sys
from pathlib import Path
from polydnn.errors import StorageError
from polydnn.storage import write_atomically
path = Path(sys.argv[1], "model")
write_atomically(path, [b"a" * 5_000_000])
try:
    write_atomically(path, [b"b" * 5_000_000])
except StorageError as error:
    print(error)
print(path.read_bytes() == b"a" * 5_000_000, os.listdir(path.parent))
"""


def test_a_full_disk_keeps_the_previous_file(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=8m tmpfs "$1" || exit 77; shift; exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, "-c", FULL, str(tmp_path)]
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed, so no small file system can be mounted")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode in (1, 77) and "Traceback" not in result.stderr:
        pytest.skip(f"no small file system can be mounted here: {result.stderr.strip()[:100]}")
    assert "no space left on the disk, ENOSPC. 5000000 bytes are needed, " in result.stdout, result.stderr
    assert result.stdout.endswith("True ['model']\n")


def test_leftovers_of_dead_writers_go_and_all_else_stays(tmp_path: Path) -> None:
    orphans = [".model.safetensors.1.0.polydnn-tmp", f".a.{os.getpid()}.999999.polydnn-tmp"]
    others = [".a.polydnn-tmp", "a.1.0.polydnn-tmp", ".a.1.0.tmp", "model.safetensors"]
    for name in orphans + others:
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in remove_orphans(tmp_path)] == sorted(orphans)
    assert names(tmp_path) == sorted(others)


def test_the_file_of_a_living_writer_stays(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, removed = os.fsync, []

    def clean_meanwhile(descriptor: int) -> None:
        removed.extend(remove_orphans(target.parent))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", clean_meanwhile)
    write_atomically(target, CHUNKS)
    assert removed == []
    assert target.read_bytes() == CONTENT


def test_a_writer_whose_file_is_cleaned_away_before_its_lock_begins_again(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, removed = os.open, []

    def clean_at_once(path: Any, *arguments: Any, **options: Any) -> int:
        descriptor = original(path, *arguments, **options)
        if not removed and str(path).endswith("polydnn-tmp"):
            removed.append(path)
            assert remove_orphans(target.parent) == [path]
        return descriptor

    monkeypatch.setattr(os, "open", clean_at_once)
    write_atomically(target, CHUNKS)
    assert len(removed) == 1
    assert target.read_bytes() == CONTENT


def test_a_leftover_under_our_own_number_is_stepped_over(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from itertools import count

    from polydnn.storage import atomic

    (target.parent / f".model.safetensors.{os.getpid()}.0.polydnn-tmp").write_bytes(b"left")
    monkeypatch.setattr(atomic, "_numbers", count())
    write_atomically(target, CHUNKS)
    assert target.read_bytes() == CONTENT


def test_a_link_replaces_its_target_at_once(target: Path) -> None:
    source = target.with_name("source")
    source.write_bytes(b"new")
    assert link_atomically(source, target)
    assert target.read_bytes() == b"new"
    assert link_atomically(source, target)  # now both names are one file, where rename does nothing
    assert names(target.parent) == sorted([target.name, "source"])
    assert source.stat().st_nlink == 2


def test_where_there_are_no_links_the_target_is_left_alone(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = target.with_name("source")
    source.write_bytes(b"new")
    Recorder(monkeypatch, ["link"], 0, errno.EPERM)
    assert not link_atomically(source, target)
    assert target.read_bytes() == b"previous"


def test_a_link_that_fails_otherwise_is_told(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = target.with_name("source")
    source.write_bytes(b"new")
    Recorder(monkeypatch, ["link", "replace"], 1, errno.ENOSPC)
    with pytest.raises(StorageError, match=r"no space left on the disk, ENOSPC\. Make room"):
        link_atomically(source, target)
    assert target.read_bytes() == b"previous"
    assert names(target.parent) == sorted([target.name, "source"])
