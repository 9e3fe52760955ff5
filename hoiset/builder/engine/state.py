"""What a build has done so far, in ``<out>/.hoiset``: JSON files that are whole or not there.

``recipe.json`` says whose directory it is; ``screen/`` holds what pass 1 made of the videos, some hundred to a file,
``plan/`` the units to build, ``units/`` one record a finished unit, ``timings/`` how long it took, ``cache/`` the
stages' results; ``lock`` is held while a build runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoiset.builder.engine.log import FLUSH_S, RecordLog
from hoiset.builder.engine.meter import Meter, Timings
from hoiset.errors import DatasetError, RecipeError
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import canonical_json
from hoiset.shards.storage import Storage

_NOT_OURS_TO_JUDGE = {".hoiset", "lost+found"}


@dataclass(frozen=True)
class BuildState:
    """The state of one output directory.

    Attributes:
        out: The dataset's root.
        flush_s: Longest time that a finished video's record waits to be written while others come, s.
    """

    out: Path
    flush_s: float = FLUSH_S

    @property
    def storage(self) -> Storage:
        """Where everything is kept."""
        return Storage.at(self.out)

    @property
    def root(self) -> Path:
        """Folder of the state."""
        return self.out / ".hoiset"

    @property
    def cache(self) -> Path:
        """Folder of the stages' results."""
        return self.root / "cache"

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
            self._claim(recipe, digest)
            self._remove_leftovers()
            yield

    def new_staging(self) -> Storage:
        """A new folder for samples on their way to a shard, of this run alone."""
        return Storage.at(self.root.absolute() / "staging" / uuid.uuid4().hex)

    def _refuse_foreign(self) -> None:
        """A mistyped --out must not overwrite somebody's README."""
        if (self.root / "recipe.json").is_file() or not self.out.is_dir():
            return
        found = sorted({path.name for path in self.out.iterdir()} - _NOT_OURS_TO_JUDGE)
        if found:
            raise DatasetError(
                f"{self.out} is not empty (found {found[0]!r}) and no build made it; choose a new output directory"
            )

    def _claim(self, recipe: dict[str, Any], digest: str) -> None:
        owner = _read(self.root / "recipe.json")
        if owner is None:
            write_atomic(self.root / "recipe.json", canonical_json({"digest": digest, "recipe": recipe}, indent=1))
        elif owner.get("digest") != digest:
            name = owner.get("recipe", {}).get("name")
            raise RecipeError(
                f"{self.out} belongs to recipe {name!r} ({str(owner.get('digest'))[:12]}), found {recipe['name']!r} "
                f"({digest[:12]}); choose another output directory, or delete this one to build it anew"
            )

    def _remove_leftovers(self) -> None:
        """Temporary files, and samples in no shard, of a build that was killed."""
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
        owner = _read(self.root / "recipe.json")
        if owner is None:
            raise DatasetError(f"{self.out} was not made by `hoiset build`; expected {self.root / 'recipe.json'}")
        recipe: dict[str, Any] = owner["recipe"]
        return recipe

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        """A record, or ``None``: ``kind`` is ``units`` or ``plan``."""
        return _read(self.root / kind / f"{name}.json")

    def write(self, kind: str, name: str, record: dict[str, Any]) -> None:
        """Store a record durably; raises DatasetError when the disk refuses."""
        write_atomic(self.root / kind / f"{name}.json", canonical_json(record) + b"\n")

    def remove(self, kind: str, name: str) -> None:
        """Forget a record."""
        (self.root / kind / f"{name}.json").unlink(missing_ok=True)

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
        return sorted(path.stem for path in (self.root / kind).glob("*.json"))


def _read(path: Path) -> dict[str, Any] | None:
    """A record; one that the disk has damaged counts as missing, and its work is done again."""
    with contextlib.suppress(OSError, ValueError):
        record = json.loads(path.read_bytes())
        if isinstance(record, dict):
            return record
    return None
