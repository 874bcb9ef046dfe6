"""The command line: one file a command, each of which parses, calls and prints."""

from polydnn.cli.program import main

__all__ = ["main"]
