from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hoiset.cards import write_card
from hoiset.cards.fidelity import fidelity_path, read_fidelity
from hoiset.errors import DatasetError
from hoiset.shards.manifest import read_manifest
from hoiset.shards.verify import verify_dataset
from hoiset.upkeep.remove import remove_videos
from tests.factories import make_dataset
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine


def section(root: Path) -> str:
    text = (root / "README.md").read_text(encoding="utf-8")
    return text.split("## Measured fidelity\n")[1].split("\n## ")[0]


def test_figures_come_onto_the_card_of_what_was_measured(run_command: Any, dataset: Path, pristine: Path) -> None:
    code, _, stderr = run_command("eval", dataset, pristine, "--card", dataset)
    assert (code, stderr) == (0, "")
    text = section(dataset)
    assert "This very data (5 clips) was measured" in text
    assert "| `hand_recall` | 1.00&nbsp;↑ | 1.00 to 1.00 | 5 | share of the true hands" in text
    assert "more figures" in text
    assert verify_dataset(dataset, processes=1).ok
    remove_videos(dataset, ["clip_01.mp4"])
    assert "A build with the same recipe, backends and weights (5 clips) was measured" in section(dataset)


def test_a_build_of_the_same_recipe_stands_for_a_dataset(run_command: Any, dataset: Path, tmp_path: Path) -> None:
    made = make_dataset(tmp_path / "made", n_clips=3)
    assert run_command("eval", made, made, "--card", dataset)[0] == 0
    assert "A build with the same recipe, backends and weights (3 clips)" in section(dataset)


def test_a_build_of_another_recipe_does_not(run_command: Any, dataset: Path, tmp_path: Path) -> None:
    made = make_dataset(tmp_path / "made", n_clips=3)
    manifest = read_manifest(made, "v2")
    manifest["recipe"]["screen"] = {"max_clip_s": 3}
    (made / "manifest/v2.json").write_text(json.dumps(manifest))
    before = (dataset / "README.md").read_bytes()
    code, _, stderr = run_command("eval", made, made, "--card", dataset)
    assert code == 1
    assert "another screen" in stderr
    assert (dataset / "README.md").read_bytes() == before


def test_what_was_fed_is_no_fidelity(run_command: Any, dataset: Path) -> None:
    code, _, stderr = run_command("eval", dataset, dataset, "--oracle", "hands", "--card", dataset)
    assert code == 2
    assert "--card" in stderr


@pytest.mark.parametrize("data", ["", "[]", '{"pooled": {"x": 1}, "meta": {}}', '{"pooled": {}}'])
def test_a_damaged_file_is_named(dataset: Path, data: str) -> None:
    path = dataset / fidelity_path("v2")
    path.parent.mkdir()
    path.write_text(data)
    with pytest.raises(DatasetError, match=r"eval/v2\.json"):
        write_card(dataset, "v2")


def test_nothing_measured_is_nothing(dataset: Path) -> None:
    assert read_fidelity(dataset, "v2") is None
