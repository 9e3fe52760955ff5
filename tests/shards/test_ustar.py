from __future__ import annotations

import hashlib
import io
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hoiset.errors import DatasetError
from hoiset.shards.reader import iter_samples, iter_tar
from hoiset.shards.ustar import BLOCK, ShardFile, read_each
from tests.fixtures import pristine as pristine

SHARDS = ["data/v2/core/train-00000.tar", "data/v2/video/validation-00000.tar"]


def tar_of(path: Path, files: dict[str, bytes], **fields: object) -> Path:
    with tarfile.open(path, "w", format=fields.pop("format", tarfile.USTAR_FORMAT)) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("shard", SHARDS)
def test_reads_what_tarfile_reads_and_digests_what_is_there(pristine: Path, shard: str) -> None:
    path = pristine / shard
    with ShardFile(path) as file:
        assert list(file.members()) == list(iter_tar(path))
        found = file.digest()
    assert (found.bytes, found.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    with ShardFile(path) as file:
        assert list(file.samples()) == list(iter_samples(path))
    with ShardFile(path) as file:
        assert file.digest() == found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_raises_no_other_error_and_never_passes_for_more(pristine: Path, tmp_path: Path, data: st.DataObject):
    whole = (pristine / SHARDS[0]).read_bytes()
    end = data.draw(st.integers(0, len(whole)))
    damaged = bytearray(whole[:end])
    for at in data.draw(st.lists(st.integers(0, max(end - 1, 0)), max_size=3)) if end else []:
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "x.tar"
    path.write_bytes(damaged)
    with ShardFile(path) as file:
        with suppress(DatasetError):
            found = [(m.offset, m.data) for m in file.members()]
            assert all(damaged[offset : offset + len(value)] == value for offset, value in found)
        assert file.digest().sha256 == hashlib.sha256(damaged).hexdigest()


@pytest.mark.parametrize(
    "fields",
    [{"type": tarfile.SYMTYPE}, {"type": tarfile.DIRTYPE}, {"format": tarfile.GNU_FORMAT}, {"size": -1}],
    ids=str,
)
def test_any_other_tar_is_damage(tmp_path: Path, fields: dict[str, object]) -> None:
    if fields.get("size") == -1:
        path = tar_of(tmp_path / "x.tar", {"a.b": b"1"})
        data = bytearray(path.read_bytes())
        data[124:136] = b"-0000000001\0"
        path.write_bytes(data)
    else:
        path = tar_of(tmp_path / "x.tar", {"a.b": b"1"}, **fields)
    with ShardFile(path) as file, pytest.raises(DatasetError, match="found a header"):
        list(file.members())


@pytest.mark.parametrize("name", ["a", ".b", "a/b.c", "../a.b", "ä.b"])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    with ShardFile(tar_of(tmp_path / "x.tar", {name: b"1"})) as file, pytest.raises(DatasetError, match="header"):
        list(file.members())


def test_a_size_beyond_the_file_takes_no_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.b")
    info.size = 8 * 2**30 - 1
    path = tmp_path / "x.tar"
    path.write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + b"1" * 100)
    with ShardFile(path) as file, pytest.raises(DatasetError, match=r"found 100 bytes of a\.b"):
        list(file.members())
    assert list(read_each(path, "b")) == [("a", b"1" * 100)]


def test_bytes_after_the_end_are_damage(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", {"a.b": b"1"})
    path.write_bytes(path.read_bytes() + b"x")
    with ShardFile(path) as file, pytest.raises(DatasetError, match="after the end"):
        list(file.members())
    path.write_bytes(path.read_bytes()[: 3 * BLOCK])
    with ShardFile(path) as file, pytest.raises(DatasetError, match="one block of zeros"):
        list(file.members())
    path.write_bytes(b"".join(m[:BLOCK] for m in [path.read_bytes()]) + b"1" + b"x" * (BLOCK - 1) + bytes(2 * BLOCK))
    with ShardFile(path) as file, pytest.raises(DatasetError, match=r"after the end of a\.b"):
        list(file.members())


def test_one_member_of_each_sample(pristine: Path) -> None:
    path = pristine / SHARDS[0]
    expected = [(m.key, m.data) for m in iter_tar(path) if m.member == "time.npy"]
    assert list(read_each(path, "time.npy")) == expected


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="No such file"):
        ShardFile(tmp_path / "x.tar")
    with pytest.raises(DatasetError, match="No such file"):
        list(read_each(tmp_path / "x.tar", "b"))
