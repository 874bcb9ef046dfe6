"""Downloads from a server on this very machine: whole and right, or not at all."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from polydnn.datasets.download import RemoteFile, download
from polydnn.errors import DataFileError, DatasetUnavailableError, StorageError

CONTENT = b"four files of clothes" * 50_000


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, counts the requests, and has two files that are not honest."""

    requests_seen: list[str]

    def do_GET(self) -> None:
        self.requests_seen.append(self.path)
        if self.path == "/cut.gz":
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:1000])
        elif self.path == "/endless.gz":
            self.send_response(200)
            self.end_headers()
            with suppress(ConnectionError):
                for _ in range(64):
                    self.wfile.write(bytes(1 << 20))
                self.requests_seen.append("all of it was read")
        else:
            super().do_GET()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def requests_seen() -> list[str]:
    return []


@pytest.fixture
def server(tmp_path: Path, requests_seen: list[str]) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "train.gz").write_bytes(CONTENT)
    handler = type("Handler", (Quiet,), {"requests_seen": requests_seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path / "served"))) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}/"
        serving.shutdown()
        thread.join()


def remote(server: str, name: str = "train.gz", content: bytes = CONTENT) -> RemoteFile:
    return RemoteFile(server + name, len(content), hashlib.sha256(content).hexdigest())


def test_a_file_arrives_whole_and_nothing_else_is_left(server: str, tmp_path: Path) -> None:
    lines: list[str] = []
    folder = tmp_path / "deep" / "cache"
    download([remote(server)], folder, lines.append)
    assert [each.name for each in folder.iterdir()] == ["train.gz"]
    assert (folder / "train.gz").read_bytes() == CONTENT
    assert (folder / "train.gz").stat().st_mode & 0o444 == 0o444
    assert lines == [f"train.gz: fetching 1,050,000 bytes from {server}train.gz"]


def test_a_right_file_is_not_fetched_again_and_a_wrong_one_is(
    server: str, tmp_path: Path, requests_seen: list[str]
) -> None:
    target = tmp_path / "train.gz"
    target.write_bytes(CONTENT)
    lines: list[str] = []
    download([remote(server)], tmp_path, lines.append)
    assert (requests_seen, lines) == ([], ["train.gz: already there"])
    target.write_bytes(CONTENT[:-1] + b"?")
    download([remote(server)], tmp_path)
    assert (requests_seen, target.read_bytes() == CONTENT) == (["/train.gz"], True)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (CONTENT[:-1] + b"?", "1,050,000 bytes"),
        (CONTENT[:-5], "more than 1,049,995 bytes"),
        (CONTENT + b"?", "1,050"),
    ],
)
def test_another_content_is_refused_and_not_kept(server: str, tmp_path: Path, expected: bytes, found: str) -> None:
    folder = tmp_path / "cache"
    sha256 = hashlib.sha256(expected).hexdigest()
    with pytest.raises(DataFileError, match=rf"train\.gz: expected .* {sha256}, found {found}") as caught:
        download([remote(server, content=expected)], folder)
    assert "nothing was kept" in str(caught.value)
    assert list(folder.iterdir()) == []


def test_a_file_far_too_long_is_not_read_to_its_end(server: str, tmp_path: Path, requests_seen: list[str]) -> None:
    with pytest.raises(DataFileError, match=r"endless\.gz: .* found more than 1,050,000 bytes"):
        download([remote(server, "endless.gz")], tmp_path / "cache")
    assert requests_seen == ["/endless.gz"]


def test_a_wrong_download_leaves_what_was_there(server: str, tmp_path: Path) -> None:
    (tmp_path / "train.gz").write_bytes(b"older")
    with pytest.raises(DataFileError, match="nothing was kept"):
        download([remote(server, content=b"other")], tmp_path)
    assert (tmp_path / "train.gz").read_bytes() == b"older"


@pytest.mark.parametrize(("name", "cause"), [("absent.gz", "HTTP Error 404"), ("cut.gz", "IncompleteRead|found 1,000")])
def test_an_address_that_fails(server: str, tmp_path: Path, name: str, cause: str) -> None:
    folder = tmp_path / "cache"
    with pytest.raises((DatasetUnavailableError, DataFileError), match=rf"/{name}.*({cause})"):
        download([remote(server, name)], folder)
    assert list(folder.iterdir()) == []


def test_an_address_where_nothing_answers(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnavailableError, match=r"cannot be fetched: .*put the file train\.gz into a folder"):
        download([remote("file:///nowhere/")], tmp_path / "cache")


def test_a_folder_that_cannot_be_written(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/cache cannot be written: Not a directory; .*choose another folder"):
        download([remote(server)], tmp_path / "file" / "cache")
