"""A version with robots: written, verified, filtered, loaded, repaired."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hoiset.cards import finish_version
from hoiset.errors import FilterError, SchemaError
from hoiset.filter.scan import select_index
from hoiset.filter.subset import write_dataset
from hoiset.loaders import WindowDataset, collate, load_dataset
from hoiset.shards.index import index_schema, read_index
from hoiset.shards.manifest import read_manifest
from hoiset.shards.schema import members, robot_members, robots_among
from hoiset.shards.validate import mismatches
from hoiset.shards.verify import verify_dataset
from hoiset.shards.writer import UnitWriter
from hoiset.upkeep.repair import repair_dataset
from tests.factories import make_recipe, make_robots, make_sample

LAYERS = ("core", "video", "robots")


def write(root: Path, samples: list[dict[str, Any]]) -> Path:
    with UnitWriter(root, "v2", "train", 0, LAYERS) as unit:
        for sample in samples:
            unit.add(sample)
    finish_version(root, "v2", shards=unit.records, rows=unit.rows, recipe=make_recipe(), backends=[])
    return root


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples = [make_robots(make_sample(f"clip_{i}", i, 6 + 6 * i)) for i in range(2)]
    return write(tmp_path_factory.mktemp("robots"), samples)


def test_members_follow_the_robots_names() -> None:
    names = [m.name for m in members("robots", ("g1", "fr3_dual"))]
    assert names == sorted(names)
    assert len(names) == 1 + 2 * 4
    assert robots_among(names) == ("fr3_dual", "g1")
    assert [m.name for m in members("robots")] == ["robots.json"]
    assert [m.name for m in members("robot_video", ("g1",))] == ["g1_sim.mp4"]


@pytest.mark.parametrize("name", ["hand", "G1", "g-1", "", "../x", "1arm"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ValueError, match="found a robot named"):
        robot_members(name)


def test_it_is_sound_and_read(whole: Path) -> None:
    assert verify_dataset(whole, "v2").problems == ()
    first, second = load_dataset(whole, layers=("core", "robots"), format="numpy")
    assert first["arm_q"].shape == (6, 7)
    assert first["two_root"].shape == (6, 4, 4)
    assert first["robots"]["robots"][0]["joints"] == [f"joint{i}" for i in range(7)]
    batch = collate([first, second])
    assert batch["arm_q"].shape == (2, 12, 7)
    assert np.isnan(batch["arm_q"][0, 6:]).all()
    assert batch["two_residual"].shape == (2, 12, 2, 2)


def test_windows_of_joints(whole: Path) -> None:
    clips = load_dataset(whole, layers=("core", "robots"), format="numpy")
    window = WindowDataset(clips, {"arm_q": [0.0, 1 / 15], "arm_source": [0.0], "arm_residual": [0.0]})[1]
    np.testing.assert_array_equal(window["arm_q"], clips[0]["arm_q"][1:3])
    assert window["arm_source"].tolist() == [[0, 1]]


def test_the_index_knows_them(whole: Path) -> None:
    assert read_index(whole, "v2").schema.equals(index_schema(("arm", "two")))
    rates = read_index(whole, "v2", ["key", "robots_arm_ik_rate"]).to_pylist()
    assert [row["robots_arm_ik_rate"] for row in rates] == [5 / 6, 11 / 12]
    assert select_index(whole, "robots.arm.ik_rate > 0.9")["key"].to_pylist() == ["clip_1"]
    assert select_index(whole, "robots.arm.ik_rate > 0.9 or width > 5").num_rows == 2
    assert select_index(whole, "robots.two.joints = 2 and robots.two.position_m < 0.01").num_rows == 2
    with pytest.raises(FilterError, match="has no robot g1; robots there: arm, two"):
        select_index(whole, "robots.g1.ik_rate > 0.9")
    with pytest.raises(FilterError, match=r"unknown field 'robots\.arm\.beauty'"):
        select_index(whole, "robots.arm.beauty > 0.9")


def test_a_choice_of_clips_keeps_them(whole: Path, tmp_path: Path) -> None:
    from hoiset.filter.query import parse
    from hoiset.filter.scan import ClipIndex

    write_dataset(whole, "v2", parse("robots.arm.ik_rate > 0.9"), tmp_path / "chosen")
    assert verify_dataset(tmp_path / "chosen", "v2").problems == ()
    assert ClipIndex.open(tmp_path / "chosen").columns == index_schema(("arm", "two")).names


def test_the_card_tells_of_them(whole: Path) -> None:
    card = (whole / "README.md").read_text()
    assert "| `arm` | 7 | 88.9 % | 4.0 mm | 0.23° | 2 of 2 |" in card
    assert "`arm_residual.npy.gz`" in card
    assert "v2-robots" in card


def test_datasets_reads_them(whole: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.load_dataset(str(whole), "v2-robots", split="train", streaming=True)
    row = next(iter(rows))
    assert np.asarray(row["arm_q.npy.gz"]).shape == (6, 7)
    assert row["robots.json"]["robots"][1]["robot"] == "two"


def spoilt(name: str, value: Any) -> dict[str, Any]:
    sample = make_robots(make_sample("clip"))
    sample[name] = value(sample[name]) if callable(value) else value
    return sample


def other_names(described: dict[str, Any]) -> dict[str, Any]:
    return {**described, "robots": [{**robot, "robot": "x"} for robot in described["robots"]]}


def one_less(array: np.ndarray) -> np.ndarray:
    return array[:, :-1]


def test_what_is_wrong_is_found() -> None:
    def found(name: str, value: Any) -> str:
        return "; ".join(map(str, mismatches(spoilt(name, value), LAYERS)))

    assert found("robots.json", lambda x: x) == ""
    assert "expected those of the members: arm, two" in found("robots.json", other_names)
    assert "expected 7 with their limits" in found("arm_q.npy.gz", one_less)
    assert "beyond the limits of joint6" in found("arm_q.npy.gz", lambda q: q + np.float32(1e-3))
    assert "found code 4" in found("arm_source.npy", lambda x: x + np.uint8(3 * (x == 1)))
    assert "converged without positions" in found("arm_q.npy.gz", lambda q: q * np.float32(np.nan))
    assert "at odds with two_source" in found("two_residual.npy.gz", lambda x: np.zeros_like(x))
    assert "expected 8, as time" in found("two_root.npy.gz", lambda x: x[1:])
    assert "no such member" in "; ".join(
        map(
            str,
            mismatches({k: v for k, v in spoilt("robots.json", lambda x: x).items() if k != "two_root.npy.gz"}, LAYERS),
        )
    )


def test_every_clip_has_the_same_robots(tmp_path: Path) -> None:
    with UnitWriter(tmp_path, "v2", "train", 0, LAYERS) as unit:
        unit.add(make_robots(make_sample("a")))
        with pytest.raises(SchemaError, match="b: found the robots arm, expected those of a: arm, two"):
            unit.add(make_robots(make_sample("b"), {"arm": 7}))


def test_other_robots_in_another_shard_are_found(tmp_path: Path) -> None:
    shards, rows = [], []
    for number, robots in enumerate(({"arm": 7}, {"two": 7})):
        with UnitWriter(tmp_path, "v2", "train", number, LAYERS) as unit:
            unit.add(make_robots(make_sample(f"clip_{number}"), robots))
        shards += unit.records
        rows += unit.rows
    with pytest.raises(SchemaError, match="differs in robots_arm_ik_rate"):
        finish_version(tmp_path, "v2", shards=shards, rows=rows, recipe=make_recipe(), backends=[])
    blank = {name: None for row in rows for name in row}
    finish_version(
        tmp_path, "v2", shards=shards, rows=[{**blank, **r} for r in rows], recipe=make_recipe(), backends=[]
    )
    problems = [str(p) for p in verify_dataset(tmp_path, "v2").problems]
    assert (
        "data/v2/robots/train-00001.tar [clip_1]: clip_1: found the robots two, expected those of clip_0: arm"
        in problems
    )


def test_damage_is_found_and_repaired(whole: Path, tmp_path: Path) -> None:
    root = tmp_path / "damaged"
    shutil.copytree(whole, root)
    span = next(
        m for m in read_index(root, "v2").to_pylist()[0]["members"] if m["member"] == "arm_source.npy"
    )  # fmt: skip
    with (root / span["shard"]).open("r+b") as file:
        file.seek(span["offset"] + span["size"] - 1)
        file.write(b"\x09")
    problems = [str(p) for p in verify_dataset(root, "v2").problems]
    assert any("[clip_0]: arm_source.npy: found code 9, expected 0 to 3" in p for p in problems)
    assert [entry["key"] for entry in repair_dataset(root, "v2").lost] == ["clip_0"]
    assert verify_dataset(root, "v2").problems == ()
    assert read_index(root, "v2", ["robots_arm_ik_rate"])["robots_arm_ik_rate"].to_pylist() == [11 / 12]
    assert {entry["layer"] for entry in read_manifest(root, "v2")["files"]} == {*LAYERS, None}


def test_an_index_that_says_something_else_is_found(whole: Path, tmp_path: Path) -> None:
    from hoiset.shards.index import write_index

    root = tmp_path / "other"
    shutil.copytree(whole, root)
    rows = [{**row, "robots_two_ik_rate": 1.0} for row in read_index(root, "v2").to_pylist()]
    write_index(root, "v2", rows)
    problems = [str(p) for p in verify_dataset(root, "v2").problems]
    assert "index/v2.parquet [clip_0]: found other values than in the shard in robots_two_ik_rate" in problems


def test_info_and_filter_tell_of_them(whole: Path, run_command: Callable[..., tuple[int, str, str]]) -> None:
    code, said, _ = run_command("info", whole)
    assert code == 0
    assert "88.9% of frames reached, 4.0 mm, 0.23 degrees off, 2 clips" in " ".join(said.split())
    code, said, _ = run_command("info", whole, "--json")
    assert json.loads(said)["robots"]["arm"]["ik_rate"] == pytest.approx(16 / 18)
    code, said, _ = run_command("filter", whole, "robots.arm.ik_rate > 0.9", "--json")
    assert code == 0
    assert "clip_1" in said
    assert "clip_0" not in said


def test_a_push_without_them_says_nothing_of_them(whole: Path, tmp_path: Path) -> None:
    from hoiset.publish.staging import stage

    staged = stage(whole, "v2", ("core", "video"), tmp_path, None)
    assert read_index(tmp_path, "v2").schema.equals(index_schema())
    assert not [file.path for file in staged.files if "robots" in file.path]


def test_lerobot_takes_such_a_dataset(whole: Path, tmp_path: Path) -> None:
    from hoiset.loaders.exports.lerobot import export_lerobot

    assert export_lerobot(whole, tmp_path / "lerobot").episodes == 2
