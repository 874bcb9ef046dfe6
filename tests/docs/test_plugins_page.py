"""Every block of docs/plugins.md runs, in its order, in a virtual environment in which only polydnn is installed.

A block whose first line is a comment with a file's name is that file. Another Python block is a program; a text block
after it is what it prints. A console block is commands, ``$``, and what each prints: nothing is compared where nothing
is shown but the exit status, "..." stands for any text, and "Error:" means that the command fails.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.plugin_environments import ROOT, Place

PAGE = ROOT / "docs" / "plugins.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w./-]+\.(?:py|toml))\n")
SHELL = 'set -o pipefail; pip() { python -m pip "$@"; }; pytest() { python -m pytest "$@"; }; '
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
RUN_SHELL = "import subprocess, sys; sys.exit(subprocess.call(['bash', '-c', sys.argv[1]], stderr=subprocess.STDOUT))"


@dataclass(frozen=True)
class Block:
    """A block of the page, and the line it begins at."""

    line: int
    language: str
    text: str


def blocks() -> Iterator[Block]:
    page = PAGE.read_text()
    for match in BLOCK.finditer(page):
        yield Block(page.count("\n", 0, match.start()) + 1, match[1], match[2])


def matches(expected: str, found: str) -> bool:
    """Whether the texts agree, "..." standing for anything; spaces at the ends of lines do not count."""
    wanted, text = ("\n".join(line.rstrip() for line in each.strip().split("\n")) for each in (expected, found))
    pattern = ".*".join(re.escape(part) for part in wanted.split("..."))
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def run_console(place: Place, block: Block) -> None:
    for piece in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, expected = piece.partition("\n")
        done = place.run("-c", RUN_SHELL, SHELL + command, **OFFLINE, COLUMNS="160")
        where = f"{PAGE.name}:{block.line}: {command}\n{done.stdout}"
        assert done.returncode == (1 if expected.startswith("Error:") or "2>&1" in command else 0), where
        if expected:
            assert matches(expected, done.stdout), f"{where}\nexpected:\n{expected}"


def run_program(place: Place, block: Block) -> str:
    done = place.run("-W", "error", "-c", block.text)
    assert done.returncode == 0, f"{PAGE.name}:{block.line}\n{done.stderr}"
    return done.stdout


def write_file(place: Place, name: str, text: str) -> None:
    path = place.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.slow
def test_every_block_of_the_page_runs(venv_with_polydnn: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = Place(venv_with_polydnn.python, tmp_path_factory.mktemp("page"))
    printed, ran = "", 0
    for block in blocks():
        file = FILE.match(block.text)
        if file:
            write_file(place, file[1], block.text[file.end() :])
        elif block.language == "python":
            printed = run_program(place, block)
        elif block.language == "text":
            assert matches(block.text, printed), f"{PAGE.name}:{block.line}\n{printed}"
        else:
            run_console(place, block)
        ran += 1
    assert ran == len(re.findall(r"^```", PAGE.read_text(), re.MULTILINE)) // 2


def test_every_block_is_of_a_kind_that_is_run() -> None:
    found = list(blocks())
    assert len(found) > 20
    for before, block in zip([None, *found], found, strict=False):
        assert block.language in ("python", "toml", "console", "text"), block.line
        assert block.language != "toml" or FILE.match(block.text), block.line
        assert block.language != "console" or block.text.startswith("$ "), block.line
        assert block.language != "text" or (before is not None and before.language == "python"), block.line


def test_the_text_that_stands_for_anything_stands_for_no_mistake() -> None:
    assert matches("a ... d\n", "a b\nc d")
    assert matches("polydnn:   \n", "polydnn:")
    assert not matches("a ... d", "a b c")
    assert not matches("all pass", "not all pass")


def test_the_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE.read_text())
    assert len(links) >= 4
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
