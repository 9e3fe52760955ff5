from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from hoiset.errors import DatasetError
from hoiset.loaders import WindowDataset, load_dataset
from hoiset.loaders.exports.lerobot import export, export_lerobot, videos
from hoiset.loaders.exports.lerobot.layout import ACTION, CAMERA, OBJECTS, STATE, Layout
from hoiset.loaders.exports.lerobot.statistics import TotalStatistics
from hoiset.loaders.rotations import pose_to_9d
from hoiset.video import decode_mp4_bytes
from tests.factories import make_dataset
from tests.fixtures import pristine as pristine
from tests.loaders.exports.clips import of_many_rates, timed, write

COPIED = ("constant", "fast_clock", "jittered")
KEYS = ("constant", "fast_clock", "jittered", "more_frames", "irregular")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return of_many_rates(tmp_path_factory.mktemp("source") / "clips")


@pytest.fixture(scope="module")
def exported(source: Path) -> Path:
    out = source.parent / "exported"
    export_lerobot(source, out)
    return out


def frames(root: Path) -> dict[str, np.ndarray]:
    table = pq.read_table(sorted((root / "data").rglob("*.parquet")))
    return {name: np.array(table[name].to_pylist()) for name in table.column_names}


def episodes(root: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(root / "meta/episodes/chunk-000/file-000.parquet").to_pylist())


def pictures(root: Path, episode: dict[str, Any]) -> np.ndarray:
    """(N, H, W, 3) of an episode, found by its time stamps alone."""
    number = [episode[f"videos/{CAMERA}/{name}_index"] for name in ("chunk", "file")]
    path = root / "videos" / CAMERA / f"chunk-{number[0]:03d}" / f"file-{number[1]:03d}.mp4"
    rgb, time_s = decode_mp4_bytes(path.read_bytes())
    start, stop = (episode[f"videos/{CAMERA}/{name}_timestamp"] for name in ("from", "to"))
    return rgb[(time_s >= start - 1e-6) & (time_s < stop - 1e-6)]


def test_what_it_says_of_itself(exported: Path) -> None:
    info = json.loads((exported / "meta/info.json").read_text())
    counts = {"total_episodes": 5, "total_frames": 3 * 20 + 19, "total_tasks": 3, "fps": 15}
    lengths = [episode["length"] for episode in episodes(exported)]
    counts["total_frames"] += lengths[-1]
    assert {name: info[name] for name in counts} == counts
    assert info["splits"] == {"train": "0:4", "validation": "4:5"}
    assert info["features"][CAMERA]["shape"] == [48, 64, 3]
    assert len(set(info["features"][STATE]["names"])) == info["features"][STATE]["shape"][0] == 2 * (9 + 20 * 3)
    clips = pq.read_table(exported / "meta/clips.parquet").to_pylist()
    assert tuple(clip["key"] for clip in clips) == KEYS
    assert {clip["licence"] for clip in clips} == {"CC0-1.0"}
    tasks = pq.read_table(exported / "meta/tasks.parquet").to_pylist()
    assert [t["task"] for t in sorted(tasks, key=lambda t: t["task_index"])] == ["Push a plate.", "Lift a mug.", "push"]
    assert [e["tasks"] for e in episodes(exported)][-2:] == [["Push a plate."], ["push"]]
    assert "licence" in (exported / "README.md").read_text()


def test_a_clip_of_the_rate_is_the_loaders_arrays(source: Path, exported: Path) -> None:
    clip = load_dataset(source, format="numpy")[0]
    assert clip["key"] == "constant"
    rows = {name: values[:20] for name, values in frames(exported).items()}
    state = rows[STATE].astype(np.float32).reshape(20, 2, 69)
    np.testing.assert_array_equal(state[:, 1, :9], pose_to_9d(clip["hand_wrist"][:, 1]))
    local = np.einsum(
        "tji,tkj->tki", clip["hand_wrist"][:, 1, :3, :3], clip["hand_joints"][:, 1] - clip["hand_joints"][:, 1, :1]
    )
    np.testing.assert_allclose(state[:, 1, 9:].reshape(20, 20, 3), local[:, 1:], atol=1e-6)
    np.testing.assert_array_equal(state[:, 0], 0)
    np.testing.assert_array_equal(rows["mask.hand"], [[False, True]] * 20)
    np.testing.assert_array_equal(rows["mask.action"], [[False, True]] * 19 + [[False, False]])
    np.testing.assert_array_equal(rows[ACTION][:-1], rows[STATE][1:])
    np.testing.assert_array_equal(rows[ACTION][-1], rows[STATE][-1])
    np.testing.assert_array_equal(
        rows[OBJECTS].astype(np.float32).reshape(20, 2, 9), pose_to_9d(clip["object_pose"][:, :2])
    )
    np.testing.assert_array_equal(rows["object.state"], clip["object_state"][:, :2])
    np.testing.assert_array_equal(rows["hand.source"], clip["hand_source"])
    np.testing.assert_array_equal(rows["source.frame"], np.arange(20))
    np.testing.assert_array_equal(
        rows["timestamp"].astype(np.float32), np.arange(20, dtype=np.float32) / np.float32(15)
    )


