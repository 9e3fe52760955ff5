"""A dataset repository of the Hub, by the requests that a push makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import hoiset

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.hf_api import RepoFile, RepoFolder

    from hoiset.publish.changes import LocalFile

BRANCH = "main"
FOLDERS = ("LICENSES", "eval", "figures", "index", "manifest", "repaired")
"""Small ones, apart from the data, in which a version has files."""
FILES_AT_ONCE = 16
_TYPE = "dataset"


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository.

    Attributes:
        path: Relative to its root.
        bytes: Its size.
        sha256: Hex digest, of a large file; ``""`` for one that git keeps itself.
        blob: What git calls it.
    """

    path: str
    bytes: int
    sha256: str
    blob: str


@dataclass(frozen=True)
class State:
    """How a repository stands.

    Attributes:
        exists: Whether it is there, as far as this user can see.
        private: Whether only its owner sees it.
        head: Commit of its main branch.
        tags: Tag -> commit.
    """

    exists: bool
    private: bool = True
    head: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


class Repository:
    """A dataset repository; errors are those of the Hub's client, see :mod:`hoiset.publish.failures`.

    Args:
        name: ``OWNER/NAME``.
        token: As the Hub's client takes it: ``None`` for ``HF_TOKEN`` or the login of this machine, ``False`` for none.
    """

    def __init__(self, name: str, *, token: str | bool | None = None) -> None:
        from huggingface_hub import HfApi

        self.name = name
        self._listed: dict[tuple[str, str], dict[str, RemoteFile]] = {}
        self._api = HfApi(token=token, library_name="hoiset", library_version=hoiset.__version__)

    @property
    def url(self) -> str:
        """Of its page."""
        return f"{self._api.endpoint}/datasets/{self.name}"

    def state(self) -> State:
        """How it stands now."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            info = self._api.dataset_info(self.name, expand=["sha", "private"])
            refs = self._api.list_repo_refs(self.name, repo_type=_TYPE)
        except RepositoryNotFoundError:
            return State(exists=False)
        return State(True, bool(info.private), info.sha or "", {tag.name: tag.target_commit for tag in refs.tags})

    def files(self, commit: str, version: str) -> dict[str, RemoteFile]:
        """The files of a commit that concern a version, and all cards, indices, manifests and figures, by path."""
        from huggingface_hub.hf_api import RepoFile

        if (commit, version) in self._listed:
            return self._listed[commit, version]
        root = self._list("", commit, recursive=False)
        folders = {entry.path for entry in root if not isinstance(entry, RepoFile)}
        found = [entry for entry in root if isinstance(entry, RepoFile)]
        for name in (*(["data"] if "data" in folders else []), *(f for f in FOLDERS if f in folders)):
            inner = f"data/{version}" if name == "data" else name
            found += [entry for entry in self._list(inner, commit, recursive=True) if isinstance(entry, RepoFile)]
        files = (RemoteFile(f.path, f.size, f.lfs.sha256 if f.lfs else "", f.blob_id) for f in found)
        return self._listed.setdefault((commit, version), {file.path: file for file in files})

    def _list(self, folder: str, commit: str, *, recursive: bool) -> list[RepoFile | RepoFolder]:
        from huggingface_hub.errors import EntryNotFoundError

        try:
            return list(
                self._api.list_repo_tree(
                    self.name, folder or None, revision=commit, repo_type=_TYPE, recursive=recursive
                )
            )
        except EntryNotFoundError:
            return []

    def fetch(self, path: str, commit: str, scratch: Path) -> Path:
        """A small file of a commit, in a directory of its own under ``scratch``."""
        folder = scratch / commit
        return Path(self._api.hf_hub_download(self.name, path, repo_type=_TYPE, revision=commit, local_dir=folder))

    def create(self, *, public: bool) -> None:
        """Make it, where it is not there."""
        self._api.create_repo(self.name, repo_type=_TYPE, private=not public, exist_ok=True)

    def upload(
        self, files: Sequence[LocalFile], uploaded: Callable[[int], None] = lambda _: None
    ) -> list[CommitOperationAdd]:
        """Bring the content of large files to the Hub; no commit speaks of it yet, and what is there is not sent again.

        Args:
            files: All files of a commit; small ones travel with the commit itself.
            uploaded: Called with the bytes of every few files that are there.

        Returns:
            What :meth:`commit` takes.
        """
        from huggingface_hub import CommitOperationAdd

        operations = []
        rest = iter(files)
        while batch := list(islice(rest, FILES_AT_ONCE)):
            additions = [CommitOperationAdd(file.path, file.source) for file in batch]
            for addition, file in zip(additions, batch, strict=True):
                addition.upload_info.sha256 = bytes.fromhex(file.sha256)  # verified a moment ago
            self._api.preupload_lfs_files(self.name, additions, repo_type=_TYPE, revision=BRANCH, free_memory=False)
            operations += additions
            uploaded(sum(file.bytes for file in batch))
        return operations

    def commit(self, additions: Sequence[CommitOperationAdd], removed: Iterable[str], message: str, parent: str) -> str:
        """Make one commit on top of ``parent``; the Hub refuses (412) where the branch has moved on.

        Returns:
            The commit.
        """
        from huggingface_hub import CommitOperationDelete

        deletions: list[CommitOperationDelete] = [CommitOperationDelete(path, is_folder=False) for path in removed]
        done = self._api.create_commit(
            self.name,
            [*additions, *deletions],
            commit_message=message,
            repo_type=_TYPE,
            revision=BRANCH,
            parent_commit=parent or None,
        )
        return str(done.oid)

    def tag(self, name: str, commit: str) -> None:
        """Name a commit; a tag that is there is never moved (409)."""
        self._api.create_tag(self.name, tag=name, revision=commit, repo_type=_TYPE)
