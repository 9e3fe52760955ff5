import io
import multiprocessing
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hoiset.errors import DatasetError, SchemaError
from hoiset.shards.ranges import inside
from hoiset.shards.reader import ShardReader, iter_samples, iter_tar, read_sample
from hoiset.shards.writer import UnitWriter
from tests.factories import make_sample


@pytest.fixture
def unit(tmp_path: Path) -> UnitWriter:
    with UnitWriter(tmp_path, "v2", "train", 0) as unit:
        for i, key in enumerate("ab"):
            unit.add(make_sample(key, i))
    return unit


def assert_same(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        if isinstance(a[name], np.ndarray):
            np.testing.assert_array_equal(a[name], b[name])
        else:
            assert a[name] == b[name]


def test_samples_come_back_as_they_went(tmp_path: Path, unit: UnitWriter) -> None:
    with ShardReader(tmp_path) as reader:
        for i, row in enumerate(unit.rows):
            assert_same(read_sample(reader, row["members"]), make_sample(row["key"], i))


def test_only_what_is_asked_for_is_read(tmp_path: Path, unit: UnitWriter) -> None:
    (tmp_path / "data/v2/video/train-00000.tar").unlink()
    with ShardReader(tmp_path) as reader:
        assert set(read_sample(reader, unit.rows[1]["members"], ["time.npy"])) == {"time.npy"}
        with pytest.raises(DatasetError, match="is its layer downloaded"):
            read_sample(reader, unit.rows[1]["members"], ["rgb.mp4"])
        with pytest.raises(DatasetError, match=r"no member depth.npy.*time.npy"):
            read_sample(reader, unit.rows[1]["members"], ["depth.npy"])


def test_byte_ranges_agree_with_a_walk_through_the_tar(tmp_path: Path, unit: UnitWriter) -> None:
    with ShardReader(tmp_path, max_open=1) as reader:
        for record in unit.records:
            walked = {(t.key, t.member): (t.offset, t.data) for t in iter_tar(tmp_path / record.path)}
            assert len(walked) == sum(len(s) for s in record.spans.values())
            for (key, member), (offset, data) in walked.items():
                assert record.spans[key][member] == (offset, len(data))
                assert reader.read(record.path, offset, len(data)) == data


@pytest.mark.parametrize("path", ["../x.tar", "/etc/passwd", "a/../../x", "", "."])
def test_paths_may_not_leave_the_dataset(tmp_path: Path, path: str) -> None:
    with pytest.raises(DatasetError, match=r"inside the dataset|cannot open"):
        ShardReader(tmp_path).read(path, 0, 0)
    if path != ".":
        with pytest.raises(DatasetError, match="inside the dataset"):
            inside(tmp_path, path)


@pytest.mark.parametrize(("offset", "size"), [(-1, 4), (0, -1), (0, 1 << 60), (10**9, 4), (0, 10**8)])
def test_impossible_ranges_are_refused(tmp_path: Path, unit: UnitWriter, offset: int, size: int) -> None:
    with pytest.raises(DatasetError, match="hoiset verify"):
        ShardReader(tmp_path).read(unit.records[0].path, offset, size)


def _read_in_child(reader: ShardReader, members: list[dict[str, Any]]) -> float:
    return float(read_sample(reader, members, ["time.npy"])["time.npy"][-1])


def test_a_used_reader_crosses_processes(tmp_path: Path, unit: UnitWriter) -> None:
    reader, members = ShardReader(tmp_path), unit.rows[0]["members"]
    here = _read_in_child(reader, members)
    assert _read_in_child(pickle.loads(pickle.dumps(reader)), members) == here
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_read_in_child, (reader, members)) == here


def test_bytes_that_are_not_the_member_are_refused(tmp_path: Path, unit: UnitWriter) -> None:
    spans = [{**s, "offset": s["offset"] + 64} for s in unit.rows[0]["members"] if s["layer"] == "core"]
    with ShardReader(tmp_path) as reader, pytest.raises(SchemaError):
        read_sample(reader, spans, ["time.npy"])


def tar_of(path: Path, *names: str, kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "x"
            tar.addfile(info, io.BytesIO(b""))
    return path


@pytest.mark.parametrize("name", ["../a.npy", "a", ".npy", "a.", "d/a.npy"])
def test_strange_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="expected only files"):
        list(iter_tar(tar_of(tmp_path / "x.tar", name)))


def test_links_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected only files"):
        list(iter_tar(tar_of(tmp_path / "x.tar", "a.npy", kind=tarfile.SYMTYPE)))


def test_a_member_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="twice"):
        list(iter_samples(tar_of(tmp_path / "x.tar", "a.npy", "a.npy")))


def test_what_is_not_a_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"not a tar at all" * 100)
    with pytest.raises(DatasetError, match="cannot read"):
        list(iter_tar(tmp_path / "x.tar"))


def test_a_cut_inside_data_is_found(tmp_path: Path, unit: UnitWriter) -> None:
    path = tmp_path / unit.records[0].path
    offset, size = unit.records[0].spans["b"]["hand_mano.npy.gz"]
    path.write_bytes(path.read_bytes()[: offset + size // 2])
    with pytest.raises(DatasetError):
        list(iter_tar(path))
