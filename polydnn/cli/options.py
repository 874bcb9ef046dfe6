"""The options that describe an experiment, shared by every command that trains."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

import click

from polydnn.cli.option_types import Hidden, ItemType, Number, Whole
from polydnn.cli.sections import option
from polydnn.datasets import Task
from polydnn.network import DTYPES

__all__ = ["DATA", "EXPERIMENT_SECTIONS", "NETWORK", "TRAINING", "experiment_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

DATA, NETWORK, TRAINING = "Data", "Network", "Training"
EXPERIMENT_SECTIONS = (DATA, NETWORK, TRAINING)

NONE: Mapping[str, object] = {"none": None}
SCALINGS = click.Choice(["auto", "standard", "min-max", "none"])

SHARE = Number("a number between 0 and 1", low=0.0, high=1.0, open=True)
SHARE_OR_NONE = Number("a number between 0 and 1", low=0.0, high=1.0, open=True, words=NONE)
ABOVE_ZERO = Number("a number above 0", low=0.0, open=True, words=NONE)
DROPPED = Number("a number from 0 to below 1", low=0.0, high=1.0 - 1e-9)
FROM_ZERO = Number("a number of at least 0", low=0.0)

DATA_OPTIONS = (
    option(DATA, "--dataset", metavar="NAME|FILE", default="digits", show_default=True,
           help="A data set's name, or a .csv or .npz file or a folder of IDX files."),
    option(DATA, "--target", metavar="COLUMN", multiple=True,
           help="A column of a .csv file to be predicted; all others are features. Can be repeated."),
    option(DATA, "--task", type=click.Choice(get_args(Task)),
           help="What a file's targets are; told from them unless given."),
    option(DATA, "--test-fraction", metavar="SHARE", type=SHARE,
           help="The share of a file's rows that is kept for the test; 0.2 unless given."),
    option(DATA, "--folder", metavar="DIR",
           help="Where a data set's files lie, for one that does not come with polydnn."),
    option(DATA, "--normalization", type=SCALINGS, default="auto", show_default=True,
           help="How the features are scaled, by constants of the training rows."),
    option(DATA, "--target-normalization", type=SCALINGS, default="auto", show_default=True,
           help="How a regression's targets are scaled while training; its losses, in the history too, are in scaled "
                "units, its metrics in the targets' own."),
)  # fmt: skip

NETWORK_OPTIONS = (
    option(NETWORK, "--hidden", metavar="WIDTHS", type=Hidden(), default="64", show_default=True,
           help="Units of the hidden layers, such as 512,512; none for a network without any."),
    option(NETWORK, "--activation", metavar="ITEM", type=ItemType(), default="relu", show_default=True,
           help="Activation of the hidden layers."),
    option(NETWORK, "--output-activation", metavar="ITEM", type=ItemType(),
           help="By the task and the loss unless given."),
    option(NETWORK, "--initializer", metavar="ITEM", type=ItemType(), help="By the activation unless given."),
    option(NETWORK, "--dropout", metavar="RATE", type=DROPPED, default=0.0,
           help="Share of hidden units dropped in training."),
    option(NETWORK, "--batch-normalization/--no-batch-normalization",
           help="Normalize every hidden layer over the batch."),
    option(NETWORK, "--backend", metavar="NAME",
           help="numpy, cupy, cupy:1, torch, torch:cuda, jax, auto ...; POLYDNN_BACKEND, else numpy, unless given."),
    option(NETWORK, "--dtype", type=click.Choice(DTYPES), default="float32", show_default=True,
           help="The precision of everything the network computes."),
)  # fmt: skip

TRAINING_OPTIONS = (
    option(TRAINING, "--epochs", metavar="N", type=Whole(), default=30, show_default=True,
           help="Passes over the training rows."),
    option(TRAINING, "--batch-size", metavar="N|full|auto", type=Whole(words={"full": "full", "auto": "auto"}),
           default=64, show_default=True,
           help="Rows of a step; auto measures for a few seconds which number trains fastest."),
    option(TRAINING, "--loss", metavar="ITEM", type=ItemType(), help="By the task unless given."),
    option(TRAINING, "--optimizer", metavar="ITEM", type=ItemType(), default="adam", show_default=True,
           help="How the weights move along the gradient."),
    option(TRAINING, "--learning-rate", metavar="RATE", type=ABOVE_ZERO,
           help="0.004 for adam and the optimizer's own for another, unless given."),
    option(TRAINING, "--schedule", metavar="ITEM", type=ItemType(optional=True), default="cosine", show_default=True,
           help="How the learning rate changes over the fit; none for a constant one."),
    option(TRAINING, "--metric", metavar="ITEM", type=ItemType(), multiple=True,
           help="What is measured beside the loss; by the task unless given. Can be repeated."),
    option(TRAINING, "--validation-fraction", metavar="SHARE", type=SHARE_OR_NONE,
           help="Share of the training rows that is set aside and measured after every epoch."),
    option(TRAINING, "--patience", metavar="N", type=Whole(words=NONE),
           help="Stop after N epochs in which the validation loss did not improve, and keep the best weights."),
    option(TRAINING, "--class-weight", type=click.Choice(["none", "balanced"]), default="none", show_default=True,
           help="Whether rare classes count as much as frequent ones."),
    option(TRAINING, "--l1", metavar="FACTOR", type=FROM_ZERO, default=0.0, help="L1 penalty of the weights."),
    option(TRAINING, "--l2", metavar="FACTOR", type=FROM_ZERO, default=0.0, help="L2 penalty of the weights."),
    option(TRAINING, "--weight-decay", metavar="FACTOR", type=FROM_ZERO,
           help="Decoupled decay of the weights; the optimizer's own unless given."),
    option(TRAINING, "--clip-value", metavar="BOUND", type=ABOVE_ZERO, help="Bound every element of the gradients."),
    option(TRAINING, "--clip-norm", metavar="BOUND", type=ABOVE_ZERO, help="Bound the norm of all gradients together."),
    option(TRAINING, "--seed", metavar="N", type=Whole(low=0), default=0, show_default=True,
           help="Fixes the initial weights, the order of the rows and the dropout masks."),
    option(TRAINING, "--execution", metavar="NAME", default="auto", show_default=True,
           help="The executor of the training step; reference for the plain one."),
)  # fmt: skip


def experiment_options(command: Command) -> Command:
    """Give a command all options that describe an experiment."""
    for each in reversed((*DATA_OPTIONS, *NETWORK_OPTIONS, *TRAINING_OPTIONS)):
        command = each(command)
    return command
