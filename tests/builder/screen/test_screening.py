from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipeWorker
from hoiset.builder.records import Candidate, HandDetections, SourceVideo
from hoiset.builder.screen import GATES, MEASURED, ScreenParams, screen_video, screening
from hoiset.builder.screen.sampling import Shot
from hoiset.builder.screen.static_camera import CameraTrack
from hoiset.builder.sources import open_source
from hoiset.errors import BackendUnavailable, ClipError
from tests.builder.screen.scenes import SquareDetector, circling, scene, video
from tests.clips import textured, write_audio

PARAMS = ScreenParams()


def screen(source: SourceVideo, **changes: float) -> tuple[Candidate, ...]:
    found = screen_video(source, SquareDetector(), ScreenParams(**changes))  # type: ignore[arg-type]
    assert [c.segment for c in found] == list(range(len(found)))
    assert [c.start_s for c in found] == sorted(c.start_s for c in found)
    assert all(set(c.measured) == set(MEASURED) and c.uid == source.uid for c in found)
    assert all(c.gate == "ok" or c.detail for c in found)
    return found


def test_a_hand_at_work_before_a_still_camera_passes_whole(tmp_path: Path) -> None:
    (only,) = screen(video(tmp_path / "a.mp4", scene(4)))
    assert (only.gate, only.start_s, only.end_s) == ("ok", 0.0, pytest.approx(4.0))
    assert not any(np.isnan(v) for v in only.measured.values())


@pytest.mark.parametrize(
    ("gate", "options"),
    [
        ("too_short", {"duration_s": 1.5}),
        ("camera_moves", {"duration_s": 4, "camera": lambda t: (25 * t, 0)}),
        ("no_hands", {"duration_s": 4, "hand": lambda _: None}),
        ("hands_cut_off", {"duration_s": 4, "hand": lambda t: (4.0, 90 + 40 * np.sin(3 * t))}),
        ("no_hand_motion", {"duration_s": 4, "hand": lambda _: (160.0, 90.0)}),
    ],
)
def test_each_gate(tmp_path: Path, gate: str, options: dict) -> None:
    source = video(tmp_path / "a.mp4", scene(**options))
    changes = {"hand_outside_ratio": 0.0, "min_hand_size": 0.05} if gate == "hands_cut_off" else {}
    if gate == "hands_cut_off":  # a square cannot be seen outside the image, so its joints are pushed out
        found = screen_video(source, _Shifted(-20.0), ScreenParams(**changes))
    else:
        found = screen(source)
    assert [c.gate for c in found] == [gate]


def test_a_picture_that_shows_nothing_leaves_the_camera_unsure(tmp_path: Path) -> None:
    (row,) = screen(video(tmp_path / "a.mp4", [np.full((180, 320, 3), 127, np.uint8)] * 60))
    assert (row.gate, np.isnan(row.measured["camera_shift"])) == ("camera_unsure", True)
    assert "camera_unsure" in GATES


@pytest.mark.parametrize(
    ("gate", "changes"),
    [
        ("hands_too_small", {"min_hand_size": 0.5}),
        ("no_hands", {"min_hand_s": 5}),
        ("no_hand_motion", {"min_hand_speed": 3}),
    ],
)
def test_thresholds_are_parameters(tmp_path: Path, gate: str, changes: dict[str, float]) -> None:
    assert [c.gate for c in screen(video(tmp_path / "a.mp4", scene(4)), **changes)] == [gate]


class _Shifted(SquareDetector):
    def __init__(self, by_px: float) -> None:
        super().__init__()
        self._by_px = by_px

    def detect(self, rgb: Iterable[np.ndarray], *, video: bool) -> HandDetections:
        found = super().detect(rgb, video=video)
        return HandDetections(found.landmarks_px + self._by_px, found.world_m, found.right_probability, found.score)


def test_no_candidate_holds_a_cut(tmp_path: Path) -> None:
    parts = [scene(3, seed=1), scene(2.5, seed=2), scene(1, seed=3), scene(3, seed=4)]
    found = screen(video(tmp_path / "a.mp4", [f for p in parts for f in p]))
    assert [c.gate for c in found] == ["ok", "ok", "too_short", "ok"]
    for cut in (3.0, 5.5, 6.5):
        assert not any(c.start_s < cut < c.end_s for c in found)


def test_a_clip_that_is_static_in_part_yields_its_static_part(tmp_path: Path) -> None:
    frames = scene(9, camera=lambda t: (0, 0) if t < 5 else (30 * (t - 5), 0))
    still, moving = screen(video(tmp_path / "a.mp4", frames))
    assert (still.gate, moving.gate) == ("ok", "camera_moves")
    assert 4.6 <= still.end_s <= 5.0
    assert still.measured["camera_shift"] <= PARAMS.max_camera_shift < moving.measured["camera_shift"]


