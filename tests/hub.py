"""A Hugging Face Hub of one dataset on loopback, in several revisions, for its real clients to read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.web import FileHandler, Web, serve

REPO = "someone/hands"


@dataclass
class Hub(Web):
    """What it serves.

    Attributes:
        revisions: Branch or tag -> directory of its files.
        token: What must be sent with every request.
    """

    revisions: dict[str, Path] = field(default_factory=dict)
    token: str = ""
    asked: list[str] = field(default_factory=list)

    def commit(self, revision: str) -> str:
        """The commit of a revision, which its files make."""
        root = self.revisions[revision]
        names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
        return hashlib.sha1("".join(n + oid(root / n) for n in names).encode(), usedforsecurity=False).hexdigest()

    def folder(self, revision: str) -> Path | None:
        """Directory of a revision or commit."""
        commits = {self.commit(name): path for name, path in self.revisions.items()}
        return self.revisions.get(revision, commits.get(revision))


def oid(path: Path) -> str:
    """What git calls a file."""
    return blob(path.read_bytes())


def blob(data: bytes) -> str:
    """What git calls these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def is_large(name: str) -> bool:
    """Whether a file goes to the large file storage."""
    return name.endswith((".tar", ".parquet", ".png", ".jpg"))


class HubHandler(FileHandler):
    web: Hub

    def answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.web.asked.append(path)
        if self.web.token and self.headers.get("Authorization") != f"Bearer {self.web.token}":
            self.refuse("RepoNotFound", 401)
            return
        api, files = f"/api/datasets/{REPO}", f"/datasets/{REPO}/resolve/"
        if path.startswith(files):
            revision, _, name = path.removeprefix(files).partition("/")
            if (root := self.revision(revision)) is not None:
                commit = next(self.web.commit(n) for n, r in self.web.revisions.items() if r == root)
                self.send_file(root / name, name, body=body, **{"X-Repo-Commit": commit})
        elif path == api or path.startswith(f"{api}/revision/"):
            revision = path.removeprefix(f"{api}/revision/") if path != api else "main"
            if (root := self.revision(revision)) is not None:
                self.info(root)
        elif path.startswith(f"{api}/tree/"):
            revision, _, folder = path.removeprefix(f"{api}/tree/").partition("/")
            if (root := self.revision(revision)) is not None:
                self.tree(root, folder)
        else:
            self.refuse("RepoNotFound", 404)

    def do_POST(self) -> None:
        self.paths_info(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def paths_info(self, form: str) -> None:
        revision = unquote(urlsplit(self.path).path).partition("/paths-info/")[2]
        root = self.revision(revision) if revision else None
        if root is None:
            self.refuse("RepoNotFound", 404)
            return
        try:
            names = json.loads(form)["paths"]
        except ValueError:
            names = parse_qs(form)["paths"]
        self.json([entry(root, root / n) for n in names if (root / n).exists()])

    def revision(self, name: str) -> Path | None:
        found = self.web.folder(name)
        if found is None:
            self.refuse("RevisionNotFound", 404)
        return found

    def info(self, root: Path) -> None:
        names = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*")) if p.is_file()]
        sha = next(self.web.commit(n) for n, r in self.web.revisions.items() if r == root)
        siblings = [{"rfilename": name} for name in names]
        self.json({"_id": "1", "id": REPO, "sha": sha, "private": False, "tags": [], "siblings": siblings})

    def tree(self, root: Path, folder: str) -> None:
        if not (root / folder).is_dir():
            self.refuse("EntryNotFound", 404)
            return
        recursive = "true" in parse_qs(urlsplit(self.path).query).get("recursive", [""])[0].lower()
        found = (root / folder).rglob("*") if recursive else (root / folder).iterdir()
        self.json([entry(root, path) for path in sorted(found)])

    def json(self, value: object, status: int = 200, **headers: str) -> None:
        self.send(json.dumps(value).encode(), status, **{"Content-Type": "application/json", **headers})

    def refuse(self, code: str, status: int) -> None:
        self.json({"error": code}, status, **{"X-Error-Code": code})


def entry(root: Path, path: Path) -> dict[str, object]:
    name = path.relative_to(root).as_posix()
    if path.is_file():
        found = {"type": "file", "path": name, "size": path.stat().st_size, "oid": oid(path)}
        if not is_large(name):
            return found
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {found['size']}\n".encode()
        lfs = {"oid": sha256, "size": found["size"], "pointerSize": len(pointer)}
        return {**found, "oid": blob(pointer), "lfs": lfs}
    return {"type": "directory", "path": name, "size": 0, "oid": "0" * 40}


@contextmanager
def hub_of(revisions: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve directories as revisions of :data:`REPO`, as the Hub that all clients ask."""
    make = partial(Hub, revisions=revisions)
    with serve(next(iter(revisions.values())), HubHandler, make) as web, hub_constants(web.url, monkeypatch):
        assert isinstance(web, Hub)
        yield web


@contextmanager
def hub_constants(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let all clients of this process take a server for the Hub."""
    from huggingface_hub import HfFileSystem, constants

    template = url + constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", url)
    HfFileSystem.clear_instance_cache()
    yield
    HfFileSystem.clear_instance_cache()
