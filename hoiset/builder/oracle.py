"""Feeds ground truth to chosen stages, so that what is left of the error is the other stages' own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field, model_validator

from hoiset.builder.engine.cache import digest_json
from hoiset.builder.params import Params
from hoiset.builder.reconstruct.given import Given
from hoiset.builder.reconstruct.palm import PALM
from hoiset.builder.records import Camera, Clip, HandDetections, Hands, SourceVideo
from hoiset.errors import ClipError, DatasetError
from hoiset.geometry import project, wrist_frame
from hoiset.shards.index import list_versions, read_index
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.schema import MAX_OBJECTS, HandSource, Sample
from hoiset.video import decode_lossless

Feed = Literal["camera", "landmarks", "palm_depth", "hands", "masks", "depth"]
_SCENE = ("masks", "depth")


class OracleNoise(Params):
    """Standard deviations of what is added to the truth, independent from frame to frame.

    Attributes:
        focal_share: Of the focal length, one draw a clip, as a share of it.
        landmark_share: Of joints in the image, as a share of the hand's size there.
        palm_depth_share: Of the palm's depth, as a share of it.
        joint_m: Of the hands' joints, m.
        outline_fraction: Of the masks' outlines, as a fraction of min(height, width).
        depth_share: Of the depth map, one draw a frame, as a share of it.
    """

    focal_share: float = Field(default=0.0, ge=0)
    landmark_share: float = Field(default=0.0, ge=0)
    palm_depth_share: float = Field(default=0.0, ge=0)
    joint_m: float = Field(default=0.0, ge=0)
    outline_fraction: float = Field(default=0.0, ge=0)
    depth_share: float = Field(default=0.0, ge=0)


class OracleParams(Params):
    """Which stages are fed from ground truth; none by default.

    Attributes:
        feed: ``camera`` (K, gravity), ``landmarks`` (joints in the image, local 3D, side), ``palm_depth`` (how far each
            palm is), ``hands`` (all of the hands), ``masks`` (visible pixels of objects), ``depth`` (depth maps). Pass
            1 looks at hands as well: with ``landmarks`` or ``hands`` it is told where they are.
        truth: A finished dataset whose samples have the source videos' uids; with its scene layer for the last two.
        noise: What is added to it.
    """

    feed: tuple[Feed, ...] = ()
    truth: str = ""
    noise: OracleNoise = OracleNoise()

    @model_validator(mode="after")
    def _complete(self) -> OracleParams:
        if self.feed and not self.truth:
            raise ValueError("a truth dataset is needed to feed from")
        return self


@dataclass(frozen=True)
class Oracle:
    """Answers what is known of a clip; opens the truth when first asked, so that it can be sent to other processes."""

    params: OracleParams

    @cached_property
    def _rows(self) -> dict[str, Any]:
        root = Path(self.params.truth)
        versions = list_versions(root)
        if len(versions) != 1:
            raise DatasetError(f"{root} has versions {', '.join(versions) or 'none'}; expected one, the truth")
        return {row["uid"]: row for row in read_index(root, versions[0]).to_pylist()}

    def __call__(self, clip: Clip, time: Float[np.ndarray, "T"], size: tuple[int, int]) -> Given:
        """See :data:`hoiset.builder.reconstruct.given.GivenSource`.

        Raises:
            ClipError: ``no_truth``: the truth has no sample of the clip's video.
            DatasetError: The truth is damaged, or lacks the scene layer that is asked for.
        """
        row = self._rows.get(clip.video.uid)
        if row is None:
            raise ClipError("no_truth", f"{self.params.truth} has no sample of {clip.video.uid}")
        feed, noise = self.params.feed, self.params.noise
        digest = digest_json([clip.video.uid, row["key"], self.params.model_dump(mode="json"), time, size])
        rng = np.random.default_rng(int(digest_json([clip.video.uid, noise.model_dump(mode="json")])[:12], 16))
        truth = self._read(row)
        at = nearest(truth["time.npy"] + truth["clip.json"]["source"]["start_s"], time)
        camera = _camera(truth["clip.json"]["camera"], size)
        hands = _hands(truth, at, size[0] / truth["clip.json"]["camera"]["width"])
        return Given(
            name=f"truth: {', '.join(feed)}",
            digest=digest,
            camera=_other_focal(camera, noise.focal_share, rng) if "camera" in feed else None,
            detections=perfect_detections(hands, noise.landmark_share, rng) if "landmarks" in feed else None,
            palm_depth_m=_palm_depth(hands, noise.palm_depth_share, rng) if "palm_depth" in feed else None,
            hands=_shaken(hands, camera, noise.joint_m, rng) if "hands" in feed else None,
            masks=_masks(truth["masks.mkv"], at, noise.outline_fraction, rng) if "masks" in feed else None,
            depth_m=_depth(truth["depth.mkv"], at, noise.depth_share, rng) if "depth" in feed else None,
        )

    @property
    def knows_hands(self) -> bool:
        """Whether it is fed where hands are in the image."""
        return "landmarks" in self.params.feed or "hands" in self.params.feed

    def hands_seen(
        self, video: SourceVideo, time: Float[np.ndarray, "T"], size: tuple[int, int]
    ) -> HandDetections | None:
        """What a perfect detector finds in frames of a video, for pass 1; no noise is added here.

        Args:
            video: Which.
            time: In its file, s.
            size: Width and height of the frames, px.

        Returns:
            ``None`` where the truth has no sample of the video: nothing is known of its hands. None are seen at times
            before the sample's first frame and after its last.

        Raises:
            DatasetError: The truth is damaged.
        """
        row = self._rows.get(video.uid)
        if row is None:
            return None
        truth = self._read(row, layers=())
        clock = truth["time.npy"] + truth["clip.json"]["source"]["start_s"]
        hands = _hands(truth, nearest(clock, time), size[0] / truth["clip.json"]["camera"]["width"])
        period_s = float(np.median(np.diff(clock)))
        hands.source[(time < clock[0] - period_s) | (time > clock[-1] + period_s)] = HandSource.ABSENT
        return perfect_detections(hands, 0.0, np.random.default_rng(0))

    def _read(self, row: dict[str, Any], layers: tuple[str, ...] = _SCENE) -> Sample:
        names = [
            "clip.json",
            "time.npy",
            "hand_joints.npy.gz",
            "hand_joints_2d.npy.gz",
            "hand_wrist.npy.gz",
            "hand_source.npy",
        ]
        names += [f"{name}.mkv" for name in layers if name in self.params.feed]
        there = {member["member"] for member in row["members"]}
        if missing := sorted(set(names) - there):
            raise DatasetError(f"{self.params.truth} has no {', '.join(missing)}; expected its scene layer: write it")
        return read_sample(ShardReader(Path(self.params.truth)), row["members"], names)


def nearest(have: Float[np.ndarray, "N"], want: Float[np.ndarray, "T"]) -> np.ndarray:
    """Index of the nearest of increasing times for each of others."""
    between = 0.5 * (have[1:] + have[:-1])
    return np.searchsorted(between, want)


def _camera(said: dict[str, Any], size: tuple[int, int]) -> Camera:
    K, grow = np.array(said["K"], float), size[0] / said["width"]
    K[0, 0], K[1, 1] = K[0, 0] * grow, K[1, 1] * grow
    K[:2, 2] = (K[:2, 2] + 0.5) * grow - 0.5
    gravity = np.full(3, np.nan) if said["gravity"] is None else np.array(said["gravity"], float)
    known = "absent" if said["gravity"] is None else "truth"
    return Camera(K, size[0], size[1], "truth", gravity, known, "adult_hand_length_prior")


def _other_focal(camera: Camera, share: float, rng: np.random.Generator) -> Camera:
    K = camera.K.copy()
    K[[0, 1], [0, 1]] *= np.exp(share * rng.standard_normal())
    return replace(camera, K=K)


def _hands(truth: Sample, at: np.ndarray, grow: float) -> Hands:
    source = np.where(truth["hand_source.npy"][at] > 0, HandSource.OBSERVED, HandSource.ABSENT).astype(np.uint8)
    return Hands(
        joints=truth["hand_joints.npy.gz"][at].astype(float),
        joints_2d=(truth["hand_joints_2d.npy.gz"][at].astype(float) + 0.5) * grow - 0.5,
        T_camera_wrist=truth["hand_wrist.npy.gz"][at].astype(float),
        source=source,
        score=(source > 0).astype(float),
    )


def perfect_detections(hands: Hands, share: float, rng: np.random.Generator) -> HandDetections:
    """As a perfect detector would see hands: its 3D joints have the axes of a camera turned towards the hand.

    Args:
        hands: The true ones.
        share: Standard deviation of the noise of joints in the image, as a share of the hand's size there.
        rng: Of the noise.
    """
    size = np.ptp(hands.joints_2d, axis=2).max(-1)
    pixels = hands.joints_2d + share * size[..., None, None] * rng.standard_normal(hands.joints_2d.shape)
    local = hands.joints - hands.joints[:, :, list(PALM)].mean(2, keepdims=True)
    towards = camera_towards(hands.joints[:, :, list(PALM)].mean(2))
    score = (hands.source > 0).astype(float)
    right = np.where(hands.source > 0, np.array([0.0, 1.0]), 0.5)
    return HandDetections(pixels, np.einsum("thji,thkj->thki", towards, local), right, score)


def camera_towards(point: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B 3 3"]:
    """Least rotations that take the optical axis to the direction of points."""
    z = point / np.linalg.norm(point, axis=-1, keepdims=True)
    x, y, c = z[..., 0], z[..., 1], z[..., 2]
    k = 1.0 / (1.0 + c)
    R = np.stack([1 - x * x * k, -x * y * k, x, -x * y * k, 1 - y * y * k, y, -x, -y, c], -1)
    return R.reshape(*c.shape, 3, 3)


def _palm_depth(hands: Hands, share: float, rng: np.random.Generator) -> Float[np.ndarray, "T 2"]:
    depth = hands.joints[:, :, list(PALM), 2].mean(-1)
    return depth * np.exp(share * rng.standard_normal(depth.shape))


def _shaken(hands: Hands, camera: Camera, sigma_m: float, rng: np.random.Generator) -> Hands:
    if sigma_m == 0:
        return hands
    joints = hands.joints + sigma_m * rng.standard_normal(hands.joints.shape)
    wrist = np.stack([wrist_frame(joints[:, h], left=h == 0) for h in (0, 1)], axis=1)
    return Hands(joints, project(camera.K, joints), wrist, hands.source, hands.score)


def _masks(data: bytes, at: np.ndarray, fraction: float, rng: np.random.Generator) -> UInt8[np.ndarray, "T H W"]:
    masks = decode_lossless(data)[at]
    masks[masks > MAX_OBJECTS] = 0
    if fraction == 0:
        return masks
    out = np.zeros_like(masks)
    for t, mask in enumerate(masks):
        for code in np.unique(mask[mask > 0]):
            own = (mask == code).astype(np.uint8)
            inside, outside = (cv2.distanceTransform(m, cv2.DIST_L2, 5) for m in (own, 1 - own))
            shift = fraction * min(mask.shape) * rng.standard_normal()
            out[t][inside - outside + shift > 0.5] = code
    return out


def _depth(data: bytes, at: np.ndarray, share: float, rng: np.random.Generator) -> Float[np.ndarray, "T H W"]:
    millimetres = decode_lossless(data)[at]
    scale = np.exp(share * rng.standard_normal(len(at)))[:, None, None]
    return np.where(millimetres > 0, millimetres * 1e-3 * scale, np.nan).astype(np.float32)
