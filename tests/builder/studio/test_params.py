import numpy as np

from hoiset.builder.studio import StudioParams
from hoiset.builder.studio.stage import build_stage
from hoiset.geometry import invert


def test_varied_clips_span_the_cameras_of_how_to_videos() -> None:
    drawn = [StudioParams.varied(seed) for seed in range(400)]
    focal = np.array([640 * p.focal_ratio for p in drawn])
    assert 400 <= focal.min() < 450
    assert 1400 < focal.max() <= 1600
    elevation = np.rad2deg([p.elevation_rad for p in drawn])
    assert 20 <= elevation.min() < 27
    assert 75 < elevation.max() <= 85
    sizes = {(p.width_px, p.height_px) for p in drawn}
    assert {(426, 240), (1280, 720)} <= sizes
    rates = {p.rate_hz for p in drawn}
    assert (min(rates), max(rates)) == (12.0, 60.0)
    scales = np.array([p.hand_scale for p in drawn])
    assert 0.1 < (scales < 0.87).mean() < 0.3
    assert drawn[5] == StudioParams.varied(5)


def test_the_camera_is_as_far_away_as_its_focal_length_asks_for() -> None:
    views = []
    for focal_ratio in (0.63, 1.0, 2.5):
        params = StudioParams(focal_ratio=focal_ratio, elevation_rad=0.7, azimuth_rad=0.3)
        stage = build_stage(params, np.random.default_rng(1))
        assert stage.K[0, 0] == focal_ratio * params.width_px
        camera = invert(stage.T_camera_world)[:3, 3]
        assert np.hypot(*camera[:2]) > 0.3
        views.append(np.linalg.norm(camera) / focal_ratio)
        assert np.allclose(np.arccos(stage.gravity[2]), np.pi / 2 - 0.7, atol=1e-6)
    assert min(views) > 0.5
    assert max(views) < 1.1


def test_frames_stand_at_the_rate() -> None:
    params = StudioParams(duration_s=2.0, rate_hz=25.0)
    assert params.n_frames == 50
    assert np.allclose(np.diff(params.frame_times(3.0)), 0.04)
