"""What goes to standard error: warnings and errors, a line or a paragraph each, and never a traceback unasked."""

import errno
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from polydnn.arrays.memory import memory_ran_out
from polydnn.errors import PolydnnError

if TYPE_CHECKING:
    from polydnn.cli.global_options import Session

__all__ = ["messages_on_stderr", "run_to_status", "warn_in_one_line"]

FAILED, INTERRUPTED = 1, 130


def warn_in_one_line(text: str) -> None:
    """Print a warning on standard error without the place in the code that it came from."""
    click.echo(f"Warning: {' '.join(text.split())}", err=True)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        warn_in_one_line(record.getMessage())


@contextmanager
def messages_on_stderr() -> Iterator[None]:
    """Print Python's warnings and polydnn's log as lines of their own while the program runs."""

    def show(message: Warning | str, *place: Any, **more: Any) -> None:
        warn_in_one_line(str(message))

    logger, lines = logging.getLogger("polydnn"), _Lines(logging.WARNING)
    logger.addHandler(lines)
    with warnings.catch_warnings():
        # arithmetic that overflows: the trainer looks at the loss and explains, and NumPy's words would only hide that
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.showwarning = show
        try:
            yield
        finally:
            logger.removeHandler(lines)


def run_to_status(call: Callable[[], Any], session: "Session") -> int:
    """Call the program and turn however it ends into an exit status, with a message where it failed."""
    try:
        result = call()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:  # the reader of a pipe, head for instance, has seen enough
        _silence_standard_output()
        return FAILED
    except Exception as error:
        _explain(error, session.debug)
        return FAILED
    return result if isinstance(result, int) else 0


def _explain(error: Exception, debug: bool) -> None:
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    elif isinstance(error, PolydnnError):
        click.echo(f"Error: {error}", err=True)
        return
    text = " ".join(str(error).split())
    if memory_ran_out(error):
        said = f" ({text.rstrip('.')})" if text else ""
        click.echo(
            f"Error: the memory does not suffice{said}. What it holds grows with the widths of --hidden, with "
            f"--batch-size and with the rows of the data; make them smaller.",
            err=True,
        )
    else:
        click.echo(f"Error: unexpected {type(error).__name__}{': ' if text else ''}{text}", err=True)
        click.echo("This should not happen. Run the command again with --debug for the traceback to report.", err=True)


def _silence_standard_output() -> None:
    """Keep the interpreter from flushing into the closed pipe, and complaining, when it exits."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError) as error:
        if getattr(error, "errno", errno.EINVAL) != errno.EINVAL:
            raise
