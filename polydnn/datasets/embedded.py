"""The four data sets that come with polydnn, each a .csv.gz in ``data/`` whose checksum is verified.

Their splits are fixed: rows drawn by the seed 0 (class by class where there are classes), whatever seed a training
uses, so that results of different seeds, backends and versions are measured on the same test rows.
"""

import gzip
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from polydnn.datasets.csv_file import dataset_from_table
from polydnn.datasets.csv_table import CsvTable
from polydnn.datasets.dataset import Dataset, Rows, Task
from polydnn.errors import DataFileError, StorageError

__all__ = ["BREAST_CANCER", "CALIFORNIA_HOUSING", "DATA_FOLDER", "DIGITS", "YEAST", "Embedded"]

DATA_FOLDER = Path(__file__).parent / "data"

SPLIT_SEED = 0


@dataclass(frozen=True)
class Embedded:
    """A data set in a file of the package: what it is, how to read it and what the file must contain."""

    name: str
    task: Task
    sha256: str
    targets: Sequence[str]
    summary: str
    source: str
    test_fraction: float = 0.2
    scaling: Literal["standard", "min-max"] = "standard"
    dtype: type[np.generic] = np.float64

    def __call__(self, folder: Path | None = None) -> Dataset:
        """The data set, read from ``folder`` where one is given, else from the package.

        Raises StorageError where the file is missing, DataFileError where its checksum is another.
        """
        path = (folder or DATA_FOLDER) / f"{self.name}.csv.gz"
        lines = io.StringIO(gzip.decompress(_verified(path, self.sha256)).decode(), newline="")
        dataset = dataset_from_table(
            CsvTable(lines, str(path)),
            self.targets,
            name=self.name,
            task=self.task,
            test_fraction=self.test_fraction,
            seed=SPLIT_SEED,
        )
        return replace(
            dataset,
            train=self._rows(dataset.train),
            test=self._rows(dataset.test),
            scaling=self.scaling,
            summary=self.summary,
            source=self.source,
        )

    def _rows(self, rows: Rows) -> Rows:
        x: np.ndarray[Any, Any] = rows.x.astype(self.dtype, copy=False)
        return Rows(x, rows.y)


def _verified(path: Path, expected: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}; it comes with polydnn: install polydnn again."
        raise StorageError(msg) from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        msg = f"{path} has the sha256 {found}, expected {expected}; the file is damaged: install polydnn again."
        raise DataFileError(msg)
    return content


DIGITS = Embedded(
    name="digits",
    task="multiclass",
    sha256="0f622aac121cc3fc5d83397199887f8019d6db33381d033e73e300a2ce17c1ed",
    targets=("digit",),
    summary="handwritten digits, 1,797 images of 8 x 8 pixels from 0 to 16 in ten classes",
    source="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, 1998 (UCI), as carried by scikit-learn",
    scaling="min-max",
    dtype=np.uint8,
)

BREAST_CANCER = Embedded(
    name="breast_cancer",
    task="binary",
    sha256="4a9060b82d4b03da9482883d57dc35cdd7dcbd0b693b897c928e6820d717d49f",
    targets=("diagnosis",),
    summary="breast cancer, 569 tumours described by 30 measurements, benign (0) or malignant (1)",
    source="Wolberg, Street, Mangasarian, Breast Cancer Wisconsin (Diagnostic), 1995 (UCI), as carried by scikit-learn",
)

CALIFORNIA_HOUSING = Embedded(
    name="california_housing",
    task="regression",
    sha256="01b924cdf983294ac6677e39ab6a558b3f0860e48c785ca6408911731e9311c5",
    targets=("medianHouseValue",),
    summary="California housing, 20,640 districts of 1990, 8 raw columns, median house value in dollars",
    source="Pace and Barry, Sparse Spatial Autoregressions, 1997 (StatLib)",
    test_fraction=0.3,  # 14,448 and 6,192 rows, as in the lecture whose examples are reproduced with them
)

YEAST = Embedded(
    name="yeast",
    task="multilabel",
    sha256="2969cb4bab877a27adcbe17871fa0b378a1e54b98816cd6106b542ee450a1c09",
    targets=tuple(f"Class{number}" for number in range(1, 15)),
    summary="yeast, 2,417 genes described by 103 measurements, 14 functional classes, several at once",
    source="Elisseeff and Weston, A Kernel Method for Multi-Labelled Classification, 2001",
)
