"""The Hub on loopback for who writes: create, pre-upload, LFS in one or several parts, commit, tag, and faults."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.hub import REPO, Hub, HubHandler, hub_constants, is_large, oid
from tests.web import serve

API = f"/api/datasets/{REPO}"
PART_BYTES = 1 << 16
Fault = Callable[[int, str, str], str]


@dataclass
class WritableHub(Hub):
    """A Hub with one repository, which need not be there yet; every commit is a directory of its own.

    Attributes:
        trunk: Directory under which commits and large files lie.
        write_token: What must be sent to write, and to read while the repository is private.
        fault: (number of the request, method, path) -> ``""``, ``"500"``, ``"429"``, ``"401"``,
            ``"drop"`` (the connection is closed and nothing was done), ``"lost"`` (it was done, and the answer is
            lost), ``"slow"`` or ``"stall"`` (no answer ever comes).
        requests: (method, path) of all requests.
        received: SHA-256 -> bytes that came for that large file.
        visibility: Asked for when it was made.
        history: Commit and directory, oldest first.
        before_commit: Called when a commit has arrived and is not yet looked at.
        after_commit: Called with the directory of one that was made.
        waits: What would have been waited before asking again, s.
    """

    trunk: Path = Path()
    write_token: str = "hf_secretsecretsecret"
    fault: Fault = lambda n, method, path: ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    received: dict[str, int] = field(default_factory=dict)
    visibility: str = ""
    history: list[tuple[str, Path]] = field(default_factory=list)
    before_commit: Callable[[], object] = lambda: None
    after_commit: Callable[[Path], object] = lambda folder: None
    lock: Lock = field(default_factory=Lock)
    over: Event = field(default_factory=Event)
    waits: list[float] = field(default_factory=list)

    @property
    def exists(self) -> bool:
        return bool(self.history)

    @property
    def private(self) -> bool:
        return self.visibility == "private"

    @property
    def tags(self) -> dict[str, Path]:
        return {name: path for name, path in self.revisions.items() if name != "main"}

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [(m, path) for m, path in self.requests if m not in ("GET", "HEAD") and "/paths-info/" not in path]

    def commit(self, revision: str) -> str:
        return next(sha for sha, path in self.history if path == self.revisions[revision])

    def folder(self, revision: str) -> Path | None:
        return self.revisions.get(revision, dict(self.history).get(revision))

    def files(self, revision: str = "main") -> dict[str, str]:
        root = self.revisions[revision]
        return {p.relative_to(root).as_posix(): oid(p) for p in sorted(root.rglob("*")) if p.is_file()}

    def large(self, sha256: str) -> Path:
        return self.trunk / "large" / sha256

    def add_commit(self, change: Callable[[Path], None]) -> str:
        """A new head of ``main``, made from the old one."""
        folder = self.trunk / f"commit-{len(self.history)}"
        if self.history:
            shutil.copytree(self.revisions["main"], folder, copy_function=os.link)
        else:
            folder.mkdir(parents=True)
        change(folder)
        parent = self.history[-1][0] if self.history else ""
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        text = parent + "".join(name + oid(folder / name) for name in names)
        sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.history.append((sha, folder))
        self.revisions["main"] = folder
        return sha

    def stand_at(self, other: WritableHub) -> None:
        """Take over all that another Hub has."""
        self.visibility, self.history, self.revisions = other.visibility, list(other.history), dict(other.revisions)
        shutil.copytree(other.trunk / "large", self.trunk / "large")

    def create(self, visibility: str = "private") -> None:
        """Make the repository, as the Hub does, with a first commit."""
        self.visibility = visibility
        self.add_commit(lambda folder: put(folder / ".gitattributes", b"*.tar filter=lfs\n"))


def put(path: Path, data: bytes) -> None:
    """Replace a file, which may be a link to another commit's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


