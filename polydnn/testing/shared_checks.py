"""The checks that kinds of items share, as the records that their tables are made of."""

from polydnn.testing import call_checks as call
from polydnn.testing.check import Check

__all__ = [
    "ACCURACY",
    "DETERMINISTIC",
    "DEVICE",
    "DTYPE",
    "EMPTY",
    "INPUTS_UNCHANGED",
    "ONE_ROW",
    "PORTABLE",
    "READ_ONLY",
    "RUNS",
    "SAME_AS_NUMPY",
    "SHAPE",
    "STRIDED",
]

WORKS = ("runs", "portable", "shape")
STEADY = (*WORKS, "deterministic", "device")

RUNS = Check(
    "runs",
    "it works on ordinary NumPy arrays without an exception or a warning",
    "call it with small arrays by hand; every other check waits for this one.",
    call.runs,
)
PORTABLE = Check(
    "portable",
    "it works on every array library of the standard, and where NumPy cannot see the memory",
    "it works on NumPy and not here: use functions of xp, never of numpy; only those of the Array API standard (no "
    "out=, no assignment into arrays, no boolean masks); and give creation functions device=input.device.",
    call.portable,
    ("runs",),
)
SHAPE = Check(
    "shape",
    "every result has the shape that the contract gives",
    "keep the rows on axis 0, and reduce over the last axis only (axis=-1).",
    call.shape,
    ("runs", "portable"),
)
DTYPE = Check(
    "dtype",
    "float32 in gives float32 out, and float64 gives float64",
    "use plain Python numbers as constants, and dtype=input.dtype in creation functions and in xp.astype.",
    call.dtype,
    (*WORKS, "device"),
)
DEVICE = Check(
    "device",
    "results are arrays of the inputs' library and device",
    "give creation functions device=input.device, and return arrays, not Python or NumPy numbers.",
    call.device,
    WORKS,
)
DETERMINISTIC = Check(
    "deterministic",
    "two calls with the same inputs give the same numbers",
    "use no random numbers and keep nothing between calls.",
    call.deterministic,
    (*WORKS, "device"),
)
INPUTS_UNCHANGED = Check(
    "inputs_unchanged",
    "inputs are never written to",
    "make a new array: x = x * 2, not x *= 2 and not x[...] = ....",
    call.inputs_unchanged,
    ("runs", "portable"),
)
READ_ONLY = Check(
    "read_only",
    "read-only inputs are accepted",
    "do not write into the inputs, not even to undo it afterwards; make a new array.",
    call.read_only,
    (*WORKS, "inputs_unchanged"),
)
STRIDED = Check(
    "strided",
    "the order of the numbers in memory does not matter",
    "use the array's axes only; do not reach for its memory, its strides or its flat order.",
    call.strided,
    (*STEADY, "inputs_unchanged"),
)
EMPTY = Check(
    "empty",
    "a batch of 0 rows gives results with 0 rows",
    "reduce over the last axis only; a maximum or a division by the number of rows over all rows fails here.",
    call.empty,
    WORKS,
)
ONE_ROW = Check(
    "one_row",
    "a row alone gives what it gives in a batch",
    "rows must not mix, and one row is a batch too: reduce over the last axis (axis=-1), never over axis 0 or over "
    "everything, and do not squeeze.",
    call.one_row,
    STEADY,
)
SAME_AS_NUMPY = Check(
    "same_as_numpy",
    "the numbers are those that NumPy gives",
    "look for a function whose meaning differs between the libraries, and write it with others.",
    call.same_as_numpy,
    STEADY,
)
ACCURACY = Check(
    "accuracy",
    "float32 gives the float64 numbers to three digits",
    "rearrange the formula so that close numbers are not subtracted: xp.log1p, xp.expm1, or the maximum taken out.",
    call.accuracy,
    (*STEADY, "dtype", "same_as_numpy"),
)
