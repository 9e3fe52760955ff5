"""How far a push is, and what it did."""

from __future__ import annotations

from dataclasses import dataclass

from hoiset.publish.changes import Change


@dataclass(frozen=True)
class PushStep:
    """How far a push is.

    Attributes:
        phase: ``verify`` or ``upload``.
        done: Bytes that have arrived.
        total: Bytes that were to be sent; 0 while nobody knows.
    """

    phase: str
    done: int
    total: int


@dataclass(frozen=True)
class Pushed:
    """What a push did, or would do.

    Attributes:
        repo: ``OWNER/NAME``.
        url: Of its page.
        version: That was pushed.
        layers: That were pushed.
        private: Whether only its owner sees the repository.
        created: Whether it was made by this push.
        changes: Every file of the version, and what became of it.
        commit: Commit that holds the version; ``""`` after a dry run.
        tag: Tag that names it.
        tagged: Whether the tag is new.
        notes: What else whoever pushes has to know.
        dry_run: Whether nothing was sent.
    """

    repo: str
    url: str
    version: str
    layers: tuple[str, ...]
    private: bool
    created: bool
    changes: tuple[Change, ...]
    commit: str
    tag: str
    tagged: bool
    notes: tuple[str, ...]
    dry_run: bool

    def bytes_of(self, *actions: str) -> int:
        """Bytes of the files that were ``new``, ``changed``, ...; all by default."""
        return sum(change.bytes for change in self.changes if not actions or change.action in actions)
