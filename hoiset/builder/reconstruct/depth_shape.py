"""Closed metric meshes of things that stand on a plane, from one depth map.

What is seen in front of a thing's surface is free, and so is what is below the plane. Of the rest, what lies under a
point of the surface belongs to the thing; what lies behind a round thing does as far as turning it about its axis says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.ndimage as ndi
from jaxtyping import Float, UInt8
from scipy.spatial import cKDTree

from hoiset.builder.reconstruct.round_shape import Round, fit_round
from hoiset.builder.reconstruct.shape import Mesh
from hoiset.builder.reconstruct.support import Standing, transform_inverse
from hoiset.builder.studio.surface_nets import mesh_of_values
from hoiset.geometry import make_T, project, transform, unproject

SOURCE = "depth_on_plane"
ROUND_SOURCE = "depth_on_plane_round"

Field = Callable[[Float[np.ndarray, "*B 3"]], Float[np.ndarray, "*B"]]

_FACES = 5000
_LEAST_STEP_M = 0.0012
_OFF_ROUND_M = 0.006
_OFF_ROUND_SHARE = 0.004


def solid_on_plane(
    standing: Standing,
    image: UInt8[np.ndarray, "H W 3"],
    K: Float[np.ndarray, "3 3"],
    T_camera_plane: Float[np.ndarray, "4 4"],
) -> tuple[Mesh, Float[np.ndarray, "4 4"]] | None:
    """The mesh of a thing that stands on a plane, and its ``T_camera_object``.

    Args:
        standing: What is seen of it.
        image: Picture for the colours.
        K: Intrinsics.
        T_camera_plane: Of :func:`hoiset.builder.reconstruct.support.support_under`.

    Returns:
        Mesh with z along the plane's normal, centred on its box; ``None`` where nothing of it rises above the plane.
    """
    view = _View.of(standing, K, T_camera_plane)
    points = view.points[view.points[:, 2] > 0.0]
    if len(points) < 20:
        return None
    turned = fit_round(points, view.free)
    low, high = points.min(0), points.max(0)
    if turned is not None:
        reach = np.append(turned.centre + turned.radius_m, high[2]), np.append(turned.centre - turned.radius_m, 0.0)
        low, high = np.minimum(low, reach[1]), np.maximum(high, reach[0])
    axes = _axes(low, high)
    body = _body(points, turned, view)

    def field(places: np.ndarray) -> np.ndarray:
        return np.maximum(np.maximum(view.free(places), -places[..., 2]), body(places))

    values = field(np.stack(np.meshgrid(*axes, indexing="ij"), -1))
    if not (values < 0).any():
        return None
    vertices, faces = mesh_of_values(_largest(values), axes)
    vertices = _onto_surface(vertices, field, 0.4 * min(float(a[1] - a[0]) for a in axes))
    middle = (vertices.min(0) + vertices.max(0)) / 2
    T_camera_object = T_camera_plane @ make_T(np.eye(3), middle)
    colours = _colours(vertices, view, image)
    name = SOURCE if turned is None else ROUND_SOURCE
    return Mesh(vertices - middle, faces, colours, name), T_camera_object


def _body(points: np.ndarray, turned: Round | None, view: _View) -> Field:
    """What can belong to the thing though it is hidden: negative inside."""
    if turned is None:
        return _columns(points, view.spacing_m)
    beside = turned.value(view.points)
    off = (beside > _OFF_ROUND_M) & (view.points[:, 2] > 0.0)
    if off.mean() <= _OFF_ROUND_SHARE:
        return turned.value
    # Thin walls and handles are lost on the way around; handles stand out of the body, and reach to it.
    to_off, _ = cKDTree(view.points[off]).query(view.points, distance_upper_bound=2.0 * _OFF_ROUND_M)
    lost = (beside > 0.2 * _OFF_ROUND_M) & np.isfinite(to_off)
    parts: list[Field] = [turned.value, _columns(view.points[lost], view.spacing_m)]
    handle = lost & (np.linalg.norm(view.points[:, :2] - turned.centre, axis=1) > turned.body_radius_m)
    if handle.mean() > _OFF_ROUND_SHARE:
        parts.append(_balls(view, handle))
    return lambda places: np.minimum.reduce([part(places) for part in parts])


def _balls(view: _View, part: np.ndarray) -> Field:
    """As thick behind the surface as the part is wide in the image: exact for what is round about its own axis."""
    mask = np.zeros_like(view.mask)
    mask[view.pixels[part, 1], view.pixels[part, 0]] = True
    inside = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    ridge = (inside >= ndi.maximum_filter(inside, size=3)) & mask
    nearest = ndi.distance_transform_edt(~ridge, return_distances=False, return_indices=True)
    x, y = view.pixels[part].T
    width = inside[nearest[0][y, x], nearest[1][y, x]]
    middle = view.T_camera_plane[:3, 3] @ view.T_camera_plane[:3, :3]
    rays = view.points[part] + middle
    distance = np.linalg.norm(rays, axis=1, keepdims=True)
    radius = width * distance[:, 0] / (0.5 * (view.K[0, 0] + view.K[1, 1]))
    # On the ridge the surface is a radius in front of the middle, at the outline not at all.
    depth = np.sqrt(np.maximum(radius**2 - (radius * (1.0 - inside[y, x] / np.maximum(width, 1e-6))) ** 2, 0.0))
    centres = view.points[part] + rays / distance * depth[:, None]
    tree, k = cKDTree(centres), min(8, len(centres))

    def value(places: np.ndarray) -> np.ndarray:
        gap, at = (a.reshape(*places.shape[:-1], k) for a in tree.query(places, k=k))
        return np.asarray((gap - radius[at]).min(-1))

    return value


def _columns(points: np.ndarray, spacing_m: float) -> Field:
    """Everything under the highest point of the surface in each place."""
    # Half a pixel beyond the last points is 0.8 pixels from the mean of the nearest six; between points it is less.
    reach, tree, k = 0.8 * spacing_m, cKDTree(points[:, :2]), min(6, len(points))

    def value(places: np.ndarray) -> np.ndarray:
        distance, at = (a.reshape(*places.shape[:-1], k) for a in tree.query(places[..., :2], k=k))
        near = distance <= np.maximum(1.1 * spacing_m, distance[..., :1])
        top = np.where(near, points[at, 2], -np.inf).max(-1)
        away = np.linalg.norm(points[at, :2].mean(-2) - places[..., :2], axis=-1)
        return np.maximum(away - reach, places[..., 2] - np.maximum(top, 1e-4))

    return value


def _onto_surface(vertices: np.ndarray, field: Field, most_m: float) -> Float[np.ndarray, "V 3"]:
    """One Newton step onto the zero level: a grid rounds edges off."""
    h = 0.25 * most_m
    slope = np.stack([(field(vertices + d) - field(vertices - d)) / (2 * h) for d in h * np.eye(3)], -1)
    step = -(field(vertices) / np.maximum((slope * slope).sum(-1), 0.25))[:, None] * slope
    length = np.linalg.norm(step, axis=-1, keepdims=True)
    out = vertices + step * np.minimum(1.0, most_m / np.maximum(length, 1e-12))
    out[:, 2] = np.maximum(out[:, 2], 0.0)
    return out


def _axes(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grid around a box that stands on z = 0, as fine as the number of faces allows, finer where it is thin."""
    size = np.maximum(high - np.append(low[:2], 0.0), 0.004)
    area = 2.0 * (size[0] * size[1] + size[1] * size[2] + size[2] * size[0])
    step = np.clip(size / 8.0, _LEAST_STEP_M, np.sqrt(2.0 * area / _FACES))
    flat = [np.arange(low[i] - 2.3 * step[i], high[i] + 2.5 * step[i], step[i]) for i in (0, 1)]
    return flat[0], flat[1], np.arange(-1.6 * step[2], high[2] + 2.5 * step[2], step[2])


