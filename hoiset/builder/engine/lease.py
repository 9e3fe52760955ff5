"""A lock in an object store: an object that only one build can create, and that its owner keeps renewing."""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from hoiset.errors import DatasetError
from hoiset.shards.storage import Storage

LEASE_S = 120.0
_RENEW_S = 20.0


@dataclass(frozen=True)
class Lease:
    """A lock that expires when its owner no longer renews it.

    Attributes:
        storage: An object store that can create an object on the condition that there is none, as S3 can.
        name: Of the object.
        lease_s: A lock that was not renewed for so long, by the clocks of store and machine, belongs to a dead build.
        renew_s: Time between renewals, s.
    """

    storage: Storage
    name: str
    lease_s: float = LEASE_S
    renew_s: float = _RENEW_S

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock while the block runs.

        Raises:
            DatasetError: Somebody else holds it, or took it while the block ran.
        """
        owner = {"id": uuid.uuid4().hex, "host": socket.gethostname(), "pid": os.getpid()}
        data = json.dumps(owner).encode()
        tag = self._take(data)
        stop = threading.Event()
        lost = threading.Event()
        keeper = threading.Thread(target=self._renew, args=(data, tag, stop, lost), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            stop.set()
            keeper.join()
            if self.storage.read(self.name) == data:
                self.storage.remove(self.name)
        if lost.is_set():
            raise DatasetError(
                f"{self.storage.path(self.name)} was taken by another build while this one ran; run again to go on"
            )

    def _take(self, data: bytes) -> str:
        tag = self.storage.create(self.name, data)
        if tag is None:
            found = self.storage.stamp(self.name)
            if found is not None:
                changed_at, old_tag = found
                age_s = (datetime.now(UTC) - changed_at).total_seconds()
                if age_s > self.lease_s:
                    tag = self.storage.replace(self.name, data, old_tag)
        if tag is None:
            raise DatasetError(
                f"another build is writing to {self.storage.url}; wait for it, or, after a build that was killed, "
                f"{self.lease_s:g} s, or choose another output directory"
            )
        return tag

    def _renew(self, data: bytes, tag: str, stop: threading.Event, lost: threading.Event) -> None:
        while not stop.wait(self.renew_s):
            try:
                renewed = self.storage.replace(self.name, data, tag)
            except DatasetError:
                continue  # the store does not answer; the next write of the build will say so
            if renewed is None:
                lost.set()
                return
            tag = renewed
