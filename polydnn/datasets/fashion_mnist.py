"""Fashion-MNIST: where its four files may lie, what they must contain, and where they come from.

Source: Xiao, Rasul and Vollgraf, *Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms*,
2017; MIT licence. The checksums of the packed files are those of the files whose MD5 sums the project's page lists.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from polydnn.datasets.dataset import Dataset
from polydnn.datasets.download import RemoteFile
from polydnn.datasets.image_folder import FILES, find_images, read_image_folder
from polydnn.errors import DatasetUnavailableError

__all__ = ["CONTENT", "REMOTE", "SUMMARY", "data_folder", "fashion_mnist", "locate_fashion_mnist"]

NAME = "fashion_mnist"
SUMMARY = "clothes, 60,000 + 10,000 images of 28 x 28 pixels in ten classes"

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the files."""

UPSTREAM = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
"""The project's own host. It offers no https, so nothing is kept unless its sha256 is right."""

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

CONTENT = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""sha256 of the unpacked files, the same for upstream's, for Debian's and for files packed anew."""

REMOTE = tuple(
    RemoteFile(f"{UPSTREAM}{name}.gz", size, sha256)
    for name, size, sha256 in (
        (FILES[0], 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (FILES[1], 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (FILES[2], 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (FILES[3], 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    )
)
"""The packed files at their origin."""


def fashion_mnist(folder: Path | None = None) -> Dataset:
    """Fashion-MNIST, x uint8 (60000, 784) and (10000, 784), from wherever ``locate_fashion_mnist`` finds its files.

    Raises DatasetUnavailableError, saying the three ways to have it, where they are nowhere, and DataFileError where a
    file's content is not that of Fashion-MNIST (MNIST's own files have the same names).
    """
    place = locate_fashion_mnist(folder)
    if place is None:
        raise DatasetUnavailableError(_three_ways(folder))
    return read_image_folder(
        place,
        name=NAME,
        classes=CLASSES,
        checksums=CONTENT,
        summary=SUMMARY,
        source=f"Xiao, Rasul and Vollgraf 2017, MIT licence; read from {place}",
    )


def locate_fashion_mnist(folder: Path | None = None) -> Path | None:
    """The folder that holds all four files, None where there is none.

    Searched are ``folder`` and its subfolder fashion_mnist, and nothing else where it is given; otherwise the folder in
    the environment variable POLYDNN_DATA in the same way, the user's cache, and the place of Debian's package.
    """
    return next((place for place in _places(folder) if len(find_images(place)) == len(FILES)), None)


def data_folder() -> Path:
    """Where fetched data sets are kept: POLYDNN_DATA, or polydnn in the user's cache directory."""
    chosen = os.environ.get("POLYDNN_DATA")
    if chosen:
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "polydnn"


def _places(folder: Path | None) -> Iterator[Path]:
    base = data_folder() if folder is None else folder
    yield base / NAME
    yield base
    if folder is None:
        yield DEBIAN_FOLDER


def _three_ways(folder: Path | None) -> str:
    looked = ", ".join(str(place) for place in _places(folder))
    missing = ""
    if folder is not None and (found := find_images(folder)):
        missing = f" ({folder} lacks {', '.join(name for name in FILES if name not in found)})"
    return (
        f"data set {NAME!r} is not on this machine; looked in {looked}{missing}. Three ways to have it: "
        f"apt-get install dataset-fashion-mnist (Debian, Ubuntu); name a folder with its four IDX files, as the "
        f"argument folder or in the environment variable POLYDNN_DATA; polydnn datasets fetch {NAME}."
    )
