"""What ``polydnn train`` says about a run: before it, after it, and where it was stopped."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polydnn.cli.checkpointing import Saver, Saving
from polydnn.cli.experiment import Experiment
from polydnn.cli.output import counted, figure
from polydnn.cli.run_folder import CURVES, EXPERIMENT, HISTORY, MODEL

if TYPE_CHECKING:
    from polydnn import Network, Trainer
    from polydnn.datasets import Dataset

__all__ = ["Run", "finished_before", "finished_now", "heading", "interrupted", "summary", "units_of_loss"]


@dataclass(frozen=True)
class Run:
    """A resolved experiment with everything it is carried out with."""

    experiment: Experiment
    saving: Saving
    dataset: "Dataset"
    trainer: "Trainer"
    folder: Path

    @property
    def network(self) -> "Network":
        """The network that is trained."""
        network: Any = self.trainer.network
        return network  # type: ignore[no-any-return]


def heading(run: Run) -> str:
    """What is about to be trained, in two lines."""
    dataset, network, backend = run.dataset, run.network, run.network.backend
    widths = [network.in_features, *(layer.units for layer in network.layers if hasattr(layer, "units"))]
    lines = [
        f"{dataset.name}: {dataset.task}, {len(dataset.train):,} training and {len(dataset.test):,} test rows, "
        f"{dataset.in_features} features",
        f"network {'-'.join(map(str, widths))}: {network.parameter_count():,} parameters, {network.dtype} on "
        f"{backend.name} ({backend.device_name()})",
    ]
    return "\n".join(lines)


def finished_now(run: Run, seconds: float) -> dict[str, Any]:
    """The report of a run that has come to its end, with its measures on training and test rows."""
    network, trainer, dataset = run.network, run.trainer, run.dataset
    train, test = (trainer.evaluate(rows.x, rows.y) for rows in (dataset.train, dataset.test))
    rows_passed = sum(row["samples_per_second"] * row["seconds"] for row in trainer.history)
    assert trainer.progress is not None
    assert trainer.choice is not None
    return {
        "status": "finished",
        "backend": network.backend.name,
        "device": network.backend.device_name(),
        "dataset": dataset.name,
        "task": dataset.task,
        "epochs": len(trainer.history),
        "steps": trainer.progress.step,
        "batch_size": trainer.batch_size,
        "batch_size_why": trainer.batch_size_reason or None,
        "parameters": network.parameter_count(),
        "target_normalization": run.experiment.target_normalization,
        "train_loss": train["loss"],
        "test_loss": test["loss"],
        "test_metrics": {name: value for name, value in test.items() if name != "loss"},
        "seconds": seconds,
        "samples_per_second": rows_passed / sum(trainer.history["seconds"]),
        "model": str(run.folder / MODEL),
        "execution": trainer.choice.name,
        "execution_why": [*trainer.choice.reasons, *trainer.choice.remarks],
        "output": str(run.folder),
        "seed": run.experiment.seed,
        "history": trainer.history.rows,
    }


def finished_before(folder: Path) -> dict[str, Any]:
    """The report where there is nothing left to resume."""
    return {"status": "already finished", "model": str(folder / MODEL), "output": str(folder)}


def interrupted(run: Run, saver: Saver) -> dict[str, Any]:
    """The report of a run that a signal stopped."""
    progress = run.trainer.progress
    assert progress is not None
    return {
        "status": "interrupted",
        "signal": run.trainer.interrupted,
        "epochs": progress.epoch,
        "steps": progress.step,
        "checkpoint": None if saver.written is None else str(saver.written),
        "output": str(run.folder),
        "resume": f"polydnn train --output {shlex.quote(str(run.folder))} --resume",
    }


def summary(report: dict[str, Any]) -> str:
    """A report for people."""
    if report["status"] == "already finished":
        return f"the run in {report['output']} is finished; its model is {report['model']}."
    if report["status"] == "interrupted":
        return _summary_of_interrupted(report)
    measures = "  ".join(f"{name} {figure(value)}" for name, value in report["test_metrics"].items())
    folder = Path(report["output"])
    files = ", ".join(name for name in (MODEL, EXPERIMENT, HISTORY, CURVES) if (folder / name).exists())
    return (
        f"test rows: loss {figure(report['test_loss'])}{units_of_loss(report)}  {measures}\n"
        f"{counted(report['epochs'], 'epoch')}, {counted(report['steps'], 'step')} in {report['seconds']:.1f} s, "
        f"{report['samples_per_second']:,.0f} samples/s on {report['backend']}\n"
        f"in {folder}: {files}\n"
        f"next: polydnn evaluate {folder}, or polydnn predict {folder} FILE"
    )


def units_of_loss(report: Mapping[str, Any]) -> str:
    """What the loss is measured in, where that is not the units of the targets.

    >>> units_of_loss({"target_normalization": "standard"})
    ' (of standardized targets)'
    """
    units = {"standard": "standardized targets", "min-max": "targets scaled to [0, 1]"}
    found = units.get(report["target_normalization"])
    return "" if found is None else f" (of {found})"


def _summary_of_interrupted(report: dict[str, Any]) -> str:
    place = f"{report['signal']} after step {report['steps']:,}, {counted(report['epochs'], 'epoch')} done"
    if report["checkpoint"] is None:
        return f"{place}; nothing could be saved."
    return f"{place}; saved in {report['checkpoint']}\ngo on with: {report['resume']}"
