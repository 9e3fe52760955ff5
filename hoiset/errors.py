"""Every exception that hoiset raises on purpose: the message says what was found, what was expected, the next step."""

from __future__ import annotations

from functools import partial
from typing import Any


class HoisetError(Exception):
    """Base of all of the package's own errors."""


class RecipeError(HoisetError):
    """A recipe is unknown, malformed, or not the one that an output directory belongs to."""


class SourceError(HoisetError):
    """A source cannot be listed: no such directory, unreadable annotations, contradictory rows."""


class RobotError(HoisetError):
    """A robot is unknown, its file is malformed, or joint positions do not fit it."""


class VideoError(HoisetError):
    """A video cannot be probed or decoded."""


class BackendUnavailable(HoisetError):  # noqa: N818
    """A model cannot be started; the message holds the line that gets it."""


class ClipError(HoisetError):
    """One clip cannot be reconstructed. It costs that clip only; ``reason`` goes into its status row."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class AcquireError(ClipError):
    """A remote video cannot be fetched; ``reason`` is a key of :data:`hoiset.builder.acquire.FAILURES`.

    Attributes:
        final: Whether asking again is of no use; one that is not final is tried again by the next run.
        retry_after_s: How long the host asks to be left alone, s; ``None`` where it does not say.
    """

    def __init__(self, reason: str, detail: str = "", *, final: bool, retry_after_s: float | None = None) -> None:
        super().__init__(reason, detail)
        self.final = final
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = partial(AcquireError, final=self.final, retry_after_s=self.retry_after_s)
        return rebuild, (self.reason, self.detail)


class SchemaError(HoisetError):
    """A sample, shard or index does not match the schema."""


class DatasetError(HoisetError):
    """A dataset directory is missing, incomplete or damaged."""


class PushError(HoisetError):
    """A dataset may not be pushed as it is, or the Hub does not take it."""


class FilterError(HoisetError):
    """A filter names an unknown field or has a value of the wrong type."""


class QueryError(FilterError):
    """A query cannot be read; the message shows the place.

    Attributes:
        query: The whole query.
        start: First character that is wrong.
        end: Character behind it; equal to ``start`` at the end of the query.
    """

    def __init__(self, message: str, query: str = "", start: int = 0, end: int = 0) -> None:
        super().__init__(message)
        self.query, self.start, self.end = query, start, end


class MissingDependency(HoisetError):  # noqa: N818
    """An optional package is needed; the message holds the extra that installs it."""
