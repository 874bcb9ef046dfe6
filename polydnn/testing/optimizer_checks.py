"""What is asked of an optimizer: the table of its checks."""

from dataclasses import replace

from polydnn.testing import optimizer_motion as motion
from polydnn.testing import optimizer_state as memory
from polydnn.testing import shared_checks as shared
from polydnn.testing.check import Check
from polydnn.testing.identity_checks import DOCSTRING, NAME, OPTIONS

__all__ = ["OPTIMIZER_CHECKS"]

PLAIN_STATE = ("runs", "state", "pure", "round_trip")
SOUND = (*PLAIN_STATE, "portable", "shape", "device", "inputs_unchanged")

OPTIMIZER_CHECKS: tuple[Check, ...] = (
    NAME,
    DOCSTRING,
    OPTIONS,
    Check(
        "defaults",
        "the default learning rate and weight decay are usable",
        "set learning_rate and weight_decay on the Optimizer.",
        memory.defaults,
    ),
    replace(shared.RUNS, run=memory.runs),
    Check(
        "state",
        "the state is a mapping of names to arrays shaped like the parameter",
        'return {"velocity": xp.zeros_like(parameter)} from init, and the same names from update; the number of the '
        "step is given to update and needs no place in the state.",
        memory.state,
        ("runs",),
    ),
    Check(
        "pure",
        "nothing is remembered but the state",
        "keep nothing in closures, globals or attributes, and draw no random numbers; what must last goes into state.",
        memory.pure,
        ("runs", "state"),
    ),
    Check(
        "round_trip",
        "a state written to a checkpoint and read back goes on the same",
        "keep everything in the arrays of the mapping: no attributes, no class of its own, no identity of arrays.",
        memory.round_trip,
        ("runs", "state", "pure"),
    ),
    replace(shared.PORTABLE, needs=PLAIN_STATE),
    shared.SHAPE,
    shared.DEVICE,
    shared.DTYPE,
    replace(shared.INPUTS_UNCHANGED, run=memory.inputs_unchanged),
    shared.READ_ONLY,
    shared.STRIDED,
    Check(
        "flat_buffer",
        "an elementwise optimizer gives the same over one flat buffer as parameter by parameter",
        "elementwise=True is for updates that use nothing but the element's own numbers; leave it out otherwise.",
        memory.flat_buffer,
        SOUND,
    ),
    Check(
        "numbers_on_device",
        "learning_rate and step may be 0-d arrays",
        "use plain arithmetic on them (beta ** step): no math functions, no float(...), no if.",
        motion.numbers_on_device,
        SOUND,
    ),
    Check(
        "learning_rate",
        "the learning rate scales the step",
        "multiply the step by learning_rate, the argument.",
        motion.learning_rate,
        SOUND,
    ),
    Check(
        "descends",
        "small steps on a quadratic go down",
        "the step is subtracted: parameter - learning_rate * step.",
        motion.descends,
        (*SOUND, "defaults", "learning_rate"),
    ),
    Check(
        "zero_gradient",
        "a gradient of zeros gives finite numbers",
        "add eps where a root of squared gradients divides.",
        motion.zero_gradient,
        SOUND,
    ),
    Check(
        "nan_kept",
        "NaN in the gradient shows in the parameter, so that a broken run is seen",
        "do not replace NaN; a trainer has its own guard.",
        motion.nan_kept,
        (*SOUND, "flat_buffer"),
    ),
    shared.SAME_AS_NUMPY,
    shared.ACCURACY,
)
