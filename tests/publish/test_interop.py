"""What was pushed, through `datasets`, by tag."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import make_dataset
from tests.fixtures import pristine as pristine
from tests.hub import REPO
from tests.hub_writing import WritableHub
from tests.publish.pushes import pushed

pytest.importorskip("datasets", reason="needs hoiset[datasets]")

_READ = """
import json, sys
import datasets
found = {}
for config, revision, streaming in json.loads(sys.argv[2]):
    rows = datasets.load_dataset(sys.argv[1], config, split="train", revision=revision, streaming=streaming)
    found[f"{config} {revision} {streaming}"] = [row["__key__"] for row in rows]
print(json.dumps(found))
"""


def test_datasets_loads_every_tag_of_a_private_repository(pristine: Path, tmp_path: Path, hub: WritableHub) -> None:
    pushed(make_dataset(tmp_path / "old", n_clips=2, version="v1"), "v1")
    pushed(make_dataset(tmp_path / "first", n_clips=3))
    pushed(pristine)
    four = [f"clip_{i:02d}" for i in (0, 1, 2, 4)]
    wanted = {
        ("v1", "v1.0.0", False): four[:2],
        ("v1", "main", True): four[:2],
        ("v2", "v2.0.0", True): four[:3],
        ("v2", "v2.1.0", False): four,
        ("v2-video", "v2.1.0", True): four,
    }
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", _READ, REPO, json.dumps(list(wanted))]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout.splitlines()[-1])
    assert found == {f"{config} {revision} {streaming}": keys for (config, revision, streaming), keys in wanted.items()}