def test_time_without_hands_is_trimmed_to_a_margin(tmp_path: Path) -> None:
    def hand(t: float) -> tuple[float, float] | None:
        away = min(max(start - t, t - end, 0.0) for start, end in ((3.0, 5.0), (9.0, 11.5)))
        x, y = circling(t)
        return (x, y - 250 * away) if away < 0.6 else None  # in and out over the upper border

    first, second = screen(video(tmp_path / "a.mp4", scene(14, hand)))
    assert (first.gate, second.gate) == ("ok", "ok")
    assert (first.start_s, first.end_s) == (pytest.approx(1.6, abs=0.4), pytest.approx(6.4, abs=0.4))
    assert (second.start_s, second.end_s) == (pytest.approx(7.6, abs=0.4), pytest.approx(12.9, abs=0.4))
    assert first.measured["hand_ratio"] == 1


def test_long_spans_are_split_and_windows_bound_memory(tmp_path: Path) -> None:
    source = video(tmp_path / "a.mp4", scene(12, fps=10), 10)
    found = screen(source, max_clip_s=5)
    assert [c.gate for c in found] == ["ok"] * 3
    assert max(c.end_s - c.start_s for c in found) <= 5
    assert found[-1].end_s == pytest.approx(12)
    windows = screen(source, window_s=4)
    assert [c.gate for c in windows] == ["ok"] * 3
    assert [c.end_s for c in windows][:2] == [pytest.approx(4), pytest.approx(8)]


def test_an_annotated_span_is_judged_alone(tmp_path: Path) -> None:
    (found,) = screen(video(tmp_path / "a.mp4", scene(8), start_s=2.0, end_s=5.0))
    assert (found.gate, found.start_s, found.end_s) == (
        "ok",
        pytest.approx(2.0, abs=0.07),
        pytest.approx(5.0, abs=0.07),
    )


def test_cheap_gates_come_first(tmp_path: Path) -> None:
    detector = SquareDetector()
    moving = video(tmp_path / "a.mp4", scene(4, camera=lambda t: (25 * t, 0)))
    assert screen_video(moving, detector, PARAMS)[0].gate == "camera_moves"
    assert detector.frames_seen == 0


def test_hands_that_are_known_are_not_looked_for(tmp_path: Path) -> None:
    source, asked = video(tmp_path / "a.mp4", scene(4)), []

    def nobody(of: SourceVideo, time: np.ndarray, size: tuple[int, int]) -> HandDetections:
        asked.append((of.uid, len(time), size))
        n = len(time)
        nan = np.full((n, 2, 21, 2), np.nan)
        return HandDetections(nan, np.full((n, 2, 21, 3), np.nan), np.full((n, 2), 0.5), np.zeros((n, 2)))

    detector = SquareDetector()
    (row,) = screen_video(source, detector, PARAMS, known_hands=nobody)
    assert (row.gate, detector.frames_seen, asked) == ("no_hands", 0, [("a.mp4", 20, (320, 180))])
    (row,) = screen_video(source, detector, PARAMS, known_hands=lambda *_: None)
    assert (row.gate, detector.frames_seen) == ("ok", 20)


def test_bad_files_are_rows(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "dir.mp4").mkdir()
    write_audio(tmp_path / "audio.mp4")
    video(tmp_path / "tiny.mp4", list(np.zeros((60, 2, 2, 3), np.uint8)))
    video(tmp_path / "small.mp4", [f[:32, :48] for f in scene(3)])
    video(tmp_path / "late.mp4", scene(3), start_s=99.0)
    (tmp_path / "out.mp4").symlink_to("/dev/null")
    whole = video(tmp_path / "cut.mp4", scene(6)).path.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: int(len(whole) * 0.8)])
    (tmp_path / "videos.csv").write_text("file,start_s\nlate.mp4,99\nmissing.mp4,\ncut.mp4,\n")
    rows = {v.uid: screen(v) for v in open_source(tmp_path).videos()}
    assert len(rows) == 10
    assert [c.gate for c in rows.pop("cut.mp4")] == ["ok"]
    assert {uid: [c.gate for c in found] for uid, found in rows.items()} == {uid: ["no_video"] for uid in rows}


def test_one_frame_or_hardly_any_is_too_short(tmp_path: Path) -> None:
    assert [c.gate for c in screen(video(tmp_path / "one.mp4", scene(0.07)))] == ["too_short"]
    slow = video(tmp_path / "slow.mp4", scene(4, fps=1), fps=1)
    assert len(screen(slow)) == 1


class _Broken(SquareDetector):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def detect(self, rgb: Iterable[np.ndarray], *, video: bool) -> HandDetections:
        raise self._error


