"""A web server on loopback that answers byte ranges, counts what it sends, and fails as it is told to."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Web:
    """What it serves, and what was asked of it.

    Attributes:
        root: Directory of the files.
        url: Where it listens.
        sent: (path, first byte, bytes) of every answer with a body.
        statuses: Answers to the next requests for bytes, in turn; 0 closes the connection, -1 sends half of the body.
        ranges: Whether it answers ranges, or sends all of the file.
        headers: Of the last request.
    """

    root: Path
    url: str = ""
    sent: list[tuple[str, int, int]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    heads: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def bytes_sent(self) -> int:
        """Of all bodies."""
        return sum(n for _, _, n in self.sent)

    def bytes_of(self, suffix: str) -> int:
        """Of files whose names end so."""
        return sum(n for path, _, n in self.sent if path.endswith(suffix))


@lru_cache
def etag_of(file: Path, _mtime_ns: int, _size: int) -> str:
    """Of a file's content."""
    return f'"{hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()}"'


class FileHandler(BaseHTTPRequestHandler):
    """Sends files, or ranges of them."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    web: Web

    def do_HEAD(self) -> None:
        self.web.heads += 1
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        self.send_file(self.web.root / path, path, body=body)

    def send_file(self, file: Path, name: str, *, body: bool, **headers: str) -> None:
        web = self.web
        web.headers = dict(self.headers)
        status = web.statuses.pop(0) if body and web.statuses else 200
        if status == 0:
            self.close_connection = True
            return
        if status >= 400 or not file.is_file():
            self.send(b"no", status if status >= 400 else 404, body=body)
            return
        found = file.stat()
        etag = etag_of(file, found.st_mtime_ns, found.st_size)
        if self.headers.get("If-Match", etag) != etag:
            self.send(b"changed", 412, body=body)
            return
        wanted, start, stop, code = self.headers.get("Range") if web.ranges else None, 0, found.st_size, 200
        headers = {"ETag": etag, "Accept-Ranges": "bytes", **headers}
        if wanted:
            first, last = wanted.removeprefix("bytes=").split("-")
            start, stop, code = int(first), min(int(last) + 1, stop) if last else stop, 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.st_size}"
        with file.open("rb") as opened:
            opened.seek(start)
            data = opened.read(stop - start)
        if body:
            web.sent.append((name, start, len(data)))
        self.send(data, code, body=body, half=status == -1, **headers)

    def send(self, data: bytes, status: int, *, body: bool = True, half: bool = False, **headers: str) -> None:
        self.send_response(status)
        for header, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(header, value)
        self.end_headers()
        if half:
            data, self.close_connection = data[: len(data) // 2], True
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(root: Path, handler: type[FileHandler] = FileHandler, make: Callable[[Path], Web] = Web) -> Iterator[Web]:
    """Serve a directory while the block runs."""
    web = make(root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), {"web": web}))
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
