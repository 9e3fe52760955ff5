"""How much of this machine asks one host at a time, and for how long it is left alone when it asks for that."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hoiset.builder.acquire.failures import failure
from hoiset.builder.acquire.locks import FileLock, holding
from hoiset.builder.acquire.params import AcquireParams

_LONGEST_REST_S = 3600.0
_LOOK_S = 0.05


class HostGate:
    """Turns at the hosts, shared by all processes that use the same folder.

    Args:
        root: Folder of the turns' files.
        params: Downloads at a time, pause and longest wait.
        sleep: Waits for so many seconds.
    """

    def __init__(self, root: Path, params: AcquireParams, sleep: Callable[[float], None] = time.sleep) -> None:
        self._root, self._params, self._sleep = root, params, sleep

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Wait for a turn at a host and hold it.

        Raises:
            AcquireError: ``rate_limited``: it wants to be left alone for longer than the recipe waits.
        """
        folder = self._folder(host)
        with self._slot(folder) as used:
            rest_s = self.rest_s(host)
            if rest_s > self._params.max_wait_s:
                detail = f"{host} asked to be left alone for another {rest_s:.0f} s"
                raise failure("rate_limited", detail, retry_after_s=rest_s)
            pause_s = max(rest_s, _stamp(used) + self._params.host_pause_s - time.time())
            if pause_s > 0:
                self._sleep(min(pause_s, max(self._params.max_wait_s, self._params.host_pause_s)))
            try:
                yield
            finally:
                _set_stamp(used, time.time())

    def rest_s(self, host: str) -> float:
        """How long a host wants to be left alone from now on, s."""
        return max(0.0, _stamp(self._folder(host) / "until") - time.time())

    def leave_alone(self, host: str, asked_s: float | None) -> None:
        """Note, for all processes, that a host has been asked too much.

        Args:
            host: The host.
            asked_s: For how long it wants to be left alone; where it does not say, four times as long as before.
        """
        folder = self._folder(host)
        strikes = _count(folder / "strikes") + 1
        seconds = min(self._params.backoff_s * 4.0**strikes, _LONGEST_REST_S) if asked_s is None else asked_s
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "strikes").write_bytes(str(strikes).encode())
        _set_stamp(folder / "until", max(time.time() + seconds, _stamp(folder / "until")))

    def welcomed(self, host: str) -> None:
        """Note that a host has answered as it should."""
        (self._folder(host) / "strikes").unlink(missing_ok=True)

    def _folder(self, host: str) -> Path:
        return self._root / hashlib.sha256(host.encode()).hexdigest()[:24]

    @contextmanager
    def _slot(self, folder: Path) -> Iterator[Path]:
        """A free place; those who wait stand in a queue, and only the first of them looks for one."""
        with contextlib.ExitStack() as held:
            with holding(folder / "queue.lock"):
                while (place := self._take(folder, held)) is None:
                    time.sleep(_LOOK_S)
            yield place

    def _take(self, folder: Path, held: contextlib.ExitStack) -> Path | None:
        for i in range(self._params.host_downloads):
            lock = FileLock(folder / f"{i}.lock")
            if lock.acquire(wait=False):
                held.callback(lock.release)
                return folder / f"{i}.used"
        return None


def _count(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_bytes()[:4])
    return 0


def _stamp(path: Path) -> float:
    """A time that another process has left, s since 1970; 0 where there is none."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _set_stamp(path: Path, when_s: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (when_s, when_s))
