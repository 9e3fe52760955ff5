"""Fetches a video from a site's page, with yt-dlp as a library: no shell, no configuration, no plug-in, no ffmpeg."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoiset.builder.acquire.address import Address
from hoiset.builder.acquire.failures import failure
from hoiset.builder.acquire.formats import Quality, choose_format
from hoiset.builder.acquire.params import AcquireParams
from hoiset.errors import MissingDependency

_FIRST_READ_BYTES = 64  # doubled as long as it goes fast; a read that trickles in is not noticed before it is over


@dataclass(frozen=True)
class SiteFetcher:
    """yt-dlp within bounds.

    Attributes:
        params: Limits.
        cookies: Text of a cookies file, or ``""``.
        private_hosts: See :class:`hoiset.builder.acquire.guard.GuardedAdapter`.
        extractors: Classes of yt-dlp's that are used in place of its own.
    """

    params: AcquireParams
    cookies: str
    private_hosts: tuple[str, ...]
    extractors: tuple[Any, ...] = ()

    def knows(self, address: Address) -> bool:
        """Whether there is an extractor for just this site; the generic one, which reads any page, does not count."""
        if address.youtube_id:
            return True
        _require()
        from yt_dlp.extractor import gen_extractor_classes

        classes = self.extractors or gen_extractor_classes()
        return any(ie.IE_NAME != "generic" and ie.suitable(address.url) for ie in classes)

    def fetch(self, address: Address, quality: Quality, folder: Path, expect: Callable[[int], None]) -> Path:
        """Fetch a video; arguments and errors as :meth:`hoiset.builder.acquire.direct.DirectFetcher.fetch`.

        Args:
            address: Of the page.
            quality: Which of the site's formats.
            folder: Where the file and what has arrived of it are kept.
            expect: Called with the number of bytes to come, once it is known.
        """
        _require()
        from hoiset.builder.acquire.site_failures import site_failure

        log = _Log()
        watch = _Watch(self.params, expect)
        try:
            with self._open(address, quality, folder, log, watch) as site:
                info = site.extract_info(address.url, ie_key="Youtube" if address.youtube_id else None)
        except Exception as error:
            raise site_failure(error, tuple(log.warnings)) from error
        return _file_of(info, folder)

    def _open(self, address: Address, quality: Quality, folder: Path, log: _Log, watch: _Watch) -> Any:
        from yt_dlp import YoutubeDL
        from yt_dlp.extractor.youtube import YoutubeIE

        from hoiset.builder.acquire.site_transport import transport

        class Bounded(YoutubeDL):
            def build_request_director(bounded, *_: Any) -> Any:  # noqa: N805
                return super().build_request_director([transport(self.private_hosts)])

        extractors = self.extractors or ((YoutubeIE,) if address.youtube_id else ())  # all of them take long to load
        site = Bounded(self._options(quality, folder, log, watch), auto_init=not extractors)
        for extractor in extractors:
            site.add_info_extractor(extractor())
        return site

    def _options(self, quality: Quality, folder: Path, log: _Log, watch: _Watch) -> dict[str, Any]:
        def select(context: dict[str, Any]) -> Iterator[Any]:
            chosen = choose_format(context["formats"], quality, self.params)
            if chosen is not None:
                watch.announce(int(chosen.get("filesize") or 0))
                yield chosen

        return {
            "format": select,
            "match_filter": _refuse_live,
            "progress_hooks": [watch],
            "logger": log,
            "paths": {"home": str(folder)},
            "outtmpl": {"default": "%(format_id)s.%(ext)s"},
            "restrictfilenames": True,
            "allowed_extractors": ["default", "-generic"],
            "extract_flat": "in_playlist",
            "noplaylist": True,
            "playlist_items": "1",
            "cookiefile": io.StringIO(self.cookies) if self.cookies else None,
            "cachedir": False,
            "socket_timeout": self.params.timeout_s,
            "retries": 0,
            "fragment_retries": self.params.retries,
            "extractor_retries": 0,
            "skip_unavailable_fragments": False,
            "ratelimit": self.params.rate_limit_bytes_s or None,
            "buffersize": _FIRST_READ_BYTES,
            "max_filesize": None,
            "geo_bypass": False,
            "fixup": "never",
            "updatetime": False,
            "external_downloader": {"default": "native"},
            "quiet": True,
            "noprogress": True,
            "color": {"stdout": "never", "stderr": "never"},
        }


@dataclass
class _Log:
    """Keeps what yt-dlp warns of, and prints nothing."""

    warnings: list[str] = field(default_factory=list)

    def debug(self, message: str) -> None:
        pass

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def error(self, message: str) -> None:
        pass


class _Watch:
    """Stops a download that is too large or has stalled; called with yt-dlp's progress."""

    def __init__(self, params: AcquireParams, expect: Callable[[int], None]) -> None:
        self._params, self._expect = params, expect
        self._announced = False
        self._checked_s, self._bytes = time.monotonic(), 0

    def announce(self, total: int) -> None:
        """Say how large the file will be, where that is known before it comes."""
        self._refuse_large(total)
        if total and not self._announced:
            self._announced = True
            self._expect(total)

    def __call__(self, progress: dict[str, Any]) -> None:
        done = int(progress.get("downloaded_bytes") or 0)
        self.announce(int(progress.get("total_bytes") or 0))
        self._refuse_large(done)
        passed_s = time.monotonic() - self._checked_s
        if progress.get("status") == "downloading" and passed_s >= self._params.timeout_s:
            if 0 <= done - self._bytes < self._params.min_rate_bytes_s * passed_s:
                raise failure("network", f"only {done - self._bytes} bytes in {passed_s:.0f} s")
            self._checked_s, self._bytes = time.monotonic(), done

    def _refuse_large(self, size: int) -> None:
        if size > self._params.max_file_bytes:
            raise failure("too_large", f"{size} bytes; the recipe takes {self._params.max_file_bytes}")


def _refuse_live(info: dict[str, Any], **_: bool) -> None:
    if info.get("live_status") in ("is_live", "is_upcoming", "post_live"):
        raise failure("live", f"the site calls it {info['live_status']!r}; it can be fetched when it is over")


def _file_of(info: Any, folder: Path) -> Path:
    if isinstance(info, dict) and "entries" in info:
        raise failure("bad_address", "a list of videos; expected the address of one")
    downloads = info.get("requested_downloads") or [{}] if isinstance(info, dict) else [{}]
    path = Path(downloads[0].get("filepath") or "")
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise failure("unknown", "yt-dlp fetched nothing and does not say why")
    return path


def _require() -> None:
    """Import yt-dlp without the plug-ins that it would look for all over the machine."""
    try:
        from yt_dlp.globals import plugin_dirs
    except ImportError as error:
        raise MissingDependency(f"fetching from a site needs {error.name}: pip install 'hoiset[build]'") from error
    plugin_dirs.value = []
