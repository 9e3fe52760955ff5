from __future__ import annotations

from pathlib import Path

import pytest

from hoiset.builder.recipe import Recipe, load_recipe, parse_recipe, recipe_names
from hoiset.errors import RecipeError
from hoiset.shards.schema import SCHEMA_VERSION


@pytest.mark.parametrize("name", recipe_names())
def test_packaged_recipes_load(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.schema_version == SCHEMA_VERSION
    assert Recipe.model_validate(recipe.to_json()) == recipe


def test_the_known_ones_are_listed() -> None:
    assert {"v2", "demo"} <= set(recipe_names())
    with pytest.raises(RecipeError, match=r"unknown split 'v3'; expected one of action100m, demo, v2"):
        load_recipe("v3")


def test_a_file_is_a_recipe_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[reconstruct.video]\ncrf = 30\n')
    recipe = load_recipe(path)
    assert recipe.reconstruct.video.crf == 30
    assert recipe.digest != load_recipe("v2").digest
    path.write_text('# the same\nname = "mine"\nreconstruct = { video = { crf = 30 } }\n')
    assert load_recipe(path).digest == recipe.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "a b"', r"name: found 'a b'"),
        ('name = "a"\nclips_per_shard = 0', r"clips_per_shard: found 0, expected greater than"),
        ('name = "a"\nclips = 3', r"clips: found an unknown field"),
        ("clips_per_shard = 3", r"name: found nothing, expected a value"),
        ('name = "a"\n[partitions]\ntrain = 0.9', r"partitions: .*add up to 1.1, expected 1"),
        ('name = "a"\nprofile = "tpu"', r"profile: found 'tpu', expected 'cpu'"),
        ('name = "a"\nlayers = ["video"]', r"layers: found .*expected core"),
        ('name = "a"\n[screen]\nno_such_threshold = 1', r"screen.no_such_threshold: found an unknown field"),
        ('name = "a"\n[verify]\nreprojection_share = "x"', r"verify.reprojection_share: found 'x', expected"),
        ("name = ", r"is not TOML"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_unreadable_files_are_recipe_errors(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    for path in (tmp_path / "missing.toml", tmp_path / "latin.toml"):
        with pytest.raises(RecipeError, match="cannot read the recipe"):
            load_recipe(path)


def test_the_rules_of_action100m_are_in_its_recipe_and_in_no_other() -> None:
    recipe = load_recipe("action100m")
    rules = recipe.to_json()["source"]["action100m"]
    assert rules["min_duration_s"] == 4.0
    assert "stir" in rules["prefilter"]["manipulating_verbs"]
    assert parse_recipe(recipe.to_json(), "again") == recipe
    assert parse_recipe({"name": "x", "source": {"kind": "action100m"}}, "x").source.action100m is not None
    assert "action100m" not in load_recipe("v2").to_json()["source"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"kind": "folder", "action100m": {}}, "found rules of action100m for kind 'folder'"),
        ({"kind": "action100m", "action100m": {"min_duration_s": 40}}, "max_duration_s is 30"),
        ({"kind": "action100m", "action100m": {"covered_share": 0}}, "covered_share"),
        ({"kind": "action100m", "action100m": {"typo": 0}}, "unknown field"),
        ({"kind": "action100m", "action100m": {"prefilter": {"min_score": "nan"}}}, "min_score"),
    ],
)
def test_wrong_rules_of_action100m(source: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe({"name": "x", "source": source}, "x")
