"""Tests measure nothing, and write nothing to the user's cache of measurements."""

import os

os.environ.setdefault("POLYDNN_TUNING", "off")
