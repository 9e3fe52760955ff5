import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

import hoiset
from hoiset import geometry
from hoiset.errors import DatasetError
from hoiset.loaders import WindowDataset, load_dataset
from hoiset.loaders.features import FEATURES, Feature, Moments
from hoiset.loaders.rotations import pose_from_9d, slerp
from hoiset.loaders.spans import GAP_BYTES, Spans
from hoiset.shards.reader import ShardReader
from tests.factories import FPS
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine

STEP = 1 / FPS


def windows(path: Path, deltas: dict[str, list[float]], **options: object) -> WindowDataset:
    return WindowDataset(load_dataset(path, split=None, format="numpy"), deltas, **options)  # type: ignore[arg-type]


def slow(clip: dict[str, np.ndarray], key: str, at_s: float) -> np.ndarray:
    """A member of a whole clip at a time, written as it is thought of."""
    time, values = clip["time"], clip[key]
    at_s = min(max(at_s, time[0]), time[-1])
    after = next(i for i, t in enumerate(time) if t > at_s - 1e-4)
    if abs(time[after] - at_s) <= 1e-4:
        return values[after]
    before = after - 1
    w = (at_s - time[before]) / (time[after] - time[before])
    if values.dtype.kind == "u":
        return values[after if w > 0.5 + 1e-6 else before]
    out = (1 - w) * values[before] + w * values[after]
    if key in ("hand_wrist", "object_pose"):
        out[..., :3, :3] = slerp(values[before][..., :3, :3], values[after][..., :3, :3], np.full(out.shape[:-2], w))
    return out


@pytest.mark.parametrize("key", ["hand_joints", "hand_wrist", "object_pose", "object_state", "hand_source", "contact"])
@pytest.mark.parametrize("deltas", [[0.0], [-STEP, 0.0, STEP, 2 * STEP], [-0.31, -0.1, 0.0, 0.04, 0.33]])
def test_windows_are_the_clip_at_their_times(pristine: Path, key: str, deltas: list[float]) -> None:
    clips = load_dataset(pristine, split=None, format="numpy")
    ours = WindowDataset(clips, {key: deltas}, stride_s=0.1)
    assert {w["key"] for w in ours} == set(clips.keys)
    for window in ours:
        clip = clips[clips.keys.index(window["key"])]
        times = window["timestamp"] + np.array(deltas)
        expected = np.stack([slow(clip, key, t) for t in times])
        assert window[key].dtype == clip[key].dtype
        np.testing.assert_allclose(window[key], expected, atol=1e-6)
        outside = (times < -1e-4) | (times > clip["time"][-1] + 1e-4)
        np.testing.assert_array_equal(window[f"{key}_is_pad"], outside)


def test_frames_are_exact_and_the_callers_own(pristine: Path) -> None:
    clips = load_dataset(pristine, split=None, format="numpy")
    ours = WindowDataset(clips, {"hand_joints": [-STEP, 0.0]})
    assert len(ours) == sum(len(clip["time"]) for clip in clips)
    for clip, start in zip(clips, np.cumsum([0, 6, 7, 8, 9]), strict=True):
        for frame in (1, len(clip["time"]) - 1):
            window = ours[int(start) + frame]
            assert window["timestamp"] == clip["time"][frame]
            np.testing.assert_array_equal(window["hand_joints"], clip["hand_joints"][frame - 1 : frame + 1])
            window["hand_joints"][:] = 0
    np.testing.assert_array_equal(ours[1]["hand_joints"], clips[0]["hand_joints"][:2])


def test_masks_say_what_is_there(pristine: Path) -> None:
    keys = ("hand_joints", "hand_source", "hand_score", "object_pose", "object_state", "contact", "hand_mano")
    window = windows(pristine, {key: [0.0, STEP] for key in keys})[6]  # clip_01: a right hand, one object
    for key in keys[:3]:
        assert window[f"{key}_mask"].tolist() == [[False, True]] * 2, key
    for key in keys[3:5]:
        assert window[f"{key}_mask"].tolist() == [[True] + [False] * 7] * 2, key
    assert np.argwhere(window["contact_mask"]).tolist() == [[0, 1, 0], [1, 1, 0]]
    assert not window["hand_mano_mask"].any()


