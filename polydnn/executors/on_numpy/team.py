"""The threads that work beside the caller's, one team of a size for the whole process."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

__all__ = ["team"]


@cache
def team(size: int) -> ThreadPoolExecutor:
    """``size`` threads, started when first needed; a forked process starts its own."""
    return ThreadPoolExecutor(max(size, 1), thread_name_prefix="polydnn")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=team.cache_clear)
