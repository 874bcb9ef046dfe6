"""The table of hostile model files: each is refused by ModelFileError, which names the file and the reason, in time.

Every file but those about the checksum carries the right checksum for its contents: damage is not what gives it away.
"""

import copy
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polydnn.errors import ModelFileError
from polydnn.storage import read_model
from tests.yardstick import assert_within


def entry(dtype: Any = "F32", shape: Any = (2, 1), offsets: Any = (0, 8), name: str = "w", more: str = "") -> str:
    values = f'"dtype":{json.dumps(dtype)},"shape":{json.dumps(shape)},"data_offsets":{json.dumps(offsets)}'
    return f'"{name}":{{{values}{more}}}'


def described(old: str, new: str) -> str:
    """The text of a valid description with one piece replaced."""
    text = (
        '{"format":1,"polydnn":"0.1.0","kind":"model","network":{"in_features":2,"dtype":"float32",'
        '"layers":[{"type":"dense","options":{"units":1}}],"task":null,"classes":[]},"components":[]}'
    )
    assert old in text
    return text.replace(old, new, 1)


TWO = entry(shape=[1], offsets=[0, 4]) + ","
NAN = b"\0\0\xc0\x7f"

# name: (how the file differs from a valid one, the reason in the message)
HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "no checksum match": ({"checksum": "0" * 64}, "checksum does not match its contents"),
    "checksum in capitals": ({"checksum": "A" * 64}, "does not begin with polydnn's checksum"),
    "checksum too short": ({"checksum": "0" * 63}, "does not begin with polydnn's checksum"),
    "blank before the header": ({"before": " "}, "does not begin with '{'"),
    "list as header": ({"before": "["}, "does not begin with '{'"),
    "NUL behind the header": ({"after": "\0"}, "does not end with '}' and at most 7 spaces"),
    "newline behind the header": ({"after": "\n"}, "does not end with '}' and at most 7 spaces"),
    "8 spaces behind the header": ({"after": " " * 8}, "does not end with '}' and at most 7 spaces"),
    "second object behind the header": ({"after": "{}"}, "header is not valid JSON: Extra data"),
    "header length 0": ({"length": 0}, "does not begin with '{'"),
    "header length too small": ({"length": 120}, "does not end with '}'"),
    "header length beyond the file": ({"length": 10_000}, "its header would have 10000 bytes, the file has"),
    "header length 2**64 - 1": ({"length": 2**64 - 1}, "its header would have 18446744073709551615 bytes"),
    "header of 9 MB": ({"entries": "", "data": b"", "after": " " * 9_000_000}, "header would have 9000.* are allowed"),
    "more metadata": (
        {"metadata": ',"format":"pt"'},
        "metadata has the keys .*; expected are 'checksum' and 'polydnn'",
    ),
    "second checksum": ({"metadata": f',"checksum":"{"0" * 64}"'}, "header has the key 'checksum' twice"),
    "second metadata": ({"entries": '"__metadata__":{}'}, "header has the key '__metadata__' twice"),
    "second array of a name": ({"entries": TWO + entry(shape=[1], offsets=[4, 8])}, "header has the key 'w' twice"),
    "name climbs": ({"entries": entry(name="../../etc/passwd")}, r"array name '\.\./\.\./etc/passwd' is not"),
    "name is absolute": ({"entries": entry(name="/etc/passwd")}, "array name '/etc/passwd' is not"),
    "name is empty": ({"entries": entry(name="")}, "array name '' is not"),
    "name with NUL": ({"entries": entry(name="a\\u0000b")}, r"array name 'a\\x00b' is not"),
    "name with an escape sequence": ({"entries": entry(name="\\u001b[2J")}, r"array name '\\x1b\[2J' is not"),
    "name of 201 letters": ({"entries": entry(name="a" * 201)}, r"array name 'a+\.\.\. is not"),
    "name outside ASCII": ({"entries": entry(name="\\u0430")}, r"array name '\\u0430' is not"),
    "header outside ASCII": ({"entries": entry(name="\u0430")}, "header holds bytes that are not ASCII"),
    "entry is a list": ({"entries": '"w":[]'}, r"array 'w' is described by \[\]; expected are 'data_offsets'"),
    "entry with more": ({"entries": entry(more=',"file":"/etc/passwd"')}, "array 'w' is described by .*'file'"),
    "entry with less": ({"entries": '"w":{"dtype":"F32","shape":[2,1]}'}, "array 'w' is described by"),
    "unknown dtype": ({"entries": entry("O")}, "array 'w' has dtype 'O'; possible: BOOL, U8, "),
    "dtype of NumPy": ({"entries": entry("<f4")}, "array 'w' has dtype '<f4'; possible"),
    "dtype is a list": ({"entries": entry(["F32"])}, r"array 'w' has dtype \['F32'\]; possible"),
    "complex dtype": ({"entries": entry("C64", [1])}, "array 'w' has dtype 'C64'; possible"),
    "negative length": ({"entries": entry(shape=[-2, -1])}, r"shape \[-2, -1\]; expected is a list of integers from 0"),
    "length is a float": ({"entries": entry(shape=[2.0, 1])}, r"shape \[2\.0, 1\]; expected is a list of integers"),
    "length is true": ({"entries": entry(shape=[2, True])}, r"shape \[2, True\]; expected is a list of integers"),
    "shape is a number": ({"entries": entry(shape=2)}, "array 'w' has shape 2; expected is a list"),
    "9 axes": ({"entries": entry(shape=[2] + [1] * 8)}, "which has too many axes or is too large"),
    "shape overflows": ({"entries": entry(shape=[2**32, 2**32])}, "which has too many axes or is too large"),
    "huge beside zero": (
        {"entries": entry(shape=[2**52, 0, 2**52], offsets=[0, 0])},
        "has too many axes or is too large",
    ),
    "length beyond 2**53": ({"entries": entry(shape=[2**53 + 1])}, "header has the integer 9007199254740993, outside"),
    "4 TiB from 8 bytes": ({"entries": entry(shape=[2**40], offsets=[0, 2**42])}, "it is cut off: .* 8 are there"),
    "range beyond the file": (
        {"entries": entry(shape=[3, 1], offsets=[0, 12])},
        "it is cut off: .*12 bytes, and 8 are",
    ),
    "range of another size": ({"entries": entry(offsets=[0, 4])}, "which does not fit its shape and dtype"),
    "range backwards": ({"entries": entry(offsets=[8, 0])}, "which does not fit its shape and dtype"),
    "range below zero": (
        {"entries": entry(offsets=[-8, 0])},
        r"data_offsets \[-8, 0\]; expected is a list of integers",
    ),
    "range of three": ({"entries": entry(offsets=[0, 8, 8])}, "which does not fit its shape and dtype"),
    "ranges overlap": (
        {"entries": TWO + entry(shape=[1], offsets=[2, 6], name="v")},
        "of array 'v' overlaps another array",
    ),
    "ranges leave a hole": ({"entries": TWO + entry("U8", [2], [6, 8], "v")}, "of array 'v' leaves a hole before it"),
    "hole at the start": ({"entries": entry(shape=[1], offsets=[4, 8])}, "of array 'w' leaves a hole before it"),
    "bytes behind the data": ({"data": bytes(9)}, "has bytes behind its last array: its arrays take 8 bytes, and 9"),
    "a zip archive behind the data": ({"data": bytes(8) + b"PK\5\6" + bytes(18)}, "has bytes behind its last array"),
    "data missing": ({"data": b""}, "it is cut off: its arrays take 8 bytes, and 0 are there"),
    "not a number": ({"data": NAN * 2}, "array 'w' holds a NaN or an infinity"),
    "infinity": ({"data": bytes(4) + b"\0\0\x80\xff"}, "array 'w' holds a NaN or an infinity"),
    "boolean byte 2": (
        {"entries": entry("BOOL", [8]), "data": b"\0\1\2\0\0\0\0\0"},
        "BOOL and holds a byte other than",
    ),
    "header with NaN": ({"entries": '"w":NaN'}, "header has the number NaN"),
    "header nested": ({"entries": '"w":' + "[" * 100_000}, "header is nested 100001 levels deep; 32 are allowed"),
    "a million entries": ({"entries": '"w":[' + "[]," * 10**6 + "[]]"}, "header has more than 300000 elements"),
    "description no JSON": ({"description": "import os"}, "description is not valid JSON: Expecting value"),
    "description empty": ({"description": ""}, "description is not valid JSON: Expecting value"),
    "description a pickle": ({"description": "cos\nsystem\n(S'true'\ntR."}, "description is not valid JSON"),
    "description a list": ({"description": "[]"}, r"description is \[\]; expected is a JSON object"),
    "description with a key twice": (
        {"description": described('"kind":"model"', '"kind":"model","kind":"model"')},
        "description has the key 'kind' twice",
    ),
    "description nested": ({"description": "[" * 10**5 + "]" * 10**5}, "description is nested 100000 levels deep"),
    "description with NaN": ({"description": described('"units":1', '"units":NaN')}, "description has the number NaN"),
    "description with 1e999": ({"description": described('"units":1', '"units":1e999')}, "has the number 1e999"),
    "integer of a million digits": (
        {"description": described('"units":1', '"units":' + "9" * 10**6)},
        r"description has the integer 9+\.\., outside",
    ),
    "half a surrogate pair": ({"description": described("dense", "\\ud800")}, "half of a surrogate pair"),
    "newer format": (
        {"description": described('"format":1,"polydnn":"0.1.0"', '"format":2,"polydnn":"9.0"')},
        r"it has format version 2, written by polydnn '9\.0'; this polydnn reads up to version 1\. Upgrade polydnn",
    ),
    "format as text": ({"description": described('"format":1', '"format":"1"')}, "its format version is '1'; expected"),
    "format missing": ({"description": described('"format":1,', "")}, "its format version is None; expected"),
    "kind": ({"description": described('"kind":"model"', '"kind":"script"')}, "it is 'script' by its description"),
    "unknown key": (
        {"description": described('"components"', '"__reduce__":"os.system","components"')},
        "description has the unknown key '__reduce__'; possible: components, format,",
    ),
    "layer names a module": (
        {"description": described('"options"', '"module":"os","options"')},
        r"description\.network\.layers\[0\] has the unknown key 'module'",
    ),
    "network missing": ({"description": '{"format":1,"polydnn":"1","kind":"model"}'}, "lacks the key 'network'"),
}


