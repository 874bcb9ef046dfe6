"""Feed the model-file reader damaged and made-up files, and count what it does with them.

    python benchmarks/fuzz_model_file.py [--count 100000] [--seed 0] [--write]

Half of the files are valid ones with up to four random changes to their bytes, with or without the right checksum for
what they have become; a file that reaches a new outcome is changed further later on. The other half have values of
their header and description replaced, removed or added, and the right checksum. The reader may take a file or raise
ModelFileError within a second; anything else is a fault, is printed with its file, and makes the exit status 1. A file
that is taken must, written again, give an equal model. ``--write`` stores the figures under benchmarks/results/.
"""

import argparse
import copy
import hashlib
import json
import platform
import random
import re
import sys
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from polydnn.errors import ModelFileError
from polydnn.storage import model_description, read_model, write_model

RESULT = Path(__file__).parent / "results" / "fuzz_model_file.json"
DIGITS = slice(8 + len('{"__metadata__":{"checksum":"'), 8 + len('{"__metadata__":{"checksum":"') + 64)
WORDS = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b"\\\\",
        b" ",
        b"\0",
        b"\n",
        b"../",
        b"/",
        b"\\ud800",
        b"\xff\xfe",
    ),
    *(b"-1", b"0", b"1.0", b"1e999", b"NaN", b"null", b"true", b"9007199254740993", b"18446744073709551616"),
    *(b'"F64"', b'"BOOL"', b'"dtype"', b'"shape"', b'"data_offsets"', b'"__metadata__"', b'"checksum"', b'"polydnn"'),
    *(b'\\"format\\"', b'\\"layers\\"', b'\\"options\\"', b'"b":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'),
]
VALUES: list[Any] = [
    *(0, 1, 2, 3, 4, 8, 24, -1, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, 0.5, 1e300, True, False, None),
    *("", "a", "F32", "U8", "BOOL", "float32", "model", "dense", "os.system", "../x", "\ud800", "\x1b[2J", "x" * 300),
    *([], {}, [0], [0, 0], [2**40, 0, 2**40], [1] * 9, {"a": {"b": []}}),
]
for _ in range(20):  # 40 levels: more than are allowed
    VALUES[-1] = {"deep": [VALUES[-1]]}


def valid_files(folder: Path) -> list[bytes]:
    """Files of several shapes to begin from."""
    layer = {"type": "dense", "options": {"units": 3, "activation": {"name": "elu", "options": {"alpha": 0.1}}}}
    plain = {"in_features": 2, "dtype": "float32", "layers": [layer], "task": "multiclass", "classes": ["a", "é", 3]}
    component = {"kind": "layer", "name": "noise", "distribution": "polydnn-noise", "version": "0.1"}
    weights = {"layers.0.weight": np.ones((2, 3), np.float32), "layers.0.bias": np.zeros(3)}
    others = {"flags": np.asarray([True, False]), "empty": np.zeros((0, 4)), "scalar": np.asarray(7)}
    found = []
    for components, arrays in (([], weights), ([component], weights | others), ([], {})):
        write_model(folder / "valid", model_description(plain, components), arrays)
        found.append((folder / "valid").read_bytes())
    return found


def change_bytes(content: bytearray, rng: random.Random) -> None:
    """One random change in place, rarely before the end of the checksum."""
    first = 0 if rng.random() < 0.1 else min(DIGITS.stop, len(content))
    place = rng.randint(first, len(content))
    length = min(rng.choice((1, 1, 2, 4, 8, 30)), len(content) - place)
    kind = rng.randrange(6)
    if kind == 0 and length:
        content[place] ^= 1 << rng.randrange(8)
    elif kind == 1 and length:
        content[place] = rng.randrange(256)
    elif kind == 2:
        del content[place : place + length]
    elif kind == 3:
        content[place:place] = rng.choice(WORDS)
    elif kind == 4:
        content[place : place + length] = rng.choice(WORDS)
    else:
        content[place:place] = content[rng.randrange(len(content) + 1) :][: rng.choice((4, 40, 400))]


def change_values(valid: bytes, rng: random.Random) -> bytearray:
    """A valid file with some values of its header or description exchanged for others."""
    end = 8 + int.from_bytes(valid[:8], "little")
    header = json.loads(valid[8:end])
    description = json.loads(header["__metadata__"]["polydnn"])
    for _ in range(rng.randint(1, 3)):
        change_value(rng.choice((header, description)), rng)
    metadata = {"checksum": "0" * 64, "polydnn": json.dumps(description)}
    # the metadata changes rarely, as nothing else is looked at after that
    header["__metadata__"] = metadata if rng.random() < 0.98 else header.get("__metadata__")
    text = json.dumps({"__metadata__": None} | header, separators=(",", ":")).encode()
    return bytearray(len(text).to_bytes(8, "little") + text + valid[end:])