def test_what_is_absent_at_one_side_is_absent_between(tmp_path: Path) -> None:
    from hoiset.shards.writer import UnitWriter
    from tests.factories import finish_version, make_recipe, make_sample

    sample = make_sample("clip", 0, 8, 1)
    for name in ("hand_joints", "hand_wrist", "hand_joints_2d"):
        sample[f"{name}.npy.gz"][3, 1] = np.nan
    sample["contact.npy.gz"][3, 1] = np.nan
    sample["hand_source.npy"][3, 1] = sample["hand_score.npy"][3, 1] = 0
    with UnitWriter(tmp_path, "v2", "train", 0) as unit:
        unit.add(sample)
    finish_version(tmp_path, "v2", shards=unit.records, rows=unit.rows, recipe=make_recipe(), backends=[])
    deltas = [2 * STEP, 2.5 * STEP, 3 * STEP, 3.5 * STEP, 4 * STEP]
    window = windows(tmp_path, dict.fromkeys(("hand_joints", "hand_wrist", "hand_score"), deltas))[0]
    for key in ("hand_joints", "hand_wrist", "hand_score"):
        assert window[f"{key}_mask"][:, 1].tolist() == [True, False, False, False, True], key


@pytest.mark.parametrize("deltas", [[0.0, STEP], [-0.31, 0.0, 0.04, 0.33]])
def test_masks_of_members_are_those_of_their_values(pristine: Path, deltas: list[float]) -> None:
    from hoiset.loaders.features import presence

    keys = ("hand_joints", "hand_score", "hand_source", "object_pose", "object_state", "contact", "hand_mano")
    ours = windows(pristine, {key: deltas for key in keys}, stride_s=0.11)
    for window in ours:
        for key in keys:
            axes = 3 if key == "contact" else 2
            np.testing.assert_array_equal(window[f"{key}_mask"], presence(key, window[key], axes), err_msg=key)


def test_hand_poses_as_actions(pristine: Path) -> None:
    forms = ("hand_wrist", "hand_wrist_relative", "hand_wrist_delta", "hand_wrist_object")
    deltas = [STEP, 2 * STEP, 3 * STEP]
    ours = windows(pristine, dict.fromkeys([*forms, *(f"{f}_9d" for f in forms)], deltas) | {"object_pose": deltas})
    window, now = ours[7], windows(pristine, {"hand_wrist": [0.0]})[7]["hand_wrist"][0, 1].astype(float)
    absolute, relative, delta, in_object = (window[f][:, 1].astype(float) for f in forms)
    np.testing.assert_allclose(now @ relative, absolute, atol=1e-5)
    at = now
    for step, expected in zip(delta, absolute, strict=True):
        at = at @ step
        np.testing.assert_allclose(at, expected, atol=1e-5)
    np.testing.assert_allclose(in_object, geometry.invert(window["object_pose"][:, 0]) @ absolute, atol=1e-5)
    for form in forms:
        assert window[f"{form}_9d"].shape == (3, 2, 9)
        np.testing.assert_allclose(pose_from_9d(window[f"{form}_9d"][:, 1]), window[form][:, 1], atol=1e-5)
        assert window[f"{form}_mask"].tolist() == [[False, True]] * 3
        assert np.isnan(window[form][:, 0]).all()


def test_steps_that_begin_outside_are_padding(pristine: Path) -> None:
    ours = windows(pristine, {"hand_wrist_delta": [-STEP, 0.0, STEP], "hand_wrist": [-STEP, 0.0, STEP]})
    assert ours[0]["hand_wrist_delta_is_pad"].tolist() == [True, True, False]
    assert ours[0]["hand_wrist_is_pad"].tolist() == [True, False, False]
    assert ours[5]["hand_wrist_delta_is_pad"].tolist() == [False, False, True]


def test_keys_about_an_object(pristine: Path) -> None:
    keys = {"target_pose": [0.0], "hand_wrist_object": [0.0], "grasp": [0.0]}
    chosen, second = windows(pristine, keys), windows(pristine, keys, object=1)
    assert not chosen[0]["target_pose_mask"].any()  # clip_00 has no object
    assert not chosen[0]["hand_wrist_object_mask"].any()
    assert chosen[0]["grasp"].tolist() == [[0, 0]]
    assert chosen[6]["grasp"].tolist() == [[0, 1]]
    poses = windows(pristine, {"object_pose": [0.0]})
    np.testing.assert_array_equal(chosen[14]["target_pose"][0], poses[14]["object_pose"][0, 0])
    np.testing.assert_array_equal(second[14]["target_pose"][0], poses[14]["object_pose"][0, 1])


