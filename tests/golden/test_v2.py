"""Data written with schema 2 are read for ever, and written the same as ever."""

from __future__ import annotations

import json
from pathlib import Path

from hoiset.shards.index import read_index
from hoiset.shards.manifest import read_manifest
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.verify import verify_dataset
from hoiset.shards.writer import UnitWriter
from tests.golden.make_v2 import EXPECTED, ROOT, read_facts


def test_the_reader_says_what_it_said() -> None:
    assert read_facts(ROOT) == json.loads(EXPECTED.read_text())


def test_it_still_passes_for_whole() -> None:
    assert verify_dataset(ROOT, processes=1).problems == ()


def test_the_writer_makes_the_same_bytes_of_it(tmp_path: Path) -> None:
    rows = read_index(ROOT, "v2").to_pylist()
    with ShardReader(ROOT) as reader:
        for row in rows:
            with UnitWriter(tmp_path, "v2", row["partition"], 0) as unit:
                unit.add(read_sample(reader, row["members"]))
            assert list(unit.rows) == [row]
    shards = [entry["path"] for entry in read_manifest(ROOT, "v2")["files"] if entry["layer"]]
    assert len(shards) == 4
    for path in shards:
        assert (tmp_path / path).read_bytes() == (ROOT / path).read_bytes()
