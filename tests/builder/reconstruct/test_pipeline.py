from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from hoiset import video
from hoiset.builder.engine.cache import StageCache
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.pipeline import Backends, ReconstructParams, VideoParams, decode_clip, reconstruct_clip
from hoiset.builder.records import Clip, HandDetections, SourceVideo
from hoiset.errors import ClipError
from hoiset.shards.codec import encode
from hoiset.shards.schema import DEFAULT_LAYERS, HandSource, ObjectState, members
from hoiset.shards.validate import validate_sample

from .scenes import DEPTH, FOCAL, HEIGHT, WIDTH, Take

PARAMS = ReconstructParams()
PROVENANCE = {"hoiset": "1", "recipe": "v2", "recipe_digest": "0" * 8, "profile": "cpu"}


@dataclass
class TrueHands:
    """Says what is true of a take, in the pixels of the frames it is given."""

    shot: Take
    name: str = "truth"
    version: str = "1+0"
    calls: list = field(default_factory=list)

    def detect(self, rgb, *, video):
        self.calls.append((len(rgb), rgb[0].shape, video))
        scale = rgb[0].shape[1] / WIDTH
        px = (self.shot.joints_2d + 0.5) * scale - 0.5
        present = np.isfinite(px).all((2, 3))
        right = np.where(present, [[0.05, 0.95]], 0.5)
        return HandDetections(px, self.shot.world, right, 0.97 * present)


@dataclass
class TruePeople:
    name: str = "nobody"
    version: str = "1+0"
    calls: list = field(default_factory=list)

    def segment(self, rgb):
        frames = np.stack(list(rgb))
        self.calls.append(frames.shape)
        return np.zeros(frames.shape[:3], np.uint8)


@pytest.fixture(scope="module")
def clip(carry, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "push.mp4"
    path.write_bytes(video.encode_mp4(carry.rgb, carry.time, crf=12))
    source = SourceVideo("push.mp4", path, action="Push the green box.", objects=("box",), focal_px=FOCAL)
    return Clip("push", source, 0.0, float(carry.time[-1]) + 1 / 15, "train")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return StageCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def backends(carry):
    return Backends(TrueHands(carry), TruePeople())


@pytest.fixture(scope="module")
def sample(clip, backends, cache):
    return reconstruct_clip(clip, backends, PARAMS, cache, PROVENANCE)


def encoded(sample):
    return {m.name: encode(m, sample[m.name]) for layer in DEFAULT_LAYERS for m in members(layer)}


def test_a_clip_becomes_a_valid_sample(carry, sample, backends):
    validate_sample(sample, key="push")
    n = len(carry.time)
    assert np.allclose(sample["time.npy"], carry.time, atol=1e-4)
    assert video.count_frames(sample["rgb.mp4"]) == n
    camera = sample["clip.json"]["camera"]
    assert (camera["width"], camera["height"], camera["focal_source"]) == (WIDTH, HEIGHT, "given")
    assert camera["K"][0][0] == pytest.approx(FOCAL)
    assert backends.hands.calls == [(n, (HEIGHT, WIDTH, 3), True)]
    assert [s["name"] for s in sample["clip.json"]["provenance"]["stages"]] == [
        "detect_hands",
        "hands",
        "segment_people",
        "objects",
    ]


def test_it_has_the_hand_and_the_object_of_the_take(carry, sample):
    seen = np.isfinite(carry.joints_2d).all((2, 3))
    assert (sample["hand_source.npy"][:, 1] == HandSource.OBSERVED)[seen[:, 1]].mean() > 0.9
    assert (sample["hand_source.npy"][:, 0] == HandSource.ABSENT).all()
    (described,) = sample["clip.json"]["objects"]
    assert described["label"] == "box"
    state = sample["object_state.npy"][:, 0]
    held = (carry.time > 1.25) & (carry.time < 1.55)
    assert (state[held] == ObjectState.GRASPED_RIGHT).all()
    assert state[0] == state[-1] == ObjectState.STATIC
    position = sample["object_pose.npy.gz"][:, 0, :3, 3]
    assert np.abs(position[:, 2] / DEPTH - 1).max() < 0.2  # the hand's own depth is a guess from its size
    direction = position[:, :2] / position[:, 2:]
    true = carry.poses[0, :, :2, 3] / carry.poses[0, :, 2:, 3]
    assert np.abs(direction - true).max() * FOCAL < 4


def test_the_second_run_comes_from_the_cache_and_has_the_same_bytes(carry, clip, cache, sample):
    class Broken(TrueHands):
        def detect(self, rgb, *, video):
            raise AssertionError("asked although the answer is known")

    again = reconstruct_clip(clip, Backends(Broken(carry), TruePeople()), PARAMS, cache, PROVENANCE)
    assert encoded(again) == encoded(sample)


def test_no_cache_gives_the_same_bytes(clip, backends, sample):
    assert encoded(reconstruct_clip(clip, backends, PARAMS, StageCache(None), PROVENANCE)) == encoded(sample)


def digests(sample):
    return {s["name"]: s["digest"] for s in sample["clip.json"]["provenance"]["stages"]}


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        ("objects", {"objects"}),
        ("focal", {"hands", "objects"}),
        ("model", {"detect_hands", "hands", "objects"}),
        ("people", {"segment_people", "objects"}),
    ],
)
def test_a_stage_runs_anew_when_what_it_depends_on_changes(carry, clip, cache, sample, change, anew):
    params, backends = PARAMS, Backends(TrueHands(carry), TruePeople())
    if change == "objects":
        params = PARAMS.model_copy(update={"objects": ObjectParams(min_travel=0.031)})
    elif change == "focal":
        clip = replace(clip, video=replace(clip.video, focal_px=1.1 * FOCAL))
    elif change == "model":
        backends = Backends(TrueHands(carry, version="2+0"), TruePeople())
    else:
        backends = Backends(TrueHands(carry), TruePeople(version="2+0"))
    before, after = digests(sample), digests(reconstruct_clip(clip, backends, params, cache, PROVENANCE))
    assert {k for k in before if before[k] != after[k]} == anew
    assert len(backends.hands.calls) == ("detect_hands" in anew)
    assert len(backends.person.calls) == ("segment_people" in anew)


