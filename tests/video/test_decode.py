from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from hoiset.errors import VideoError
from hoiset.video import iter_frames, iter_pictures, probe, read_frames, sample_frames
from hoiset.video.decode import _with_times
from tests.clips import numbered, textured, write_audio, write_video

LONG_GOP = {"g": "250", "bf": "3", "x264-params": "open-gop=1:keyint=60:scenecut=0:b-pyramid=2"}


def full(path: Path) -> tuple[np.ndarray, np.ndarray]:
    time, frames = zip(*iter_frames(path), strict=True)
    return np.stack(frames), np.array(time)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", LONG_GOP),
        ("a.mkv", "libx264", LONG_GOP),
        ("a.mov", "libx264", {"g": "12", "bf": "0"}),
        ("a.avi", "mpeg4", {"g": "30", "bf": "0"}),
        ("a.webm", "libvpx", {"deadline": "realtime", "cpu-used": "8"}),
    ],
)
def test_a_seek_gives_the_frames_of_a_full_decode(tmp_path: Path, name: str, codec: str, options: dict) -> None:
    path = write_video(tmp_path / name, numbered(240, 48, 64), codec=codec, options=options)
    frames, time = full(path)
    assert len(frames) == 240
    for start, end in [(0, 0.5), (1.99, 2.3), (2.0, 2.5), (3.3333, 4.0), (5.01, 5.02), (7.9, None)]:
        want = (time >= start - 1e-6) & (time < (np.inf if end is None else end) - 1e-6)
        if not want.any():
            with pytest.raises(VideoError, match="between"):
                list(iter_frames(path, start_s=start, end_s=end))
            continue
        got, relative = read_frames(path, start_s=start, end_s=end)
        np.testing.assert_array_equal(got, frames[want])
        np.testing.assert_allclose(relative, time[want] - time[want][0], atol=1e-9)


def test_seeks_in_real_video(shared_data: Path) -> None:
    path = shared_data / "videos" / "cups_shuffle.mp4"
    whole = [(t, rgb) for t, rgb in iter_frames(path, short_side_px=90)]
    for start in (2.5, 9.0):
        part = list(iter_frames(path, start_s=start, short_side_px=90))
        want = [(t, rgb) for t, rgb in whole if t >= start - 1e-6]
        assert [t for t, _ in part] == [t for t, _ in want]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(part, want, strict=True))


def test_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    time = np.cumsum([0, 0.02, 0.3, 0.033, 0.5, 0.1])
    _, got = full(write_video(tmp_path / "v.mp4", numbered(6), time))
    np.testing.assert_allclose(got, time, atol=1 / 90_000)


@dataclass
class _Stamped:
    time: float | None


@pytest.mark.parametrize(
    ("stamps", "want"),
    [
        ([None, None, None], [0.0, 0.1, 0.2]),
        ([2.0, None, 2.2], [0.0, 0.1, 0.2]),
        ([0.0, 0.1, 0.1, 0.05, 0.3], [0.0, 0.1, 0.3]),
    ],
)
def test_missing_repeated_and_backward_time_stamps(stamps: list[float | None], want: list[float]) -> None:
    first, *rest = [_Stamped(t) for t in stamps]
    base = None if stamps[0] is None else stamps[0]
    got = [t for t, _ in _with_times(first, iter(rest), 0.0, base, 0.1)]  # type: ignore[arg-type]
    np.testing.assert_allclose(got, want, atol=1e-9)


def test_gif_durations_are_times(tmp_path: Path) -> None:
    time = [0.0, 0.1, 0.15, 0.65, 0.7]
    path = write_video(tmp_path / "v.gif", numbered(5, 40, 60), time, codec="gif", pix_fmt="rgb8")
    frames, got = full(path)
    np.testing.assert_allclose(got, time, atol=1e-9)
    assert frames.shape == (5, 40, 60, 3)
    assert probe(path).codec == "gif"


def test_time_starts_at_the_first_frame(tmp_path: Path) -> None:
    time = 5.0 + np.arange(90) / 30
    path = write_video(tmp_path / "late.mkv", numbered(90), time)
    _, got = full(path)
    np.testing.assert_allclose(got, time - 5, atol=2e-3)  # matroska keeps milliseconds
    (first, _), *_ = iter_frames(path, start_s=2.5)
    assert first == pytest.approx(2.5, abs=2e-3)


