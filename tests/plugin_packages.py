"""Plugin packages that are broken in every way a package can be, one good one, and pip to install them for real."""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

__all__ = ["PACKAGES", "Package", "install", "install_sources"]

BUILD_BACKEND = '''
"""A build backend of thirty lines, so that installing these packages needs no other package and no network."""

import tomllib
import zipfile
from pathlib import Path

METADATA = "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"


def build_wheel(directory, config_settings=None, metadata_directory=None):
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    groups = "".join(
        f"[{group}]\\n" + "".join(f"{name} = {value}\\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    files = {path.name: path.read_text() for path in Path().glob("polydnn_*.py")}
    files |= {
        f"{stem}.dist-info/METADATA": METADATA.format(**project),
        f"{stem}.dist-info/WHEEL": WHEEL,
        f"{stem}.dist-info/entry_points.txt": groups,
    }
    record = f"{stem}.dist-info/RECORD"
    files[record] = "".join(f"{name},,\\n" for name in [*files, record])
    with zipfile.ZipFile(Path(directory) / f"{stem}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return f"{stem}-py3-none-any.whl"
'''

PYPROJECT = """
[build-system]
requires = []
build-backend = "tiny_build"
backend-path = ["."]

[project]
name = "{name}"
version = "{version}"

[project.entry-points.polydnn]
{entry_point} = "{module}{attribute}"
"""

ACTIVATION = """
from polydnn.activations import Activation
from polydnn.registry import ActivationSpec, hookimpl


def {name}({options}):
    return Activation("{name}", lambda z, *, xp: {forward}, derivative=lambda z, y, *, xp: {derivative})


@hookimpl
def polydnn_activations():
    return [ActivationSpec("{name}", {name}, "{name}, by a stranger"{more})]
"""


def _activation(name: str, more: str = "") -> str:
    return ACTIVATION.format(name=name, options="", forward="3 * z", derivative="3 * xp.ones_like(z)", more=more)


@dataclass(frozen=True)
class Package:
    """One distribution: its name, its only module, and the entry point that leads there."""

    name: str
    source: str
    version: str = "1.0"
    entry_point: str = ""
    attribute: str = ""

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def entry(self) -> str:
        return self.entry_point or self.name.removeprefix("polydnn-")

    def write(self, folder: Path) -> Path:
        """The package's source tree inside ``folder``."""
        home = folder / self.name
        home.mkdir(parents=True)
        (home / "tiny_build.py").write_text(BUILD_BACKEND)
        values = {"entry_point": self.entry, "module": self.module, "attribute": self.attribute}
        (home / "pyproject.toml").write_text(PYPROJECT.format(name=self.name, version=self.version, **values))
        (home / f"{self.module}.py").write_text(dedent(self.source))
        return home


GOOD = Package(
    "polydnn-good",
    ACTIVATION.format(
        name="stretched",
        options="factor=2.0",
        forward="factor * z",
        derivative="factor * xp.ones_like(z)",
        more="",
    )
    + """

@hookimpl
def polydnn_epoch_end(epoch):
    print("the good plugin saw epoch", epoch)
""",
    version="1.2",
)

BROKEN = (
    Package("polydnn-import-error", "import a_module_that_nobody_has\n"),
    Package("polydnn-system-exit", "import sys\n\nsys.exit('no licence')\n"),
    Package("polydnn-missing-attribute", "", attribute=":plugin"),
    Package(
        "polydnn-wrong-record",
        """
        from polydnn.registry import LossSpec, hookimpl

        @hookimpl
        def polydnn_activations():
            return [LossSpec("steep", lambda: None)]
        """,
    ),
    Package("polydnn-misspelt-hook", _activation("lost").replace("polydnn_activations", "polydnn_activatons")),
    Package(
        "polydnn-unknown-argument",
        """
        from polydnn.registry import hookimpl

        @hookimpl
        def polydnn_epoch_end(trainer, epoch, loss):
            pass
        """,
    ),
    Package(
        "polydnn-raising-hook",
        """
        from polydnn.registry import hookimpl

        @hookimpl
        def polydnn_losses():
            raise RuntimeError("the table of losses is empty")
        """,
    ),
    Package("polydnn-other-api", _activation("futuristic", ", api=99")),
    Package("polydnn-twin-a", _activation("left_twin"), entry_point="twin"),
    Package("polydnn-twin-b", _activation("right_twin"), entry_point="twin"),
    Package("polydnn-rival-a", _activation("contested")),
    Package("polydnn-rival-b", _activation("contested"), version="2.0"),
    Package("polydnn-imitator", _activation("relu")),
)

PACKAGES = {package.name: package for package in (GOOD, *BROKEN)}


def install(packages: Iterable[Package], target: Path, sources: Path) -> None:
    """Build the packages with pip and install them into the folder ``target``, without the network."""
    install_sources([package.write(sources) for package in packages], target)


def install_sources(homes: Iterable[Path], target: Path) -> None:
    """Build the packages whose sources lie in these folders, and install them as ``install`` does."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    command += ["--no-deps", "--no-build-isolation", "--no-compile", "--target", str(target), *map(str, homes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