class WritableHubHandler(HubHandler):
    web: WritableHub
    swallow = slow = False

    def do_HEAD(self) -> None:
        self.guarded(super().do_HEAD)

    def do_GET(self) -> None:
        self.guarded(self.get)

    def do_POST(self) -> None:
        self.guarded(self.post)

    def do_PUT(self) -> None:
        self.guarded(self.put)

    def guarded(self, answer: Callable[[], None]) -> None:
        """Answer, or fail as the test wants."""
        path = unquote(urlsplit(self.path).path)
        with self.web.lock:
            number = len(self.web.requests)
            self.web.requests.append((self.command, path))
        fault = self.web.fault(number, self.command, path)
        self.swallow, self.slow = fault == "lost", fault == "slow"
        if fault == "drop":
            self.close_connection = True
        elif fault == "stall":
            self.web.over.wait(60)
            self.close_connection = True
        elif fault in ("500", "429", "401"):
            self.body()
            self.json({"error": "busy"}, int(fault), **({"Retry-After": "7"} if fault == "429" else {}))
        elif not self.allowed(path):
            self.body()
            self.refuse("RepoNotFound" if path.startswith(API) else "", 401)
        else:
            answer()

    def allowed(self, path: str) -> bool:
        if path.startswith("/large/"):  # signed addresses: a token must not be sent there
            return "Authorization" not in self.headers
        writes = self.command not in ("GET", "HEAD") and "/paths-info/" not in path
        known = self.headers.get("Authorization") == f"Bearer {self.web.write_token}"
        return known or not (writes or self.web.private)

    def body(self) -> bytes:
        left, parts = int(self.headers.get("Content-Length", 0)), list[bytes]()
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        while left and (data := self.rfile.read(min(left, 97 if self.slow else left))):
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def send(self, data: bytes, status: int, *, body: bool = True, half: bool = False, **headers: str) -> None:
        if self.swallow:
            self.close_connection = True
            return
        if not self.slow:
            super().send(data, status, body=body, half=half, **headers)
            return
        super().send(data, status, body=False, **headers)
        for at in range(0, len(data) if body else 0, 97):
            self.wfile.write(data[at : at + 97])
            Event().wait(0.0005)

    def get(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if not self.web.exists:
            self.refuse("RepoNotFound", 404)
        elif path == f"{API}/refs":
            named = {name: self.web.commit(name) for name in self.web.revisions}
            tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": c} for n, c in named.items() if n != "main"]
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": named["main"]}
            self.json({"branches": [main], "converts": [], "tags": tags})
        else:
            self.answer(body=True)

    def info(self, root: Path) -> None:
        names = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*")) if p.is_file()]
        sha = next(sha for sha, path in self.web.history if path == root)
        siblings = [{"rfilename": name} for name in names]
        self.json({"_id": "1", "id": REPO, "sha": sha, "private": self.web.private, "tags": [], "siblings": siblings})

    def put(self) -> None:
        _, _, sha256, *part = unquote(urlsplit(self.path).path).split("/")
        data = self.body()
        with self.web.lock:
            self.web.received[sha256] = self.web.received.get(sha256, 0) + len(data)
        name = f"{sha256}.{part[0]}" if part else sha256
        if not part and hashlib.sha256(data).hexdigest() != sha256:
            self.json({"error": "not these bytes"}, 400)
            return
        put(self.web.large(name), data)
        self.json({}, ETag=f'"{name}"')

    def post(self) -> None:
        path = unquote(urlsplit(self.path).path)
        sent = self.body()
        if path == "/api/repos/create":
            self.create(json.loads(sent))
        elif path == "/api/validate-yaml":
            self.json({"errors": [], "warnings": []})
        elif not self.web.exists:
            self.refuse("RepoNotFound", 404)
        elif path == f"{API}/preupload/main":
            self.json({"files": [self.upload_mode(file["path"]) for file in json.loads(sent)["files"]]})
        elif path == f"/datasets/{REPO}.git/info/lfs/objects/batch":
            self.json({"transfer": "basic", "objects": [self.lfs_object(o) for o in json.loads(sent)["objects"]]})
        elif path.startswith("/large/"):
            self.complete(path.split("/")[2], json.loads(sent))
        elif path == f"{API}/commit/main":
            self.web.before_commit()
            with self.web.lock:
                self.make_commit([json.loads(line) for line in sent.splitlines()])
        elif path.startswith(f"{API}/paths-info/"):
            self.paths_info(sent.decode())
        elif path.startswith(f"{API}/tag/"):
            self.tag(path.removeprefix(f"{API}/tag/"), json.loads(sent)["tag"])
        else:
            self.refuse("RepoNotFound", 404)

    def create(self, asked: dict[str, Any]) -> None:
        assert f"{asked['organization']}/{asked['name']}" == REPO
        assert asked["type"] == "dataset"
        url = {"url": f"{self.web.url}/datasets/{REPO}"}
        if self.web.exists:
            self.json({"error": "exists", **url}, 409)
            return
        self.web.create(asked["visibility"])
        self.json(url)

    def upload_mode(self, name: str) -> dict[str, Any]:
        file = self.web.revisions["main"] / name
        mode = "lfs" if is_large(name) else "regular"
        found = {"path": name, "uploadMode": mode, "shouldIgnore": False}
        if not file.is_file():
            return found
        return {**found, "oid": hashlib.sha256(file.read_bytes()).hexdigest() if mode == "lfs" else oid(file)}

    def lfs_object(self, asked: dict[str, Any]) -> dict[str, Any]:
        sha256, size = asked["oid"], asked["size"]
        if self.web.large(sha256).exists():
            return asked
        href = f"{self.web.url}/large/{sha256}"
        if size <= PART_BYTES:
            return {**asked, "actions": {"upload": {"href": f"{href}?X-Signature=secretsignature"}}}
        parts = {str(i + 1): f"{href}/{i + 1}?X-Signature=secretsignature" for i in range(-(-size // PART_BYTES))}
        return {**asked, "actions": {"upload": {"href": href, "header": {"chunk_size": str(PART_BYTES), **parts}}}}

    def complete(self, sha256: str, asked: dict[str, Any]) -> None:
        data = b"".join(self.web.large(f"{sha256}.{p['partNumber']}").read_bytes() for p in asked["parts"])
        if hashlib.sha256(data).hexdigest() != sha256:
            self.json({"error": "not these bytes"}, 400)
            return
        put(self.web.large(sha256), data)
        self.json({})

    def make_commit(self, lines: list[dict[str, Any]]) -> None:
        header, *operations = lines
        if header["value"].get("parentCommit") not in (None, self.web.commit("main")):
            self.json({"error": "A commit has happened since. Please refresh and try again."}, 412)
            return

        def change(folder: Path) -> None:
            for operation in operations:
                value = operation["value"]
                path = folder / value["path"]
                if operation["key"] == "file":
                    put(path, base64.b64decode(value["content"]))
                elif operation["key"] == "lfsFile":
                    put(path, self.web.large(value["oid"]).read_bytes())
                else:
                    assert operation["key"] == "deletedFile"
                    path.unlink()

        sha = self.web.add_commit(change)
        self.web.after_commit(self.web.revisions["main"])
        self.json({"commitUrl": f"{self.web.url}/datasets/{REPO}/commit/{sha}", "commitOid": sha})

    def tag(self, revision: str, name: str) -> None:
        if name in self.web.revisions:
            self.json({"error": "tag exists"}, 409)
            return
        folder = self.web.folder(revision)
        if folder is None:
            self.refuse("RevisionNotFound", 404)
            return
        self.web.revisions[name] = folder
        self.json({})


@contextmanager
def writable_hub(trunk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableHub]:
    """Serve a Hub without a repository, as the Hub that all clients of this process ask, with its token.

    Xet is off: its storage has a protocol of its own, which this server does not speak. Nobody waits before
    asking again; ``waits`` has for how long it would have been.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import _http
    from tenacity import nap

    waits: list[float] = []
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    for module in (_http, nap):
        monkeypatch.setattr(module, "time", SimpleNamespace(**{**vars(time), "sleep": waits.append}))
    with serve(trunk, WritableHubHandler, lambda root: WritableHub(root, trunk=trunk)) as web:
        assert isinstance(web, WritableHub)
        with hub_constants(web.url, monkeypatch):
            monkeypatch.setenv("HF_TOKEN", web.write_token)
            web.waits = waits
            yield web
            web.over.set()
