import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from hoiset.cards import finish_version, write_card
from hoiset.cards.front_matter import read_front_matter
from hoiset.errors import DatasetError
from hoiset.shards.features import features_yaml, schema_table
from hoiset.shards.index import read_index
from hoiset.shards.manifest import data_digest, read_manifest
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.removed import Removed, write_removed
from hoiset.shards.schema import members
from hoiset.shards.verify import verify_dataset
from hoiset.shards.writer import UnitWriter
from tests.factories import make_dataset, make_recipe, make_sample
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine


def body(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]


def test_yaml_declares_existing_splits_and_all_features(pristine: Path) -> None:
    data = read_front_matter(pristine / "README.md")
    assert [c["config_name"] for c in data["configs"]] == ["v2", "v2-video"]
    for config, layer in zip(data["configs"], ("core", "video"), strict=True):
        assert config["data_files"] == [
            {"split": s, "path": f"data/v2/{layer}/{s}-*.tar"} for s in ("train", "validation")
        ]
    assert [c.get("default") for c in data["configs"]] == [True, None]
    assert {i["config_name"]: i["features"] for i in data["dataset_info"]} == {
        "v2": features_yaml("core"),
        "v2-video": features_yaml("video"),
    }
    assert (data["license"], data["size_categories"]) == ("cc0-1.0", ["n<1K"])
    assert data["task_categories"] == ["robotics"]


def test_sizes_are_those_of_the_files(pristine: Path) -> None:
    manifest = read_manifest(pristine, "v2")
    for info, layer in zip(read_front_matter(pristine / "README.md")["dataset_info"], ("core", "video"), strict=True):
        tars = [entry for entry in manifest["files"] if entry["layer"] == layer]
        assert info["download_size"] == sum(entry["bytes"] for entry in tars)
        assert [(s["name"], s["num_examples"]) for s in info["splits"]] == [("train", 4), ("validation", 1)]
        with ShardReader(pristine) as reader:
            held = sum(
                value.nbytes if isinstance(value, np.ndarray) else m["size"]
                for row in read_index(pristine, "v2").to_pylist()
                for m in row["members"]
                if m["layer"] == layer
                for value in [read_sample(reader, [m])[m["member"]]]
            )
        assert info["dataset_size"] == sum(s["num_bytes"] for s in info["splits"])
        assert held <= info["dataset_size"] <= held + 5 * len(members(layer)) * 128  # headers of plain arrays


def test_body_is_made_from_the_data(pristine: Path) -> None:
    text = body(pristine)
    assert "5 clips (3 s, 40 frames) of 5 source videos" in text
    assert "| train | 4 | 2 s |" in text
    assert "| lift | 2 |" in text
    assert "| grasped_right | 3 |" in text
    assert "| CC0-1.0 | 5 | copies and changed pictures |" in text
    assert "| clip&#95;00" not in text
    assert "| clip_00.mp4 | CC0-1.0 | 1 |" in text
    assert "| `hand_infilled_ratio` | 0.250 | 0.250 | 0.250 |" in text
    assert schema_table(()).strip() in text
    assert '"reprojection_share": 0.25' in text
    assert "| none | 0 | e3b0c442" in text
    assert "Yield of pass 1" not in text
    assert "has not been measured" in text
    assert "hoiset remove PATH UID" in text
    assert "@misc{hoiset_v2," in text
    assert data_digest(read_manifest(pristine, "v2"))[:16] in text
    for figure in ("overview.png", "quality.png", "sheet.jpg"):
        assert f"(figures/v2-{figure})" in text
        assert (pristine / f"figures/v2-{figure}").exists()
    assert str(pristine) not in text


def test_without_a_licence_no_footage_is_shown(tmp_path: Path) -> None:
    sample = make_sample("a")
    sample["clip.json"]["source"]["licence"] = "Standard YouTube License"
    root = finish(tmp_path, [sample], make_recipe())
    text = body(root)
    assert "No footage is shown here: none of its 1 clips has a licence" in text
    assert "(figures/v2-hands.png)" in text
    assert not (root / "figures/v2-sheet.jpg").exists()
    assert "| Standard YouTube License | 1 | nothing: " in text


def test_a_sheet_that_was_not_drawn_is_no_matter_of_licences(dataset: Path) -> None:
    (dataset / "figures/v2-sheet.jpg").unlink()
    assert "No footage is shown here: no pictures of it were drawn." in write_card(dataset, "v2").read_text()


def test_annotations_pass_their_licence_on(tmp_path: Path) -> None:
    root = finish(tmp_path, [make_sample("a")], {**make_recipe(), "source": {"kind": "action100m"}})
    data = read_front_matter(root / "README.md")
    assert data["license"] == "fair-noncommercial-research-license"
    assert "license_name" not in data
    text = body(root)
    assert "FAIR Noncommercial Research License v1" in text
    assert "@article{action100m," in text


def test_any_spelling_of_a_licence_is_the_hubs(tmp_path: Path) -> None:
    sample = make_sample("a")
    sample["clip.json"]["source"]["licence"] = "CC BY 4.0"
    root = finish(tmp_path, [sample], make_recipe())
    assert read_front_matter(root / "README.md")["license"] == "cc-by-4.0"


def test_addresses_are_links_and_nothing_else(tmp_path: Path) -> None:
    sample = make_sample("a")
    sample["clip.json"]["source"]["url"] = 'https://user:secret@example.org/v(1)?v=a|b"><script>'
    text = body(finish(tmp_path, [sample], make_recipe()))
    assert "[a.mp4](https://example.org/v%281%29?v=a%7Cb%22%3E%3Cscript%3E)" in text
    assert "secret" not in text