def test_joints_in_the_wrist_frame(pristine: Path) -> None:
    window = windows(pristine, {"hand_joints_local": [0.0, STEP], "hand_joints_relative": [0.0, STEP]})[2]
    np.testing.assert_allclose(window["hand_joints_local"][:, 1, 0], 0, atol=1e-6)
    np.testing.assert_allclose(window["hand_joints_local"][:, 1, 9, [0, 2]], 0, atol=1e-6)  # y: to the middle knuckle
    np.testing.assert_allclose(window["hand_joints_relative"][0], window["hand_joints_local"][0], atol=1e-6)


def risen(at: Moments) -> np.ndarray:
    return (at.then("object_pose") - at.now("object_pose"))[..., 0, 1, 3]


def test_a_feature_of_ones_own(pristine: Path) -> None:
    lift = Feature("lift", ("object_pose",), risen, "() f4: how far object 0 is below where it is now, m")
    window = windows(pristine, {"lift": [0.0, STEP]}, features=[lift])[6]
    assert window["lift"].shape == (2,)
    assert window["lift"][0] == 0


def test_robots_joints_are_keys_where_they_are(dataset: Path) -> None:
    import pyarrow.parquet as pq

    from hoiset.shards.codec import encode_npy
    from hoiset.shards.index import read_index

    table = read_index(dataset, "v2")
    rows, shard = table.to_pylist(), dataset / "data/v2/robots.tar"
    with tarfile.open(shard, "w"):
        pass
    data = b""
    for row in rows:
        q = np.arange(row["n_frames"] * 7, dtype=np.float32).reshape(-1, 7)
        blob = encode_npy(q)
        row["members"].append(
            {"layer": "robots", "member": "arm_q.npy", "shard": str(shard.relative_to(dataset)), "offset": len(data)}
            | {"size": len(blob)}
        )
        data += blob
    shard.write_bytes(data)
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), dataset / "index/v2.parquet")
    window = windows(dataset, {"arm_q": [0.0, STEP / 2]})[1]
    np.testing.assert_allclose(window["arm_q"], [np.arange(7, 14), np.arange(7, 14) + 3.5])
    assert window["arm_q_mask"].tolist() == [True, True]


def test_pixels_beside_numbers(pristine: Path) -> None:
    clips = load_dataset(pristine, split=None, layers=("core", "video"), format="numpy")
    ours = WindowDataset(clips, {"rgb": [-2 * STEP, 0.0, 0.6 * STEP], "hand_wrist": [0.0]})
    item = 0
    for clip in clips:
        n = len(clip["time"])
        for frame in range(n):
            window = ours[item]
            nearest = [max(frame - 2, 0), frame, min(frame + 1, n - 1)]
            np.testing.assert_array_equal(window["rgb"], clip["rgb"][nearest])
            assert window["rgb_is_pad"].tolist() == [frame < 2, False, frame == n - 1]
            item += 1
    small = WindowDataset(clips, {"rgb": [0.0]}, resize=(24, 32))[0]["rgb"]
    assert small.shape == (1, 24, 32, 3)
    assert small.dtype == np.uint8


def test_depth_and_masks_beside_pixels(tmp_path: Path) -> None:
    from hoiset.shards.writer import UnitWriter
    from hoiset.video import encode_lossless
    from tests.factories import finish_version, make_recipe, make_sample

    rng = np.random.default_rng(0)
    sample = make_sample("clip", 0, 8, 1)
    depth = rng.integers(0, 3000, (8, 48, 64)).astype(np.uint16)
    masks = rng.integers(0, 3, (8, 48, 64)).astype(np.uint8)
    sample |= {"depth.mkv": encode_lossless(depth), "masks.mkv": encode_lossless(masks)}
    with UnitWriter(tmp_path, "v2", "train", 0, ("core", "video", "scene")) as unit:
        unit.add(sample)
    finish_version(tmp_path, "v2", shards=unit.records, rows=unit.rows, recipe=make_recipe(), backends=[])
    ours = windows(tmp_path, {key: [0.0, STEP] for key in ("rgb", "depth", "masks")}, resize={"rgb": (24, 32)})
    window = ours[3]
    np.testing.assert_array_equal(window["depth"], depth[3:5])
    np.testing.assert_array_equal(window["masks"], masks[3:5])
    assert window["rgb"].shape == (2, 24, 32, 3)


