"""Robots in a build: asked for by a recipe, kept, cached, and none of a clip's other members lost to them."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hoiset.builder.recipe import Recipe, load_recipe, parse_recipe
from hoiset.builder.retarget import retarget
from hoiset.builder.retarget.choice import RobotModel, expand, open_model, open_robot
from hoiset.builder.retarget.robot import ROBOTS, list_robots
from hoiset.builder.retarget.stage import RobotsParams
from hoiset.builder.run import build
from hoiset.errors import MissingDependency, RecipeError, RobotError
from hoiset.loaders import load_dataset
from hoiset.shards.index import read_index
from hoiset.shards.verify import verify_dataset
from tests.builder.fakes import RECIPE, STAGES, dataset_bytes, make_source

ROBOT_FILE = str(ROBOTS.joinpath("xlerobot.toml"))


def with_robots(*robots: str, **values: Any) -> Recipe:
    return parse_recipe({**RECIPE.to_json(), "retarget": {"robots": robots, **values}}, "test")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", {f"clip_{i}": "far" if i == 1 else "" for i in range(3)})


def test_short_names() -> None:
    assert expand(["leap", "g1", "fr3", "g1"]) == ("fr3_dual", "g1", "leap_left", "leap_right")
    with pytest.raises(RobotError, match="no robot 'g2', expected some of fr3_dual, g1"):
        expand(["g2"])


def test_a_recipe_without_robots_says_nothing_of_them() -> None:
    assert "retarget" not in RECIPE.to_json()
    assert with_robots("g1").layers == ("core", "video", "robots")
    assert with_robots("g1").digest != with_robots("g1", seed=1).digest
    again = parse_recipe(with_robots("fr3", "leap").to_json(), "again")
    assert again.retarget is not None
    assert again.retarget.names == ("fr3_dual", "leap_left", "leap_right")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"layers": ["core", "robots"]}, "layer robots without the robots"),
        ({"retarget": {}}, "found no robots"),
        ({"retarget": {"robots": ["g2"]}}, "found no robot 'g2'"),
        ({"retarget": {"models": [{"path": "nowhere.xml"}]}}, "found no robot at nowhere.xml"),
        ({"retarget": {"robots": ["xlerobot"], "models": [{"path": ROBOT_FILE}]}}, "each name once"),
    ],
)
def test_recipes_that_cannot_be(values: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        parse_recipe({"name": "v2", **values}, "test")


def test_a_recipe_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[retarget]\nrobots = ["g1", "leap"]\nseed = 3\n')
    recipe = load_recipe(path)
    assert recipe.retarget is not None
    assert (recipe.retarget.names, recipe.retarget.seed) == (("g1", "leap_left", "leap_right"), 3)


def test_a_build_with_robots(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = build(with_robots("g1", "leap"), source, out, stages=STAGES, workers=0)
    assert report.statuses == {"ok": 3}
    assert verify_dataset(out).problems == ()
    clips = load_dataset(out, split=None, layers=("core", "robots"), format="numpy")
    assert [item["g1_q"].shape[1] for item in clips] == [31, 31, 31]
    assert set(clips[0]["leap_right_source"][:, 1]) == {1}
    of = {item["key"].partition("-")[0]: item["robots"]["robots"] for item in clips}
    assert [robot["robot"] for robot in of["clip_0"]] == ["g1", "leap_left", "leap_right"]
    assert of["clip_0"][0]["root_source"] == "given"
    assert of["clip_0"][0]["metrics"]["ik_rate"] == 1.0
    assert of["clip_0"][0]["failure"] is None
    assert {row["name"] for row in clips[0]["robots"]["stages"]} == {f"retarget_{r['robot']}" for r in of["clip_0"]}


def test_a_failed_robot_costs_nothing_else(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(with_robots("g1", "leap"), source, out, stages=STAGES, workers=0)
    rates = {row["key"][:6]: row["robots_g1_ik_rate"] for row in read_index(out, "v2").to_pylist()}
    assert rates == {"clip_0": 1.0, "clip_1": 0.0, "clip_2": 1.0}
    clips = load_dataset(out, split=None, layers=("core", "robots"), format="numpy")
    (far,) = (item for item in clips if item["key"].startswith("clip_1"))
    g1, left, right = far["robots"]["robots"]
    assert g1["failure"] == "RobotError: too far away"
    assert np.isnan(far["g1_q"]).all()
    assert far["g1_source"].tolist() == [[0, 3]] * 5
    assert (left["metrics"]["ik_rate"], right["metrics"]["ik_rate"]) == (None, 0.0)


def test_bytes_depend_on_nothing_but_the_recipe(source: Path, tmp_path: Path) -> None:
    for name, workers in (("here", 0), ("two", 2)):
        build(with_robots("g1"), source, tmp_path / name, stages=STAGES, workers=workers)
    assert dataset_bytes(tmp_path / "here") == dataset_bytes(tmp_path / "two")
    core = {name: data for name, data in dataset_bytes(tmp_path / "two").items() if "/robots/" in name}
    assert core
    build(with_robots("g1"), source, tmp_path / "two", stages=STAGES, workers=0)
    assert dataset_bytes(tmp_path / "here") == dataset_bytes(tmp_path / "two")


def test_only_what_changed_is_made_again(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    monkeypatch.setenv("FAKE_LOG", str(log))

    def ran(recipe: Recipe, out: str) -> list[str]:
        log.write_text("")
        build(recipe, source, tmp_path / out, stages=STAGES, workers=0, cache=cache)
        return sorted(line.split()[1] for line in log.read_text().splitlines() if line.startswith("retarget"))

    assert ran(with_robots("g1"), "a") == ["g1"] * 3
    assert ran(with_robots("g1", "fr3"), "b") == ["fr3_dual"] * 3
    assert ran(with_robots("g1", "fr3", seed=2), "c") == ["fr3_dual"] * 3 + ["g1"] * 3
    assert ran(with_robots("g1"), "d") == []
    assert len(list((cache / "fake").glob("*.npz"))) == 3
    assert dataset_bytes(tmp_path / "a") == dataset_bytes(tmp_path / "d")


def test_time_is_told_by_robot(source: Path, tmp_path: Path) -> None:
    from hoiset.builder.status import read_status

    build(with_robots("g1", "xlerobot"), source, tmp_path / "out", stages=STAGES, workers=0)
    assert {"retarget_g1", "retarget_xlerobot"} <= set(
        read_status(str(tmp_path / "out")).timings["reconstruct"].stage_s
    )


def test_a_robot_of_ones_own(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "My-Bot.toml"
    shutil.copy(ROBOT_FILE, path)
    recipe = with_robots(models=[{"path": str(path)}])
    build(recipe, source, tmp_path / "out", stages=STAGES, workers=0)
    (item, *_) = load_dataset(tmp_path / "out", split=None, layers=("core", "robots"), format="numpy")
    assert item["robots"]["robots"][0]["robot"] == "my_bot"
    assert "my_bot_q" in item
    assert recipe.retarget is not None
    model = recipe.retarget.models[0]
    path.write_text(path.read_text() + "\n# changed\n")
    with pytest.raises(RobotError, match="as in the recipe; is it another file"):
        open_model(model)
    assert RobotModel(path=str(path)).sha256 != model.sha256


def test_a_name_that_a_member_has(tmp_path: Path) -> None:
    path = tmp_path / "hand.toml"
    shutil.copy(ROBOT_FILE, path)
    with pytest.raises(RobotError, match=r"hand_source\.npy is taken"):
        open_model(RobotModel(path=str(path)))


def test_robots_have_digests_of_their_numbers() -> None:
    digests = {open_robot(name).digest for name in list_robots()}
    assert len(digests) == len(list_robots())
    assert [one.robot.name for one in RobotsParams(robots=("leap", "g1")).open()] == ["g1", "leap_left", "leap_right"]


def test_robots_of_robot_descriptions_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(MissingDependency, match=r"hoiset\[robots\]"):
        open_robot("panda_mj_description")


def test_a_build_that_really_retargets(source: Path, tmp_path: Path) -> None:
    stages = replace(STAGES, retarget=retarget)
    recipe = with_robots("leap", "fr3", solver={"method": "search"})
    for name, workers in (("here", 0), ("there", 1)):
        build(recipe, source, tmp_path / name, stages=stages, workers=workers, limit=1)
    assert dataset_bytes(tmp_path / "here") == dataset_bytes(tmp_path / "there")
    assert verify_dataset(tmp_path / "here").problems == ()
    (item,) = load_dataset(tmp_path / "here", split=None, layers=("core", "robots"), format="numpy")
    assert set(item["leap_right_source"][:, 1]) == {1}
    assert not item["leap_left_source"].any()
    assert item["fr3_dual_source"][:, 1].all()
    assert np.isfinite(item["fr3_dual_residual"][:, 1]).all()
    assert all(robot["failure"] is None for robot in item["robots"]["robots"])


def test_networks_without_torch_are_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hoiset.builder.retarget.stage.find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(MissingDependency, match=r"need torch: pip install 'hoiset\[build,torch\]'"):
        RobotsParams(robots=("g1",)).open()
    assert RobotsParams.model_validate({"robots": ("g1",), "solver": {"method": "search"}}).open()
