"""Checkpoint folders: what is kept, what is given back after damage, and what a failing disk leaves."""

import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polydnn.errors import CheckpointError, InvalidArgumentError, StorageError
from polydnn.storage import CheckpointFolder, PolydnnStorageWarning, read_checkpoint, write_checkpoint

RUN = {
    "seed": 2**64 - 1,
    "epoch": 3,
    "learning_rate": 0.1,
    "best": {"loss": 5e-324, "step": 20},
    "history": [1.0, -0.0, 1e308, 1],
    "stopped": False,
    "note": None,
    "names": ["é", "\U0001f600", "\n"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[CheckpointFolder]:
    with CheckpointFolder(tmp_path / "run", keep=3) as opened:
        yield opened


def arrays_of(step: int) -> dict[str, np.ndarray]:
    return {"w": np.full((3, 2), step, np.float32), "history": np.asarray([np.nan, step])}


def fill(folder: CheckpointFolder, *steps: int, best: int | None = None) -> None:
    for step in steps:
        folder.write(step, RUN | {"step": step}, arrays_of(step), best=step == best)


def names(folder: CheckpointFolder) -> list[str]:
    return sorted(entry.name for entry in folder.path.iterdir() if entry.name != ".lock")


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_checkpoint_comes_back_equal_to_the_bit(folder: CheckpointFolder, same_arrays: Callable[..., bool]) -> None:
    path = folder.write(120, RUN, arrays_of(120))
    assert path == folder.path / "step-00000120.safetensors"
    latest = folder.latest()
    assert latest is not None
    assert latest[0] == path
    assert repr(latest[1]) == repr(RUN)  # types, signs of zero and the order of keys included
    assert same_arrays(latest[2], arrays_of(120))


def test_an_empty_folder_has_neither_a_latest_nor_a_best(folder: CheckpointFolder) -> None:
    assert folder.path.is_dir()
    assert folder.latest() is None
    assert folder.best() is None
    assert folder.steps() == []


def test_the_last_few_are_kept_and_the_best(folder: CheckpointFolder) -> None:
    fill(folder, 10, 20, 30, 40, 50, best=20)
    assert names(folder) == ["best.safetensors"] + [f"step-000000{step}.safetensors" for step in (30, 40, 50)]
    best = folder.best()
    assert best is not None
    assert best[0].name == "best.safetensors"
    assert best[1]["step"] == 20
    assert best[2]["w"][0, 0] == 20.0


def test_a_better_one_replaces_the_best_and_takes_no_room_of_its_own(folder: CheckpointFolder) -> None:
    fill(folder, 10, best=10)
    fill(folder, 20, best=20)
    best = folder.best()
    assert best is not None
    assert best[1]["step"] == 20
    assert (folder.path / "best.safetensors").samefile(folder.path / "step-00000020.safetensors")
    assert not (folder.path / "best.safetensors").samefile(folder.path / "step-00000010.safetensors")


def test_where_there_are_no_hard_links_the_best_is_a_copy(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    fill(folder, 10, best=10)
    assert names(folder) == ["best.safetensors", "step-00000010.safetensors"]
    assert (folder.path / "best.safetensors").stat().st_nlink == 1
    assert folder.latest() is not None


def test_steps_are_ordered_as_numbers_also_beyond_eight_digits(folder: CheckpointFolder) -> None:
    fill(folder, 9, 99_999_999, 100_000_000)
    assert folder.steps() == [9, 99_999_999, 100_000_000]
    latest = folder.latest()
    assert latest is not None
    assert latest[1]["step"] == 100_000_000


def test_other_files_in_the_folder_are_left_alone(folder: CheckpointFolder) -> None:
    others = ["step-1.safetensors", "step-00000005.safetensors.bak", "history.csv", "model.safetensors"]
    for name in others:
        (folder.path / name).write_bytes(b"x")
    fill(folder, 10, 20, 30, 40)
    assert set(others) <= set(names(folder))
    assert folder.steps() == [20, 30, 40]


def test_a_damaged_newest_falls_back_with_a_warning_and_goes_at_the_next_write(folder: CheckpointFolder) -> None:
    fill(folder, 10, 20, 30)
    damage(folder.path / "step-00000030.safetensors")
    text = (
        r"step-00000030\.safetensors' cannot be used as a checkpoint: its checksum does not .* The checkpoint before it"
    )
    with pytest.warns(PolydnnStorageWarning, match=text) as caught:
        latest = folder.latest()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert latest is not None
    assert latest[1]["step"] == 20
    assert folder.steps() == [10, 20, 30]  # looking deletes nothing
    fill(folder, 25)
    assert folder.steps() == [10, 20, 25]
    fill(folder, 30)
    assert folder.steps() == [20, 25, 30]
    latest = folder.latest()
    assert latest is not None
    assert latest[1]["step"] == 30


def test_a_damaged_step_that_is_written_again_stays(folder: CheckpointFolder) -> None:
    fill(folder, 10, 20)
    damage(folder.path / "step-00000020.safetensors")
    with pytest.warns(PolydnnStorageWarning, match="step-00000020"):
        folder.latest()
    fill(folder, 20)
    latest = folder.latest()
    assert latest is not None
    assert latest[1]["step"] == 20


def test_a_damaged_newest_does_not_stop_a_run_that_another_folder_object_resumed(folder: CheckpointFolder) -> None:
    fill(folder, 10, 20, 30)
    damage(folder.path / "step-00000030.safetensors")
    folder.close()
    with CheckpointFolder(folder.path, keep=3) as again:
        fill(again, 25)
        assert again.steps() == [10, 20, 25]


def test_where_two_are_damaged_the_third_is_used(folder: CheckpointFolder) -> None:
    fill(folder, 10, 20, 30)
    (folder.path / "step-00000030.safetensors").write_bytes(b"")
    (folder.path / "step-00000020.safetensors").unlink()
    (folder.path / "step-00000020.safetensors").symlink_to("step-00000010.safetensors")
    with pytest.warns(PolydnnStorageWarning) as caught:
        latest = folder.latest()
    assert [re.search(r"checkpoint: (.*?)\. The", str(warning.message))[1] for warning in caught] == [  # type: ignore[index]
        "it is cut off: 8 bytes are missing",
        "it is a symbolic link; give the path of the file itself",
    ]
    assert latest is not None
    assert latest[1]["step"] == 10


def test_where_all_are_damaged_nothing_is_begun_anew(folder: CheckpointFolder) -> None:
    fill(folder, 10, 20)
    damage(folder.path / "step-00000010.safetensors")
    damage(folder.path / "step-00000020.safetensors")
    with (
        pytest.warns(PolydnnStorageWarning),
        pytest.raises(CheckpointError, match=r"none of the 2 checkpoints in '.*run' can be read"),
    ):
        folder.latest()


def test_a_checkpoint_of_a_later_version_is_no_damage(folder: CheckpointFolder, craft: Callable[..., bytes]) -> None:
    fill(folder, 10)
    newer = craft('{"format":2,"polydnn":"9.0","kind":"checkpoint"}', "", b"")
    (folder.path / "step-00000020.safetensors").write_bytes(newer)
    with pytest.raises(CheckpointError, match=r"step-00000020\.safetensors' .* format version 2, .*Upgrade polydnn\."):
        folder.latest()
    with pytest.raises(CheckpointError, match="a checkpoint of step 20, so step 15 cannot"):
        fill(folder, 15)


def test_a_damaged_best_is_told(folder: CheckpointFolder) -> None:
    fill(folder, 10, 20, best=10)
    damage(folder.path / "best.safetensors")
    with pytest.raises(CheckpointError, match=r"best\.safetensors' cannot be used as a checkpoint: its checksum"):
        folder.best()


def test_a_run_that_begins_anew_does_not_delete_a_longer_one(folder: CheckpointFolder) -> None:
    fill(folder, 10, 20, 30)
    with pytest.raises(CheckpointError, match=r"a checkpoint of step 10, so step 5 cannot .* discard_after\(5\)"):
        fill(folder, 5)
    assert folder.steps() == [10, 20, 30]
    assert [path.name for path in folder.discard_after(10)] == [f"step-000000{step}.safetensors" for step in (20, 30)]
    fill(folder, 15)
    assert folder.steps() == [10, 15]


def test_the_same_step_may_be_written_again(folder: CheckpointFolder) -> None:
    fill(folder, 10, best=10)
    fill(folder, 10)
    folder.write(10, {"again": True}, {}, best=True)
    latest = folder.latest()
    assert latest is not None
    assert latest[1] == {"again": True}
    assert names(folder) == ["best.safetensors", "step-00000010.safetensors"]


@pytest.mark.parametrize("best", [False, True])
def test_whatever_call_fails_all_earlier_checkpoints_are_there(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch, best: bool
) -> None:
    fill(folder, 10, 20, best=10)
    fill(folder, 30)
    reached, errors = 0, []
    while True:  # fails at the first call, then at the second, until the write has fewer calls than that
        with monkeypatch.context() as patch:
            calls = count_calls(patch, fail_at=reached)
            try:
                folder.write(40, RUN | {"step": 40}, arrays_of(40), best=best)
            except StorageError as error:
                errors.append(error)
        if reached >= len(calls):
            break
        reached += 1
        assert {10, 20, 30} <= set(folder.steps())
        assert not [name for name in names(folder) if name.endswith("polydnn-tmp")]
        latest, found_best = folder.latest(), folder.best()
        assert latest is not None
        assert latest[1]["step"] in (30, 40)
        assert found_best is not None
        assert found_best[1]["step"] in ((10, 40) if best else (10,))
        if best and latest[1]["step"] == 40:
            assert found_best[1]["step"] == 40  # the newest never tells of a best one that is not there
    assert reached >= (7 if best else 5)
    assert [error.errno for error in errors] == [errno.ENOSPC] * reached
    assert all(str(folder.path) in str(error) for error in errors)
    assert folder.steps() == [20, 30, 40]


def count_calls(patch: pytest.MonkeyPatch, fail_at: int) -> list[str]:
    """Note the calls that change the disk; the one of number ``fail_at`` meets a full disk."""
    calls: list[str] = []

    def wrap(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(name)
            if len(calls) - 1 == fail_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*arguments)

        return call

    for name in ("write", "fsync", "replace", "link"):
        patch.setattr(os, name, wrap(name, getattr(os, name)))
    return calls


def test_an_old_one_that_cannot_be_deleted_is_a_warning(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    fill(folder, 10, 20, 30)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.warns(
        PolydnnStorageWarning, match=r"cannot delete the obsolete '.*10\.safetensors' \(Permission denied\)"
    ):
        fill(folder, 40)
    assert folder.steps() == [10, 20, 30, 40]


def test_leftovers_go_when_the_folder_is_opened(tmp_path: Path) -> None:
    (tmp_path / ".step-00000010.safetensors.1.0.polydnn-tmp").write_bytes(b"half")
    with CheckpointFolder(tmp_path) as folder:
        assert names(folder) == []


def test_single_checkpoint_files_of_any_name(tmp_path: Path, same_arrays: Callable[..., bool]) -> None:
    path = tmp_path / "before-the-holidays"
    assert write_checkpoint(path, 5, RUN, arrays_of(5)) == path.stat().st_size
    description, arrays = read_checkpoint(path)
    assert description == RUN
    assert same_arrays(arrays, arrays_of(5))
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="before-the-holidays' cannot be used as a checkpoint: it is cut off"):
        read_checkpoint(path)


@pytest.mark.parametrize("step", [-1, 1.0, True, "5", 10**16])
def test_a_step_that_is_no_number_of_a_step_is_named(folder: CheckpointFolder, step: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=re.escape(f"step must be an integer from 0 on, found {step!r}.")):
        folder.write(step, {}, {})


@pytest.mark.parametrize("keep", [0, -1, 2.0, True, None])
def test_keep_must_be_a_number_of_files(tmp_path: Path, keep: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=re.escape(f"keep must be an integer from 1 on, found {keep!r}.")):
        CheckpointFolder(tmp_path, keep)


def test_the_names_of_new_folders_are_flushed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    original = os.fsync

    def note(descriptor: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        original(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("/proc tells which folder a descriptor is")
    monkeypatch.setattr(os, "fsync", note)
    for _ in range(2):
        CheckpointFolder(tmp_path / "runs" / "first").close()
    assert flushed == [str(tmp_path / "runs"), str(tmp_path)]


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"x")
    with pytest.raises(StorageError, match=r"cannot make the folder '.*run': File exists\. Choose another one"):
        CheckpointFolder(tmp_path / "run")
