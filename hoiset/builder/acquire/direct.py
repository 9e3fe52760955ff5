"""Fetches a media file over HTTP; what has arrived of it is gone on with, if it still is the same file."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

import hoiset
from hoiset.builder.acquire.address import Address
from hoiset.builder.acquire.failures import failure, http_failure
from hoiset.builder.acquire.guard import GuardedAdapter
from hoiset.builder.acquire.params import AcquireParams
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import canonical_json

_BLOCK_BYTES = 1 << 18
_REDIRECTS = 5
_NO_VIDEO = re.compile(r"text/|application/(json|xml|xhtml)", re.IGNORECASE)
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True)
class DirectFetcher:
    """Straight HTTP.

    Attributes:
        params: Limits.
        cookies: Sent where they belong.
        private_hosts: See :class:`hoiset.builder.acquire.guard.GuardedAdapter`.
        sleep: Waits for so many seconds.
    """

    params: AcquireParams
    cookies: http.cookiejar.CookieJar
    private_hosts: tuple[str, ...]
    sleep: Callable[[float], None] = time.sleep

    def fetch(self, address: Address, folder: Path, expect: Callable[[int], None]) -> Path:
        """Fetch a file.

        Args:
            address: Of the file.
            folder: Where the file and what is needed to go on with it are kept.
            expect: Called with the number of bytes that are still to come, once it is known.

        Returns:
            The whole file, in ``folder``.

        Raises:
            AcquireError: One class a cause; what has arrived stays in ``folder`` where it is of use.
        """
        part = _Part(folder / "file.part", folder / "file.json")
        with _transport_failures(address.host), self._session() as session, self._ask(session, address, part) as answer:
            done = part.path.stat().st_size if answer.status_code == 206 else 0
            if answer.status_code == 416:  # all of it is there: the process was killed before it could say so
                return part.path
            total = _length(answer, done)
            if total is not None:
                if total > self.params.max_file_bytes:
                    raise failure("too_large", f"{total} bytes; the recipe takes {self.params.max_file_bytes}")
                expect(total - done)
            part.begin(answer, address.url, total, keep=done > 0)
            size = self._receive(answer, part.path, done)
            if total is not None and size != total:
                raise failure("network", f"{address.host} sent {size} of {total} bytes")
        return part.path

    def _session(self) -> requests.Session:
        session = _Session()
        session.max_redirects = _REDIRECTS
        for cookie in self.cookies:  # into a jar of its own: what servers set goes when the file is here
            session.cookies.set_cookie(cookie)
        session.auth = _NoCredentials()
        session.headers.update({"User-Agent": f"hoiset/{hoiset.__version__}", "Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            session.mount(scheme, GuardedAdapter(HTTPAdapter(), self.private_hosts))
        return session

    @contextmanager
    def _ask(self, session: requests.Session, address: Address, part: _Part) -> Iterator[requests.Response]:
        """The answer, whose body is still to be read; anything but a body that can be used is an error."""
        headers = part.headers(address.url)
        with session.get(address.url, headers=headers, stream=True, timeout=self.params.timeout_s) as answer:
            host = urlsplit(answer.url).hostname or address.host
            status, content = answer.status_code, answer.headers.get("Content-Type", "")
            if status == 416 and headers:
                sent = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                if not (sent and sent[3] == str(part.path.stat().st_size)):
                    part.forget()
                    raise failure("network", f"{host} no longer has the file of which a part was here")
            elif status == 206 and headers:
                sent = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                if not (sent and sent[1] == str(part.path.stat().st_size)):
                    part.forget()
                    raise failure("network", f"{host} sent another range than the one it was asked for")
            elif status != 200:
                raise http_failure(status, host, answer.headers.get("Retry-After"))
            elif _NO_VIDEO.match(content):
                raise failure("no_format", f"{host} sent {content.partition(';')[0]!r}, expected a video file")
            yield answer

    def _receive(self, answer: requests.Response, path: Path, done: int) -> int:
        """Append the body to the file; the file's size after that."""
        limit, floor, window_s = self.params.rate_limit_bytes_s, self.params.min_rate_bytes_s, self.params.timeout_s
        begun = checked = time.monotonic()
        received = since = 0
        with path.open("ab") as file:
            while block := answer.raw.read1(_BLOCK_BYTES, decode_content=False):
                file.write(block)
                received, since = received + len(block), since + len(block)
                if done + received > self.params.max_file_bytes:
                    raise failure("too_large", f"more than {self.params.max_file_bytes} bytes")
                if limit and (ahead_s := received / limit - (time.monotonic() - begun)) > 0:
                    self.sleep(ahead_s)
                if (passed_s := time.monotonic() - checked) >= window_s:
                    if since < floor * passed_s:
                        raise failure("network", f"only {since} bytes in {passed_s:.0f} s")
                    checked, since = time.monotonic(), 0
        return done + received


@dataclass(frozen=True)
class _Part:
    """What has arrived of a file, and by what the server knows whether it still is the same one."""

    path: Path
    about: Path

    def headers(self, url: str) -> dict[str, str]:
        """Headers that ask for the rest only; none where there is no part, or none that the server could vouch for."""
        about: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            about = json.loads(self.about.read_bytes())
        size = self.path.stat().st_size if self.path.is_file() else 0
        if size == 0 or about.get("url") != url or not about.get("version"):
            return {}
        return {"Range": f"bytes={size}-", "If-Range": str(about["version"])}

    def begin(self, answer: requests.Response, url: str, total: int | None, *, keep: bool) -> None:
        """Prepare for the body of an answer."""
        if keep:
            return
        self.path.write_bytes(b"")
        tag = answer.headers.get("ETag", "")
        version = tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")
        write_atomic(self.about, canonical_json({"url": url, "version": version, "total": total}))

    def forget(self) -> None:
        """Start over next time."""
        self.path.unlink(missing_ok=True)


class _NoCredentials(requests.auth.AuthBase):
    """Keeps ``~/.netrc`` out: an address from a table must not be able to ask for a password of the user's."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Session(requests.Session):
    def rebuild_auth(self, prepared_request: requests.PreparedRequest, _: requests.Response) -> None:
        """On a redirect, too."""
        prepared_request.headers.pop("Authorization", None)


def _length(answer: requests.Response, done: int) -> int | None:
    """Bytes of the whole file, where the server says."""
    length = answer.headers.get("Content-Length", "")
    return done + int(length) if length.isascii() and length.isdigit() else None


@contextmanager
def _transport_failures(host: str) -> Iterator[None]:
    try:
        yield
    except requests.TooManyRedirects as error:
        raise failure("bad_address", f"{host} redirects more than {_REDIRECTS} times") from error
    except (
        requests.exceptions.InvalidSchema,
        requests.exceptions.InvalidURL,
        requests.exceptions.MissingSchema,
    ) as error:
        raise failure("bad_address", f"{host} leads to an address that is not http or https: {error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise failure("network", f"{host}: {type(error).__name__}: {error}") from error
    except ValueError as error:
        raise failure("bad_address", f"{host} leads to an address that cannot be read: {error}") from error
