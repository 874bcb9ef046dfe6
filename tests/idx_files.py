"""Small IDX files for tests, written by the letter of the format and not by the code under test."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["idx", "write_images"]

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(array: np.ndarray[Any, Any]) -> bytes:
    """The IDX file of unsigned bytes that holds ``array``."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_images(folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Six images of 3 x 4 pixels to train on and two to test on, in three classes; returns the training ones."""
    images = np.arange(72, dtype=np.uint8).reshape(6, 3, 4)
    labels = np.array([0, 1, 2, 0, 1, 2], dtype=np.uint8)
    for name, array in zip(NAMES, (images, labels, images[:2] + 100, labels[1:3]), strict=True):
        (folder / name).write_bytes(idx(array))
    return images, labels
