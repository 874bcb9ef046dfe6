"""Model files and checkpoints: written so that nothing is lost, read so that nothing is trusted."""

from polydnn.storage.atomic import remove_orphans, write_atomically
from polydnn.storage.checkpoints import (
    Checkpoint,
    CheckpointFolder,
    PolydnnStorageWarning,
    read_checkpoint,
    write_checkpoint,
)
from polydnn.storage.layout import FORMAT
from polydnn.storage.model_file import ExpectedShapes, read_model, write_model
from polydnn.storage.schema import model_description

__all__ = [
    "FORMAT",
    "Checkpoint",
    "CheckpointFolder",
    "ExpectedShapes",
    "PolydnnStorageWarning",
    "model_description",
    "read_checkpoint",
    "read_model",
    "remove_orphans",
    "write_atomically",
    "write_checkpoint",
    "write_model",
]