@pytest.mark.parametrize(
    ("matrix", "turn", "degrees"),
    [
        ((0, 1, 0, -1, 0, 0), lambda x: np.rot90(x, -1), 90),
        ((-1, 0, 0, 0, -1, 0), lambda x: np.rot90(x, 2), 180),
        ((0, -1, 0, 1, 0, 0), lambda x: np.rot90(x, 1), 270),
        ((-1, 0, 0, 0, 1, 0), np.fliplr, 0),
    ],
)
def test_rotation_metadata_is_applied(tmp_path: Path, matrix: tuple[int, ...], turn: object, degrees: int) -> None:
    frames = numbered(3, 48, 80)
    plain, _ = full(write_video(tmp_path / "plain.mp4", frames))
    path = write_video(tmp_path / "r.mp4", frames, matrix=[m << 16 for m in matrix] + [0, 0, 1 << 30])
    got, _ = full(path)
    np.testing.assert_array_equal(got, np.stack([turn(x) for x in plain]))  # type: ignore[operator]
    facts = probe(path)
    assert (facts.height, facts.width, facts.rotation_deg) == (*got.shape[1:3], degrees)


def test_odd_sizes_become_even_and_nothing_is_enlarged(tmp_path: Path) -> None:
    frames = numbered(2, 49, 65)
    path = write_video(tmp_path / "odd.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    got, _ = full(path)
    assert got.shape == (2, 48, 64, 3)
    np.testing.assert_array_equal(got, frames[:, :48, :64])
    assert read_frames(path, short_side_px=360)[0].shape == (2, 48, 64, 3)
    assert read_frames(path, short_side_px=24)[0].shape == (2, 24, 32, 3)
    assert (probe(path).width, probe(path).height) == (65, 49)


def test_pixels_become_square(tmp_path: Path) -> None:
    path = write_video(tmp_path / "dv.mp4", numbered(2, 96, 128), aspect=Fraction(4, 3))
    assert read_frames(path)[0].shape == (2, 72, 128, 3)
    assert (probe(path).width, probe(path).height) == (128, 72)


def test_max_fps_takes_every_nth_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", numbered(60))
    _, every = full(path)
    for limit, step in [(60, 1), (30, 1), (29.9, 1), (20, 2), (15, 2), (10, 3)]:
        got = [t for t, _ in iter_frames(path, max_fps=limit)]
        np.testing.assert_array_equal(got, every[::step])


def test_8k_is_shrunk_while_decoding(tmp_path: Path) -> None:
    frames = [np.kron(textured(270, 480), np.ones((16, 16, 1), np.uint8))]
    path = write_video(tmp_path / "8k.mkv", frames, codec="mjpeg", pix_fmt="yuvj420p")
    got, _ = read_frames(path, short_side_px=360)
    assert got.shape == (1, 360, 640, 3)
    assert probe(path).width == 7680


def test_frames_come_lazily(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", numbered(90))
    assert len(list(islice(iter_frames(path), 3))) == 3


def test_threads_do_not_change_pixels(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", numbered(40, 192, 256), options=LONG_GOP)
    first, _ = full(path)
    for _ in range(2):
        np.testing.assert_array_equal(full(path)[0], first)


def test_a_truncated_file_gives_what_decodes(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", numbered(120), container_options={"movflags": "+faststart"}).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: int(len(whole) * 0.6)])
    frames, time = full(cut)
    complete, _ = full(tmp_path / "a.mp4")
    assert 20 < len(frames) < 120
    assert (np.diff(time) > 0).all()
    np.testing.assert_array_equal(frames[:20], complete[:20])
    assert probe(cut).n_frames > 20


def test_damage_in_the_middle_does_not_end_the_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", numbered(120), options={"g": "10", "bf": "0"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    _, time = full(path)
    assert time[-1] == pytest.approx(119 / 30, abs=1e-3)
    assert len(time) > 90


@pytest.mark.parametrize(
    "make",
    [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_bytes(b"not a video at all" * 100),
        lambda p: p.mkdir(),
        lambda p: write_audio(p),
        lambda p: p.write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"),
        lambda p: p.write_text("ffconcat version 1.0\nfile /etc/passwd\n"),
        lambda p: p.write_bytes(write_video(p.with_name("w.mp4"), numbered(9)).read_bytes()[:900]),
        lambda p: None,
    ],
    ids=["empty", "garbage", "directory", "audio only", "playlist", "concat script", "no index", "missing"],
)
def test_what_is_no_video_is_a_clear_error(tmp_path: Path, make: object) -> None:
    path = tmp_path / "x.mp4"
    make(path)  # type: ignore[operator]
    for use in (probe, read_frames, lambda p: sample_frames(p, [0.0])):
        with pytest.raises(VideoError, match=r"x\.mp4"):
            use(path)


def test_zero_frames_are_a_clear_error(tmp_path: Path) -> None:
    frames = numbered(60)
    path = write_video(tmp_path / "a.mkv", frames)
    head = path.read_bytes()
    path.write_bytes(head[: head.find(b"\x1f\x43\xb6\x75")])  # up to the first cluster
    for use in (probe, read_frames, lambda p: sample_frames(p, [0.0])):
        with pytest.raises(VideoError):
            use(path)


def test_a_single_pixel_is_probed_but_not_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "dot.mkv", np.zeros((2, 1, 1, 3), np.uint8), codec="ffv1", pix_fmt="bgr0")
    assert (probe(path).width, probe(path).height) == (1, 1)
    with pytest.raises(VideoError, match="1x1"):
        read_frames(path)


def test_hostile_names_are_only_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_video(tmp_path / "a.mp4", numbered(3)).read_bytes()
    monkeypatch.chdir(tmp_path)
    for name in ["concat:a|b.mp4", "http:x.mp4", "-i.mp4", "%03d.mp4", "日本 é.mp4", "new\nline.mp4", "pipe:0.mp4"]:
        (tmp_path / name).write_bytes(source)
        assert len(read_frames(name)[0]) == 3


def test_sampled_frames_are_those_a_player_shows(tmp_path: Path) -> None:
    time = np.cumsum([0, 0.02, 0.3, 0.033, 0.5, 0.1])
    path = write_video(tmp_path / "v.mp4", numbered(6), time)
    frames, own = full(path)
    wanted = [0.9, -1.0, 0.0, 0.019, own[1], 0.31, 99.0, 0.9]
    got, when = sample_frames(path, wanted)
    shown = [max(0, np.searchsorted(own, t + 1e-6, side="right") - 1) for t in wanted]
    np.testing.assert_array_equal(got, frames[shown])
    np.testing.assert_array_equal(when, own[shown])
    with pytest.raises(VideoError, match="finite"):
        sample_frames(path, [])


def test_sampled_frames_of_real_video(shared_data: Path) -> None:
    path = shared_data / "videos" / "blender_sauce.gif"
    frames, time = full(path)
    got, when = sample_frames(path, [1.26, 3.0])
    np.testing.assert_array_equal(got, frames[[12, 30]])
    np.testing.assert_array_equal(when, time[[12, 30]])


@pytest.mark.parametrize("threads", [1, 3])
def test_pictures_are_the_frames_whichever_of_them_are_asked_for(tmp_path: Path, threads: int) -> None:
    path = write_video(tmp_path / "a.mp4", numbered(40), options=LONG_GOP)
    want = list(iter_frames(path, start_s=0.5, short_side_px=64))
    pictures = [(p.time_s, p.rgb() if i % 3 == 0 else None, p.thumbnail(16, 9)) for i, p in enumerate(
        iter_pictures(path, start_s=0.5, short_side_px=64, threads=threads)
    )]  # fmt: skip
    assert [time_s for time_s, *_ in pictures] == [time_s for time_s, _ in want]
    assert all(rgb is None or (rgb == frame).all() for (_, rgb, _), (_, frame) in zip(pictures, want, strict=True))
    for (_, _, small), (_, frame) in zip(pictures, want, strict=True):
        assert small.shape == (9, 16, 3)
        assert abs(small.mean() - frame.mean()) < 3
