"""A trained model on the command line: its file, or the run folder it lies in with the experiment that made it."""

import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polydnn.cli.checkpointing import CHECKPOINTS
from polydnn.cli.run_folder import EXPERIMENT, MODEL
from polydnn.errors import ExperimentFileError, StorageError

if TYPE_CHECKING:
    from polydnn import Network

__all__ = ["TrainedModel", "open_model"]


@dataclass(frozen=True)
class TrainedModel:
    """The network, the path of its file, and the values of the experiment file beside it, where there is one."""

    network: "Network"
    path: Path
    experiment: dict[str, Any]


def open_model(model: str, backend: str | None = None) -> TrainedModel:
    """The model in a .safetensors file or in a run folder.

    Raises StorageError where there is none, and what ``Network.load`` raises.
    """
    from polydnn import Network

    path = Path(model).expanduser()
    if path.is_dir():
        path = path / MODEL
    if not path.is_file():
        if (path.parent / CHECKPOINTS).is_dir() and path.name == MODEL:
            msg = f"no model: the run in {path.parent} is not finished; go on with it by: {_resume(path.parent)}"
            raise StorageError(msg)
        where = f"the folder {path.parent} holds no {MODEL}" if path.name == MODEL else f"there is no file {path}"
        folder = path.parent if path.suffix == Path(MODEL).suffix else path
        msg = f"no model: {where}. Train one with: polydnn train --output {shlex.quote(str(folder))}"
        raise StorageError(msg)
    return TrainedModel(Network.load(path, backend=backend), path, _beside(path))


def _resume(folder: Path) -> str:
    return f"polydnn train --output {shlex.quote(str(folder))} --resume"


def _beside(path: Path) -> dict[str, Any]:
    file = path.parent / EXPERIMENT
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{file} is no TOML file: {error}."
        raise ExperimentFileError(msg) from error
    except OSError as error:
        msg = f"{file} cannot be read: {error.strerror or error}."
        raise StorageError(msg) from error
