"""Fetches the remote videos that a worker is asked about, and keeps them while it looks at them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenacity import RetryCallState, Retrying, retry_if_exception

from hoiset.builder.acquire.address import Address, parse_address
from hoiset.builder.acquire.cache import Fetched, VideoCache
from hoiset.builder.acquire.cookies import Cookies, load_cookies
from hoiset.builder.acquire.facts import Facts, examine, same_times
from hoiset.builder.acquire.failures import FAILURES, failure
from hoiset.builder.acquire.formats import Quality
from hoiset.builder.acquire.hosts import HostGate
from hoiset.builder.acquire.params import AcquireParams, Machine, default_video_cache
from hoiset.builder.acquire.retrying import wait_s
from hoiset.builder.acquire.site import SiteFetcher
from hoiset.builder.engine.cache import digest_json
from hoiset.builder.records import SourceVideo
from hoiset.errors import AcquireError

if TYPE_CHECKING:
    from hoiset.builder.acquire.direct import DirectFetcher

_CORRUPT_ATTEMPTS = 2
_REMEMBERED_S = {True: 86400.0, False: 300.0}


class Acquirer:
    """Makes remote videos local; touches neither disk nor network before it is asked for one.

    Args:
        params: Of the recipe.
        machine: Of this machine; ``None`` = :meth:`Machine.from_environment`.
        extractors: See :class:`hoiset.builder.acquire.site.SiteFetcher`.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        params: AcquireParams,
        machine: Machine | None = None,
        extractors: tuple[Any, ...] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._params, self._sleep, self._extractors = params, sleep, extractors
        self._machine = machine or Machine.from_environment()
        self._cache = VideoCache(self._machine.cache or default_video_cache(), params.cache_bytes)
        self._hosts = HostGate(self._cache.hosts, params, sleep)

    @contextmanager
    def fetch(self, video: SourceVideo, quality: Quality) -> Iterator[SourceVideo]:
        """Give a video whose file is here, and keep the file here while the block runs.

        Files are whole videos, so that times in the one are times in the other.

        Args:
            video: Comes back as it is where it is not remote, or cannot be used anyway.
            quality: For which pass.

        Yields:
            The video with ``path`` and ``sha256``.

        Raises:
            AcquireError: It cannot be had; one class a cause.
            SourceError: The cookies cannot be read.
        """
        if not video.remote or video.problem:
            yield video
            return
        address = parse_address(video.remote)
        if not address.is_file and not self._site.knows(address):
            address = replace(address, is_file=True)
        if address.is_file:
            with self._hold(address, "full", self._key(address, "")) as fetched:
                yield _local(video, fetched)
            return
        with self._hold(address, quality, self._key(address, quality)) as fetched:
            if quality == "full":
                self._compare(address, fetched.facts)
            yield _local(video, fetched)

    @contextmanager
    def _hold(self, address: Address, quality: Quality, key: str) -> Iterator[Fetched]:
        with self._cache.hold(key, lambda folder: self._arrive(address, quality, key, folder)) as fetched:
            yield fetched

    def _compare(self, address: Address, full: Facts) -> None:
        """Times that pass 1 found must hold in the file that pass 2 reads."""
        key = self._key(address, "screen")
        screen = self._cache.facts(key)
        if screen is None:  # another machine screened it
            with self._hold(address, "screen", key) as fetched:
                screen = fetched.facts
        if not same_times(screen, full):
            raise failure(
                "times_differ",
                f"{full.duration_s:.2f} s at {full.width}x{full.height}, {screen.duration_s:.2f} s at "
                f"{screen.width}x{screen.height}: the spans of pass 1 do not hold; has the video been changed?",
            )

    def _arrive(self, address: Address, quality: Quality, key: str, folder: Path) -> Fetched:
        """Fetch, trying again where that may help; a failure is remembered for the video's other spans."""
        self._recall(key)
        attempts = Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, AcquireError) and FAILURES[e.reason].retried),
            stop=self._give_up,
            wait=lambda state: wait_s(state, self._params),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return attempts(self._attempt, address, quality, folder)
        except AcquireError as error:
            if error.final:
                shutil.rmtree(folder)
                folder.mkdir()
            self._cache.note(
                key,
                {
                    "reason": error.reason,
                    "detail": error.detail,
                    "final": error.final,
                    "when_s": time.time(),
                    "cookies": self._cookies.digest,
                },
            )
            raise

    def _attempt(self, address: Address, quality: Quality, folder: Path) -> Fetched:
        with self._hosts.turn(address.host):
            try:
                if address.is_file:
                    path = self._direct.fetch(address, folder, self._cache.make_room)
                else:
                    path = self._site.fetch(address, quality, folder, self._cache.make_room)
            except AcquireError as error:
                if error.reason == "rate_limited":
                    self._hosts.leave_alone(address.host, error.retry_after_s)
                raise
            self._hosts.welcomed(address.host)
        try:
            return Fetched(path, examine(path))
        except AcquireError:
            shutil.rmtree(folder)
            folder.mkdir()
            raise

    def _give_up(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, AcquireError) and error.reason == "corrupt":
            return state.attempt_number >= _CORRUPT_ATTEMPTS
        too_long = isinstance(error, AcquireError) and (error.retry_after_s or 0.0) > self._params.max_wait_s
        return too_long or state.attempt_number > self._params.retries

    def _recall(self, key: str) -> None:
        """Raise what an attempt of not long ago ended with: a video has many spans, and its site is asked once."""
        noted = self._cache.noted(key)
        if noted is None or noted.get("cookies") != self._cookies.digest or noted.get("reason") not in FAILURES:
            return
        ago_s = time.time() - float(noted["when_s"])
        if 0 <= ago_s < _REMEMBERED_S[bool(noted["final"])]:
            raise AcquireError(str(noted["reason"]), str(noted["detail"]), final=bool(noted["final"]))

    def _key(self, address: Address, quality: Quality | str) -> str:
        side = {"screen": self._params.screen_height, "full": self._params.full_height}.get(quality)
        return digest_json([address.name, quality, side])[:40]

    @cached_property
    def _cookies(self) -> Cookies:
        return load_cookies(self._machine.cookies)

    @cached_property
    def _direct(self) -> DirectFetcher:
        from hoiset.builder.acquire.direct import DirectFetcher

        return DirectFetcher(self._params, self._cookies.jar, self._machine.private_hosts, self._sleep)

    @cached_property
    def _site(self) -> SiteFetcher:
        return SiteFetcher(self._params, self._cookies.text, self._machine.private_hosts, self._extractors)


def _local(video: SourceVideo, fetched: Fetched) -> SourceVideo:
    return replace(video, path=fetched.path, sha256=fetched.facts.sha256)
