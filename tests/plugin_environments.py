"""Places to install plugin packages into for real: without the network, and without the plugins of whoever tests."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Place", "build_wheel", "environment_without_settings", "link_installed_packages", "make_venv"]

ROOT = Path(__file__).parents[1]
OFFLINE = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-build-isolation")


def environment_without_settings() -> dict[str, str]:
    """The environment for a process that must not see the settings of whoever runs the tests."""
    ours = ("POLYDNN_", "PYTHON", "PYTEST", "XDG_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def link_installed_packages(folder: Path) -> Path:
    """A folder with a link to everything installed here but polydnn and its plugins, to be put on a path."""
    folder.mkdir(parents=True)
    for site in [Path(each) for each in sys.path if each.endswith(("site-packages", "dist-packages"))]:
        for entry in site.iterdir():
            ours = entry.name.lower().lstrip("_").startswith(("polydnn", "editable__.polydnn", "editable___polydnn"))
            link = folder / entry.name
            if not ours and entry.suffix != ".pth" and not link.exists():
                link.symlink_to(entry)
    return folder


@dataclass(frozen=True)
class Place:
    """An interpreter with its search path, and the folder its programs run in."""

    python: Path
    home: Path
    path: tuple[Path, ...] = ()

    def run(self, *arguments: str, timeout: float = 900.0, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the interpreter with these arguments; a search path replaces the interpreter's own."""
        command = [str(self.python), *(["-S"] if self.path else []), *arguments]
        environment = environment_without_settings() | {"XDG_CONFIG_HOME": str(self.home)}
        if self.path:
            environment["PYTHONPATH"] = os.pathsep.join(map(str, self.path))
        environment["PATH"] = os.pathsep.join([str(self.python.parent), environment["PATH"]])
        return subprocess.run(
            command, cwd=self.home, env=environment | variables, capture_output=True, text=True, timeout=timeout
        )

    def polydnn(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command line."""
        return self.run("-m", "polydnn", *arguments, **variables)

    def install(self, *what: str | Path) -> None:
        """Install packages with pip, which finds what they need here or fails."""
        done = self.run("-m", "pip", "install", *OFFLINE, *map(str, what))
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)


def build_wheel(source: Path, folder: Path) -> Path:
    """The wheel of the package whose sources lie there."""
    command: Sequence[str] = [sys.executable, "-m", "pip", "wheel", *OFFLINE, "--no-deps", "--wheel-dir", str(folder)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    (wheel,) = folder.glob("*.whl")
    return wheel


def make_venv(folder: Path, site: Path, wheel: Path) -> Place:
    """A new virtual environment in which polydnn's wheel is installed, and the packages of ``site`` can be imported."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    purelib = subprocess.run([str(python), "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    (Path(purelib) / "installed_packages.pth").write_text(f"{site}\n")
    place = Place(python, folder)
    place.install("--no-deps", wheel)
    return place
