"""Loss and metrics of a network over a whole set of rows."""

from collections.abc import Sequence

from polydnn.execution.plan import StepPlan
from polydnn.metrics.metric import Metric
from polydnn.network import BLOCK
from polydnn.training.batches import Rows
from polydnn.training.targets import metric_output
from polydnn.types import Array

__all__ = ["evaluate"]


def evaluate(plan: StepPlan, metrics: Sequence[Metric], rows: Rows) -> dict[str, float]:
    """``{"loss": ..., metric: ...}`` of the network as it is, outside training (no dropout, running statistics).

    The loss is the mean over the rows (weighted where they have weights), without penalties. Rows pass in blocks; the
    results are read back once at the end.
    """
    xp = plan.backend.xp
    network = plan.network
    value = (plan.form or plan.loss).value
    outputs: list[Array] = []
    total: Array | float = 0.0
    mass: Array | float = 0.0
    for start in range(0, len(rows), BLOCK):
        part = slice(start, min(start + BLOCK, len(rows)))
        score, output = _outputs(plan, xp.astype(rows.x[part, ...], network.real_dtype, copy=False))
        losses = value(score, rows.y[part, ...], xp=xp)
        if rows.weights is None:
            total, mass = total + xp.sum(losses), mass + losses.shape[0]
        else:
            total = total + xp.sum(losses * rows.weights[part])
            mass = mass + xp.sum(rows.weights[part])
        if metrics:
            outputs.append(metric_output(network, plan.loss, output))
    report = {"loss": float(total) / float(mass)}
    if metrics:
        prediction = outputs[0] if len(outputs) == 1 else xp.concat(outputs, axis=0)
        for metric in metrics:
            report[metric.name] = float(metric.value(prediction, rows.metric_y, xp=xp))
    return report


def _outputs(plan: StepPlan, x: Array) -> tuple[Array, Array]:
    """What the loss takes and what the network puts out, sharing everything up to the last layer."""
    network, xp = plan.network, plan.backend.xp
    if plan.form is None:
        output = network.output_of(x)
        return output, output
    score = network.output_of(x, layers=plan.layers)
    return score, network.layers[-1].activation.forward(score, xp=xp)  # type: ignore[attr-defined] # form implies Dense
