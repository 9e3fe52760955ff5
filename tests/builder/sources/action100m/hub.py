"""A Hugging Face Hub of one dataset on loopback: what its real client asks for when it lists and reads files."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

REPO = "someone/action100m"
REVISION = "main"


@dataclass
class Hub:
    """What it serves, and what was asked of it.

    Attributes:
        root: Directory of the dataset's files.
        url: Where it listens.
        bytes_served: Of files.
        status: Answer to every request for a file, where it is not 200.
    """

    root: Path
    url: str = ""
    bytes_served: int = 0
    status: int = 0
    ranges: list[str] = field(default_factory=list)


@contextmanager
def serve(root: Path) -> Iterator[Hub]:
    """Serve a directory as dataset :data:`REPO`."""
    hub = Hub(root)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if path in (f"/api/datasets/{REPO}", f"/api/datasets/{REPO}/revision/{REVISION}"):
                self._json({"_id": "1", "id": REPO, "sha": "0" * 40, "private": False, "tags": [], "siblings": []})
            elif path.startswith(f"/api/datasets/{REPO}/tree/{REVISION}"):
                self._json(self._tree(path.removeprefix(f"/api/datasets/{REPO}/tree/{REVISION}").strip("/")))
            elif path.startswith(f"/datasets/{REPO}/resolve/{REVISION}/"):
                self._file(root / path.removeprefix(f"/datasets/{REPO}/resolve/{REVISION}/"))
            else:
                self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

        def _tree(self, folder: str) -> list[dict[str, object]]:
            recursive = "recursive=True" in self.path or "recursive=true" in self.path
            found = sorted((root / folder).rglob("*") if recursive else (root / folder).iterdir())
            return [
                {
                    "type": "file" if p.is_file() else "directory",
                    "path": p.relative_to(root).as_posix(),
                    "size": p.stat().st_size if p.is_file() else 0,
                    "oid": "0" * 40,
                }
                for p in found
            ]

        def _file(self, path: Path) -> None:
            if hub.status or not path.is_file():
                self._json({"error": "no"}, hub.status or 404)
                return
            body = path.read_bytes()
            wanted = self.headers.get("Range", "")
            hub.ranges.append(wanted)
            if wanted:
                first, last = wanted.removeprefix("bytes=").split("-")
                part = body[int(first) : int(last) + 1]
                span = {"Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"}
                self._send(part, 206, span)
            else:
                self._send(body, 200, {})
            hub.bytes_served += len(body) if not wanted else len(part)

        def _json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
            self._send(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})})

        def _send(self, body: bytes, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