def test_where_windows_stand(pristine: Path) -> None:
    keys = {"hand_wrist": [-0.1, 0.0, 0.2]}
    last = np.array([5, 6, 7, 8, 9]) * STEP
    by_stride, by_rate = windows(pristine, keys, stride_s=0.1), windows(pristine, keys, rate_hz=10)
    assert len(by_stride) == len(by_rate) == sum(int(t / 0.1 + 1e-3) + 1 for t in last)
    assert [w["timestamp"] for w in by_stride] == [w["timestamp"] for w in by_rate]
    assert [by_stride[i]["timestamp"] for i in by_stride.windows_of(0)] == pytest.approx([0, 0.1, 0.2, 0.3])
    whole = windows(pristine, keys, stride_s=0.1, pad=False)
    assert not any(w["hand_wrist_is_pad"].any() for w in whole)
    assert [len(whole.windows_of(i)) for i in range(5)] == [1, 2, 2, 3, 4]  # from 0.1 s to the last frame less 0.2 s
    too_long = windows(pristine, {"hand_wrist": [0.0, 0.45]}, stride_s=1.0, pad=False)
    assert [len(too_long.windows_of(i)) for i in range(5)] == [0, 0, 1, 1, 1]
    assert too_long[0]["key"] == "clip_02"


def test_all_windows_of_a_clip_at_once(pristine: Path) -> None:
    deltas = [-0.11, 0.0, STEP]
    ours = windows(pristine, dict.fromkeys([*FEATURES, "hand_joints", "hand_source"], deltas), stride_s=0.1)
    for clip in range(ours.n_clips):
        together = ours.of_clip(clip)
        for row, index in enumerate(ours.windows_of(clip)):
            one = ours[index]
            for key, value in together.items():
                np.testing.assert_allclose(value[row], one[key], atol=1e-6, err_msg=key)


def test_items_by_any_index(pristine: Path) -> None:
    ours = windows(pristine, {"grasp": [0.0]})
    assert ours[-1]["index"] == ours[np.int64(len(ours) - 1)]["index"] == len(ours) - 1
    for index in (len(ours), -len(ours) - 1):
        with pytest.raises(IndexError):
            ours[index]


@pytest.mark.parametrize(
    ("keys", "options", "message"),
    [
        ({}, {}, "no keys"),
        ({"hands": [0.0]}, {}, "no key 'hands'; members there: .*hand_joints.*rgb.*; made of them: .*grasp"),
        ({"panda_q": [0.0]}, {}, "no key 'panda_q'"),
        ({"clip": [0.0]}, {}, "no key 'clip'"),
        ({"grasp": []}, {}, "expected a list of increasing numbers"),
        ({"grasp": [0.1, 0.0]}, {}, "expected a list of increasing numbers"),
        ({"grasp": [float("nan")]}, {}, "expected a list of increasing numbers"),
        ({"grasp": [0.0]}, {"stride_s": 0.1, "rate_hz": 10}, "both stride_s and rate_hz"),
        ({"grasp": [0.0]}, {"stride_s": 0.0}, "positive number of seconds"),
        ({"grasp": [0.0]}, {"rate_hz": -1}, "positive rate"),
        ({"grasp": [0.0]}, {"pad": False}, "needs stride_s or rate_hz"),
        ({"grasp": [0.0]}, {"object": 8}, "a slot 0"),
        ({"grasp": [0.0]}, {"format": "jax"}, "expected 'torch' or 'numpy'"),
        ({"grasp": [0.0]}, {"resize": {"rgb": (8, 8)}}, "resize: found 'rgb'"),
        ({"rgb": [0.0]}, {"resize": (8, 0)}, r"expected \(height, width\)"),
    ],
)
def test_what_is_wrong_is_said(
    pristine: Path, keys: dict[str, list[float]], options: dict[str, object], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        windows(pristine, keys, **options)


def test_no_clips_is_an_error(pristine: Path) -> None:
    with pytest.raises(DatasetError, match="found list, expected a ClipDataset"):
        WindowDataset([], {"grasp": [0.0]})  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="no clips"):
        WindowDataset(load_dataset(pristine, verb="juggle", format="numpy"), {"grasp": [0.0]})


