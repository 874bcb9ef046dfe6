"""Whether float32 products may be computed on tensor cores in TF32, which the user has to ask for.

``POLYDNN_PRECISION=tf32`` in the environment does; ``float32``, or nothing, computes in float32. TF32 keeps 10 bits of
a mantissa instead of 23: products are off by about 3e-4 of their size. It is an environment variable, like
``POLYDNN_BACKEND``, because it belongs to a machine rather than to a network: a checkpoint continued elsewhere must not
depend on it silently. ``CupyExecutor.tolerance`` says what the comparison on the first batch then has to allow.
"""

import os

from polydnn.errors import InvalidArgumentError, did_you_mean

__all__ = ["TF32_TOLERANCE", "VARIABLE", "tf32_wanted"]

VARIABLE = "POLYDNN_PRECISION"
TF32_TOLERANCE = 1e-2
"""Largest difference from the reference in TF32, relative to an array's largest element: 3e-4 over some layers."""

POSSIBLE = ("float32", "tf32")


def tf32_wanted() -> bool:
    """What the environment says; InvalidArgumentError for anything but "float32" and "tf32".

    >>> TF32_TOLERANCE > 3e-4
    True
    """
    wish = os.environ.get(VARIABLE, "").strip().lower() or "float32"
    if wish not in POSSIBLE:
        msg = f"{VARIABLE} must be float32 or tf32, found {wish!r}." + did_you_mean(wish, POSSIBLE)
        raise InvalidArgumentError(msg)
    return wish == "tf32"
