"""A planted defect: an item with one mistake in it, and the check that must name it."""

from dataclasses import dataclass

__all__ = ["STRICT", "Defect"]

STRICT = "array-api-strict"


@dataclass(frozen=True)
class Defect:
    """``item`` (or factory) has one mistake; on ``backend`` its check alone must fail, and say ``says``."""

    mistake: str
    kind: str
    check: str
    item: object
    says: str
    backend: str = "numpy"