def change_value(tree: Any, rng: random.Random) -> None:
    """Replace, remove or add one value somewhere in a tree of dictionaries and lists."""
    while True:
        keys = list(tree) if isinstance(tree, dict) else range(len(tree))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(tree[key], dict | list) and tree[key] and rng.random() < 0.85:
            tree = tree[key]
            continue
        kind = rng.random()
        if kind < 0.75:
            tree[key] = copy.deepcopy(rng.choice(VALUES))
        elif kind < 0.85:
            del tree[key]
        elif isinstance(tree, dict):
            tree[rng.choice(("x", "b", "", "../y", "a" * 201, *keys))] = copy.deepcopy(rng.choice((tree[key], *VALUES)))
        else:
            tree.append(copy.deepcopy(rng.choice((tree[key], *VALUES))))
        return


def repair(content: bytearray, header_end: bytes) -> None:
    """Give the file its checksum and, where the header's end is known and found, the header its length."""
    end = content.find(header_end) + len(header_end) if header_end else 0
    if end >= DIGITS.stop:
        while content[end : end + 1] == b" ":
            end += 1
        content[:8] = (end - 8).to_bytes(8, "little")
    if len(content) >= DIGITS.stop:
        content[DIGITS] = b"0" * 64
        end = 8 + int.from_bytes(content[:8], "little")
        crc = zlib.crc32(content[end:]).to_bytes(4, "little")
        content[DIGITS] = hashlib.sha256(content[:end] + crc).hexdigest().encode()


def header_ending(content: bytes) -> bytes:
    """The last bytes of a valid file's header, to find its end again after changes."""
    end = 8 + int.from_bytes(content[:8], "little")
    return content[:end].rstrip(b" ")[-6:]


def make_file(valid: list[bytes], corpus: list[tuple[bytes, bytes]], rng: random.Random) -> tuple[bytearray, bytes]:
    """The next file to try, and how its header ends."""
    if rng.random() < 0.5:
        content, ending = change_values(rng.choice(valid), rng), b"}"
        repair(content, b"")
        return content, ending
    start, ending = rng.choice(corpus)
    content = bytearray(start)
    for _ in range(rng.randint(1, 4)):
        change_bytes(content, rng)
    if rng.random() < 0.7:
        repair(content, ending)
    return content, ending


def try_file(path: Path, again: Path) -> str:
    """Read a file: "taken", or the reason it is refused for, without its particulars."""
    try:
        description, arrays = read_model(path)
    except ModelFileError as error:
        reason = str(error).split("file: ", 1)[1]
        return re.sub(r"'[^']*'|\"[^\"]*\"|\[.*?\]|\(.*?\)|-?\d[\d.e+]*", "_", reason)[:60]
    write_model(again, description, arrays)
    found_description, found = read_model(again)
    same = found_description == description and list(found) == list(arrays)
    if not same or any(found[name].tobytes() != array.tobytes() for name, array in arrays.items()):
        msg = "a model that was taken does not come back equal"
        raise RuntimeError(msg)
    return "taken"


def fuzz(count: int, seed: int) -> tuple[dict[str, Any], bool]:
    """The figures of ``count`` executions, and whether there was no fault."""
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    slowest, faults = 0.0, 0
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        path, again = Path(name, "fuzzed"), Path(name, "again")
        valid = valid_files(Path(name))
        corpus = [(content, header_ending(content)) for content in valid]
        for _ in range(count):
            content, ending = make_file(valid, corpus, rng)
            path.write_bytes(content)
            before = time.perf_counter()
            try:
                outcome = try_file(path, again)
            except Exception as error:  # whatever is no ModelFileError is what this looks for
                outcome = f"FAULT {type(error).__name__}"
                faults += 1
                print(f"{type(error).__name__}: {error}\n{bytes(content)!r}", file=sys.stderr)
            slowest = max(slowest, time.perf_counter() - before)
            if outcome not in outcomes and len(content) < 20_000:
                corpus.append((bytes(content), ending))  # it reached a rule that none before it had reached
            outcomes[outcome] += 1
    seconds = time.perf_counter() - started
    refused = sum(outcomes.values()) - outcomes["taken"] - faults
    figures = {
        "executions": count,
        "seed": seed,
        "taken": outcomes["taken"],
        "refused": refused,
        "faults": faults,
        "distinct_reasons": len(outcomes),
        "slowest_seconds": round(slowest, 4),
        "seconds": round(seconds, 1),
        "outcomes": dict(outcomes.most_common(50)),
    }
    return figures, faults == 0 and slowest < 1.0


def machine() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }


def main() -> None:
    """Print the figures as JSON; exit status 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="store the figures under benchmarks/results/")
    arguments = parser.parse_args()
    figures, good = fuzz(arguments.count, arguments.seed)
    text = json.dumps({"machine": machine(), **figures}, indent=2) + "\n"
    print(text, end="")
    if arguments.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
