"""Joints in the image and a detector's own 3D joints -> metric joints in the camera frame, for all frames at once.

Bone lengths are constants: the proportions below, scaled by one hand length. A detector's own 3D joints give each
bone's direction; a weak perspective fit gives the first depth; Gauss-Newton then moves the joints so that they project
onto the observed ones, keep the bone lengths and stay near the detector's directions, with Huber weights on what is
observed. MediaPipe's 3D joints shrink along the line of sight where it is unsure; constant bones undo that.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.params import Params
from hoiset.builder.reconstruct.palm import PALM, translation_onto_rays

TREE = tuple((0 if j % 4 == 1 else j - 1, j) for j in range(1, 21))
"""The 20 bones as (parent, child); bone k ends in joint k + 1."""
MIDDLE = slice(8, 12)
"""The links from the wrist to the middle fingertip, whose sum is the hand length."""
_BRACES = ((5, 9), (9, 13), (13, 17), (5, 17))
_LINKS = np.array(TREE + _BRACES)
# Medians of MediaPipe's 3D joints over frames in which the open hand faces the camera (of several people, alike within
# 4 %), as shares of the hand's length: wrist to middle fingertip along the bones.
_PROPORTIONS = np.array(
    [
        *(0.215, 0.172, 0.187, 0.155, 0.525, 0.159, 0.113, 0.156, 0.509, 0.202, 0.144, 0.145),
        *(0.500, 0.167, 0.132, 0.128, 0.446, 0.124, 0.117, 0.105),
        *(0.136, 0.125, 0.123, 0.358),
    ]
)
HAND_LENGTH_M = 0.187
"""Assumed adult hand length, wrist to middle fingertip: between the roughly 0.19 m of men and 0.18 m of women that
anthropometric surveys report. It is what makes the reconstruction metric: a hand that is 5 % longer is placed 5 % too
near, and everything around it shrinks with it."""


class LiftParams(Params):
    """Weights of the lifting, as standard deviations.

    Attributes:
        hand_length_m: Wrist to middle fingertip along the bones, m.
        sigma_2d: Of the observed joints, as a share of the hand's size in the image.
        sigma_bone_m: Of the bone lengths, m.
        sigma_direction: Of a bone's detected direction, as a share of the hand length.
        sigma_depth: Of a depth given from outside, as a share of it.
        huber: Residual, in standard deviations, from which an observed joint counts less.
        iterations: Gauss-Newton steps.
        soft_bone_m: ``sigma_bone_m`` while the person's bone lengths are estimated.
        soft_direction: ``sigma_direction`` meanwhile.
        shape_frames: Observed frames at which the estimate counts as much as the general proportions.
        bound_ratio: Depth of a palm over what its longest seen links allow (a tenth of them may be seen too long).
        bound_doubt: Logarithm of the ratio between both depths at which the detector's directions count for nothing
            is one and a half times this.
        shape_range: Most that a link may differ from them, as a share.
    """

    hand_length_m: float = HAND_LENGTH_M
    sigma_2d: float = 0.02
    sigma_bone_m: float = 0.001
    sigma_direction: float = 0.03
    sigma_depth: float = 0.003
    huber: float = 2.0
    iterations: int = 8
    soft_bone_m: float = 0.02
    soft_direction: float = 0.05
    shape_frames: float = 30.0
    shape_range: float = 0.15
    bound_ratio: float = 1.06
    bound_doubt: float = 0.2


def link_lengths(hand_length_m: float) -> Float[np.ndarray, "24"]:
    """Lengths of the 20 bones and the 4 braces across the palm, m."""
    return _PROPORTIONS * hand_length_m


def lift(
    pixels: Float[np.ndarray, "T 21 2"],
    world_m: Float[np.ndarray, "T 21 3"],
    K: Float[np.ndarray, "*T 3 3"],
    lengths_m: Float[np.ndarray, "24"],
    params: LiftParams,
    depth_m: Float[np.ndarray, "T"] | None = None,
) -> Float[np.ndarray, "T 21 3"]:
    """Fit metric joints to observed ones.

    Args:
        pixels: Observed joints, px, finite.
        world_m: The detector's 3D joints (axes of the camera turned towards the hand, any origin and scale).
        K: Intrinsics, one for all frames or one a frame.
        lengths_m: Lengths of the bones and of the braces across the palm (:func:`link_lengths`), m.
        params: See :class:`LiftParams`.
        depth_m: Mean z-depth of the palm's joints to keep to, m, where it is known better than from these frames.

    Returns:
        Joints in the camera frame, m.
    """
    n = len(pixels)
    K = np.broadcast_to(K, (n, 3, 3))
    focal, centre = np.stack([K[:, 0, 0], K[:, 1, 1]], -1), K[:, :2, 2]
    rays = (pixels - centre[:, None]) / focal[:, None]
    size = np.ptp(rays, axis=1).max(-1)
    model = turn_towards(rays[:, PALM].mean(1), pose_bones(world_m - world_m[:, :1], lengths_m))
    X = _first_guess(rays, model)
    directions = model[:, _LINKS[:20, 1]] - model[:, _LINKS[:20, 0]]
    sigma_direction = params.sigma_direction * lengths_m[MIDDLE].sum()
    for step in range(params.iterations):
        H, g = np.zeros((n, 21, 21, 3, 3)), np.zeros((n, 21, 3))
        _observe(H, g, X, rays, size * params.sigma_2d, params.huber if step > 1 else np.inf)
        _keep_lengths(H, g, X, lengths_m, params.sigma_bone_m)
        _keep_directions(H, g, X, directions, sigma_direction)
        if depth_m is not None:
            _keep_depth(H, g, X, depth_m, params.sigma_depth)
        A = H.transpose(0, 1, 3, 2, 4).reshape(n, 63, 63)
        A[:, np.arange(63), np.arange(63)] += 1.0
        X = X - np.linalg.solve(A, g.reshape(n, 63, 1)).reshape(n, 21, 3)
        X[..., 2] = np.maximum(X[..., 2], 0.02)
    return X


def palm_depth(
    joints: Float[np.ndarray, "T 21 3"],
    pixels: Float[np.ndarray, "T 21 2"],
    world_m: Float[np.ndarray, "T 21 3"],
    K: Float[np.ndarray, "*T 3 3"],
    lengths_m: Float[np.ndarray, "24"],
    params: LiftParams,
) -> tuple[Float[np.ndarray, "T"], Float[np.ndarray, "T"]]:
    """Mean z-depth of the palm's joints from single frames, and how far to trust it.

    A link seen at angle a is at most length / a away, so that the links that lie across the line of sight bound the
    depth from above, and closely, whatever the detector thinks of their directions. Where the size that the detector's
    directions predict contradicts that bound (a hand seen edge-on), the bound takes over.

    Returns:
        (T,) depth, m, and (T,) trust, 0..1.
    """
    K = np.broadcast_to(K, (len(pixels), 3, 3))
    rays = (pixels - K[:, None, :2, 2]) / K[:, None, [0, 1], [0, 1]]
    a, b = _LINKS.T
    seen = np.linalg.norm(rays[:, b] - rays[:, a], axis=-1)
    bound = params.bound_ratio * np.percentile(lengths_m / np.maximum(seen, 1e-9), 10, axis=1)
    model = turn_towards(rays[:, PALM].mean(1), pose_bones(world_m - world_m[:, :1], lengths_m))
    predicted = _first_guess(rays, model)[:, PALM, 2].mean(1)
    doubt = np.clip(np.abs(np.log(predicted / bound)) / params.bound_doubt - 0.5, 0.0, 1.0)
    depth = (1.0 - doubt) * np.log(joints[:, PALM, 2].mean(1)) + doubt * np.log(bound)
    return np.exp(depth), 1.0 - 0.7 * doubt


def lift_cost(
    joints: Float[np.ndarray, "T 21 3"],
    pixels: Float[np.ndarray, "T 21 2"],
    world_m: Float[np.ndarray, "T 21 3"],
    K: Float[np.ndarray, "3 3"],
    lengths_m: Float[np.ndarray, "24"],
    params: LiftParams,
) -> Float[np.ndarray, "T"]:
    """What lifted joints cost: Huber loss of the reprojection plus the squared turn away from the detector's bones."""
    rays = (pixels - K[:2, 2]) / np.array([K[0, 0], K[1, 1]])
    sigma = params.sigma_2d * np.ptp(rays, axis=1).max(-1)
    r = np.linalg.norm(joints[..., :2] / joints[..., 2:] - rays, axis=-1) / sigma[:, None]
    observed = np.where(r < params.huber, 0.5 * r**2, params.huber * (r - 0.5 * params.huber)).sum(1)
    model = turn_towards(rays[:, PALM].mean(1), pose_bones(world_m - world_m[:, :1], lengths_m))
    a, b = _LINKS[:20, 0], _LINKS[:20, 1]
    off = (joints[:, b] - joints[:, a]) - (model[:, b] - model[:, a])
    return observed + 0.5 * (off**2).sum((1, 2)) / (params.sigma_direction * lengths_m[MIDDLE].sum()) ** 2


