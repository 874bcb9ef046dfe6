"""What the batch-size benchmarks share. Importing it unsets what would force slow kernels, so it is imported first."""

import os

from machine_facts import FORCING

__all__ = ["UNSET"]

UNSET = {name: os.environ.pop(name) for name in FORCING if name in os.environ}
"""Environment variables that were unset; they count only before NumPy is loaded."""
