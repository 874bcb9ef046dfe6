"""What a check says when it finds something: what it expected, what it found, where, and what to do."""

import linecache
from pathlib import Path
from types import TracebackType

__all__ = ["Finding", "NotApplicable", "raised", "source_line"]

HERE = Path(__file__).parent


class Finding(Exception):  # noqa: N818 - it never leaves the kit
    """One broken promise, in the four parts of every message of polydnn.

    ``where`` names the worst point, ``do`` the way out; without ``do`` the check's own advice stands there.
    """

    def __init__(self, *, expected: str, found: str, where: str = "", do: str = "") -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found
        self.where = where
        self.do = do

    def text(self, advice: str) -> str:
        """The four parts, one a line; ``advice`` is used where the finding brings none."""
        parts = {"expected": self.expected, "found": self.found, "where": self.where, "do": self.do or advice}
        return "\n".join(f"{label:<9} {part}" for label, part in parts.items() if part)


class NotApplicable(Exception):  # noqa: N818 - it never leaves the kit
    """The check asks for something this item or backend does not have; ``because`` says what."""

    def __init__(self, *, because: str) -> None:
        super().__init__(because)


def raised(error: BaseException, call: str) -> Finding:
    """The finding for a call that raised, with the line of the author's code that did."""
    message = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
    line = source_line(error.__traceback__)
    return Finding(
        expected=f"{call} to return",
        found=f"{type(error).__name__}: {message}",
        where=f"{line}" if line else "",
    )


def source_line(traceback: TracebackType | None) -> str:
    """File, line, function and text of the last frame in the file that the kit called into."""
    called: str | None = None
    found = ""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if called is None and Path(code.co_filename).parent != HERE:
            called = code.co_filename
        if code.co_filename == called:
            text = linecache.getline(code.co_filename, traceback.tb_lineno).strip()
            found = f"{Path(code.co_filename).name}, line {traceback.tb_lineno}, in {code.co_name}: {text}".rstrip(": ")
        traceback = traceback.tb_next
    return found
