"""Results of stages, kept under a digest of everything that they depend on."""

from __future__ import annotations

import hashlib
import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hoiset.builder.params import Params
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import plain

_CHUNK_BYTES = 1 << 20


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex; raises ``OSError`` when it cannot be read."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK_BYTES):
            sha.update(block)
    return sha.hexdigest()


def digest_json(value: Any) -> str:
    """sha256 of a value's JSON with sorted keys, in hex; ASCII, so that a file name in any encoding has one."""
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class StageCache:
    """Runs stages, or gives back what they returned last time for the same inputs.

    Attributes:
        root: Folder of the cached results; ``None`` computes every time and stores nothing.
        stage_s: Stage -> seconds that computing took since this was emptied.
    """

    root: Path | None
    stage_s: dict[str, float] = field(default_factory=dict, compare=False)

    def run(
        self,
        name: str,
        version: str,
        params: Params | None,
        inputs: Sequence[str],
        compute: Callable[[], dict[str, np.ndarray]],
        backend: str = "",
    ) -> tuple[dict[str, np.ndarray], str]:
        """Give a stage's result, computing it where it is not there yet.

        Args:
            name: The stage.
            version: To be raised whenever the stage's code changes what it returns.
            params: The stage's parameters.
            inputs: Digests of everything that goes in (of files, and of the stages before).
            compute: Returns the arrays; anything but object arrays.
            backend: Name, version and weights of the model that the stage runs on.

        Returns:
            The arrays (C order, whether computed or read, so that what follows sees the same bytes) and the digest.

        Raises:
            DatasetError: The disk refuses.
        """
        digest = digest_json(
            {
                "stage": name,
                "version": version,
                "params": None if params is None else params.model_dump(mode="json"),
                "inputs": list(inputs),
                "backend": backend,
            }
        )
        if self.root is None:
            return _in_c_order(name, self._timed(name, compute)), digest
        path = self.root / name / f"{digest}.npz"
        arrays = _read(path)
        if arrays is None:
            arrays = _in_c_order(name, self._timed(name, compute))
            _store(path, _to_npz(arrays))
        return arrays, digest

    def _timed(self, name: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        began = time.perf_counter()
        try:
            return compute()
        finally:
            self.stage_s[name] = self.stage_s.get(name, 0.0) + time.perf_counter() - began


def _in_c_order(stage: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    ordered = {key: np.asarray(value, order="C") for key, value in arrays.items()}
    for key, value in ordered.items():
        if value.dtype.hasobject:
            raise TypeError(f"stage {stage!r} returned {key!r} as an object array; only plain dtypes can be stored")
    return ordered


def _store(path: Path, data: bytes) -> None:
    """Through a name of its own: two processes, of two machines even, must not write into one temporary file."""
    own = path.with_suffix(f".{uuid.uuid4().hex}")
    write_atomic(own, data)
    own.replace(path)


def _to_npz(arrays: dict[str, np.ndarray]) -> bytes:
    """Zip bytes; masks shrink a hundredfold at the fastest level, floats hardly at all, so those are stored."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, value in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, value, allow_pickle=False)
            packed = zipfile.ZIP_DEFLATED if value.dtype.kind in "biu" else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(f"{key}.npy"), member.getvalue(), packed, compresslevel=1)
    return buffer.getvalue()


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """The stored arrays, or ``None`` where there are none or the disk has damaged them: then they are computed anew."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: np.asarray(archive[key], order="C") for key in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile, OSError):
        return None
