"""Sources of small plugins: sound ones, one with mistakes, and one that cannot be imported."""

__all__ = ["BROKEN", "EMPTY", "EXECUTORS", "FAULTY", "NEEDY", "SOUND"]

HEAD = """
from polydnn.activations.activation import Activation
from polydnn.initializers.initializer import Initializer
from polydnn.optimizers.schedule import Schedule
from polydnn.registry import ActivationSpec, InitializerSpec, ScheduleSpec, hookimpl
"""

SOUND = (
    HEAD
    + '''
def softsign():
    """z / (1 + abs(z))."""
    def slope(z, y, *, xp):
        return (1.0 / (1.0 + xp.abs(z))) ** 2

    return Activation("softsign", lambda z, *, xp: z / (1.0 + xp.abs(z)), slope)

def tiny(scale=0.01):
    """Normal numbers times scale."""
    return Initializer("tiny", lambda shape, stream: scale * stream.standard_normal(shape))

def halving():
    return Schedule("halving", lambda step, total_steps: 0.5 ** step)

@hookimpl
def polydnn_activations():
    return [ActivationSpec("softsign", softsign)]

@hookimpl
def polydnn_initializers():
    return [InitializerSpec("tiny", tiny)]

@hookimpl
def polydnn_schedules():
    return [ScheduleSpec("halving", halving)]
'''
)

FAULTY = (
    HEAD
    + '''
def ramp():
    return Activation("ramp", lambda z, *, xp: xp.maximum(z, 0.0), lambda z, y, *, xp: xp.ones_like(z))

def scaled(factor):
    """Needs an option."""
    return Activation("scaled", lambda z, *, xp: factor * z, lambda z, y, *, xp: factor * xp.ones_like(z))

def unmade():
    """Cannot be made."""
    raise RuntimeError("the table of numbers is missing")

@hookimpl
def polydnn_activations():
    return [ActivationSpec("ramp", ramp), ActivationSpec("scaled", scaled), ActivationSpec("unmade", unmade)]
'''
)

NEEDY = (
    HEAD
    + '''
def line():
    """z itself."""
    return Activation("line", lambda z, *, xp: +z, lambda z, y, *, xp: xp.ones_like(z))

def scaled(factor):
    """Needs an option."""
    return Activation("scaled", lambda z, *, xp: factor * z, lambda z, y, *, xp: factor * xp.ones_like(z))

@hookimpl
def polydnn_activations():
    return [ActivationSpec("line", line), ActivationSpec("scaled", scaled)]
'''
)

EXECUTORS = '''
from polydnn.execution import reference_step
from polydnn.registry import ExecutorSpec, hookimpl

def plain(plan):
    """The reference step."""
    return reference_step(plan)

def hasty(plan):
    """The reference step at twice the rate."""
    step = reference_step(plan)
    return lambda w, s, x, y, rate, *others: step(w, s, x, y, 2.0 * rate, *others)

@hookimpl
def polydnn_executors():
    return [
        ExecutorSpec("plain", plain),
        ExecutorSpec("hasty", hasty, backends=("numpy",)),
        ExecutorSpec("elsewhere", plain, backends=("torch", "absent")),
    ]
'''

BROKEN = "import a_module_that_does_not_exist"

EMPTY = HEAD + "\n@hookimpl\ndef polydnn_activations():\n    return []\n"