def test_damage_is_an_error(dataset: Path) -> None:
    path = dataset / "data/v2/core/train-00000.tar"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DatasetError, match="hoiset verify"):
        windows(dataset, {"hand_joints": [0.0]})[0]


def test_only_what_the_keys_need_is_read_and_in_few_ranges(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in dataset.glob("data/v2/video/*.tar"):
        path.unlink()
    reads = []
    read = ShardReader.read_many
    monkeypatch.setattr(ShardReader, "read_many", lambda reader, spans: reads.extend(spans) or read(reader, spans))
    ours = windows(dataset, {"hand_joints": [0.0], "hand_joints_2d": [0.0], "hand_score": [0.0]})
    for _ in range(3):
        ours[0]
    assert len(reads) == 1
    assert reads[0][2] < 30_000
    assert reads[0][2] < GAP_BYTES


def test_a_batch_is_read_at_once(pristine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"hand_joints": [0.0], "rgb": [0.0]}
    one, batch = windows(pristine, keys), windows(pristine, keys, cache_bytes=1, max_open_videos=1)
    indices = np.random.default_rng(0).permutation(len(one)).tolist()
    expected, reads = [one[i] for i in indices], []
    read = ShardReader.read_many
    monkeypatch.setattr(ShardReader, "read_many", lambda reader, spans: reads.append(spans) or read(reader, spans))
    found = batch.__getitems__(indices)
    assert [len(r) for r in reads[:2]] == [5, 5]  # numbers of all clips, then videos of all clips
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a["hand_joints"], b["hand_joints"])
        np.testing.assert_array_equal(a["rgb"], b["rgb"])


def test_spans_are_those_of_the_index(pristine: Path) -> None:
    table = load_dataset(pristine, split=None, format="numpy").table
    names = ("rgb.mp4", "time.npy", "clip.json")
    spans = Spans.of(table, names)
    for row, members in enumerate(table["members"].to_pylist()):
        there = {m["member"]: m for m in members}
        (found,) = spans.read(ShardReader(pristine), [row])
        for column, name in enumerate(names):
            assert spans.shards[spans.shard[row, column]] == there[name]["shard"]
            assert bytes(found[name]) == ShardReader(pristine).read(
                there[name]["shard"], there[name]["offset"], there[name]["size"]
            )
    with pytest.raises(DatasetError, match=r"no member 'arm_q\.npy'"):
        Spans.of(table, ("arm_q.npy",))


def test_the_cache_keeps_to_its_bytes(pristine: Path) -> None:
    ours = windows(pristine, {"hand_joints": [0.0]}, cache_bytes=10_000)
    again = windows(pristine, {"hand_joints": [0.0]})
    for i in np.random.default_rng(0).permutation(len(ours)).tolist():
        np.testing.assert_array_equal(ours[i]["hand_joints"], again[i]["hand_joints"])
        assert ours._cache.nbytes <= 10_000
    assert again._cache.nbytes > 10_000


def test_a_million_clips_cost_little_in_each_worker(pristine: Path) -> None:
    import pyarrow as pa

    table = load_dataset(pristine, split=None, format="numpy").table
    many = pa.concat_tables([table] * 400)
    clips = load_dataset(pristine, split=None, format="numpy")
    clips.table = many
    ours = WindowDataset(clips, {"hand_joints": [0.0], "rgb": [0.0]})
    ours[0]
    assert len(pickle.dumps(ours)) / many.num_rows < 150  # 150 MB a million


def test_tensors(pristine: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs hoiset[torch]")
    window = hoiset.WindowDataset(load_dataset(pristine), {"hand_joints": [0.0], "rgb": [0.0]})[0]
    assert window["hand_joints"].dtype == torch.float32
    assert window["hand_joints_is_pad"].dtype == torch.bool
    assert window["rgb"].dtype == torch.uint8
