"""Writes the dataset of schema 2 that every later hoiset must read: ``python -m tests.golden.make_v2``.

It was run once. Running it again is right only for a dataset that never left this repository; data of users stay as
they are, so a test that fails asks for a migration or a mended reader.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from hoiset.shards.index import read_index, write_index
from hoiset.shards.manifest import write_manifest
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.writer import UnitWriter
from tests.factories import make_recipe, make_sample

ROOT = Path(__file__).parent / "v2"
EXPECTED = ROOT / "expected.json"


def facts(value: Any) -> Any:
    """A member's value as JSON: structs as they are, arrays and bytes by kind and digest of their values."""
    if isinstance(value, dict):
        return value
    if isinstance(value, np.ndarray):
        numbers = np.ascontiguousarray(value).astype("<f8")
        first = [None if np.isnan(x) else float(x) for x in numbers.ravel()[:4]]
        sha256 = hashlib.sha256(numbers.tobytes()).hexdigest()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "first": first, "sha256_f8": sha256}
    return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}


def read_facts(root: Path) -> dict[str, Any]:
    """Everything that the reader says of the dataset."""
    out = {}
    with ShardReader(root) as reader:
        for row in read_index(root, "v2").to_pylist():
            sample = read_sample(reader, row["members"])
            out[row["key"]] = {"row": row, "members": {name: facts(value) for name, value in sorted(sample.items())}}
    return out


def main() -> None:
    shards, rows = [], []
    for partition, n_objects, key in (("train", 1, "golden_a"), ("test", 0, "golden_b")):
        with UnitWriter(ROOT, "v2", partition, 0) as unit:
            unit.add(make_sample(key, seed=n_objects, n_frames=3, n_objects=n_objects))
        shards += unit.records
        rows += unit.rows
    write_index(ROOT, "v2", rows)
    write_manifest(ROOT, "v2", shards, recipe=make_recipe(), backends=[{"name": "none", "version": "0", "weights": ""}])
    EXPECTED.write_text(json.dumps(read_facts(ROOT), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
