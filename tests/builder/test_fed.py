from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from hoiset import cli_eval
from hoiset.builder.fed import NOISE_OF, fed_name, parse_oracle, rebuild_fed
from hoiset.builder.oracle import OracleNoise, OracleParams
from hoiset.builder.run import STATUS_FILE, build
from hoiset.errors import DatasetError, RecipeError
from hoiset.shards.manifest import read_manifest
from tests.builder.fakes import RECIPE, STAGES, make_source
from tests.eval.scenes import FPS, HEIGHT, WIDTH, make_truth, move_hands, write_dataset

OFF_M = 0.02


def reconstruct(clip: Any, models: Any, params: Any, cache: Any, provenance: Any, given: Any = None) -> Any:
    """Hands that are 2 cm off, or those that are given."""
    sample = make_truth(clip.video.uid)
    move_hands(sample, (OFF_M, 0.0, 0.0))
    if given is not None:
        known = given(clip, np.arange(45) / FPS, (WIDTH, HEIGHT))
        assert known.masks is None
        sample["hand_joints.npy.gz"][:] = known.hands.joints
        sample["hand_wrist.npy.gz"][:] = known.hands.T_camera_wrist
    sample["clip.json"]["key"] = clip.key
    sample["clip.json"]["provenance"] |= {**provenance}
    return sample


FED = replace(STAGES, reconstruct=reconstruct)
CORE = RECIPE.model_copy(update={"layers": ("core",)})


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hoiset.builder.run.Stages", lambda: FED)
    monkeypatch.setattr("hoiset.builder.engine.options.default_workers", lambda: 0)


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """What ``hoiset studio`` leaves: three videos, of which one has no truth."""
    make_source(tmp_path / "studio" / "videos", {"a": "", "b": "", "c": ""})
    write_dataset(tmp_path / "studio" / "truth", [make_truth("a.mp4"), make_truth("b.mp4")], version="studio")
    return tmp_path / "studio"


@pytest.fixture
def built(studio: Path, tmp_path: Path) -> Path:
    build(CORE, studio / "videos", tmp_path / "out", workers=0)
    return tmp_path / "out"


@pytest.fixture
def hoiset(run_command: Any) -> Any:
    """Run a command; the frame that errors stand in is taken away."""

    def run(*args: str | Path) -> tuple[int, str, str]:
        code, out, err = run_command(*args)
        return code, out, " ".join(err.replace("│", " ").split())

    return run


def error_mm(stdout: str) -> float:
    return json.loads(stdout)["pooled"]["hand_mpjpe_mm"]["value"]


def statuses(out: Path) -> dict[str, str]:
    return {row["uid"]: row["status"] for row in pq.read_table(out / STATUS_FILE).to_pylist()}


class TestWords:
    def test_feeds_and_noise(self):
        found = parse_oracle("masks, hands,hands", Path("t"), "joint_m=0.005, outline_fraction=1e-2")
        assert found.feed == ("hands", "masks")
        assert found.truth == "t"
        assert found.noise == OracleNoise(joint_m=0.005, outline_fraction=0.01)

    def test_every_noise_belongs_to_a_feed(self):
        assert set(NOISE_OF) == set(OracleNoise.model_fields)

    @pytest.mark.parametrize(
        ("feed", "noise", "message"),
        [
            ("", "", "expected some of camera"),
            ("hand", "", "'hand'"),
            ("hands,", "depth", "NAME=VALUE"),
            ("hands", "joints=1", "joint_m"),
            ("hands", "joint_m=x", "joint_m"),
            ("hands", "joint_m=-1", "greater than or equal to 0"),
            ("hands", "joint_m=inf", "finite"),
            ("hands", "joint_m=nan", "joint_m"),
            ("hands", "joint_m=0.1,joint_m=0.2", "twice"),
            ("hands", "depth_share=0.1", "depth is not fed"),
        ],
    )
    def test_what_is_not_understood(self, feed, noise, message):
        with pytest.raises(RecipeError, match=message):
            parse_oracle(feed, Path("t"), noise)

    def test_a_build_has_a_neighbour_for_every_feed(self, tmp_path):
        params = [parse_oracle("masks,hands", Path("t")), parse_oracle("hands", Path("t"), "joint_m=0.005")]
        names = [fed_name(tmp_path / "out", p) for p in params]
        assert names == [tmp_path / "out.oracle-hands-masks", tmp_path / "out.oracle-hands-joint_m=0.005"]


