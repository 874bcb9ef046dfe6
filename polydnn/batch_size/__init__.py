"""Which mini-batch size is best on this machine, and why: machine probe, sweep, gradient noise, prediction, report."""

from polydnn.batch_size.validation import validate

__all__ = ["validate"]
