from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hoiset.shards.index import index_schema, read_index
from hoiset.shards.sizes import layer_sizes
from tests.fixtures import pristine as pristine


def test_sizes_are_those_of_the_members(pristine: Path) -> None:
    index = read_index(pristine, "v2")
    rows = index.to_pylist()
    found = layer_sizes(index)
    assert list(found) == ["core", "video"]
    core = [sum(m["size"] for m in row["members"] if m["layer"] == "core") for row in rows]
    assert (found["core"].median, found["core"].p95) == (round(np.median(core)), round(np.percentile(core, 95)))
    per_6_s = [6 * size / row["duration_s"] for size, row in zip(core, rows, strict=True)]
    assert found["core"].median_per_6_s == round(np.median(per_6_s))
    assert (found["video"].largest, found["video"].largest_share) == ("rgb.mp4", 1.0)


def test_no_clips_have_no_sizes() -> None:
    assert layer_sizes(index_schema().empty_table()) == {}


def test_info_tells_them(run_command: Any, pristine: Path) -> None:
    found = json.loads(run_command("info", pristine, "--json")[1])["bytes_a_clip"]
    assert found["core"]["median"] == layer_sizes(read_index(pristine, "v2"))["core"].median
    assert "size of core\t" in run_command("info", pristine)[1]
