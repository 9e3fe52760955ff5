from pathlib import Path

import numpy as np
import pytest

from hoiset.builder.sources import open_source
from hoiset.builder.sources.studio import StudioSource, default_cache_dir
from hoiset.builder.studio import StudioParams
from hoiset.errors import SourceError
from hoiset.video import probe

TINY = StudioParams(width_px=160, height_px=120, duration_s=1.0, rate_hz=6.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studio")


def test_videos_are_described_and_rendered_once(root: Path) -> None:
    source = StudioSource(root, n_clips=1, seed=3, params=TINY)
    (video,) = source.videos()
    written = video.path.stat().st_mtime_ns
    assert list(source.videos()) == [video]
    assert video.path.stat().st_mtime_ns == written
    assert video.uid == "studio-000003"
    assert video.licence == "CC0-1.0"
    assert "bowl" in video.action
    assert video.objects == ("bowl",)
    assert video.problem == ""
    found = probe(video.path)
    assert (found.width, found.height, found.n_frames) == (160, 120, 6)
    stored = source.clip(3)
    K = np.array(stored.truth["clip.json"]["camera"]["K"])
    assert video.focal_px == K[0, 0]
    assert 0.9 * 160 <= video.focal_px <= 1.4 * 160
    assert np.linalg.norm(video.gravity) == pytest.approx(1.0)
    assert video.gravity[1] > 0.5
    assert stored.masks.shape == stored.depth.shape == (6, 120, 160)


def test_objects_and_hands_take_turns_unless_fixed() -> None:
    source = StudioSource(n_clips=8)
    params = [source.params_of(seed) for seed in range(8)]
    assert [p.object_kind for p in params] == ["mug", "box", "bottle", "bowl"] * 2
    assert len({(p.object_kind, p.handedness) for p in params}) == 8
    fixed = StudioSource(params=StudioParams(object_kind="box", handedness="left")).params_of(3)
    assert (fixed.object_kind, fixed.handedness) == ("box", "left")


def test_the_registry_opens_it(tmp_path: Path) -> None:
    source = open_source(tmp_path, "studio", n_clips=2, seed=5)
    assert isinstance(source, StudioSource)
    assert source.name == "studio"


def test_the_default_place_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "hoiset" / "studio"


@pytest.mark.parametrize("options", [{"n_clips": 0}, {"seed": -1}])
def test_options_out_of_range_are_errors(options: dict[str, int]) -> None:
    with pytest.raises(SourceError, match="expected n_clips >= 1"):
        StudioSource(**options)


def test_a_clip_that_was_never_rendered_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a rendered clip"):
        StudioSource(tmp_path, params=TINY).clip(0)
