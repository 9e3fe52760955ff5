from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from hoiset.builder.engine.lease import Lease
from hoiset.errors import DatasetError
from hoiset.shards.storage import Storage
from tests.s3 import s3_server


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    with s3_server("locks") as bucket:
        yield Storage.at(f"{bucket}/build")


def refused(lease: Lease) -> None:
    with pytest.raises(DatasetError, match="another build"), lease.hold():
        pass


def test_one_at_a_time_and_free_afterwards(storage: Storage) -> None:
    with (
        Lease(storage, "lock").hold(),
        pytest.raises(DatasetError, match="another build"),
        Lease(storage, "lock").hold(),
    ):
        pass
    assert storage.read("lock") is None
    with Lease(storage, "lock").hold():
        pass


def test_a_dead_build_is_inherited_and_a_living_one_is_not(storage: Storage) -> None:
    storage.write("lock", b"of a build that was killed")
    refused(Lease(storage, "lock"))
    with Lease(storage, "lock", lease_s=-10.0).hold():
        assert storage.read("lock") != b"of a build that was killed"


def lose(storage: Storage) -> None:
    with Lease(storage, "lock", renew_s=0.02).hold():
        storage.write("lock", b"of somebody else")
        time.sleep(0.5)


def test_a_lost_lock_is_told(storage: Storage) -> None:
    with pytest.raises(DatasetError, match="taken by another build"):
        lose(storage)
    assert storage.read("lock") == b"of somebody else"
