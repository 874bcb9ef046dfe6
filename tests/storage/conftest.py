"""Files made by hand, to hold the reader against; nothing here uses the writer."""

import hashlib
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DESCRIPTION: dict[str, Any] = {
    "format": 1,
    "polydnn": "0.1.0",
    "kind": "model",
    "network": {
        "in_features": 2,
        "dtype": "float32",
        "layers": [{"type": "dense", "options": {"units": 1}}],
        "task": None,
        "classes": [],
    },
    "components": [],
}
ENTRIES = '"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}'
DATA = bytes(8)


def right_checksum(content: bytes) -> str:
    """The checksum of a file whose digits are zeros, as the format tells it."""
    end = 8 + int.from_bytes(content[:8], "little")
    return hashlib.sha256(content[:end] + zlib.crc32(content[end:]).to_bytes(4, "little")).hexdigest()


def make_file(
    description: dict[str, Any] | str = DESCRIPTION,
    entries: str = ENTRIES,
    data: bytes = DATA,
    *,
    metadata: str = "",
    before: str = "",
    after: str = "",
    checksum: str | None = None,
    length: int | None = None,
) -> bytes:
    """A file in the format's layout; each part can be replaced, and the checksum is right for what is there."""
    text = description if isinstance(description, str) else json.dumps(description)
    begin = f'{before}{{"__metadata__":{{"checksum":"'
    end = f'","polydnn":{json.dumps(text)}{metadata}}}{"," if entries else ""}{entries}}}{after}'
    size = (len(begin) + 64 + len(end.encode()) if length is None else length).to_bytes(8, "little")

    content = size + (begin + "0" * 64 + end).encode() + data
    place = 8 + len(begin)
    digits = right_checksum(content) if checksum is None else checksum
    return content[:place] + digits.encode() + content[place + 64 :]


@pytest.fixture(scope="session")
def craft() -> Callable[..., bytes]:
    return make_file


@pytest.fixture(scope="session")
def checksum() -> Callable[[bytes], str]:
    return right_checksum


@pytest.fixture
def description() -> dict[str, Any]:
    """The description of a small model."""
    return json.loads(json.dumps(DESCRIPTION))


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """Parameters of a small model, and one array of another item size."""
    random = np.random.default_rng(5)
    return {
        "layers.0.weight": random.normal(size=(7, 5)).astype(np.float32),
        "layers.0.bias": random.normal(size=5),
        "layers.1.fitted": np.asarray([True, False, True]),
    }


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program text in a new Python process, with warnings as errors."""

    def run(program: str, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-c", program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, **options)

    return run


def same(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> bool:
    """Whether two mappings hold the same arrays in the same order: names, dtypes, shapes and bits."""
    return list(a) == list(b) and all(
        a[name].dtype == b[name].dtype and a[name].shape == b[name].shape and a[name].tobytes() == b[name].tobytes()
        for name in a
    )


@pytest.fixture(scope="session")
def same_arrays() -> Callable[[Mapping[str, np.ndarray], Mapping[str, np.ndarray]], bool]:
    return same
