"""What a build has done so far, in ``<out>/.hoiset``: JSON files that are whole or not there.

``recipe.json`` says whose directory it is; ``screen/`` holds what pass 1 made of the videos, some hundred to a file,
``thumbnails/`` pictures of remote ones for its report, ``plan/`` the units to build, ``units/`` one record a finished
unit, ``timings/`` how long it took, ``cache/`` the stages' results; ``lock`` is held while a build runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoiset.builder.engine.lease import Lease
from hoiset.builder.engine.log import FLUSH_S, RecordLog
from hoiset.builder.engine.meter import Meter, Timings
from hoiset.errors import DatasetError, RecipeError
from hoiset.shards.codec import canonical_json
from hoiset.shards.removed import REMOVED_FILE
from hoiset.shards.storage import Storage
from hoiset.shards.writer import ShardRecord

_NOT_OURS_TO_JUDGE = {".hoiset", "lost+found", REMOVED_FILE}


@dataclass(frozen=True)
class BuildState:
    """The state of one output directory.

    Attributes:
        out: The dataset's root, or a local folder of this run where the root is remote.
        flush_s: Longest time that a finished video's record waits to be written while others come, s.
        remote: The dataset's root where it is not on a disk.
    """

    out: Path
    flush_s: float = FLUSH_S
    remote: Storage | None = None

    @staticmethod
    def at(root: str | Path, flush_s: float = FLUSH_S) -> BuildState:
        """The state of a dataset's root: a path, or an address such as ``s3://bucket/folder``."""
        storage = Storage.at(root)
        if storage.local is not None:
            return BuildState(storage.local, flush_s)
        return BuildState(Path(tempfile.gettempdir()) / f"hoiset-{uuid.uuid4().hex}", flush_s, storage)

    @property
    def storage(self) -> Storage:
        """Where everything is kept."""
        return self.remote or Storage(str(self.out), self.out)

    @property
    def url(self) -> str:
        """Path or address of the dataset's root, for people."""
        return self.storage.url

    @property
    def root(self) -> Path:
        """Local folder of the state."""
        return self.out / ".hoiset"

    @property
    def cache(self) -> Path | None:
        """Folder of the stages' results; none where the root is not on a disk."""
        return self.root.absolute() / "cache" if self.remote is None else None

    @contextmanager
    def hold(self, recipe: dict[str, Any], digest: str) -> Iterator[None]:
        """Claim the directory for a recipe and keep other builds out of it.

        Args:
            recipe: As plain JSON types, with its ``name``.
            digest: Of the recipe.

        Raises:
            DatasetError: It cannot be written to, is in use, or holds what no build has made.
            RecipeError: It belongs to another recipe.
        """
        self._refuse_foreign()
        with self._lock() if self.remote is None else self._mirror(self.remote):
            self._claim(recipe, digest)
            self._remove_leftovers()
            yield

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / "lock").open("w")
        except OSError as error:
            raise DatasetError(
                f"cannot write to {self.out}: {error.strerror}; choose another output directory"
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise DatasetError(
                    f"another build is writing to {self.out}; wait for it, or choose another output directory"
                ) from error
            yield

    @contextmanager
    def _mirror(self, remote: Storage) -> Iterator[None]:
        """Hold the lock of a remote root, and publish at the end what was written to the local folder."""
        with Lease(remote, ".hoiset/lock").hold():
            self.out.mkdir(parents=True)
            try:
                try:
                    yield
                except BaseException:
                    with contextlib.suppress(DatasetError):  # the first error is the one to tell
                        self.publish()
                    raise
                self.publish()
            finally:
                shutil.rmtree(self.out, ignore_errors=True)

    def publish(self) -> None:
        """Send what is in the local folder, all but shards, to a remote root: manifest and card last."""
        if self.remote is None:
            return
        files = (p.relative_to(self.out) for p in self.out.rglob("*") if p.is_file())
        for path in sorted((p for p in files if p.parts[0] != "data"), key=_publishing_order):
            self.remote.put(self.out / path, path.as_posix())

    def publish_shards(self, records: Iterable[ShardRecord]) -> None:
        """Send finished shards to a remote root and remove them here."""
        if self.remote is None:
            return
        for record in records:
            self.remote.put(self.out / record.path, record.path)
            (self.out / record.path).unlink()

    @contextmanager
    def borrow(self, *names: str) -> Iterator[None]:
        """Have files of a remote root here while the block runs, and publish at its end what was written."""
        try:
            for name in names:
                self.bring_back(name)
            yield
            self.publish()
        finally:
            if self.remote is not None:
                shutil.rmtree(self.out, ignore_errors=True)

    def bring_back(self, name: str) -> None:
        """Have a file of a remote root here, too."""
        if self.remote is not None and not (self.out / name).exists():
            self.remote.get(name, self.out / name)

    def new_staging(self) -> Storage:
        """A new folder for samples on their way to a shard, of this run alone."""
        folder = f".hoiset/staging/{uuid.uuid4().hex}"
        return Storage.at(f"{self.url}/{folder}" if self.remote is not None else self.out.absolute() / folder)

    def _refuse_foreign(self) -> None:
        """A mistyped --out must not overwrite somebody's README."""
        if self.storage.read(".hoiset/recipe.json") is not None:
            return
        if self.remote is not None:
            found = sorted({name.split("/")[0] for name in self.remote.names("")} - _NOT_OURS_TO_JUDGE)
        elif self.out.is_dir():
            found = sorted({path.name for path in self.out.iterdir()} - _NOT_OURS_TO_JUDGE)
        else:
            return
        if found:
            raise DatasetError(
                f"{self.url} is not empty (found {found[0]!r}) and no build made it; choose a new output directory"
            )

    def _claim(self, recipe: dict[str, Any], digest: str) -> None:
        owner = _parse(self.storage.read(".hoiset/recipe.json"))
        if owner is None:
            self.storage.write(".hoiset/recipe.json", canonical_json({"digest": digest, "recipe": recipe}, indent=1))
        elif owner.get("digest") != digest:
            name = owner.get("recipe", {}).get("name")
            raise RecipeError(
                f"{self.url} belongs to recipe {name!r} ({str(owner.get('digest'))[:12]}), found {recipe['name']!r} "
                f"({digest[:12]}); choose another output directory, or delete this one to build it anew"
            )

    def _remove_leftovers(self) -> None:
        """Temporary files, and samples in no shard, of a build that was killed."""
        for name in self.storage.names(".hoiset/staging"):
            self.storage.remove(name)
        for folder in (self.root, *(self.out / name for name in ("data", "index", "manifest", "figures", "screen"))):
            for path in folder.rglob(".*.tmp"):
                path.unlink(missing_ok=True)
        for path in self.out.glob(".*.tmp"):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.root / "staging", ignore_errors=True)

    def recipe(self) -> dict[str, Any]:
        """The recipe that the directory belongs to.

        Raises:
            DatasetError: No build has been here.
        """
        owner = _parse(self.storage.read(".hoiset/recipe.json"))
        if owner is None:
            raise DatasetError(f"{self.url} was not made by `hoiset build`; expected {self.url}/.hoiset/recipe.json")
        recipe: dict[str, Any] = owner["recipe"]
        return recipe

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        """A record, or ``None``: ``kind`` is ``units`` or ``plan``."""
        return _parse(self.storage.read(f".hoiset/{kind}/{name}.json"))

    def write(self, kind: str, name: str, record: dict[str, Any]) -> None:
        """Store a record durably; raises DatasetError when the disk refuses."""
        self.storage.write(f".hoiset/{kind}/{name}.json", canonical_json(record) + b"\n")

    def remove(self, kind: str, name: str) -> None:
        """Forget a record."""
        self.storage.remove(f".hoiset/{kind}/{name}.json")

    def log(self, kind: str) -> RecordLog:
        """The records that are kept some hundred to a file: ``kind`` is ``screen``."""
        return RecordLog(self.storage, f".hoiset/{kind}", flush_s=self.flush_s)

    def timings(self, phase: str) -> Timings:
        """What a phase took so far: ``screen`` or ``reconstruct``."""
        return Timings.from_json(self.read("timings", phase))

    def meter(self, phase: str, total: int, done: int, failed: int) -> Meter:
        """Adds to the timings of a phase; see :class:`Meter`."""

        def save(timings: Timings) -> None:
            self.write("timings", phase, timings.to_json())

        return Meter(self.timings(phase), total, done, failed, save)

    def names(self, kind: str) -> list[str]:
        """Names of all records of a kind."""
        return [Path(name).stem for name in self.storage.names(f".hoiset/{kind}", ".json")]


def _parse(data: bytes | None) -> dict[str, Any] | None:
    """A record; one that the disk has damaged counts as missing, and its work is done again."""
    with contextlib.suppress(ValueError):
        record = json.loads(data or b"")
        if isinstance(record, dict):
            return record
    return None


def _publishing_order(path: Path) -> tuple[int, str]:
    late = ("index", "figures", "manifest", "croissant.json", "README.md")
    return (late.index(path.parts[0]) + 1 if path.parts[0] in late else 0, path.as_posix())
