"""Data sets: the embedded and the fetched ones, and one's own from arrays, .csv, .npz and IDX files."""

from polydnn.datasets.catalogue import Loader, builtin_datasets, fetch, load
from polydnn.datasets.csv_file import read_csv, read_csv_features
from polydnn.datasets.dataset import Dataset, Rows, Task
from polydnn.datasets.fashion_mnist import locate_fashion_mnist
from polydnn.datasets.from_arrays import from_arrays
from polydnn.datasets.image_folder import read_image_folder
from polydnn.datasets.npz_file import read_npz, read_npz_features
from polydnn.datasets.split import split_rows

__all__ = [
    "Dataset",
    "Loader",
    "Rows",
    "Task",
    "builtin_datasets",
    "fetch",
    "from_arrays",
    "load",
    "locate_fashion_mnist",
    "read_csv",
    "read_csv_features",
    "read_image_folder",
    "read_npz",
    "read_npz_features",
    "split_rows",
]
