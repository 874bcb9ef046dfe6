"""The limits that a container or a service manager sets on this process (Linux control groups): processors, memory."""

from collections.abc import Iterator
from pathlib import Path

__all__ = ["cpu_quota", "memory_left", "memory_limit"]

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
UNLIMITED = 2**60  # version 1 writes a number near 2**63 where there is no limit


def cpu_quota(root: Path = ROOT, membership: Path = MEMBERSHIP) -> float | None:
    """Processors' worth of time that the group may use, 1.5 say; None without a limit."""
    found = []
    for folder in _folders(root, membership, "cpu"):
        words = _text(folder / "cpu.max").split() or [
            _text(folder / "cpu.cfs_quota_us"),
            _text(folder / "cpu.cfs_period_us"),
        ]
        if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]) > 0:
            found.append(int(words[0]) / int(words[1]))
    return min(found, default=None)


def memory_limit(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Bytes of main memory that the group may use, None without a limit."""
    return min((limit for limit, _ in _memory(root, membership)), default=None)


def memory_left(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Bytes that the group may still use, None without a limit."""
    return min((max(limit - used, 0) for limit, used in _memory(root, membership)), default=None)


def _memory(root: Path, membership: Path) -> Iterator[tuple[int, int]]:
    """Limit and use of every group that this process is in and that has a limit."""
    names = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
    for folder in _folders(root, membership, "memory"):
        for limit_name, used_name in names:
            limit, used = _text(folder / limit_name), _text(folder / used_name)
            if limit.isdecimal() and int(limit) < UNLIMITED:
                yield int(limit), int(used) if used.isdecimal() else 0


def _folders(root: Path, membership: Path, controller: str) -> Iterator[Path]:
    """The folders of the groups this process is in, the innermost first; a limit may stand in any of them.

    Version 2 has one tree (a line "0::/path"), version 1 one for each controller ("4:memory:/path"). Inside a container
    the path may not exist under the root, which then is the container's own group.
    """
    seen = set()
    for line in _text(membership).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            top = root
        elif controller in controllers.split(","):
            top = root / controller
        else:
            continue
        inner = top / path.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder not in seen and folder.is_relative_to(top):
                seen.add(folder)
                yield folder


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