def test_removed_videos_are_counted(dataset: Path) -> None:
    assert "removed so far" not in body(dataset)
    write_removed(dataset, Removed.of(["x", "y"]))
    write_card(dataset, "v2")
    assert "2 videos were removed so far" in body(dataset)


def test_fed_ground_truth_is_said(tmp_path: Path) -> None:
    root = finish(tmp_path, [make_sample("a")], {**make_recipe(), "oracle": {"feed": ["hands", "masks"]}})
    assert "**Ground truth was fed** to some stages of this build (hands, masks)" in body(root)


def test_everything_is_written_again_with_the_same_bytes(pristine: Path, tmp_path: Path) -> None:
    again = make_dataset(tmp_path / "again", n_clips=5)
    a, b = (
        {p.relative_to(r): p.read_bytes() for r in [root] for p in r.rglob("*") if p.is_file()}
        for root in (pristine, again)
    )
    assert a.keys() == b.keys()
    assert [str(name) for name in a if a[name] != b[name]] == []
    write_card(again, "v2")
    assert (again / "README.md").read_bytes() == a[Path("README.md")]


def test_versions_share_a_root(dataset: Path) -> None:
    make_dataset(dataset, n_clips=2, version="demo")
    data = read_front_matter(dataset / "README.md")
    assert [c["config_name"] for c in data["configs"]] == ["demo", "demo-video", "v2", "v2-video"]
    assert [c["config_name"] for c in data["configs"] if c.get("default")] == ["demo"]
    assert [i["config_name"] for i in data["dataset_info"]] == ["demo", "demo-video", "v2", "v2-video"]
    assert "Other versions here: `v2`." in body(dataset)
    assert verify_dataset(dataset).ok


def test_configs_of_versions_that_are_elsewhere_are_kept(dataset: Path) -> None:
    old = {
        "configs": [
            {"config_name": "v1", "data_files": "data/v1/*.tar", "default": True},
            {"config_name": "v2", "data_files": "stale"},
        ],
        "dataset_info": {"config_name": "v1", "features": [{"name": "x", "dtype": "int32"}]},
    }
    (dataset / "README.md").write_text(f"---\n{yaml.safe_dump(old)}---\nold words\n")
    write_card(dataset, "v2")
    data = read_front_matter(dataset / "README.md")
    assert data["configs"][0] == {"config_name": "v1", "data_files": "data/v1/*.tar"}
    assert [c["config_name"] for c in data["configs"]] == ["v1", "v2", "v2-video"]
    assert data["configs"][1]["data_files"] != "stale"
    assert data["dataset_info"][0] == old["dataset_info"]


@pytest.mark.parametrize(
    "text", ["---\na: [\n---\n", "---\n- a\n---\n", "---\n!!python/object/apply:os.abort []\n---\n"]
)
def test_a_card_that_cannot_be_read_is_not_thrown_away(dataset: Path, text: str) -> None:
    (dataset / "README.md").write_text(text)
    with pytest.raises(DatasetError, match="move that file away"):
        write_card(dataset, "v2")
    assert (dataset / "README.md").read_text() == text


def test_a_readme_without_yaml_is_replaced(dataset: Path) -> None:
    before = (dataset / "README.md").read_bytes()
    (dataset / "README.md").write_text("# words\n")
    write_card(dataset, "v2")
    assert (dataset / "README.md").read_bytes() == before


def test_yield_of_pass_1_is_told(dataset: Path) -> None:
    (dataset / "screen").mkdir()
    gates = ["no_hands"] * 3 + ["ok"] * 2 + ["camera_moves"] * 5
    pq.write_table(pa.table({"gate": gates}), dataset / "screen/candidates.parquet")
    write_card(dataset, "v2")
    rows = ["| ok | 2 | 20.0 % |", "| camera_moves | 5 | 50.0 % |", "| no_hands | 3 | 30.0 % |"]
    assert "\n".join(rows) in body(dataset)
    (dataset / "screen/candidates.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="hoiset screen"):
        write_card(dataset, "v2")


def finish(root: Path, samples: list[dict[str, Any]], recipe: dict[str, Any]) -> Path:
    with UnitWriter(root, "v2", "test", 0) as unit:
        for sample in samples:
            unit.add(sample)
    finish_version(root, "v2", shards=unit.records, rows=unit.rows, recipe=recipe)
    return root


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    sample = make_sample("a", verb="$x^ | <script>\n# `rm`", objects=["[a](b)", "日本", "$$"])
    sample["clip.json"]["objects"][0]["label"] = "a|b\n\n---\n<img src=x>"
    sample["clip.json"]["source"]["licence"] = "---\nlicense: mit\n"
    root = finish(tmp_path, [sample], {"name": "v2", "note": "```\n# not a heading"})
    text = body(root)
    assert "<script>" not in text
    assert "<img" not in text
    assert "\n# not a heading" not in text
    assert {line.count("|") for line in text.splitlines() if "script" in line} == {3}
    assert read_front_matter(root / "README.md")["license"] == "other"


def test_a_version_without_clips_has_a_card_without_configs(tmp_path: Path) -> None:
    root = finish(tmp_path, [], make_recipe())
    data = read_front_matter(root / "README.md")
    assert (data["configs"], data["dataset_info"]) == ([], [])
    assert "This version has no clips." in body(root)
    assert verify_dataset(root).ok
    assert json.loads((root / "manifest/v2.json").read_text())["files"][0]["path"] == "index/v2.parquet"


def test_a_version_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no version 'v2'"):
        write_card(tmp_path, "v2")
