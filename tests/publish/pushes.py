"""What the tests of pushing share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from hoiset.cards import finish_version
from hoiset.publish.push import Pushed, push
from hoiset.shards.manifest import read_manifest
from hoiset.shards.remote import Patience
from hoiset.shards.writer import UnitWriter
from tests.factories import make_recipe, make_sample
from tests.hub import REPO
from tests.hub_writing import WritableHub

AT_ONCE = Patience(attempts=3, first_wait_s=0, longest_wait_s=0)


def pushed(root: Path, split: str = "v2", **options: Any) -> Pushed:
    """Push without waiting."""
    return push(REPO, split, root, **{"patience": AT_ONCE, **options})


def actions(done: Pushed) -> dict[str, set[str]]:
    """Action -> paths, of what is not the same."""
    found: dict[str, set[str]] = {}
    for change in done.changes:
        if change.action != "same":
            found.setdefault(change.action, set()).add(change.path)
    return found


def make_web_dataset(
    root: Path, clips: Callable[[int], dict[str, str]], n: int = 3, version: str = "v2", **recipe: Any
) -> Path:
    """A dataset of one shard a layer; ``clips`` gives the source's fields of clip i."""
    with UnitWriter(root, version, "train", 0) as unit:
        for i in range(n):
            sample = make_sample(f"clip_{i:02d}", i)
            sample["clip.json"]["source"].update(clips(i))
            unit.add(sample)
    recipe = {**make_recipe(version), **recipe}
    finish_version(root, version, shards=unit.records, rows=unit.rows, recipe=recipe)
    return root


def manifest_of(hub: WritableHub, version: str = "v2") -> dict[str, Any]:
    return read_manifest(hub.revisions["main"], version)


def layers_of(hub: WritableHub, version: str = "v2") -> set[str]:
    """Layers that the pushed index speaks of."""
    rows = pq.read_table(hub.revisions["main"] / f"index/{version}.parquet").to_pylist()
    return {member["layer"] for row in rows for member in row["members"]}


def state(hub: WritableHub) -> dict[str, Any]:
    """All that a reader can see: the files of the head and of every tag."""
    return {name: hub.files(name) for name in sorted(hub.revisions)}


def plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
