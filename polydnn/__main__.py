"""``python -m polydnn``: the command line where its script is not on the path."""

from polydnn.cli import main

main(prog_name="polydnn")
