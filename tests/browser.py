"""Headless Chromium on one file: the page as it became, what its console said, and every request that wanted out."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

__all__ = ["Visit", "chromium", "visit"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars"),
    *("--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0"),
)
QUIET = ("NetworkTimeServiceQuerying", "OptimizationHints", "MediaRouter", "Translate", "AutofillServerCommunication")
OWN_CALLS = {  # what the browser asks for itself whatever page it shows; some of it no flag keeps back
    *("accounts.google.com", "clients2.google.com", "update.googleapis.com", "edgedl.me.gvt1.com"),
    *("optimizationguide-pa.googleapis.com", "content-autofill.googleapis.com", "safebrowsing.googleapis.com"),
    *("www.google.com", "android.clients.google.com", "mtalk.google.com", "redirector.gvt1.com"),
}
SECONDS = 600


@dataclass(frozen=True)
class Visit:
    """What one visit left: the document, the console's lines, and the first line of each request."""

    document: str
    console: list[str]
    requests: list[str]


def chromium() -> str:
    """The browser's command; where there is none the test is skipped, and says so."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    return found


def visit(page: Path, *, width: int = 1200, height: int = 3000, screenshot: Path | None = None) -> Visit:
    """Open a file; with ``screenshot``, a picture of it is written and the document is left empty."""
    asked = [f"--screenshot={screenshot}"] if screenshot else ["--dump-dom"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, _listener() as (port, requests):
        command = [
            *(
                chromium(),
                *FLAGS,
                f"--disable-features={','.join(QUIET)}",
                *asked,
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
            ),
            *(f"--proxy-server=127.0.0.1:{port}", "--proxy-bypass-list=<-loopback>", page.as_uri()),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    asked_for = [line for line in requests if line]  # a connection opened ahead and never used asks for nothing
    return Visit(done.stdout, console, [line for line in asked_for if _host(line) not in OWN_CALLS])


def _host(line: str) -> str | None:
    """The host of a proxy's request line: "GET http://host/path HTTP/1.1" or "CONNECT host:443 HTTP/1.1"."""
    address = line.split()[1] if len(line.split()) > 1 else ""
    return urlsplit(address if "//" in address else f"//{address}").hostname


@contextlib.contextmanager
def _listener() -> Iterator[tuple[int, list[str]]]:
    """A proxy that answers nobody: whatever the browser wants from a network comes here and is written down."""
    heard: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:
                return  # closed: the visit is over
            with caller, contextlib.suppress(OSError):
                caller.settimeout(5)
                heard.append(caller.recv(4096).decode(errors="replace").partition("\r\n")[0])
                caller.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1], heard
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)
