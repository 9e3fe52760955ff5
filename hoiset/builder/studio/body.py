"""What a hand feels of a thing: its distance field, its surface, and where it can be taken hold of.

**Convention:** object frame, m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.distance_field import DistanceField
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.performance import MIRROR

_PROBES = 450
_PROBES_OF_PART = 70
_MARCH_M = 0.0015


@dataclass(frozen=True)
class Pinches:
    """Places where a thing fits between two opposed surfaces.

    Attributes:
        point: (N, 3) half-way between the surfaces.
        axis: (N, 3) unit, from one surface to the other.
        width: (N,) distance of the surfaces.
    """

    point: Float[np.ndarray, "N 3"]
    axis: Float[np.ndarray, "N 3"]
    width: Float[np.ndarray, "N"]

    def where(self, keep: np.ndarray) -> Pinches:
        """Those that are kept."""
        return Pinches(self.point[keep], self.axis[keep], self.width[keep])


@dataclass(frozen=True)
class Body:
    """A thing as hands and other things meet it.

    Attributes:
        kind: Its kind.
        field: Distance to it.
        surface: (N, 3) points spread over its surface.
        normals: (N, 3) outwards.
        extent_m: (3,) size of its bounding box, whose centre is the origin.
    """

    kind: str
    field: DistanceField
    surface: Float[np.ndarray, "N 3"]
    normals: Float[np.ndarray, "N 3"]
    extent_m: Float[np.ndarray, "3"]

    def mirrored(self) -> Body:
        """Its mirror image in x, which a left hand's mirror image takes hold of."""
        return Body(self.kind, self.field.mirrored(), self.surface * MIRROR, self.normals * MIRROR, self.extent_m)

    def pinches(self, widest_m: float) -> Pinches:
        """Opposed surface pairs no wider than a hand can span: rays from the surface inwards to where they come out."""
        depth = np.arange(1, int(widest_m / _MARCH_M) + 2) * _MARCH_M
        inside = self.field(self.surface[:, None] - self.normals[:, None] * depth[:, None])
        out = inside > 0.0
        first = np.where(out.any(1), out.argmax(1), 0)
        rows = np.arange(len(first))
        before = np.where(first > 0, inside[rows, first - 1], 0.0)
        after = inside[rows, first]
        width = depth[first] - _MARCH_M * after / np.maximum(after - before, 1e-9)
        far = self.surface - self.normals * width[:, None]
        opposed = (self.field.outward(far, 0.0015) * self.normals).sum(-1) < -0.8
        found = Pinches((self.surface + far) / 2, -self.normals, width)
        return found.where(out.any(1) & opposed & (first > 0) & (width <= widest_m))


def body_of(prop: Prop) -> Body:
    """Measure a thing; the grid is fine enough for walls of a few mm."""
    field = DistanceField(prop, margin_m=0.03, spacing_m=0.002)
    vertices, normals = prop.mesh.vertices, prop.mesh.normals()
    at = _evenly(np.arange(len(vertices)), _PROBES)
    for hold in prop.holds:  # small parts have probes too
        close = np.linalg.norm(vertices - hold.centre, axis=-1) < max(hold.length_m / 2, 1.4 * hold.radius_m)
        at = np.union1d(at, _evenly(np.flatnonzero(close), _PROBES_OF_PART))
    return Body(prop.kind, field, vertices[at], normals[at], prop.extent_m)


def _evenly(at: np.ndarray, limit: int) -> np.ndarray:
    """At most ``limit`` of some indices."""
    return at[np.linspace(0, len(at) - 1, min(limit, len(at))).astype(int)]
