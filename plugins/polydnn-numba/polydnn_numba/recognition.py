"""Which parts of a plan are polydnn's own: told by their functions, since another package may use the same names."""

from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

import polydnn
from polydnn import Activation, Layer, Loss, Optimizer, StepPlan
from polydnn_numba import activations, losses, updates

__all__ = ["Rule", "activation_kind", "is_dense", "is_dropout", "is_normalization", "loss_kind", "optimizer_rule"]

OWN = "polydnn"


class Rule(NamedTuple):
    """An optimizer as compiled code knows it: its number, its options as numbers, and which slot holds what."""

    kind: int
    options: tuple[float, ...]
    slots: dict[str, int]


def same(a: Any, b: Any) -> bool:
    """Whether two functions do the same: one function, or one piece of code that closes over the same values."""
    if a is b:
        return True
    if not isinstance(a, FunctionType) or not isinstance(b, FunctionType):
        return type(a) is type(b) and bool(a == b)
    if a.__code__ is not b.__code__ or a.__globals__ is not b.__globals__:
        return False
    if a.__defaults__ != b.__defaults__ or a.__kwdefaults__ != b.__kwdefaults__:
        return False
    cells = zip(a.__closure__ or (), b.__closure__ or (), strict=True)
    return all(same(one.cell_contents, other.cell_contents) for one, other in cells)


def _own(make: Callable[[Any], Any], item: Any) -> Any:
    """polydnn's item of the same name and options; None where there is none."""
    try:
        return make((f"{OWN}:{item.name}", dict(item.options)))
    except polydnn.PolydnnError:
        return None


# ---- layers ----------------------------------------------------------------------------------------------------------


def _behaves_as(layer: Layer, kind: type[Layer], *methods: str) -> bool:
    return all(getattr(layer, name, None) == getattr(kind, name).__get__(layer) for name in methods)


def is_dense(layer: Layer) -> bool:
    """Whether the layer runs polydnn's dense layer, whatever class it is of."""
    return _behaves_as(layer, polydnn.Dense, "forward", "pre_activation")


def is_dropout(layer: Layer) -> bool:
    return isinstance(layer, polydnn.Dropout) and _behaves_as(layer, polydnn.Dropout, "forward", "noise")


def is_normalization(layer: Layer) -> bool:
    return isinstance(layer, polydnn.Normalization) and _behaves_as(layer, polydnn.Normalization, "forward", "predict")


# ---- functions -------------------------------------------------------------------------------------------------------


def activation_kind(activation: Activation) -> tuple[int, float]:
    """The activation's number and its one option; raises NotImplementedError where it is not polydnn's."""
    own = _own(polydnn.activation, activation)
    name = activation.name
    if name == "gelu" and activation.options.get("approximate"):
        name = "approximate gelu"
    parts = ("forward", "derivative", "backward")
    if own is None or name not in activations.KINDS or not all(_same_part(activation, own, part) for part in parts):
        msg = f"the activation {activation.name!r} is not one of polydnn's own that it knows"
        raise NotImplementedError(msg)
    return activations.KINDS.index(name), float(activation.options.get("alpha", 1.0))


def _same_part(a: Any, b: Any, part: str) -> bool:
    return same(getattr(a, part), getattr(b, part))


def loss_kind(plan: StepPlan) -> int:
    """The number of the loss, joined with the last activation where the plan joins them."""
    loss: Loss = plan.loss
    own = _own(polydnn.loss, loss)
    known = own is not None and all(_same_part(loss, own, part) for part in ("value", "gradient"))
    if known and plan.form is not None:
        last = plan.network.layers[-1]
        form = own.logits_forms.get(last.activation.name)  # type: ignore[attr-defined]
        known = form is not None and all(_same_part(plan.form, form, part) for part in ("value", "gradient"))
    if not known or loss.name not in losses.KINDS:
        msg = f"the loss {loss.name!r} is not one of polydnn's own that it knows"
        raise NotImplementedError(msg)
    if loss.on_probabilities and plan.form is None:
        msg = f"the loss {loss.name!r} is served in its stable form only, and the last activation has none"
        raise NotImplementedError(msg)
    return losses.KINDS.index(loss.name)


def optimizer_rule(optimizer: Optimizer) -> Rule:
    """The optimizer for compiled code; raises NotImplementedError where it is not polydnn's."""
    own = _own(polydnn.optimizer, optimizer)
    if own is None or not all(_same_part(optimizer, own, part) for part in ("init", "update")):
        msg = f"the optimizer {optimizer.name!r} is not one of polydnn's own"
        raise NotImplementedError(msg)
    given: Any = optimizer.options
    if optimizer.name == "sgd":
        if given["momentum"] == 0.0:
            return _rule("sgd", [0.0])
        return _rule("momentum", [given["momentum"], given["nesterov"]], "velocity")
    if optimizer.name in ("adam", "adamw"):
        names = ["beta1", "beta2", "eps", "amsgrad", "eps_inside_sqrt", "eps_hat"]
        largest = "largest_sum" if given["amsgrad"] else ""
        return _rule("adam", [given[name] for name in names], "gradient_sum", "square_sum", largest)
    if optimizer.name == "rmsprop":
        names = ["decay", "momentum", "eps", "centered", "eps_inside_sqrt"]
        mean, velocity = "gradient_sum" if given["centered"] else "", "velocity" if given["momentum"] else ""
        return _rule("rmsprop", [given[name] for name in names], "square_sum", mean, velocity)
    if optimizer.name == "adagrad":
        return _rule("adagrad", [given["eps"], given["eps_inside_sqrt"]], "square_sum")
    msg = f"the optimizer {optimizer.name!r} is not one that it knows"
    raise NotImplementedError(msg)


def _rule(kind: str, options: list[Any], *slots: str) -> Rule:
    numbers = tuple(float(each) for each in options)
    return Rule(updates.KINDS.index(kind), numbers, {name: row for row, name in enumerate(slots) if name})
