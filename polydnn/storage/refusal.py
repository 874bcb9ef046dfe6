"""Why a file is refused, before anyone says for which kind of file."""

from typing import Any

__all__ = ["NewerFormat", "Refusal", "shown"]


class Refusal(Exception):  # noqa: N818 - it never leaves the room: model_file and checkpoints turn it into their own error
    """The contents break a rule; the text is the reason, without the file's name."""


class NewerFormat(Refusal):
    """The contents follow the rules of a later version: the file is whole, this polydnn is too old."""


def shown(value: Any) -> str:
    """A value from a file as part of a message: escaped, and cut where a hostile file made it long.

    >>> shown("a" * 200)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
