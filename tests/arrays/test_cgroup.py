"""Limits of containers, read from pretended control groups of both versions."""

from pathlib import Path

from polydnn.arrays.cgroup import cpu_quota, memory_left, memory_limit


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def member(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "membership"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_version_two_takes_the_tightest_limit_on_the_way_up(tmp_path: Path) -> None:
    root, membership = tmp_path / "root", member(tmp_path, "0::/user/job")
    group(root, cpu__max="max 100000")
    group(root / "user", cpu__max="150000 100000", memory__max="1000", memory__current="400")
    group(root / "user" / "job", cpu__max="400000 100000", memory__max="max", memory__current="300")
    assert cpu_quota(root, membership) == 1.5
    assert memory_limit(root, membership) == 1000
    assert memory_left(root, membership) == 600


def test_inside_a_container_the_root_is_the_group(tmp_path: Path) -> None:
    root, membership = tmp_path / "root", member(tmp_path, "0::/not/visible/here")
    group(root, cpu__max="50000 100000", memory__max="2048", memory__current="4096")
    assert cpu_quota(root, membership) == 0.5
    assert memory_left(root, membership) == 0


def test_version_one_has_a_tree_for_each_controller(tmp_path: Path) -> None:
    root = tmp_path / "root"
    membership = member(tmp_path, "5:cpu,cpuacct:/job", "4:memory:/job", "3:pids:/job")
    group(root / "cpu" / "job", cpu__cfs_quota_us="200000", cpu__cfs_period_us="100000")
    group(root / "cpu", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    group(root / "memory" / "job", memory__limit_in_bytes="5000", memory__usage_in_bytes="1000")
    group(root / "memory", memory__limit_in_bytes=str(2**63 - 4096), memory__usage_in_bytes="1000")
    assert cpu_quota(root, membership) == 2.0
    assert (memory_limit(root, membership), memory_left(root, membership)) == (5000, 4000)


def test_without_limits_there_are_none(tmp_path: Path) -> None:
    membership = member(tmp_path, "0::/")
    group(tmp_path / "root", cpu__max="max 100000", memory__max="max")
    for root in (tmp_path / "root", tmp_path / "nothing"):
        assert cpu_quota(root, membership) is None
        assert memory_limit(root, membership) is None
        assert memory_left(root, membership) is None
    assert cpu_quota(tmp_path / "root", tmp_path / "no such file") is None