def estimate_lengths(
    pixels: Float[np.ndarray, "T 21 2"],
    world_m: Float[np.ndarray, "T 21 3"],
    K: Float[np.ndarray, "*T 3 3"],
    params: LiftParams,
) -> Float[np.ndarray, "24"]:
    """Lengths of one person's links, of the hand length that ``params`` name.

    The frames are lifted with soft bones; the medians replace the general proportions as far as there are frames to
    trust them, and never by more than ``params.shape_range``.
    """
    prior = link_lengths(params.hand_length_m)
    if not len(pixels):
        return prior
    soft = params.model_copy(update={"sigma_bone_m": params.soft_bone_m, "sigma_direction": params.soft_direction})
    X = lift(pixels, world_m, K, prior, soft)
    seen = np.median(np.linalg.norm(X[:, _LINKS[:, 1]] - X[:, _LINKS[:, 0]], axis=-1), axis=0)
    ratio = seen / seen[MIDDLE].sum() * params.hand_length_m / prior
    trust = len(pixels) / (len(pixels) + params.shape_frames)
    lengths = prior * (1.0 + trust * np.clip(ratio - 1.0, -params.shape_range, params.shape_range))
    return lengths * params.hand_length_m / lengths[MIDDLE].sum()


def pose_bones(
    joints: Float[np.ndarray, "*B 21 3"], lengths_m: Float[np.ndarray, "24"]
) -> Float[np.ndarray, "*B 21 3"]:
    """Joints with the bones' directions of ``joints`` and the given lengths; the wrist stays where it is."""
    out = np.array(joints, float)
    for k, (a, b) in enumerate(TREE):
        bone = joints[..., b, :] - joints[..., a, :]
        unit = bone / np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
        out[..., b, :] = out[..., a, :] + lengths_m[k] * unit
    return out


