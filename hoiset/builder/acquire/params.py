"""What a recipe says of fetching remote videos, and what the machine says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from hoiset.builder.params import Params


class AcquireParams(Params):
    """How remote videos are fetched.

    Attributes:
        screen_height: Pass 1 gets the smallest format whose short side is at least this, px.
        full_height: Pass 2 gets the largest format whose short side is at most this, px.
        max_file_bytes: A larger file is not fetched.
        cache_bytes: Bound of the local cache; what was not used for longest goes first, what is in use stays.
        rate_limit_bytes_s: Most bytes a second of one download; 0 = no limit.
        min_rate_bytes_s: A download that is slower than this for ``timeout_s`` has stalled.
        timeout_s: For a connection, and for each wait for data.
        retries: Further attempts after one that may succeed when repeated.
        backoff_s: Wait before the first of them; it doubles each time, with as much again at random.
        max_wait_s: Longest wait for a host, whether it asks for it or we back off; beyond it the next run tries again.
        host_downloads: Downloads at a time from one host, over all processes of this machine.
        host_pause_s: Least time between the end of a download and the next in its place, s.
    """

    screen_height: int = Field(default=360, ge=64)
    full_height: int = Field(default=1080, ge=64)
    max_file_bytes: int = Field(default=8 << 30, gt=0)
    cache_bytes: int = Field(default=64 << 30, gt=0)
    rate_limit_bytes_s: int = Field(default=0, ge=0)
    min_rate_bytes_s: int = Field(default=2000, ge=0)
    timeout_s: float = Field(default=20.0, gt=0)
    retries: int = Field(default=3, ge=0)
    backoff_s: float = Field(default=2.0, ge=0)
    max_wait_s: float = Field(default=120.0, ge=0)
    host_downloads: int = Field(default=2, ge=1)
    host_pause_s: float = Field(default=0.0, ge=0)


@dataclass(frozen=True)
class Machine:
    """What fetching needs of this machine; no part of a recipe, so that it changes no dataset.

    Attributes:
        cache: Folder of the fetched videos; ``None`` = :func:`default_video_cache`.
        cookies: Cookies in Netscape's format; read, never written.
        private_hosts: Names or addresses that may be asked although they are not public.
    """

    cache: Path | None = None
    cookies: Path | None = None
    private_hosts: tuple[str, ...] = ()

    @staticmethod
    def from_environment() -> Machine:
        """``HOISET_VIDEO_CACHE``, ``HOISET_COOKIES`` and ``HOISET_PRIVATE_HOSTS`` (with commas between)."""
        cache, cookies = os.environ.get("HOISET_VIDEO_CACHE", ""), os.environ.get("HOISET_COOKIES", "")
        hosts = os.environ.get("HOISET_PRIVATE_HOSTS", "").split(",")
        return Machine(
            Path(cache) if cache else None,
            Path(cookies) if cookies else None,
            tuple(host.strip().lower() for host in hosts if host.strip()),
        )


def default_video_cache() -> Path:
    """Where fetched videos are kept unless told otherwise."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "hoiset" / "videos"
