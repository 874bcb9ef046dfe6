"""One CUDA kernel for the update of all parameters at once, and the numbers of a step it reads from the device.

The numbers are worked out on the host in double precision, in the terms of the optimizers' own formulas: the kernel
knows neither learning rate nor step, which change while a graph is replayed.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from polydnn.executors.on_cupy.kernels import CURRENT
from polydnn.optimizers.optimizer import Optimizer

__all__ = ["UpdateKernel", "numbers_of_step", "update_kernel"]


class UpdateKernel(NamedTuple):
    """An optimizer in C: the names of its state arrays in the order of the arguments, and the kernel's text."""

    slots: tuple[str, ...]
    text: str


TEXT = """
// elements first .. count - 1; those below decayed are weights, which shrink before the update
extern "C" __global__ void update(real* parameters, const real* gradients, ARGUMENTSconst real* current, whole first,
                                  whole count, whole decayed, volatile int* broken) {
  NUMBERS
  for (whole i = first + whole(blockIdx.x) * 256 + threadIdx.x; i < count; i += whole(gridDim.x) * 256) {
    real g = gradients[i], p = parameters[i];
    if (i < decayed) p *= shrink;
    BODY
    parameters[i] = p;
    if (!is_finite(p)) *broken = 1;
  }
}
"""


def update_kernel(optimizer: Optimizer) -> UpdateKernel | None:
    """The kernel of a built-in optimizer; None for a plug-in's, whatever its name."""
    room, _, module = getattr(optimizer.update, "__module__", "").rpartition(".")
    if room != "polydnn.optimizers" or module not in BODIES:
        return None
    slots, body = BODIES[module](optimizer.options)
    arguments = "".join(f"real* {slot}, " for slot in slots)
    used = [word for word in CURRENT if word == "shrink" or re.search(rf"\b{word}\b", body)]
    numbers = " ".join(f"const real {word} = current[{CURRENT.index(word)}];" for word in used)
    text = TEXT.replace("ARGUMENTS", arguments).replace("BODY", body).replace("NUMBERS", numbers)
    return UpdateKernel(slots, text)


def numbers_of_step(optimizer: Optimizer, rate: float, step: int, decay: float) -> tuple[float, ...]:
    """A row of the table, in the order of ``kernels.CURRENT``; ``decay`` is the decoupled weight decay."""
    module = getattr(optimizer.update, "__module__", "").rpartition(".")[2]
    scale, offset = rate, 0.0
    if module == "adam" and "beta1" in optimizer.options:
        scale, offset = _adam_numbers(optimizer.options, rate, step)
    elif module == "rmsprop" and "decay" in optimizer.options:
        scale, offset = _rmsprop_numbers(optimizer.options, rate)
    elif module == "adagrad" and "eps" in optimizer.options:
        offset = float(optimizer.options["eps"])
    return rate, -rate, 1.0, float(step), scale, offset, 1.0 - rate * decay, 0.0


def _adam_numbers(options: Mapping[str, float], rate: float, step: int) -> tuple[float, float]:
    beta1, beta2, eps = options["beta1"], options["beta2"], options["eps"]
    weight = (1.0 - beta2**step) / (1.0 - beta2)  # v_hat = square_sum / weight
    scale = rate * (1.0 - beta1) / (1.0 - beta1**step) * weight**0.5
    power = 1.0 if options["eps_inside_sqrt"] else 0.5
    offset = eps / (1.0 - beta2) ** power if options["eps_hat"] else eps * weight**power
    return scale, offset


def _rmsprop_numbers(options: Mapping[str, float], rate: float) -> tuple[float, float]:
    fresh, eps = 1.0 - options["decay"], options["eps"]
    return rate * fresh**-0.5, eps / fresh if options["eps_inside_sqrt"] else eps * fresh**-0.5


def _number(value: float) -> str:
    return f"real({float(value)!r})"


def _root(inside: str, options: Mapping[str, float]) -> str:
    return f"sqrt({inside} + offset)" if options["eps_inside_sqrt"] else f"(sqrt({inside}) + offset)"


def _sgd(options: Mapping[str, float]) -> tuple[tuple[str, ...], str]:
    if not options["momentum"]:
        return (), "p -= rate * g;"
    momentum = _number(options["momentum"])
    move = f"(g + {momentum} * v)" if options["nesterov"] else "v"
    return ("velocity",), f"real v = velocity[i] = {momentum} * velocity[i] + g; p -= rate * {move};"


def _adam(options: Mapping[str, float]) -> tuple[tuple[str, ...], str]:
    slots = ("gradient_sum", "square_sum", *["largest_sum"] * bool(options["amsgrad"]))
    lines = [
        f"real m = gradient_sum[i] = {_number(options['beta1'])} * gradient_sum[i] + g;",
        f"real v = square_sum[i] = {_number(options['beta2'])} * square_sum[i] + g * g;",
        "v = largest_sum[i] = maximum(largest_sum[i], v);" * bool(options["amsgrad"]),
        f"p -= scale * (m / {_root('v', options)});",
    ]
    return slots, " ".join(lines)


def _rmsprop(options: Mapping[str, float]) -> tuple[tuple[str, ...], str]:
    decay, fresh = _number(options["decay"]), _number(1.0 - options["decay"])
    lines, slots = [f"real v = square_sum[i] = {decay} * square_sum[i] + g * g;"], ["square_sum"]
    if options["centered"]:
        slots.append("gradient_sum")
        lines.append(f"real m = gradient_sum[i] = {decay} * gradient_sum[i] + g;")
        lines.append(f"v = maximum(v - {fresh} * m * m, real(0));")
    lines.append(f"real move = g / {_root('v', options)};")
    if options["momentum"]:
        slots.append("velocity")
        lines.append(f"move = velocity[i] = {_number(options['momentum'])} * velocity[i] + move;")
    return tuple(slots), " ".join([*lines, "p -= scale * move;"])


def _adagrad(options: Mapping[str, float]) -> tuple[tuple[str, ...], str]:
    total = "real total = square_sum[i] = square_sum[i] + g * g;"
    return ("square_sum",), f"{total} p -= rate * g / {_root('total', options)};"


BODIES = {"sgd": _sgd, "adam": _adam, "rmsprop": _rmsprop, "adagrad": _adagrad}