def test_the_table_is_long_enough_and_its_starting_point_is_valid(tmp_path: Path, craft: Callable[..., bytes]) -> None:
    assert len(HOSTILE) >= 60
    for description in ({}, {"description": described("dense", "dense")}):
        (tmp_path / "m").write_bytes(craft(**description))
        assert read_model(tmp_path / "m")[1]["w"].tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(("change", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused(
    tmp_path: Path, craft: Callable[..., bytes], change: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(craft(**copy.deepcopy(change)))

    def refused() -> None:
        with pytest.raises(ModelFileError, match=reason) as caught:
            read_model(path)
        assert str(caught.value).startswith(f"'{path}' cannot be used as a model file: ")
        assert str(caught.value).isprintable()  # nothing in the file can steer a terminal
        assert len(str(caught.value)) < len(str(path)) + 400

    assert_within(20.0, refused)


BYTES = {
    "empty": (b"", "it is cut off: 8 bytes are missing"),
    "7 bytes": (b"\2" + bytes(6), "it is cut off: 1 bytes are missing"),
    "length alone": (b"\2" + bytes(7), "its header would have 2 bytes, the file has 8"),
    "two braces": (b"\2" + bytes(7) + b"{}", "does not begin with polydnn's checksum"),
    "pickle": (b"\x80\x04cos\nsystem\n(S'true'\ntR.", "its header would have"),
    "zip archive": (b"PK\3\4" + bytes(200), "does not begin with '{'|its header would have"),
    "NumPy array": (
        b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': ()}",
        "its header would have",
    ),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "its header would have"),
    "text": (b"import os; os.system('true')", "its header would have"),
}


@pytest.mark.parametrize(("content", "reason"), BYTES.values(), ids=BYTES)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(ModelFileError, match=f"m' cannot be used as a model file: .*({reason})"):
        read_model(tmp_path / "m")


def test_a_file_of_the_safetensors_library_is_told_from_ours(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(3)}, tmp_path / "m", metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match="does not begin with polydnn's checksum, so polydnn did not write it"):
        read_model(tmp_path / "m")


def test_what_is_no_regular_file_is_refused_without_opening_it(
    tmp_path: Path, craft: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m").write_bytes(craft())
    (tmp_path / "link").symlink_to("m")
    (tmp_path / "broken").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # a socket's path may have 107 bytes only
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    expected = {
        "link": "a symbolic link; give the path of the file itself",
        "broken": "a symbolic link",
        "pipe": "a pipe",
        "socket": "a socket",
        ".": "a folder",
        "/dev/zero": "a device",
    }
    monkeypatch.setattr(os, "open", None)
    for path, kind in expected.items():
        with pytest.raises(ModelFileError, match=f"'{path}' cannot be used as a model file: it is {kind}"):
            read_model(path)


def test_a_link_put_in_place_after_the_first_look_is_not_followed(
    tmp_path: Path, craft: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from polydnn.errors import StorageError

    (tmp_path / "m").write_bytes(craft())
    (tmp_path / "link").symlink_to("m")
    monkeypatch.setattr(os, "lstat", os.stat)  # sees the file behind the link, as before an exchange
    with pytest.raises(StorageError, match=r"cannot open '.*link': Too many levels of symbolic links"):
        read_model(tmp_path / "link")


def test_a_file_that_shrinks_while_it_is_read_is_refused(
    tmp_path: Path, craft: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m"
    path.write_bytes(craft())
    original = os.fstat

    def shrink(descriptor: int) -> os.stat_result:
        facts = original(descriptor)
        if facts.st_ino == path.stat().st_ino:
            os.truncate(path, facts.st_size - 3)
        return facts

    monkeypatch.setattr(os, "fstat", shrink)
    with pytest.raises(ModelFileError, match="it is cut off: 3 bytes are missing"):
        read_model(path)


def test_a_sector_that_cannot_be_read_is_damage(
    tmp_path: Path, craft: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int, buffers: list[memoryview]) -> int:
        raise OSError(5, "Input/output error")

    (tmp_path / "m").write_bytes(craft())
    monkeypatch.setattr(os, "readv", broken)
    with pytest.raises(ModelFileError, match=r"the disk could not read it \(EIO\)"):
        read_model(tmp_path / "m")


MEMORY = """
import resource, sys
from polydnn.errors import ModelFileError
from polydnn.storage import read_model
def peak():  # of this process; getrusage would inherit the peak of the process that started it
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024
small, large = sys.argv[1:]
read_model(small)
before = peak()
try:
    read_model(large)
    print("taken", peak() - before)
except ModelFileError as error:
    print("refused", peak() - before)
"""


def padded(text: str) -> dict[str, Any]:
    return {"description": described('"units":1', f'"units":1,"x":[{text}]')}


LARGE: dict[str, dict[str, Any]] = {
    "64 MB of weights": {"entries": entry(shape=[2**24], offsets=[0, 2**26]), "data": bytes(2**26)},
    "a wide string of 4 MB": padded('"\\ud83d\\ude00' + "a" * 4_000_000 + '"'),
    "a wide string and many elements": padded('{"":0.1},' * 74_000 + '"\\ud83d\\ude00' + "a" * 3_000_000 + '"'),
    "300,000 elements": padded(",".join(['{"":0.1}'] * 74_000)),
    "4 MB of commas": {"entries": '"w":[' + "0," * 2_000_000 + "0]"},
    "30,000 arrays": {"entries": ",".join(entry(shape=[0], offsets=[0, 0], name=f"a{n}") for n in range(30_000))},
}


@pytest.mark.parametrize("large", LARGE)
def test_memory_stays_below_the_size_of_the_file_and_64_megabytes(
    tmp_path: Path, craft: Callable[..., bytes], run_python: Callable[..., Any], large: str
) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of memory is read from /proc")
    (tmp_path / "small").write_bytes(craft())
    content = craft(**LARGE[large])
    (tmp_path / "large").write_bytes(content)
    result = run_python(MEMORY, tmp_path / "small", tmp_path / "large")
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[1]) < len(content) + 64 * 2**20