def test_every_row_is_what_windows_give_at_that_time(source: Path, exported: Path) -> None:
    rows = frames(exported)
    for number, key in enumerate(KEYS):
        partition = "validation" if key == "irregular" else "train"
        clips = load_dataset(source, split=partition, where=f'key = "{key}"', format="numpy")
        deltas = {"hand_wrist_9d": [0.0], "hand_joints_local": [0.0], "object_pose_9d": [0.0]}
        windows = WindowDataset(clips, deltas, rate_hz=None if key in COPIED else 15)
        mine = rows["episode_index"] == number
        assert mine.sum() == len(windows)
        for i, at in enumerate(np.flatnonzero(mine)):
            window = windows[i]
            both = np.concatenate([window["hand_wrist_9d"][0], window["hand_joints_local"][0, :, 1:].reshape(2, -1)], 1)
            there = np.isfinite(both).all(1)
            np.testing.assert_array_equal(rows["mask.hand"][at], there)
            np.testing.assert_array_equal(rows[STATE][at].astype(np.float32), np.where(there[:, None], both, 0).ravel())
            poses = np.nan_to_num(window["object_pose_9d"][0, :2]).ravel()
            np.testing.assert_array_equal(rows[OBJECTS][at].astype(np.float32), poses)
            nearest = np.abs(clips[0]["time"] - window["timestamp"])
            assert nearest[rows["source.frame"][at]] <= nearest.min() + 1e-9


def test_videos_are_copied_where_every_frame_comes_once(source: Path, exported: Path, tmp_path: Path) -> None:
    done = export_lerobot(source, tmp_path / "again")
    assert done.copied == 3
    rows = frames(exported)["source.frame"]
    for episode, key in zip(episodes(exported), KEYS, strict=True):
        partition = "validation" if key == "irregular" else "train"
        clips = load_dataset(source, split=partition, where=f'key = "{key}"', layers=("video",), format="numpy")
        wanted_frames = rows[episode["dataset_from_index"] : episode["dataset_to_index"]]
        wanted = clips[0]["rgb"][wanted_frames]
        found = pictures(exported, episode)
        assert len(found) == episode["length"]
        if key in COPIED:
            np.testing.assert_array_equal(found, wanted)
        else:
            off = np.abs(found.astype(int) - wanted).mean((1, 2, 3))
            assert (off < 4).all()
            assert (off[:-1] < np.abs(found[:-1].astype(int) - wanted[1:]).mean((1, 2, 3)))[
                np.diff(wanted_frames) > 0
            ].all()


def test_time_stamps_in_files_are_multiples_of_the_step(exported: Path) -> None:
    path = exported / "videos" / CAMERA / "chunk-000/file-000.mp4"
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        rate = stream.average_rate
        times = [p.pts * p.time_base for p in source.demux(stream) if p.size]
    assert rate == 15  # read above: a stream of a closed file is no longer there
    assert times == [i / rate for i in range(len(times))]


def test_any_key_frame_can_be_decoded_from_there(exported: Path) -> None:
    path = exported / "videos" / CAMERA / "chunk-000/file-000.mp4"
    with av.open(str(path)) as source:
        whole = [frame.to_ndarray() for frame in source.decode(video=0)]
    with av.open(str(path)) as source:
        packets = [p for p in source.demux(video=0) if p.size]
        for start in [i for i, p in enumerate(packets) if p.is_keyframe]:
            context = av.CodecContext.create("h264", "r")
            context.extradata = b"\x01\x64\x00\x0a\xff\xe0\x00"  # no parameter sets
            (found,) = [*context.decode(av.Packet(bytes(packets[start]))), *context.decode(None)]
            np.testing.assert_array_equal(found.to_ndarray(), whole[start])


