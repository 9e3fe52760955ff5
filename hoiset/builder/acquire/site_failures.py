"""What yt-dlp's exceptions and a site's own words say of why a video cannot be had."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from yt_dlp.networking.exceptions import HTTPError, RequestError, TransportError
from yt_dlp.utils import ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive, YoutubeDLError

from hoiset.builder.acquire.failures import failure, http_failure, retry_after_s
from hoiset.errors import AcquireError

_DISK_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_LINKS = 20

# The first that matches counts: "Sign in to confirm you're not a bot" is no private video, and "blocked it in your
# country" is not removed.
_WORDS: tuple[tuple[str, str], ...] = (
    ("rate_limited", r"not a bot|rate.?limit|too many requests|try again later|captcha|IP is likely being blocked"),
    ("age", r"confirm your age|age.?restricted|inappropriate for some|age.?verif"),
    ("members", r"members.only|channel's members|join this channel|requires? payment|purchase|premium|rental|subscri"),
    ("private", r"private video|video is private|video is not shared|granted access"),
    ("live", r"event will begin|premieres? (in|will)|has not started|is offline|not currently live|starting soon"),
    ("geo", r"(in|from|available to) your (country|location|region)|geo.?restrict|in this country"),
    ("no_format", r"DRM|no video formats|requested format is not available|unsupported URL|no suitable extractor"),
    ("removed", r"removed|terminated|no longer (available|exists)|does not exist|unavailable|not available|deleted"),
    ("private", r"sign.?in|log.?in|login|registered users|--cookies"),
    (
        "network",
        r"unable to download|got error|timed out|network error|connection|content too short|giving up after|bytes read",
    ),
)
_PATTERNS = tuple((reason, re.compile(words, re.IGNORECASE)) for reason, words in _WORDS)
_PREFIX = re.compile(r"^(?:\x1b\[[0-9;]*m|ERROR:|\s)+")


def site_failure(error: BaseException, warnings: tuple[str, ...] = ()) -> AcquireError:
    """The one class of a failure.

    Args:
        error: Whatever came out of yt-dlp.
        warnings: What it warned of before.

    Raises:
        OSError: The disk refuses, which no other video would escape.
    """
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, AcquireError):
            return cause
        if isinstance(cause, OSError) and cause.errno in _DISK_ERRNOS:
            raise cause
    text = _one_line(_first_words(chain))
    for cause in chain:
        if isinstance(cause, GeoRestrictedError):
            return failure("geo", text)
        if isinstance(cause, UserNotLive):
            return failure("live", text)
        if isinstance(cause, UnsupportedError):
            return failure("no_format", text)
        if isinstance(cause, HTTPError):
            return _http(cause, text)
    if any(isinstance(cause, (TransportError, OSError)) for cause in chain):
        return failure("network", text)
    if any(isinstance(cause, RequestError) for cause in chain):
        return failure("bad_address", text)
    if any(not getattr(cause, "expected", isinstance(cause, YoutubeDLError)) for cause in chain):
        return _changed(text, warnings)
    reason = next((reason for reason, words in _PATTERNS if words.search(text.replace("\u2019", "'"))), "unknown")
    if reason == "no_format" and (kept_back := _kept_back(warnings)):
        return failure(reason, f"{text} ({kept_back})", final=False)
    return failure(reason, text)


def _changed(text: str, warnings: tuple[str, ...]) -> AcquireError:
    """The site is not what yt-dlp expects; it may hide its formats from those who run none of its code."""
    if "formats" in text:
        return failure("no_format", f"{text} ({_kept_back(warnings)})", final=False)
    return failure("site_changed", text)


def _kept_back(warnings: tuple[str, ...]) -> str:
    """The warning that formats are missing, if there was one."""
    return next((_one_line(warning) for warning in warnings if "formats" in warning), "")


def _http(error: HTTPError, text: str) -> AcquireError:
    """A status within a site: its files' addresses run out, and it refuses whom it suspects, so 403 is not the end."""
    if error.redirect_loop:
        return failure("bad_address", text)
    header = error.response.headers.get("Retry-After")
    if error.status in (403, 429):
        return failure("rate_limited", text, retry_after_s=retry_after_s(header))
    known = http_failure(error.status, "the site", header)
    return failure(known.reason, text, retry_after_s=known.retry_after_s)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and everything that it was made of, in all the places where yt-dlp keeps that."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo and len(seen) < _LINKS:
        cause = todo.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        kept = getattr(cause, "exc_info", None)
        todo += [kept[1]] if isinstance(kept, tuple) and len(kept) == 3 else []
        todo += [getattr(cause, "cause", None), *getattr(cause, "unexpected_errors", ())]
        todo += [cause.__cause__, cause.__context__]


def _first_words(chain: list[BaseException]) -> str:
    """The site's own words where an extractor passes them on, without yt-dlp's request to report a bug."""
    for cause in chain:
        if isinstance(cause, ExtractorError):
            return cause.orig_msg
    return str(chain[0]) or type(chain[0]).__name__


def _one_line(text: str) -> str:
    return " ".join(_PREFIX.sub("", text).split())[:300]
