"""Blocks of remote files on a local disk, at most so many bytes, shared by all processes of the machine."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hoiset.errors import DatasetError

BLOCK_BYTES = 1 << 15
DEFAULT_GB = 16.0
_KEPT = 0.9
_TOUCH_S = 60.0
_SUM_BYTES = 4


@dataclass(frozen=True)
class BlockCache:
    """A directory of blocks; the ones not used for longest go first.

    A block is a file of its own with a checksum, written to a temporary name and renamed, so that no reader sees half
    of one, and one that a crash has damaged is fetched again. Bytes are counted and written under a lock: the bound
    holds whatever the number of processes. The directory must be on a local disk.

    Attributes:
        root: The directory, made when it is first written to.
        most_bytes: Bytes of all blocks at most.
        block_bytes: Bytes of one block.
    """

    root: Path
    most_bytes: int
    block_bytes: int = BLOCK_BYTES

    def get(self, key: str) -> bytes | None:
        """A block, or ``None`` where there is none, or a damaged one."""
        try:
            with self._path(key).open("rb", buffering=0) as file:
                data = file.read()
                if time.time() - os.fstat(file.fileno()).st_mtime > _TOUCH_S:
                    os.utime(file.fileno())
        except OSError:
            return None
        block = data[:-_SUM_BYTES]
        if data[-_SUM_BYTES:] == _checksum(block):
            return block
        self._path(key).unlink(missing_ok=True)
        return None

    def put(self, blocks: Mapping[str, bytes]) -> None:
        """Keep blocks by their keys; one that is larger than the whole cache is not kept.

        Raises:
            DatasetError: The disk refuses.
        """
        sizes = {key: len(block) + _SUM_BYTES for key, block in blocks.items()}
        if not blocks or sum(sizes.values()) > self.most_bytes:
            return
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._locked() as ledger:
                new = [key for key in blocks if not self._path(key).exists()]
                self._reserve(ledger, sum(sizes[key] for key in new))
                for key in new:
                    self._write(self._path(key), blocks[key] + _checksum(blocks[key]))
        except OSError as error:
            raise DatasetError(
                f"cannot write to the cache {self.root}: {error.strerror or error}; free some space, choose another "
                "directory with HOISET_CACHE, or read without one with HOISET_CACHE_GB=0"
            ) from error

    def used(self) -> int:
        """Bytes of all blocks; nobody writes while they are counted."""
        if not self.root.exists():
            return 0
        with self._locked():
            return self._count()

    def _count(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.root / name[:2] / name[2:40]

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123
                file.write(data)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _reserve(self, ledger: int, size: int) -> None:
        """Count bytes that are about to be written, and make room for them."""
        try:
            used = int(os.pread(ledger, 32, 0))
        except ValueError:
            used = self._count()
        if used + size > self.most_bytes:
            used = self._evict(max(int(_KEPT * self.most_bytes) - size, 0))
        os.pwrite(ledger, b"%-31d\n" % (used + size), 0)

    def _evict(self, target: int) -> int:
        """Remove blocks, the ones not used for longest first, until ``target`` bytes are left."""
        files = sorted(self._files())
        used = sum(size for _, size, _ in files)
        for _, size, path in files:
            if used <= target:
                break
            Path(path).unlink(missing_ok=True)
            used -= size
        return used

    def _files(self) -> Iterator[tuple[float, int, str]]:
        """(last used, bytes, path) of every block, and of what killed processes have left."""
        with contextlib.suppress(FileNotFoundError):
            for folder in [entry for entry in os.scandir(self.root) if entry.is_dir()]:
                for entry in os.scandir(folder.path):
                    with contextlib.suppress(FileNotFoundError):
                        found = entry.stat()
                        yield found.st_mtime, found.st_size, entry.path

    @contextmanager
    def _locked(self) -> Iterator[int]:
        descriptor = os.open(self.root / "used", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_SUM_BYTES, "little")


def default_cache(place: str | Path | None = None, gigabytes: float | None = None) -> BlockCache | None:
    """The cache as arguments and the environment say.

    Args:
        place: Directory; ``$HOISET_CACHE`` by default, else ``$XDG_CACHE_HOME/hoiset/blocks``, else
            ``~/.cache/hoiset/blocks``.
        gigabytes: Bound in 1e9 bytes; ``$HOISET_CACHE_GB`` by default, else 16.

    Returns:
        The cache, or ``None`` where the bound is 0.

    Raises:
        DatasetError: The bound is not a number of at least 0.
    """
    text = os.environ.get("HOISET_CACHE_GB", "") or DEFAULT_GB
    try:
        bound = float(text if gigabytes is None else gigabytes)
    except ValueError:
        bound = -1.0
    if not 0 <= bound < float("inf"):
        raise DatasetError(f"found a cache of {text if gigabytes is None else gigabytes} GB, expected 0 or more")
    if not bound:
        return None
    base = os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache"
    return BlockCache(
        Path(place or os.environ.get("HOISET_CACHE", "") or Path(base) / "hoiset" / "blocks"), int(bound * 1e9)
    )
