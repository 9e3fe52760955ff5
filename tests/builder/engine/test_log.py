from __future__ import annotations

from pathlib import Path

from hoiset.builder.engine.log import RecordLog
from hoiset.shards.storage import Storage


def log(root: Path, **kwargs: float) -> RecordLog:
    return RecordLog(Storage.at(root), "screen", part_records=4, flush_s=kwargs.get("flush_s", 1e9))


def numbers(root: Path) -> list[int]:
    return [record["i"] for record in log(root)]


def test_many_records_are_few_files(tmp_path: Path) -> None:
    writer = log(tmp_path)
    for i in range(10):
        writer.append({"i": i})
    assert numbers(tmp_path) == list(range(8))
    writer.flush()
    assert numbers(tmp_path) == list(range(10))
    assert len(log(tmp_path)) == 10
    assert [p.name for p in sorted((tmp_path / "screen").iterdir())] == [f"{i:08d}.jsonl" for i in range(3)]


def test_a_record_waits_no_longer_than_asked(tmp_path: Path) -> None:
    writer = log(tmp_path, flush_s=0)
    for i in range(6):
        writer.append({"i": i})
        assert numbers(tmp_path) == list(range(i + 1))


def test_a_second_run_goes_on_in_a_file_of_its_own(tmp_path: Path) -> None:
    first = log(tmp_path)
    first.append({"i": 0})
    first.flush()
    second = log(tmp_path)
    second.append({"i": 1})
    second.flush()
    first.append({"i": 2})
    first.flush()
    assert sorted(numbers(tmp_path)) == [0, 1, 2]


def test_a_damaged_line_costs_its_record(tmp_path: Path) -> None:
    writer = log(tmp_path)
    for i in range(4):
        writer.append({"i": i})
    path = tmp_path / "screen/00000000.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"i":1}', b'{"i":\xff') + b'{"i":')
    assert numbers(tmp_path) == [0, 2, 3]
