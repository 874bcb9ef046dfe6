"""What reading a file does to the process: it opens that file, and nothing else happens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polydnn.storage import write_checkpoint, write_model

AUDIT = """
import sys
from polydnn.errors import PolydnnError
from polydnn.storage import read_checkpoint, read_model

def read(path):
    try:
        (read_checkpoint if "checkpoint" in path else read_model)(path)
    except PolydnnError:
        return

for path in sys.argv[1:]:  # once without watching: codecs and the like are loaded on first use
    read(path)
events, watching = [], False
def watch(event, arguments):
    if watching:
        events.append((event, str(arguments[0]) if arguments else ""))
sys.addaudithook(watch)
modules = set(sys.modules)
for path in sys.argv[1:]:
    watching = True
    read(path)
    watching = False
    for event, argument in events:
        if (event, argument) != ("open", path):
            print(path, event, argument)
    print("opened", events.count(("open", path)))
    events.clear()
print("new modules", sorted(set(sys.modules) - modules))
"""


@pytest.fixture
def files(
    tmp_path: Path, description: dict[str, Any], arrays: dict[str, np.ndarray], craft: Callable[..., bytes]
) -> list[Path]:
    """Files whose contents name modules, commands and paths; some are taken and some are refused."""
    description["network"]["layers"] = [{"type": "os.system", "options": {"module": "this", "path": "/etc/passwd"}}]
    description["components"] = [{"kind": "layer", "name": "antigravity", "distribution": "pip", "version": "1"}]
    write_model(tmp_path / "model", description, arrays)
    write_checkpoint(tmp_path / "checkpoint", 1, {"factory": "antigravity:fly", "eval": "__import__('this')"}, arrays)
    (tmp_path / "damaged").write_bytes((tmp_path / "model").read_bytes()[:-1] + b"\xff")
    (tmp_path / "hostile-1").write_bytes(craft('{"format":1,"kind":"model","__import__":"this"}'))
    (tmp_path / "hostile-2").write_bytes(craft(entries='"../../etc/passwd":{}'))
    (tmp_path / "hostile-3").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    (tmp_path / "hostile-4").write_bytes(craft("cos\nsystem\n(S'true'\ntR."))
    return sorted(tmp_path.iterdir())


def test_reading_opens_the_file_once_and_does_nothing_else(files: list[Path], run_python: Callable[..., Any]) -> None:
    result = run_python(AUDIT, *files)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["opened 1"] * len(files) + ["new modules []"]


def test_the_watch_would_see_an_import_and_another_file(files: list[Path], run_python: Callable[..., Any]) -> None:
    spoilt = AUDIT.replace("        return\n", "        import this; open('/dev/null').close()\n", 1)
    spoilt = spoilt.replace("for path in sys.argv[1:]:  #", "for path in []:  #")
    result = run_python(spoilt, *files)
    assert " import this" in result.stdout
    assert " open /dev/null" in result.stdout


def test_no_source_of_the_room_names_a_way_to_run_what_it_reads() -> None:
    import ast

    from polydnn import storage

    forbidden = {"pickle", "marshal", "shelve", "importlib", "eval", "exec", "compile", "__import__", "subprocess"}
    allowed = {("schema.py", "importlib")}  # asks for polydnn's own version
    found = set()
    for path in Path(storage.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                names = [node.func.id]
            found |= {(path.name, name.split(".")[0]) for name in names if name.split(".")[0] in forbidden}
    assert found == allowed
