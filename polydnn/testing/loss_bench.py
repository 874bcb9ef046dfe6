"""A loss laid out for its checks: value, gradient and the forms from the pre-activation, with inputs of its kind."""

from collections.abc import Callable, Mapping
from functools import partial

from polydnn.arrays import Backend
from polydnn.losses.loss import Loss
from polydnn.testing.bench import Bench, Call, Host
from polydnn.testing.loss_inputs import LossInputs, Range, ordinary_inputs
from polydnn.types import Array, Namespace

__all__ = ["GRADIENT", "VALUE", "LossBench"]

VALUE, GRADIENT = "value", "gradient"


class LossBench(Bench):
    """A loss; ``prediction_range`` says where predictions must lie if not everywhere (a loss with a logarithm, say)."""

    kind = "loss"
    item: Loss

    def __init__(
        self,
        item: Loss,
        backend: Backend,
        factory: Callable[[], Loss] | None = None,
        prediction_range: Range | None = None,
    ) -> None:
        super().__init__(item, backend, factory)
        self.prediction_range = prediction_range

    def inputs(self, rows: int = 4, width: int = 3) -> list[LossInputs]:
        """Inputs of ordinary size of the loss's kind."""
        return ordinary_inputs(self.item.target_kind, rows, width, self.prediction_range)

    def calls(self, rows: int = 4, width: int = 3) -> list[Call]:
        inputs = self.inputs(rows, width)
        return [each for given in inputs for each in [*self.plain_calls(given), *self.logits_calls(given)]]

    def plain_calls(self, given: LossInputs) -> list[Call]:
        """value and gradient at these predictions and targets."""
        return self._pair("", self.item.value, self.item.gradient, "prediction", given.prediction, given)

    def logits_calls(self, given: LossInputs) -> list[Call]:
        """value and gradient of every form from the pre-activation, at the pre-activations and targets."""
        forms = self.item.logits_forms.items()
        return [
            each
            for name, form in forms
            for each in self._pair(f"logits_forms[{name!r}].", form.value, form.gradient, "z", given.z, given)
        ]

    def _pair(
        self,
        prefix: str,
        value: Callable[..., Array],
        gradient: Callable[..., Array],
        of: str,
        at: Host,
        given: LossInputs,
    ) -> list[Call]:
        inputs = {of: at, "target": given.target}
        shapes = {VALUE: at.shape[:1], GRADIENT: at.shape}
        calls = []
        for part, function in ((VALUE, value), (GRADIENT, gradient)):
            label = f"{prefix}{part}({of}, {given.words})"
            run = partial(_outputs, function, of, label)
            calls.append(Call(label, run, inputs, {label: shapes[part]}))
        return calls


def _outputs(
    function: Callable[..., Array], of: str, label: str, arrays: Mapping[str, Array], xp: Namespace
) -> dict[str, Array]:
    return {label: function(arrays[of], arrays["target"], xp=xp)}