def turn_towards(
    ray: Float[np.ndarray, "T 2"], model: Float[np.ndarray, "T 21 3"], *, back: bool = False
) -> Float[np.ndarray, "T 21 3"]:
    """Turn joints from the axes of a camera that looks along ``ray`` to those of the camera itself, or back."""
    z = np.concatenate([ray, np.ones_like(ray[:, :1])], -1)
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    # The least rotation that takes (0, 0, 1) to z.
    x, y, c = z[:, 0], z[:, 1], z[:, 2]
    k = 1.0 / (1.0 + c)
    R = np.stack([1 - x * x * k, -x * y * k, x, -x * y * k, 1 - y * y * k, y, -x, -y, c], -1).reshape(-1, 3, 3)
    return model @ (R if back else R.transpose(0, 2, 1))


def _first_guess(rays: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Joints at the depth at which the model is as large as it is seen: perspective fit of a translation."""
    t = translation_onto_rays(rays, model)
    near = 0.03 - (model[..., 2] + t[:, None, 2]).min(1)
    t[:, 2] += np.maximum(near, 0.0)
    return model + t[:, None]


def _add(H: np.ndarray, a: int, b: int, block: np.ndarray) -> None:
    H[:, a, a] += block
    H[:, b, b] += block
    H[:, a, b] -= block
    H[:, b, a] -= block


def _observe(H: np.ndarray, g: np.ndarray, X: np.ndarray, rays: np.ndarray, sigma: np.ndarray, huber: float) -> None:
    z = X[..., 2:]
    r = X[..., :2] / z - rays
    distance = np.linalg.norm(r, axis=-1) / sigma[:, None]
    w = np.minimum(1.0, huber / np.maximum(distance, 1e-9)) / sigma[:, None] ** 2
    J = np.zeros((*X.shape[:2], 2, 3))
    J[..., 0, 0] = J[..., 1, 1] = 1.0 / z[..., 0]
    J[..., :, 2] = -X[..., :2] / z**2
    Jt = J.transpose(0, 1, 3, 2) * w[..., None, None]
    joints = np.arange(21)
    H[:, joints, joints] += Jt @ J
    g += (Jt @ r[..., None])[..., 0]


def _keep_lengths(H: np.ndarray, g: np.ndarray, X: np.ndarray, lengths: np.ndarray, sigma_m: float) -> None:
    bone = X[:, _LINKS[:, 1]] - X[:, _LINKS[:, 0]]
    length = np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-6)
    unit = bone / length
    # The palm bends, so braces are softer than bones.
    w = np.where(np.arange(len(_LINKS)) < len(TREE), 1.0, 0.1) / sigma_m**2
    pull = w[:, None] * (length - lengths[:, None]) * unit
    blocks = w[:, None, None] * unit[..., :, None] * unit[..., None, :]
    for k, (a, b) in enumerate(_LINKS):
        _add(H, a, b, blocks[:, k])
        g[:, b] += pull[:, k]
        g[:, a] -= pull[:, k]


def _keep_directions(H: np.ndarray, g: np.ndarray, X: np.ndarray, bones: np.ndarray, sigma_m: float) -> None:
    w = 1.0 / sigma_m**2
    for k, (a, b) in enumerate(TREE):
        pull = w * (X[:, b] - X[:, a] - bones[:, k])
        _add(H, a, b, w * np.eye(3)[None])
        g[:, b] += pull
        g[:, a] -= pull


def _keep_depth(H: np.ndarray, g: np.ndarray, X: np.ndarray, depth_m: np.ndarray, sigma: float) -> None:
    palm = np.array(PALM)
    w = 1.0 / (sigma * depth_m) ** 2 / len(palm) ** 2
    off = X[:, palm, 2].sum(1) - len(palm) * depth_m
    for a in palm:
        g[:, a, 2] += w * off
        for b in palm:
            H[:, a, b, 2, 2] += w
