"""Intrinsics of a static camera: given, or a prior that the hands may veto.

Hands tell little of the focal length: a hand twice as far at twice the focal length looks nearly the same. What is left
is perspective within the hand, and on real detections its cost has a flat minimum near 1.5 times the true focal length
but rises steeply below 0.7 times. So the hands are used for what they can do: to reject a focal length that is too
short. Otherwise the prior stands, and is recorded as one.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.params import Params
from hoiset.builder.reconstruct.lifting import LiftParams, lift, lift_cost, link_lengths
from hoiset.builder.records import Camera, Frames, HandDetections, SourceVideo


class CameraParams(Params):
    """Parameters of the camera's estimate.

    Attributes:
        prior_diagonal_fov_deg: Diagonal field of view where nothing better is known; phone cameras in video mode and
            webcams lie between 57 and 78.
        widest_diagonal_fov_deg: Of the focal lengths tried.
        narrowest_diagonal_fov_deg: Of the focal lengths tried.
        veto_ratio: The prior is rejected where the hands cost this many times the least cost.
        min_score: Detections below are not asked.
        max_hands: At most so many detections are asked, evenly over the clip.
        min_hands: With fewer the prior stands.
    """

    prior_diagonal_fov_deg: float = 65.0
    widest_diagonal_fov_deg: float = 100.0
    narrowest_diagonal_fov_deg: float = 25.0
    veto_ratio: float = 1.15
    min_score: float = 0.9
    max_hands: int = 120
    min_hands: int = 30


def focal_from_fov(width: int, height: int, diagonal_fov_deg: float) -> float:
    """Focal length in pixels of an image with this diagonal field of view."""
    return float(0.5 * np.hypot(width, height) / np.tan(np.radians(diagonal_fov_deg) / 2))


def intrinsics(focal_px: float, width: int, height: int) -> Float[np.ndarray, "3 3"]:
    """K with the principal point in the middle of the image; pixel (0, 0) is the centre of the top-left pixel."""
    return np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1.0]])


def estimate_camera(
    video: SourceVideo, frames: Frames, detections: HandDetections, source_width: int, params: CameraParams
) -> Camera:
    """The clip's camera.

    Args:
        video: Its ``focal_px`` (in pixels of the file's displayed width) and ``gravity`` are used where given.
        frames: The clip, for its size.
        detections: Hands in the clip's pixels.
        source_width: Displayed width of the file, px.
        params: See :class:`CameraParams`.

    Returns:
        The camera; ``focal_source`` is ``given``, ``prior`` or ``hand_perspective``.
    """
    height, width = frames.rgb.shape[1:3]
    if video.focal_px is not None:
        focal, source = video.focal_px * width / source_width, "given"
    else:
        focal, source = _focal_from_hands(width, height, detections, params)
    gravity = np.full(3, np.nan)
    if video.gravity is not None:
        gravity = np.asarray(video.gravity, float)
        gravity = gravity / np.linalg.norm(gravity)
    return Camera(
        K=intrinsics(focal, width, height),
        width=width,
        height=height,
        focal_source=source,
        gravity=gravity,
        gravity_source="absent" if video.gravity is None else "given",
        scale_source="adult_hand_length_prior",
    )


def _focal_from_hands(width: int, height: int, detections: HandDetections, params: CameraParams) -> tuple[float, str]:
    """The prior's focal length, or the shortest that the hands do not reject."""
    prior = focal_from_fov(width, height, params.prior_diagonal_fov_deg)
    t, n = np.nonzero(_usable(detections, width, height, params))
    if len(t) < params.min_hands:
        return prior, "prior"
    pick = np.unique(np.linspace(0, len(t) - 1, min(len(t), params.max_hands)).round().astype(int))
    pixels, world = detections.landmarks_px[t[pick], n[pick]], detections.world_m[t[pick], n[pick]]
    bounds = (params.widest_diagonal_fov_deg, params.narrowest_diagonal_fov_deg)
    shortest, longest = (focal_from_fov(width, height, fov) for fov in bounds)
    focals = np.geomspace(shortest, longest, 12)
    costs = np.array([_cost(f, width, height, pixels, world) for f in focals])
    limit = params.veto_ratio * costs.min()
    if np.interp(np.log(prior), np.log(focals), costs) <= limit:
        return prior, "prior"
    accepted = focals[(costs <= limit) & (focals > prior)]
    return (float(accepted[0]), "hand_perspective") if len(accepted) else (prior, "prior")


def _usable(detections: HandDetections, width: int, height: int, params: CameraParams) -> np.ndarray:
    """Detections that are sure and wholly inside the image."""
    x, y = detections.landmarks_px[..., 0], detections.landmarks_px[..., 1]
    inside = ((x >= 0) & (x < width) & (y >= 0) & (y < height)).all(-1)
    return (detections.score >= params.min_score) & inside


def _cost(focal: float, width: int, height: int, pixels: np.ndarray, world: np.ndarray) -> float:
    """Median cost of the lifting at a focal length."""
    lift_params = LiftParams()
    lengths, K = link_lengths(lift_params.hand_length_m), intrinsics(focal, width, height)
    joints = lift(pixels, world, K, lengths, lift_params)
    return float(np.median(lift_cost(joints, pixels, world, K, lengths, lift_params)))
