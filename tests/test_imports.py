"""The import rules: which room may import which, who may name an array library, and what importing polydnn loads."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.yardstick import assert_ratio

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "polydnn"

# from top to bottom; a room imports rooms below its own line only, and rooms of one line do not import each other
LINES: list[set[str]] = [
    {"__main__"},
    {"cli"},
    {"__init__"},
    {"testing"},
    {"api"},
    {"batch_size"},
    {"registry"},
    {"training"},
    {"storage"},
    {"datasets"},
    {"executors"},
    {"execution"},
    {"network"},
    {"layers"},
    {"activations", "losses", "optimizers", "metrics", "initializers"},
    {"arrays"},
    {"types", "errors"},
]
LEVEL = {room: len(LINES) - number for number, line in enumerate(LINES) for room in line}
EXCEPTIONS = {
    ("layers", "initializers"),  # a layer draws its first values
}
ARRAY_LIBRARIES = {"cupy", "torch", "jax", "array_api_strict", "array_api_compat"}
NO_NUMPY = ["activations", "losses", "optimizers", "metrics", "execution/reference.py"]
HEAVY = [
    "torch",
    "jax",
    "cupy",
    "array_api_strict",
    "matplotlib",
    "click",
    "rich",
    "jinja2",
    "sklearn",
    "scipy",
    "pytest",
]
PUBLIC_ROOMS = {
    "polydnn",
    "polydnn.testing",
    "polydnn.datasets",
    "polydnn.storage",
    "polydnn.execution",
    "polydnn.executors",
    "polydnn.executors.on_numpy",
    "polydnn.batch_size",
}
DRIVES_THE_COMMAND = {"benchmarks/kill_loop.py"}  # it kills the command line, forked from its own process
LONGEST_FILE = 400

FILES = sorted(PACKAGE.rglob("*.py"))
ALL_FILES = sorted(
    path for folder in ("polydnn", "tests", "plugins", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)


def imports(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Line, module and names of every import of a file, wherever it stands; those for type checkers count too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, []
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.lineno, node.module or "", [alias.name for alias in node.names]


def for_type_checkers(path: Path) -> set[int]:
    """The lines below ``if TYPE_CHECKING:``, which never run."""
    return {
        line
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for child in node.body
        for line in range(child.lineno, (child.end_lineno or child.lineno) + 1)
    }


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(module: str, names: list[str]) -> list[str]:
    """The rooms of polydnn that an import reaches; what comes from the package itself comes from its __init__."""
    if module != "polydnn":
        return [module.split(".")[1]] if module.startswith("polydnn.") else []
    return [name if name in LEVEL else "__init__" for name in names] or ["__init__"]


def test_every_room_has_its_line() -> None:
    rooms = {room_of(path) for path in FILES}
    assert rooms <= set(LEVEL), f"rooms without a line in the table: {rooms - set(LEVEL)}"


def test_imports_run_downwards() -> None:
    faults = []
    for path in FILES:
        room, unseen = room_of(path), for_type_checkers(path)
        for line, module, names in imports(path):
            for other in rooms_imported(module, names):
                allowed = other == room or LEVEL[other] < LEVEL[room] or (room, other) in EXCEPTIONS
                if not allowed and line not in unseen:
                    faults.append(f"{path.relative_to(ROOT)}:{line}: {room} imports {other}")
    assert not faults, "\n".join(faults)


def test_only_arrays_and_executors_name_array_libraries() -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in FILES
        if room_of(path) not in ("arrays", "executors")  # an executor is made for one library
        for line, module, _ in imports(path)
        if module.split(".")[0] in ARRAY_LIBRARIES
    ]
    assert not faults, "\n".join(faults)


def test_the_mathematics_never_imports_numpy() -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for start in NO_NUMPY
        for path in ([PACKAGE / start] if start.endswith(".py") else sorted((PACKAGE / start).rglob("*.py")))
        for line, module, _ in imports(path)
        if module.split(".")[0] == "numpy"
    ]
    assert not faults, "\n".join(faults)


def test_plugins_and_benchmarks_import_public_names_only() -> None:
    faults = []
    for path in ALL_FILES:
        if path.relative_to(ROOT).parts[0] not in ("plugins", "benchmarks"):
            continue
        for line, module, names in imports(path):
            where = f"{path.relative_to(ROOT)}:{line}"
            if where.partition(":")[0] in DRIVES_THE_COMMAND and module.startswith("polydnn.cli"):
                continue
            if module.split(".")[0] == "polydnn" and module not in PUBLIC_ROOMS | {"polydnn.errors"}:
                faults.append(f"{where}: {module}")
            elif module.split(".")[0] == "polydnn":
                public = set(__import__(module, fromlist=["__all__"]).__all__) | {"testing", "errors", "datasets"}
                faults += [f"{where}: {module}.{name}" for name in names if name not in public]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("limit", [LONGEST_FILE])
def test_no_file_is_too_long_to_be_one_idea(limit: int) -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in ALL_FILES}
    assert len(lengths) > 100
    long = {str(path): length for path, length in lengths.items() if length > limit}
    assert not long, long


def test_every_file_opens_with_a_sentence() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in FILES
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent, silent


def clean_environment() -> dict[str, str]:
    """Without settings, and with byte code kept: the second of two starts is warm."""
    unwanted = ("POLYDNN_", "PYTHONPROFILE", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def fresh(code: str) -> str:
    options = {"cwd": ROOT, "env": clean_environment(), "capture_output": True, "text": True, "check": True}
    return subprocess.run([sys.executable, "-c", code], **options).stdout.strip()  # type: ignore[call-overload, no-any-return]


def test_importing_polydnn_loads_no_library_and_no_plugin() -> None:
    code = (
        "import sys, polydnn; from polydnn.registry import default_registry\n"
        "plugins = [name for name in sys.modules if name.startswith('polydnn_')]\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], plugins)"
    )
    assert fresh(code) == "[] []"


def test_importing_polydnn_is_quick() -> None:
    """Within four times of what NumPy alone takes, in processor time of fresh processes."""
    code = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"
    assert_ratio(4.0, lambda: float(fresh(code.format("polydnn"))), lambda: float(fresh(code.format("numpy"))))
