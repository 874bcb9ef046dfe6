"""Every exception a user can meet, and the one way their texts are made.

    PolydnnError
    ├── InvalidArgumentError (ValueError)     an argument of a constructor, a call or a flag
    ├── InvalidDataError (ValueError)         the contents of x, y or weights
    │   ├── ShapeError                        wrong rank, length or width
    │   └── DTypeError (TypeError)            strings, objects, complex numbers
    ├── UnknownNameError (LookupError)        a name nobody registered
    │   └── AmbiguousNameError                a name two packages registered
    ├── BackendError
    │   ├── BackendUnavailableError           the library or its device cannot be used here
    │   └── MixedBackendsError (TypeError)    arrays of two libraries or devices in one call
    ├── PluginError
    │   └── PluginLoadError                   a package that could not be loaded, in strict mode
    ├── StorageError (OSError)                the disk refused: space, permission, size limit
    ├── FileFormatError (ValueError)
    │   ├── ModelFileError                    a model file that breaks a rule of the format
    │   ├── CheckpointError                   a checkpoint that cannot be read or does not belong to this run
    │   ├── ExperimentFileError               a malformed experiment file
    │   └── DataFileError                     a malformed .csv, .npz or IDX file
    ├── DatasetUnavailableError (LookupError) a data set that is neither here nor to be had
    └── DivergenceError (ArithmeticError)     a loss or parameter that is not finite

A text says what was asked, what was found, what is possible and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AmbiguousNameError",
    "BackendError",
    "BackendUnavailableError",
    "CheckpointError",
    "DTypeError",
    "DataFileError",
    "DatasetUnavailableError",
    "DivergenceError",
    "ExperimentFileError",
    "FileFormatError",
    "InvalidArgumentError",
    "InvalidDataError",
    "MixedBackendsError",
    "ModelFileError",
    "PluginError",
    "PluginLoadError",
    "PolydnnError",
    "ShapeError",
    "StorageError",
    "UnknownNameError",
    "did_you_mean",
    "unknown_name",
]


class PolydnnError(Exception):
    """The root: ``except polydnn.PolydnnError`` catches every mistake polydnn explains."""


class InvalidArgumentError(PolydnnError, ValueError):
    """An argument has a value that cannot be used."""


class InvalidDataError(PolydnnError, ValueError):
    """The data given as x, y or weights cannot be used."""


class ShapeError(InvalidDataError):
    """An array has the wrong number of axes or the wrong length along one."""


class DTypeError(InvalidDataError, TypeError):
    """An array holds something that is no real number."""


class UnknownNameError(PolydnnError, LookupError):
    """Nobody registered the name."""


class AmbiguousNameError(UnknownNameError):
    """Two packages registered the name; the qualified name settles it."""


class BackendError(PolydnnError):
    """Something about an array library or a device."""


class BackendUnavailableError(BackendError):
    """The array library is not installed, or it is and does not work here."""


class MixedBackendsError(BackendError, TypeError):
    """Arrays of two libraries or devices met in one call."""


class PluginError(PolydnnError):
    """Something about an installed plugin package."""


class PluginLoadError(PluginError):
    """A plugin failed to load, and strict mode makes that fatal."""


class StorageError(PolydnnError, OSError):
    """The file system refused to store or to give back a file."""


class FileFormatError(PolydnnError, ValueError):
    """A file was read and breaks a rule of its format."""


class ModelFileError(FileFormatError):
    """A model file breaks a rule of the format; the text names file and reason."""


class CheckpointError(FileFormatError):
    """A checkpoint is damaged, or belongs to another run."""


class ExperimentFileError(FileFormatError):
    """An experiment file is malformed."""


class DataFileError(FileFormatError):
    """A data file is malformed."""


class DatasetUnavailableError(PolydnnError, LookupError):
    """A data set is neither on this machine nor reachable."""


class DivergenceError(PolydnnError, ArithmeticError):
    """Training produced a loss or a parameter that is not finite."""


def did_you_mean(asked: str, possible: Iterable[str]) -> str:
    """The sentence that ends a message about an unknown word, empty where nothing is near.

    >>> did_you_mean("rellu", ["gelu", "relu", "tanh"])
    " Did you mean 'relu'?"

    Initials and parts of a word count as near.

    >>> did_you_mean("mse", ["hinge", "mean_squared_error"]), did_you_mean("acc", ["accuracy", "f1"])
    (" Did you mean 'mean_squared_error'?", " Did you mean 'accuracy'?")
    """
    names = list(possible)
    near = get_close_matches(asked, names, n=1) or [name for name in names if _is_short_for(asked.lower(), name)]
    return f" Did you mean '{near[0]}'?" if near else ""


def _is_short_for(asked: str, name: str) -> bool:
    initials = "".join(word[:1] for word in name.split("_"))
    return len(asked) >= 3 and (asked == initials or asked in name)


def unknown_name(kind: str, asked: str, registered: Iterable[str]) -> UnknownNameError:
    """The error for a name nobody registered.

    >>> print(unknown_name("activation", "rellu", ["relu", "gelu"]))
    unknown activation 'rellu'; registered: gelu, relu. Did you mean 'relu'?
    """
    names = sorted(registered)
    return UnknownNameError(f"unknown {kind} {asked!r}; registered: {', '.join(names)}.{did_you_mean(asked, names)}")