def test_statistics_are_of_what_is_there(exported: Path) -> None:
    rows, stats = frames(exported), json.loads((exported / "meta/stats.json").read_text())
    there = {STATE: np.repeat(rows["mask.hand"], 69, 1), ACTION: None, OBJECTS: np.repeat(rows["mask.object"], 9, 1)}
    for name in ("timestamp", "index", "mask.hand", STATE, OBJECTS):
        values = rows[name].reshape(len(rows[name]), -1).astype(float)
        mask = there.get(name, np.ones_like(values, bool))
        for column, present in zip(values.T, mask.T, strict=True):
            some = column[present] if present.any() else np.zeros(1)
            at = int(np.flatnonzero((column == values.T).all(1))[0])
            assert stats[name]["mean"][at] == pytest.approx(some.mean(), abs=1e-6)
            assert stats[name]["std"][at] == pytest.approx(some.std(), abs=1e-6)
            for q in (1, 10, 50, 90, 99):
                assert stats[name][f"q{q:02d}"][at] == pytest.approx(np.quantile(some, q / 100), abs=1e-6)
            assert (stats[name]["min"][at], stats[name]["max"][at]) == (some.min(), some.max())
    assert stats[STATE]["count"] == [len(rows["index"])]
    first = episodes(exported)[0]
    np.testing.assert_allclose(first["stats/timestamp/q10"], np.quantile(np.arange(20) / 15, 0.1), atol=1e-6)
    colours = np.concatenate([pictures(exported, e).reshape(-1, 3) for e in episodes(exported)]) / 255
    assert np.shape(stats[CAMERA]["mean"]) == (3, 1, 1)
    np.testing.assert_allclose(np.ravel(stats[CAMERA]["mean"]), colours.mean(0), atol=0.02)
    np.testing.assert_allclose(np.ravel(stats[CAMERA]["std"]), colours.std(0), atol=0.02)
    np.testing.assert_allclose(np.ravel(stats[CAMERA]["q50"]), np.quantile(colours, 0.5, 0), atol=0.05)


def test_histograms_take_over_where_values_do_not_fit(
    source: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "TotalStatistics", lambda: TotalStatistics(1 << 10))
    export_lerobot(source, tmp_path / "out", video=False)
    exact, found = (json.loads((r / "meta/stats.json").read_text()) for r in (exported, tmp_path / "out"))
    for name in ("mean", "std", "min", "max"):
        assert found[STATE][name] == exact[STATE][name]
    spread = np.subtract(exact[STATE]["max"], exact[STATE]["min"])
    assert (np.abs(np.subtract(found[STATE]["q50"], exact[STATE]["q50"])) <= 0.1 * spread + 1e-9).all()


def test_files_are_closed_when_they_are_full(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "MAX_SECONDS", 3.0)
    monkeypatch.setattr(export, "DATA_MB", 0)
    export_lerobot(source, tmp_path / "out")
    found = [
        e for p in sorted((tmp_path / "out/meta/episodes").rglob("*.parquet")) for e in pq.read_table(p).to_pylist()
    ]
    assert [e[f"videos/{CAMERA}/file_index"] for e in found] == [0, 0, 1, 1, 2]
    assert [e["data/file_index"] for e in found] == [0, 1, 2, 3, 4]
    for episode in found:
        assert len(pictures(tmp_path / "out", episode)) == episode["length"]
        table = pq.read_table(tmp_path / f"out/data/chunk-000/file-{episode['data/file_index']:03d}.parquet")
        assert set(table["episode_index"].to_pylist()) == {episode["episode_index"]}


def test_deltas_are_motions_of_one_step(source: Path, tmp_path: Path) -> None:
    export_lerobot(source, tmp_path / "out", actions="delta", where='key = "constant"', video=False)
    clip, rows = load_dataset(source, format="numpy")[0], frames(tmp_path / "out")
    T = clip["hand_wrist"][:, 1].astype(np.float64)
    motion = pose_to_9d(np.linalg.inv(T[:-1]) @ T[1:])
    action = rows[ACTION].reshape(20, 2, 69)
    np.testing.assert_allclose(action[:-1, 1, :9], motion, atol=1e-5)
    np.testing.assert_array_equal(action[:-1, 1, 9:], rows[STATE].reshape(20, 2, 69)[1:, 1, 9:])
    assert not (tmp_path / "out/videos").exists()
    assert json.loads((tmp_path / "out/meta/info.json").read_text())["video_path"] is None


