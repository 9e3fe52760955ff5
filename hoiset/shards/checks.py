"""Checks that look into members: frame counts, meshes, reprojection."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from hoiset import geometry, video
from hoiset.errors import SchemaError, VideoError
from hoiset.shards.meshes import count_objects
from hoiset.shards.schema import HandSource, Sample, members, robots_among

REPROJECTION_PERCENTILE = 95.0


def content_problems(sample: Sample, layer: str, reprojection_share: float, n_frames: int | None) -> Iterator[str]:
    """What is wrong inside the members of a sample whose structure is right.

    Args:
        sample: The members of one layer.
        layer: That layer.
        reprojection_share: See :func:`reprojection_problem`.
        n_frames: T of the clip, or ``None`` when not known; for all layers but the core.
    """
    if layer == "core":
        problem = reprojection_problem(sample, reprojection_share)
        if problem:
            yield problem
        n_objects = len(sample["clip.json"]["objects"])
        try:
            found = count_objects(sample["objects.glb"])
        except SchemaError as error:
            yield str(error)
            return
        if found != n_objects:
            yield f"objects.glb: found {found} meshes, expected {n_objects}, as clip.json's objects"
        return
    for member in members(layer, robots_among(sample)):
        if not member.name.endswith((".mp4", ".mkv")):
            if n_frames is not None and member.is_array:
                yield from length_problem(member.name, len(sample[member.name]), n_frames)
            continue
        try:
            found = count_frames(member.name, sample[member.name])
        except VideoError as error:
            yield f"{member.name}: cannot be decoded ({error})"
            continue
        if n_frames is not None:
            yield from length_problem(member.name, found, n_frames)


def length_problem(name: str, found: int, n_frames: int) -> Iterator[str]:
    """What is wrong with a video or array of ``found`` frames in a clip of ``n_frames``."""
    if found != n_frames:
        yield f"{name}: found {found} frames, expected {n_frames}, as time.npy"


def count_frames(name: str, data: bytes) -> int:
    """Frames of a video, and of pictures of numbers, which are decoded whole: their checksums are worth asking.

    The tables of an mp4 that our encoder wrote say it at once; FFmpeg counts those of any other.

    Raises:
        VideoError: It cannot be read.
    """
    if name.endswith(".mkv"):
        return len(video.decode_lossless(data))
    try:
        return len(video.read_frame_table(data))
    except VideoError:
        return video.count_frames(data)


def reprojection_shares(
    K: Float[np.ndarray, "3 3"], joints: Float[np.ndarray, "N 21 3"], joints_2d: Float[np.ndarray, "N 21 2"]
) -> Float[np.ndarray, "N"]:
    """Mean distance over the joints between projection and ``joints_2d``, as a share of the hand's size in the image.

    The hand's size is the larger side of the box around its 2D joints, and at least one pixel.
    """
    distance = np.linalg.norm(geometry.project(K, joints) - joints_2d, axis=-1).mean(-1)
    size = (joints_2d.max(-2) - joints_2d.min(-2)).max(-1)
    return distance / np.maximum(size, 1.0)


def reprojection_problem(sample: Sample, bound: float) -> str | None:
    """Whether the joints reproject onto ``hand_joints_2d`` where the hand was observed.

    Judged per hand and clip, at the 95th percentile of its observed frames, so that a single bad frame does not
    condemn a clip and a hand that is wrong for a twentieth of it does. A joint at or behind the camera is a problem.

    Args:
        sample: At least clip.json and the hand members.
        bound: Largest :func:`reprojection_shares` at that percentile.

    Returns:
        What is wrong, or ``None``.
    """
    K = np.array(sample["clip.json"]["camera"]["K"], np.float64)
    for hand, name in enumerate(("left", "right")):
        observed = sample["hand_source.npy"][:, hand] == HandSource.OBSERVED
        if not observed.any():
            continue
        joints = sample["hand_joints.npy.gz"][observed, hand].astype(np.float64)
        shares = reprojection_shares(K, joints, sample["hand_joints_2d.npy.gz"][observed, hand].astype(np.float64))
        if np.isnan(shares).any():
            return f"hand_joints.npy.gz: found {int(np.isnan(shares).sum())} {name} hands with joints behind the camera"
        worst = float(np.percentile(shares, REPROJECTION_PERCENTILE))
        if worst > bound:
            return (
                f"hand_joints.npy.gz: found the {name} hand's joints {worst:.3f} of its size away from hand_joints_2d "
                f"(95th percentile of frames), expected at most {bound}"
            )
    return None