def test_a_detector_that_dies_costs_its_video_only(tmp_path: Path) -> None:
    source = video(tmp_path / "a.mp4", scene(4))
    (row,) = screen_video(source, _Broken(ClipError("worker_crashed", "twice")), PARAMS)
    assert (row.gate, row.detail) == ("worker_crashed", "twice")
    with pytest.raises(BackendUnavailable):
        screen_video(source, _Broken(BackendUnavailable("no model")), PARAMS)


@pytest.mark.parametrize(("fps", "scale"), [(6.0, 1), (24.0, 1), (50.0, 1), (10.0, 2)])
def test_decisions_hold_at_any_rate_and_size(tmp_path: Path, fps: float, scale: int) -> None:
    def big(frames: list[np.ndarray]) -> list[np.ndarray]:
        return [np.kron(f, np.ones((scale, scale, 1), np.uint8)) for f in frames]

    good = screen(video(tmp_path / "good.mp4", big(scene(3, fps=fps)), fps))
    bad = screen(video(tmp_path / "bad.mp4", big(scene(3, camera=lambda t: (10 * t, 0), fps=fps)), fps))
    assert ([c.gate for c in good], [c.gate for c in bad]) == (["ok"], ["camera_moves"])


def test_screening_twice_gives_the_same(tmp_path: Path) -> None:
    source = video(tmp_path / "a.mp4", scene(5, camera=lambda t: (0.2 * t, 0)))
    assert repr(screen(source)) == repr(screen(source))


_PICTURE = textured(64, 96)
_STEPS = (0.0, 0.0, 0.001, -0.001, 0.004, -0.004, 0.007, -0.007, 0.02)
_DRIFT = [
    *(0.004, 0.007, 0, 0.007, 0, 0, 0.007, -0.007, 0.007, 0, 0, 0, 0.004, 0, 0, 0, 0.004),
    *(0, 0, 0, 0, 0.007, *[0] * 12),
]


@given(
    steps=st.lists(st.sampled_from(_STEPS), min_size=12, max_size=60),
    hidden=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 12)), max_size=2),
)
@example(steps=_DRIFT, hidden=[])
@example(steps=[0.0] * 12, hidden=[(0, 8)])
@settings(max_examples=60, deadline=None)
def test_no_row_contradicts_its_gate(steps: list[float], hidden: list[tuple[int, int]]) -> None:
    """However the camera drifts, and wherever the background is hidden: what is said to fail does fail."""
    moved = np.cumsum(steps)
    shift = np.zeros((len(steps), 9, 2))
    shift[..., 0] = moved[:, None]
    for start, n in hidden:
        shift[1:][start : start + n] = np.nan
    track = CameraTrack(shift, np.zeros(len(steps)))
    time = np.arange(len(steps)) / PARAMS.sample_fps
    shot = Shot(0.0, float(time[-1]) + 0.05, time, (_PICTURE,) * len(steps))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screening, "track_camera", lambda *_: track)
        patch.setattr(screening, "iter_shots", lambda *_: [shot])
        rows = screen(SourceVideo("a", Path("a")))
    for row in rows:
        assert row.measured["duration_s"] == pytest.approx(row.end_s - row.start_s)
        assert (row.gate == "too_short") == (row.measured["duration_s"] < PARAMS.min_clip_s - 1e-6)
        assert (row.gate == "camera_moves") == (row.measured["camera_shift"] > PARAMS.max_camera_shift)


@pytest.fixture(scope="module")
def hands() -> Iterator[MediaPipeHands]:
    with MediaPipeWorker() as worker:
        yield MediaPipeHands(worker)


SHORT = (
    "blackswan",
    "blender_sauce",
    "close_laptop",
    "ego_engine",
    "humanoid_pouring",
    "plate_push",
    "plush_toy",
    "salt",
)


@pytest.mark.parametrize("names", [SHORT, pytest.param((), marks=pytest.mark.slow)], ids=["short ones", "all"])
def test_the_labelled_clips(shared_data: Path, hands: MediaPipeHands, names: tuple[str, ...]) -> None:
    """Every decision matches the labels; a hand that only gestures moves nothing."""
    with (shared_data / "videos" / "videos.csv").open() as lines:
        labels = {row["file"]: row for row in csv.DictReader(lines)}
    wrong = {}
    for source in open_source(shared_data / "videos").videos():
        if names and source.path.stem not in names:
            continue
        label = labels[source.uid]
        gates = [c.gate for c in screen_video(source, hands, PARAMS)]
        assert set(gates) <= {"ok", *GATES}
        if label["static_camera"] == "no":
            right = all(g in ("camera_moves", "too_short") for g in gates)
        elif label["hands_visible"] == "no":
            right = "no_hands" in gates and "ok" not in gates
        elif label["manipulation"] == "yes":
            right = gates == ["ok"]
        elif label["manipulation"] == "no":
            right = set(gates) == {"no_object_motion"}
        else:
            right = "ok" in gates
        if not right:
            wrong[source.uid] = gates
    assert wrong == {}
