"""Addresses of videos from untrusted tables: what may be asked for at all, and under which name it is known."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import SplitResult, parse_qs, urlsplit

from hoiset.builder.acquire.failures import failure
from hoiset.errors import AcquireError

_MAX_CHARS = 2048
_MEDIA_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif", ".avi")
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_YOUTUBE_HOSTS = {"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "www.youtube-nocookie.com"}
_YOUTUBE_PATHS = ("shorts", "embed", "live", "v")
_HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True)
class Address:
    """One video of the web.

    Attributes:
        name: The same for every spelling of the same video; names its file in the cache.
        url: What is asked for.
        host: Whose requests are counted together.
        youtube_id: 11 characters, or ``""``.
        is_file: Whether the address names a media file, not a page.
    """

    name: str
    url: str
    host: str
    youtube_id: str = ""
    is_file: bool = False


def parse_address(remote: str) -> Address:
    """Check an address and bring it to one form.

    Args:
        remote: ``youtube:`` and 11 characters, or an ``https://`` or ``http://`` address.

    Raises:
        AcquireError: ``bad_address``: another scheme, credentials, a host that is none, control characters.
    """
    if remote.startswith("youtube:"):
        return _youtube(remote.removeprefix("youtube:"), remote)
    if len(remote) > _MAX_CHARS or not remote.isascii() or not remote.isprintable() or " " in remote or "\\" in remote:
        raise _bad(remote, f"expected at most {_MAX_CHARS} printable ASCII characters, spaces and the like escaped")
    try:
        parts = urlsplit(remote)
        port = parts.port
    except ValueError as error:
        raise _bad(remote, str(error)) from error
    if parts.scheme not in ("http", "https"):
        raise _bad(remote, "expected https://, http:// or youtube:<11 characters>")
    if "@" in parts.netloc:
        raise _bad(f"{parts.scheme}://...@{parts.hostname}", "user names and passwords do not belong in an address")
    host = (parts.hostname or "").rstrip(".")
    if not _is_host(host) or port == 0:
        raise _bad(remote, "expected the name of a host")
    if (youtube_id := _youtube_id(host, parts)) is not None:
        return _youtube(youtube_id, remote)
    url = parts._replace(fragment="").geturl()
    return Address(url, url, host, is_file=PurePosixPath(parts.path).suffix.lower() in _MEDIA_SUFFIXES)


def _youtube(video_id: str, remote: str) -> Address:
    if not _YOUTUBE_ID.fullmatch(video_id):
        raise _bad(remote, "expected 11 characters of A-Z, a-z, 0-9, _ and - as the id of a YouTube video")
    return Address(f"youtube:{video_id}", f"https://www.youtube.com/watch?v={video_id}", "youtube.com", video_id)


def _youtube_id(host: str, parts: SplitResult) -> str | None:
    """The id in an address of YouTube (checked by the caller); ``None`` where it names no single video of it."""
    path = [part for part in parts.path.split("/") if part]
    if host == "youtu.be" and path:
        return path[0]
    if host not in _YOUTUBE_HOSTS or not path:
        return None
    if path == ["watch"]:
        return next(iter(parse_qs(parts.query).get("v", [])), "")
    return path[1] if path[0] in _YOUTUBE_PATHS and len(path) > 1 else None


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return len(host) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in host.split("."))
    return True


def _bad(remote: str, why: str) -> AcquireError:
    return failure("bad_address", f"found {ascii(remote[:200])[1:-1]}: {why}")
