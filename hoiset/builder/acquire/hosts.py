"""How much of this machine asks one host at a time, and for how long it is left alone when it asks for that."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hoiset.builder.acquire.failures import failure
from hoiset.builder.acquire.locks import FileLock
from hoiset.builder.acquire.params import AcquireParams


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

    def leave_alone(self, host: str, seconds: float) -> None:
        """Note that a host wants to be left alone, for all processes."""
        until = self._folder(host) / "until"
        _set_stamp(until, max(time.time() + seconds, _stamp(until)))

    def _folder(self, host: str) -> Path:
        return self._root / hashlib.sha256(host.encode()).hexdigest()[:24]

    @contextmanager
    def _slot(self, folder: Path) -> Iterator[Path]:
        """A free place, or the next one to come free among those of a random number."""
        names = [folder / f"{i}.lock" for i in range(self._params.host_downloads)]
        random.shuffle(names)
        for name in names:
            with FileLock(name) as lock:
                if lock.acquire(wait=False):
                    yield name.with_suffix(".used")
                    return
        with FileLock(names[0]) as lock:
            lock.acquire()
            yield names[0].with_suffix(".used")


def _stamp(path: Path) -> float:
    """A time that another process has left, s since 1970; 0 where there is none."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _set_stamp(path: Path, when_s: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (when_s, when_s))
