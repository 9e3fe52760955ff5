"""Source videos that were taken out of a dataset and stay out: their ids as digests, in ``removed.json``.

A list that names what must not be there would itself publish it, so that the file holds the SHA-256 of each id. Whoever
has an id can ask for it; so can whoever has a list of all ids that there may be: a digest hides what was removed from
readers, not from somebody who tries.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hoiset.errors import DatasetError
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import canonical_json

REMOVED_FILE = "removed.json"
"""Relative to the dataset's root; all versions share it."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
MAX_REASON = 200


def uid_digest(uid: str) -> str:
    """SHA-256 of a source video's id, in hex."""
    return hashlib.sha256(uid.encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Removed:
    """The tombstones of a dataset.

    Attributes:
        reasons: SHA-256 of the video's id -> why it was removed, or ``""``.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.reasons)

    def __contains__(self, uid: str) -> bool:
        return bool(self.reasons) and uid_digest(uid) in self.reasons

    def __or__(self, other: Removed) -> Removed:
        """Both; of a video that is in both, the first reason that says anything."""
        joined = dict(other.reasons)
        joined.update({digest: reason or joined.get(digest, "") for digest, reason in self.reasons.items()})
        return Removed(joined)

    @staticmethod
    def of(uids: Iterable[str], reason: str = "") -> Removed:
        """Tombstones of these videos; raises DatasetError for a reason that is not one line of 200 letters at most."""
        if len(reason) > MAX_REASON or (reason and not reason.isprintable()):
            raise DatasetError(f"found the reason {reason!r}, expected one line of at most {MAX_REASON} letters")
        return Removed({uid_digest(uid): reason for uid in uids})

    @staticmethod
    def parse(data: bytes | None, place: str) -> Removed:
        """From the file's bytes, where there is one.

        Raises:
            DatasetError: Not such a file. It is never taken for empty: what was removed would come back.
        """
        if data is None:
            return Removed()
        try:
            entries = json.loads(data)["videos"]
            reasons = {str(entry["sha256"]): str(entry["reason"]) for entry in entries}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DatasetError(f"{place} is not a list of removed videos ({error!r}); restore it") from error
        odd = [digest for digest in reasons if not _DIGEST.fullmatch(digest)]
        if odd:
            raise DatasetError(f"{place}: found {odd[0]!r}, expected SHA-256 digests of ids; restore it")
        return Removed(reasons)

    def to_bytes(self) -> bytes:
        """The file; equal tombstones give equal bytes."""
        videos = [{"sha256": digest, "reason": reason} for digest, reason in sorted(self.reasons.items())]
        return canonical_json({"videos": videos}, indent=1)


def read_removed(root: Path) -> Removed:
    """The tombstones of a dataset directory; none where it has no such file.

    Raises:
        DatasetError: The file cannot be read.
    """
    path = Path(root) / REMOVED_FILE
    if not path.exists():
        return Removed()
    try:
        return Removed.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error


def write_removed(root: Path, removed: Removed) -> None:
    """Write the tombstones, where there are any; raises DatasetError when the disk refuses."""
    if removed:
        write_atomic(Path(root) / REMOVED_FILE, removed.to_bytes())
