"""Lays a whole silhouette onto what is visible of it in another frame."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from hoiset.builder.reconstruct.objects.plane_maps import apply, compose, warp_mask

_STEPS = 20
_KEPT = 0.75  # of the contour; the rest may be the edge of what hides it
_FEW = 0.25  # with less of the contour in sight the silhouette is shifted only
_SETTLED_PX = 0.02
_STAY = 1e-3
_TANGENT = 3  # px along the outline, to either side
_RIM = np.ones((5, 5), np.uint8)


def lay_onto(
    template: Bool[np.ndarray, "H W"],
    seen: Bool[np.ndarray, "H W"],
    hidden: Bool[np.ndarray, "H W"],
    guess: Float[np.ndarray, "2 3"],
) -> Float[np.ndarray, "2 3"]:
    """The similarity near ``guess`` that brings the template's contour onto the visible one.

    Iterated closest points with distances to lines (Chen and Medioni, 1992) in the image, trimmed. The contour beside
    hidden pixels and at the image's border is not the object's own and is left out.

    Args:
        template: The whole silhouette.
        seen: Visible pixels in the other frame.
        hidden: Pixels of that frame in which something else may be in front.
        guess: Template px to frame px.
    """
    whole, _ = _contour(template)
    visible, normals = _contour(seen & ~_border(seen.shape))
    beside = cv2.dilate(hidden.astype(np.uint8), _RIM) > 0
    own = ~beside[visible[:, 1].astype(int), visible[:, 0].astype(int)]
    visible, normals = visible[own], normals[own]
    if len(visible) < 4 or len(whole) < 4:
        return guess
    turn = len(visible) >= _FEW * len(whole)
    affine = guess
    for _ in range(_STEPS):
        laid = apply(affine, whole)
        distance, at = cKDTree(laid).query(visible)
        near = distance <= np.quantile(distance, _KEPT)
        step = _step(laid[at[near]], visible[near], normals[near], turn=turn)
        affine = compose(step, affine)
        if float(np.abs(apply(step, laid) - laid).max()) < _SETTLED_PX:
            break
    return affine


def agreement(
    template: Bool[np.ndarray, "H W"],
    seen: Bool[np.ndarray, "H W"],
    hidden: Bool[np.ndarray, "H W"],
    affine: Float[np.ndarray, "2 3"],
) -> float:
    """Overlap of the laid template with the visible pixels, 0..1, where nothing else may be in front."""
    laid = warp_mask(template, affine)
    return float((laid & seen).sum() / max(((laid & ~hidden) | seen).sum(), 1))


def _step(
    laid: Float[np.ndarray, "N 2"], seen: Float[np.ndarray, "N 2"], normals: Float[np.ndarray, "N 2"], *, turn: bool
) -> Float[np.ndarray, "2 3"]:
    """The small similarity that brings points onto the lines through others: contours may slide along themselves."""
    middle = laid.mean(0)
    u, v = (laid - middle).T
    size = max(float(np.hypot(u, v).mean()), 1.0)
    one, zero = np.ones_like(u), np.zeros_like(u)
    # a point moves by (a + c u - d v, b + d u + c v), with c and d in units of 1 / size
    x, y = np.stack([one, zero, u / size, -v / size]), np.stack([zero, one, v / size, u / size])
    J = (normals[:, 0] * x + normals[:, 1] * y)[: 4 if turn else 2]
    A = J @ J.T + _STAY * len(u) * np.eye(len(J))
    a, b, c, d = np.pad(np.linalg.solve(A, J @ ((seen - laid) * normals).sum(1)), (0, 4 - len(J)))
    linear = np.eye(2) + np.array([[c, -d], [d, c]]) / size
    return np.column_stack([linear, middle + np.array([a, b]) - linear @ middle])


def _contour(mask: np.ndarray) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N 2"]]:
    """Points of a mask's outlines and the normals there."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = [c[:, 0].astype(float) for c in contours]
    along = [np.roll(p, -_TANGENT, axis=0) - np.roll(p, _TANGENT, axis=0) for p in points]
    tangent = np.concatenate([*along, np.zeros((0, 2))])
    normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    return np.concatenate([*points, np.zeros((0, 2))]), normal / np.maximum(np.linalg.norm(normal, axis=1), 1e-9)[
        :, None
    ]


def _border(shape: tuple[int, ...]) -> Bool[np.ndarray, "H W"]:
    out = np.ones(shape, bool)
    out[1:-1, 1:-1] = False
    return out