@pytest.mark.parametrize("inner", ["", "truth"])
def test_eval_builds_again_beside_the_build(hoiset, built, studio, inner) -> None:
    code, stdout, _ = hoiset("eval", built, studio / inner, "--json")
    assert (code, error_mm(stdout)) == (0, pytest.approx(1e3 * OFF_M, abs=0.01))
    code, stdout, _ = hoiset("eval", built, studio / inner, "--oracle", "hands", "--json")
    assert (code, error_mm(stdout)) == (0, pytest.approx(0.0, abs=1e-3))
    fed = built.with_name("out.oracle-hands")
    assert statuses(fed) == {"a.mp4": "ok", "b.mp4": "ok", "c.mp4": "no_truth"}
    assert statuses(built)["c.mp4"] == "ok"
    recipe = read_manifest(fed, "v2")["recipe"]
    assert recipe["oracle"]["feed"] == ["hands"]
    assert {**recipe, "oracle": None} == {**read_manifest(built, "v2")["recipe"], "oracle": None}


def test_noise_is_added_and_has_a_place_of_its_own(hoiset, built, studio) -> None:
    code, stdout, _ = hoiset("eval", built, studio, "--oracle", "hands", "--noise", "joint_m=0.01", "--json")
    # The mean length of a vector of three normal numbers is 1.596 of their deviation.
    assert (code, error_mm(stdout)) == (0, pytest.approx(15.96, rel=0.05))
    assert built.with_name("out.oracle-hands-joint_m=0.01").is_dir()


def test_eval_writes_all_of_it_where_it_is_told(hoiset, built, studio, tmp_path) -> None:
    out = tmp_path / "there"
    code, _, _ = hoiset("eval", built, studio, "--oracle", "hands", "--out", out)
    assert code == 0
    assert (out / "eval.json").is_file()
    assert statuses(out / "build")["a.mp4"] == "ok"
    assert not built.with_name("out.oracle-hands").exists()


def test_build_feeds(hoiset, studio, tmp_path) -> None:
    recipe = tmp_path / "core.toml"
    recipe.write_text('name = "v2"\nlayers = ["core"]\n')
    args = ["--split", recipe, "--source", studio / "videos", "--out", tmp_path / "fed", "--workers", "0"]
    code, _, _ = hoiset("build", *args, "--oracle", "hands", "--truth", studio)
    assert code == 0
    assert statuses(tmp_path / "fed")["c.mp4"] == "no_truth"
    code, stdout, _ = hoiset("eval", tmp_path / "fed", studio, "--json")
    assert error_mm(stdout) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["eval", "x", "y", "--oracle", "hand"], "--oracle"),
        (["eval", "x", "y", "--oracle", "hands", "--noise", "joint=1"], "joint_m"),
        (["eval", "x", "y", "--noise", "joint_m=1"], "--oracle"),
        (["build", "--split", "v2", "--source", ".", "--oracle", "hands"], "--truth"),
        (["build", "--split", "v2", "--source", ".", "--truth", "y"], "--oracle"),
        (["build", "--split", "v2", "--source", ".", "--truth", "y", "--oracle", "palms"], "palm_depth"),
    ],
)
def test_half_an_order_is_a_wrong_call(hoiset, args, message, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, stdout, stderr = hoiset(*args)
    assert (code, stdout) == (2, "")
    assert message in stderr


def test_problems_of_data_say_what_to_do(hoiset, built, studio, tmp_path) -> None:
    code, _, stderr = hoiset("eval", tmp_path / "nowhere", studio, "--oracle", "hands")
    assert (code, "hoiset build" in stderr) == (1, True)
    (studio / "videos").rename(studio / "films")
    code, _, stderr = hoiset("eval", built, studio, "--oracle", "hands")
    assert (code, "videos beside the truth" in stderr) == (1, True)


def test_a_recipe_of_another_package_is_refused(built, studio) -> None:
    path = built / "manifest" / "v2.json"
    manifest = json.loads(path.read_text())
    manifest["recipe"]["surprise"] = 1
    path.write_text(json.dumps(manifest))
    oracle = OracleParams(feed=("hands",), truth=str(studio / "truth"))
    with pytest.raises(RecipeError, match="surprise"):
        rebuild_fed(built, "v2", oracle, built.with_name("fed"))
    with pytest.raises(DatasetError, match="v3"):
        rebuild_fed(built, "v3", oracle, built.with_name("fed"))


def test_the_builder_is_loaded_only_to_feed() -> None:
    import subprocess

    code = (
        "import sys; from hoiset import cli_eval; cli_eval.oracle_params(None, None, '');"
        "assert not any(m.startswith('hoiset.builder') for m in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert cli_eval.oracle_params(None, Path("x"), "") is None
