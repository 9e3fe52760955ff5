import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from hoiset.errors import SchemaError
from hoiset.shards.schema import DEFAULT_LAYERS, MAX_KEY_LENGTH, members
from hoiset.shards.writer import EncodedSample, ShardRecord, UnitWriter, write_shard
from tests.factories import make_sample


def write_unit(root: Path, keys: tuple[str, ...] = ("b", "a")) -> UnitWriter:
    with UnitWriter(root, "v2", "train", 0) as unit:
        for i, key in enumerate(keys):
            unit.add(make_sample(key, i))
    return unit


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_equal_samples_give_equal_bytes(tmp_path: Path) -> None:
    write_unit(tmp_path / "1")
    write_unit(tmp_path / "2")
    assert files(tmp_path / "1") == files(tmp_path / "2")
    assert set(files(tmp_path / "1")) == {f"data/v2/{layer}/train-00000.tar" for layer in DEFAULT_LAYERS}


def test_tar_is_plain_and_ordered(tmp_path: Path) -> None:
    for record in write_unit(tmp_path).records:
        with tarfile.open(tmp_path / record.path, "r:") as tar:
            infos = tar.getmembers()
        names = [m.name for m in members(record.layer)]
        assert [i.name for i in infos] == [f"{key}.{name}" for key in ("b", "a") for name in names]
        assert {(i.mtime, i.uid, i.gid, i.uname, i.gname, i.mode, i.type) for i in infos} == {
            (0, 0, 0, "", "", 0o644, tarfile.REGTYPE)
        }
        assert (tmp_path / record.path).stat().st_size % tarfile.RECORDSIZE == 0


def test_records_say_what_is_in_the_file(tmp_path: Path) -> None:
    for record in write_unit(tmp_path).records:
        data = (tmp_path / record.path).read_bytes()
        assert (record.bytes, record.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert record.keys == ("b", "a")
        with tarfile.open(tmp_path / record.path, "r:") as tar:
            for info in tar:
                key, _, member = info.name.partition(".")
                assert record.spans[key][member] == (info.offset_data, info.size)
        assert ShardRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_rows_point_at_every_member(tmp_path: Path) -> None:
    unit = write_unit(tmp_path)
    assert [row["key"] for row in unit.rows] == ["b", "a"]
    for row in unit.rows:
        assert json.loads(json.dumps(row)) == row
        assert {m["member"] for m in row["members"]} == {m.name for layer in DEFAULT_LAYERS for m in members(layer)}


def test_a_bad_sample_costs_itself_only(tmp_path: Path) -> None:
    write_unit(tmp_path / "1", ("b",))
    with UnitWriter(tmp_path / "2", "v2", "train", 0) as unit:
        bad = make_sample("bad")
        del bad["rgb.mp4"]
        with pytest.raises(SchemaError, match=r"rgb\.mp4"):
            unit.add(bad)
        unit.add(make_sample("b", 0))
        with pytest.raises(SchemaError, match="'b' twice"):
            unit.add(make_sample("b", 1))
    assert files(tmp_path / "1") == files(tmp_path / "2")
    assert len(unit.rows) == 1


def test_an_exception_leaves_no_shard_and_keeps_the_old_one(tmp_path: Path) -> None:
    def broken() -> None:
        with UnitWriter(tmp_path, "v2", "train", 0) as unit:
            unit.add(make_sample("other"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert not files(tmp_path)
    write_unit(tmp_path)
    before = files(tmp_path)
    with pytest.raises(RuntimeError):
        broken()
    assert files(tmp_path) == before


def test_an_empty_unit_leaves_nothing(tmp_path: Path) -> None:
    unit = write_unit(tmp_path, ())
    assert (unit.records, unit.rows, files(tmp_path)) == ((), (), {})


def test_a_layer_can_be_left_out(tmp_path: Path) -> None:
    with UnitWriter(tmp_path, "v2", "train", 3, ("core",)) as unit:
        unit.add({k: v for k, v in make_sample("a").items() if k != "rgb.mp4"})
    assert set(files(tmp_path)) == {"data/v2/core/train-00003.tar"}
    assert {m["layer"] for m in unit.rows[0]["members"]} == {"core"}


def test_write_shard_is_the_same_as_a_unit(tmp_path: Path) -> None:
    record = write_unit(tmp_path / "1").records[0]
    samples = ((key, make_sample(key, i)) for i, key in enumerate(("b", "a")))
    assert write_shard(tmp_path / "2", record.path, samples, "core", "train") == record
    assert files(tmp_path / "2")[record.path] == files(tmp_path / "1")[record.path]


def test_write_shard_refuses_a_key_that_is_not_the_clips(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="expected 'other'"):
        write_shard(tmp_path, "data/v2/core/train-00000.tar", [("other", make_sample("a"))], "core", "train")
    assert not files(tmp_path)


def test_the_longest_key_fits(tmp_path: Path) -> None:
    key = "k" * MAX_KEY_LENGTH
    assert write_unit(tmp_path, (key,)).records[0].keys == (key,)


def test_a_sample_encoded_elsewhere_gives_the_same_shard(tmp_path: Path) -> None:
    here = write_unit(tmp_path / "here")
    with UnitWriter(tmp_path / "there", "v2", "train", 0) as unit:
        for i, key in enumerate(("b", "a")):
            encoded = EncodedSample.of(make_sample(key, i), DEFAULT_LAYERS, "train")
            unit.add_encoded(EncodedSample.from_bytes(encoded.to_bytes()))
    assert (unit.records, unit.rows) == (here.records, here.rows)
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_an_encoded_sample_of_another_kind_is_refused(tmp_path: Path) -> None:
    sample = EncodedSample.of(make_sample("a", 0), ("core",), "train")
    with UnitWriter(tmp_path, "v2", "train", 0) as unit, pytest.raises(SchemaError, match=r"expected .*'video'"):
        unit.add_encoded(sample)
    with pytest.raises(SchemaError, match="damaged"):
        EncodedSample.from_bytes(sample.to_bytes()[:-30])
