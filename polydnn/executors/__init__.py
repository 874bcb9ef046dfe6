"""Executors made for one array library each: the reference step, faster; each is imported when a plan first asks."""

__all__: list[str] = []