def test_models_see_small_frames_and_the_sample_is_in_large_pixels(carry, clip, sample):
    params = PARAMS.model_copy(update={"video": VideoParams(detect_short_side_px=90)})
    backends = Backends(TrueHands(carry), TruePeople())
    again = reconstruct_clip(clip, backends, params, StageCache(None), PROVENANCE)
    assert backends.hands.calls[0][1] == (90, 160, 3)
    assert again["clip.json"]["camera"]["width"] == WIDTH
    there = sample["hand_source.npy"] == HandSource.OBSERVED
    assert np.abs(again["hand_joints_2d.npy.gz"] - sample["hand_joints_2d.npy.gz"])[there].max() < 0.01


def test_a_span_of_a_file_has_its_own_time(clip):
    frames = decode_clip(replace(clip, start_s=1.0, end_s=2.0), VideoParams())
    assert frames.time[0] == 0
    assert len(frames.time) == pytest.approx(15, abs=1)
    assert frames.size == (WIDTH, HEIGHT)


def test_a_file_that_is_no_video_costs_its_clip(tmp_path, clip, backends):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"\0" * 4096)
    broken = replace(clip, video=replace(clip.video, path=path))
    with pytest.raises(ClipError, match="no_video") as caught:
        reconstruct_clip(broken, backends, PARAMS, StageCache(None), PROVENANCE)
    assert caught.value.reason == "no_video"


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_or_missing_file_costs_its_clip(tmp_path, clip, backends, damage):
    path = tmp_path / "gone.mp4"
    if damage == "truncated":
        path.write_bytes(clip.video.path.read_bytes()[:600])
    with pytest.raises(ClipError) as caught:
        reconstruct_clip(
            replace(clip, video=replace(clip.video, path=path)), backends, PARAMS, StageCache(None), PROVENANCE
        )
    assert caught.value.reason == "no_video"


def test_one_frame_is_too_short(clip, backends):
    with pytest.raises(ClipError) as caught:
        reconstruct_clip(replace(clip, end_s=0.01), backends, PARAMS, StageCache(None), PROVENANCE)
    assert caught.value.reason == "too_short"


def test_a_clip_without_a_hand_is_a_sample_without_objects(carry, clip):
    nobody = carry.part(joints=np.full_like(carry.joints, np.nan), joints_2d=np.full_like(carry.joints_2d, np.nan))
    sample = reconstruct_clip(clip, Backends(TrueHands(nobody), TruePeople()), PARAMS, StageCache(None), PROVENANCE)
    validate_sample(sample)
    assert sample["clip.json"]["objects"] == []
    assert sample["clip.json"]["quality"]["score"] == 0