def _largest(values: np.ndarray) -> np.ndarray:
    """Values of the largest piece alone, without a cavity and without edges that four faces would share."""
    least = 1e-6
    inside = values < 0
    inside[[0, -1]] = inside[:, [0, -1]] = inside[:, :, [0, -1]] = False
    label, count = ndi.label(inside)
    if count > 1:
        inside = label == 1 + int(np.argmax(ndi.sum_labels(inside, label, np.arange(1, count + 1))))
    outside, count = ndi.label(~inside)
    inside = outside != outside[0, 0, 0]
    inside = _fill_pinches(inside)
    return np.where(inside, np.minimum(values, -least), np.maximum(values, least))


def _fill_pinches(inside: np.ndarray) -> np.ndarray:
    """Fill cells until none meet along an edge alone."""
    out = inside.copy()
    while True:
        found = False
        for axis in range(3):
            m = np.moveaxis(out, axis, 2)
            a, b, c, d = m[:-1, :-1], m[:-1, 1:], m[1:, 1:], m[1:, :-1]
            falling, rising = a & c & ~b & ~d, b & d & ~a & ~c
            if (falling | rising).any():
                found = True
                b |= falling
                a |= rising
        if not found:
            return out


@dataclass(frozen=True)
class _View:
    """What the camera says of places in the frame of the plane."""

    K: np.ndarray
    T_camera_plane: np.ndarray
    mask: np.ndarray
    outside_px: np.ndarray
    surface_m: np.ndarray
    beyond_m: np.ndarray
    points: np.ndarray
    pixels: np.ndarray
    spacing_m: float

    @classmethod
    def of(cls, standing: Standing, K: np.ndarray, T_camera_plane: np.ndarray) -> _View:
        mask = standing.mask
        outside = ndi.distance_transform_edt(~mask) - ndi.distance_transform_edt(mask)
        nearest = ndi.distance_transform_edt(~mask, return_distances=False, return_indices=True)
        surface = standing.depth_m[tuple(nearest)]
        y, x = np.nonzero(mask)
        pixels = np.column_stack([x, y])
        points = unproject(K, pixels.astype(float), standing.depth_m[mask])
        slope = abs(float(T_camera_plane[:3, 2] @ points.mean(0))) / float(np.linalg.norm(points.mean(0)))
        spacing = float(np.median(points[:, 2])) / (0.5 * (K[0, 0] + K[1, 1])) / max(slope, 0.2)
        beyond = np.where(np.isfinite(standing.beyond_m), standing.beyond_m, -np.inf)
        inside = transform_inverse(T_camera_plane, points)
        return cls(K, T_camera_plane, mask, outside, surface, beyond, inside, pixels, spacing)

    def free(self, places: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B"]:
        """How far a place is in front of what is seen there, m; negative where it is hidden."""
        shape = places.shape[:-1]
        at = transform(self.T_camera_plane, places.reshape(-1, 3))
        pixels = project(self.K, at).astype(np.float32)
        z = at[:, 2]
        outside = _look_up(self.outside_px, pixels, cv2.INTER_LINEAR) * z / (0.5 * (self.K[0, 0] + self.K[1, 1]))
        surface = _look_up(self.surface_m, pixels, cv2.INTER_LINEAR)
        beyond = _look_up(self.beyond_m, pixels, cv2.INTER_NEAREST)
        hidden = (outside > 0) & ~(beyond > z)
        values = np.maximum(outside, surface - z)
        return np.where(hidden, -outside, values).reshape(shape)


def _look_up(image: np.ndarray, pixels: np.ndarray, how: int) -> np.ndarray:
    """Values of an image at many places; cv2 takes no more than 32767 rows at once."""
    width = 4096
    fill = -len(pixels) % width
    where = np.concatenate([pixels, np.zeros((fill, 2), np.float32)]).reshape(-1, width, 2)
    out = [
        cv2.remap(image.astype(np.float32), part[..., 0], part[..., 1], how, borderMode=cv2.BORDER_REPLICATE)
        for part in np.array_split(where, max(1, len(where) // 8192))
    ]
    return np.concatenate(out).reshape(-1)[: len(pixels)].astype(float)


def _colours(vertices: np.ndarray, view: _View, image: np.ndarray) -> UInt8[np.ndarray, "V 3"]:
    """Of the nearest point of the surface that is seen."""
    _, at = cKDTree(view.points).query(vertices)
    x, y = view.pixels[at].T
    return image[y, x]