def test_another_rate(source: Path, tmp_path: Path) -> None:
    done = export_lerobot(source, tmp_path / "out", fps=5, where='key = "constant"')
    assert (done.fps, done.frames, done.copied) == (5, 7, 0)
    assert frames(tmp_path / "out")["source.frame"].tolist() == [0, 3, 6, 9, 12, 15, 18]


def test_the_same_bytes_for_any_number_of_workers(pristine: Path, tmp_path: Path) -> None:
    for workers in (0, 2):
        export_lerobot(pristine, tmp_path / str(workers), workers=workers)
    alone, together = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()} for n in "02"
    )
    assert alone == together
    assert len(alone) == 8


def test_pictures_of_several_sizes_are_a_choice(tmp_path: Path) -> None:
    from hoiset.video import encode_mp4

    small = timed("small", 0, np.arange(8) / 15)
    large = timed("large", 1, np.arange(8) / 15)
    large["rgb.mp4"] = encode_mp4(np.full((8, 96, 128, 3), 90, np.uint8), large["time.npy"])
    large["clip.json"]["camera"] |= {"width": 128, "height": 96}
    root = write(tmp_path / "clips", {"train": [large, small]})
    with pytest.raises(DatasetError, match=r"48x64 \(1 clips\), 96x128 \(1 clips\), expected one size"):
        export_lerobot(root, tmp_path / "out")
    assert export_lerobot(root, tmp_path / "out", size=(48, 64)).copied == 1
    assert {pictures(tmp_path / "out", e).shape for e in episodes(tmp_path / "out")} == {(8, 48, 64, 3)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": 'verb = "fly"'}, "no clip matches"),
        ({"fps": 0}, "found fps=0"),
        ({"actions": "next"}, "expected absolute or delta"),
        ({"split": "test"}, "no split 'test'"),
    ],
)
def test_what_cannot_be_exported(pristine: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        export_lerobot(pristine, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_nothing_half_done_stays(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "clips", 3)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="not empty"):
        export_lerobot(root, tmp_path / "out")
    shard = next((root / "data/v2/video").glob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:512] + bytes(shard.stat().st_size - 512))
    with pytest.raises(Exception, match=r"video|damaged|bytes"):
        export_lerobot(root, tmp_path / "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clips", "out"]


def test_the_command(run_command: Any, pristine: Path, tmp_path: Path) -> None:
    code, out, _ = run_command(
        "export", "lerobot", pristine, tmp_path / "out", "--where", "verb = 'lift'", "--workers", "0"
    )
    assert (code, out) == (
        0,
        f"2 episodes, 17 frames, 1 tasks at 15 Hz; 2 videos copied, 0 encoded -> {tmp_path / 'out'}\n",
    )
    code, out, err = run_command("export", "lerobot", pristine, tmp_path / "out")
    assert code == 1
    assert "not empty" in err
    code, out, _ = run_command(
        "export", "lerobot", pristine, tmp_path / "b", "--no-video", "--fps", "5", "--json", "--workers", "0"
    )
    assert (code, json.loads(out)["fps"]) == (0, 5)
    code, _, err = run_command("export", "lerobot", pristine, tmp_path / "c", "--size", "big")
    assert code == 2
    assert re.search("--size", err)
    code, _, err = run_command("export", "lerobot", pristine, tmp_path / "c", "--where", "verb ~~ 1")
    assert code == 2


def test_the_page_names_every_column() -> None:
    page = (Path(__file__).parents[3] / "docs" / "lerobot.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `([\w.]+)` \| (\S+ \(.*?\)|video) \|", page, re.MULTILINE))
    kinds = {"float32": "f4", "int64": "i8", "bool": "bool"}
    for n in (1, 3):
        sizes = {c.name: f"{kinds[c.dtype]} ({len(c.names)})" for c in Layout(30, "absolute", n).columns}
        told = {name: kind.replace("9 n", str(9 * n)).replace("(n)", f"({n})") for name, kind in named.items()}
        assert told == {**sizes, CAMERA: "video"}
