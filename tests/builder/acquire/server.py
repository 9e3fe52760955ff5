"""A web server of this machine that behaves as the web does: a path says what becomes of a request."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """A request, with answers to choose from; HTTP/1.1, so that lengths count."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        web: Web = self.server.web  # type: ignore[attr-defined]
        with web.lock:
            web.requests.append((self.path, dict(self.headers.items())))
            web.now += 1
            web.peak = max(web.peak, web.now)
            replies = web.replies.get(self.path, [status(404)])
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        try:
            reply(self)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with web.lock:
                web.now -= 1

    def answer(self, code: int, body: bytes = b"", length: int | None = None, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if length is not None and length > len(body):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Web:
    """The server: what it answers to each path (one after the other, the last for ever) and what it was asked."""

    port: int
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    release: threading.Event = field(default_factory=threading.Event)
    now: int = 0
    peak: int = 0

    def on(self, path: str, *replies: Reply) -> str:
        """The address of a path that answers so."""
        self.replies[path] = list(replies)
        return f"http://127.0.0.1:{self.port}{path}"

    def asked(self, path: str) -> list[dict[str, str]]:
        return [headers for asked, headers in self.requests if asked == path]


@contextlib.contextmanager
def serving() -> Iterator[Web]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
    server.daemon_threads = True
    web = Web(server.server_address[1])
    server.web = web  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        web.release.set()
        server.shutdown()
        thread.join()
        server.server_close()


def status(code: int, **headers: str) -> Reply:
    return lambda request: request.answer(code, b"", **headers)


def redirect(target: str, code: int = 302) -> Reply:
    return status(code, Location=target)


def body(data: bytes, content_type: str = "video/mp4", **headers: str) -> Reply:
    return lambda request: request.answer(200, data, Content_Type=content_type, **headers)


def ranged(data: bytes, etag: str = '"v1"') -> Reply:
    """As a good server: ranges of the version that was asked for, the whole file of any other."""

    def reply(request: Request) -> None:
        asked, version = request.headers.get("Range"), request.headers.get("If-Range", etag)
        if asked is None or version != etag:
            request.answer(200, data, Content_Type="video/mp4", ETag=etag)
            return
        start = int(asked.removeprefix("bytes=").partition("-")[0])
        if start >= len(data):
            request.answer(416, Content_Range=f"bytes */{len(data)}")
            return
        request.answer(206, data[start:], Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}", ETag=etag)

    return reply


def cut_off(data: bytes, sent: int, etag: str = '"v1"') -> Reply:
    """Promises all of it, sends the beginning and hangs up."""
    return lambda request: request.answer(200, data[:sent], length=len(data), Content_Type="video/mp4", ETag=etag)


def too_short(data: bytes, stated: int) -> Reply:
    """States fewer bytes than the file has, so that a client takes the beginning for the whole."""
    return lambda request: request.answer(200, data[:stated], length=stated, Content_Type="video/mp4")


def unmeasured(data: bytes) -> Reply:
    """Says no length, and closes when it is done."""

    def reply(request: Request) -> None:
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(data)

    return reply


def hang_up(request: Request) -> None:
    request.close_connection = True


def trickle(web: Web, data: bytes) -> Reply:
    """Sends a byte now and then: each in time, but it would take for ever."""

    def reply(request: Request) -> None:
        request.answer(200, b"", length=len(data), Content_Type="video/mp4", ETag='"v1"')
        for i in range(len(data)):
            request.wfile.write(data[i : i + 1])
            if web.release.wait(0.02):
                return

    return reply


def stall(web: Web, data: bytes, sent: int) -> Reply:
    """Sends the beginning and then nothing, until the test is over."""

    def reply(request: Request) -> None:
        request.answer(200, data[:sent], length=len(data), Content_Type="video/mp4", ETag='"v1"')
        request.wfile.flush()
        web.release.wait(30)

    return reply
