"""The same files through `datasets` from a Hub on loopback: files and streaming, by config and revision."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.factories import make_dataset, make_sample
from tests.fixtures import pristine as pristine
from tests.hub import REPO, hub_of

pytest.importorskip("datasets", reason="needs hoiset[datasets]")

_READ = """
import hashlib, json, sys
import datasets
import numpy as np
found = {}
for config, split, revision, streaming in json.loads(sys.argv[2]):
    rows = datasets.load_dataset(sys.argv[1], config, split=split, revision=revision, streaming=streaming)
    member = "hand_joints.npy.gz" if config == "v2" else "rgb.mp4"
    found[f"{config} {split} {revision} {streaming}"] = [
        (r["__key__"], np.asarray(r[member]).tolist() if config == "v2" else hashlib.sha256(r[member]).hexdigest())
        for r in rows
    ]
print(json.dumps(found))
"""


def test_by_config_split_and_revision(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = make_dataset(tmp_path / "old", n_clips=2, n_frames=3)
    wanted = [
        (config, split, revision, streaming)
        for config, split, revision in (("v2", "train", "old"), ("v2-video", "validation", "main"))
        for streaming in (False, True)
    ]
    with hub_of({"main": pristine, "old": old}, monkeypatch) as hub:
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
        }
        command = [sys.executable, "-c", _READ, REPO, json.dumps(wanted)]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout.splitlines()[-1])
    clips = {"main": [(3, 9)], "old": [(0, 3), (1, 3)]}
    for config, split, revision, streaming in wanted:
        rows = found[f"{config} {split} {revision} {streaming}"]
        there = clips[revision]
        assert [key for key, _ in rows] == [f"clip_{i:02d}" for i, _ in there]
        for (_, value), (i, n_frames) in zip(rows, there, strict=True):
            sample = make_sample(f"clip_{i:02d}", i, n_frames, i % 3)
            if config == "v2":
                np.testing.assert_array_equal(np.array(value, np.float32), sample["hand_joints.npy.gz"])
            else:
                assert value == hashlib.sha256(sample["rgb.mp4"]).hexdigest()
