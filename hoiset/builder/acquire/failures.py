"""Why a remote video cannot be had: one class a cause, and whether asking again may help."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from hoiset.errors import AcquireError


@dataclass(frozen=True)
class Failure:
    """A cause.

    Attributes:
        meaning: For people.
        final: Whether the next run need not try again.
        retried: Whether this run tries again.
    """

    meaning: str
    final: bool
    retried: bool = False


FAILURES: dict[str, Failure] = {
    "private": Failure("only for people whom its owner let in; cookies of one of them may help", final=True),
    "members": Failure("only for members or for payment", final=True),
    "age": Failure("only for signed-in adults; cookies of one may help", final=True),
    "removed": Failure("deleted, or its account closed", final=True),
    "geo": Failure("not shown in this country", final=True),
    "forbidden": Failure("the server refuses to give the file", final=True),
    "bad_address": Failure("no address of one video that may be asked for", final=True),
    "no_format": Failure("there, but in no format that can be used", final=True),
    "too_large": Failure("larger than the recipe allows", final=True),
    "corrupt": Failure("what arrives is no whole video", final=True, retried=True),
    "times_differ": Failure("the file for pass 2 is not as long as that of pass 1", final=True),
    "live": Failure("still live, or not begun", final=False),
    "rate_limited": Failure("the host was asked too much", final=False, retried=True),
    "network": Failure("the connection or the server failed", final=False, retried=True),
    "site_changed": Failure("the site is not understood; a newer yt-dlp may", final=False),
    "unknown": Failure("the site gives a reason that is none of these", final=False),
}
"""Reason of an :class:`hoiset.errors.AcquireError` -> what it means."""


def failure(reason: str, detail: str, *, final: bool | None = None, retry_after_s: float | None = None) -> AcquireError:
    """The error of a cause.

    Args:
        reason: One of :data:`FAILURES`.
        detail: One line for people.
        final: Where this case is not as the class says.
        retry_after_s: How long the host asks to be left alone.
    """
    known = FAILURES[reason]
    return AcquireError(reason, detail, final=known.final if final is None else final, retry_after_s=retry_after_s)


def http_failure(status: int, where: str, retry_after: str | None = None) -> AcquireError:
    """The error of an HTTP status other than success.

    Args:
        status: Of the answer.
        where: Host, for the message.
        retry_after: Header of the answer, if it has one.
    """
    detail = f"{where} answered with HTTP status {status}"
    if status == 401:
        return failure("private", detail)
    if status == 402:
        return failure("members", detail)
    if status == 403:
        return failure("forbidden", detail)
    if status in (404, 410):
        return failure("removed", detail)
    if status == 451:
        return failure("geo", detail)
    if status == 429 or (status == 503 and retry_after is not None):
        return failure("rate_limited", detail, retry_after_s=retry_after_s(retry_after))
    if status in (408, 409, 416, 421, 425) or status >= 500:
        return failure("network", detail)
    return failure("bad_address", detail)


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds of a ``Retry-After`` header (RFC 9110: a number or a date); ``None`` where it says nothing."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
