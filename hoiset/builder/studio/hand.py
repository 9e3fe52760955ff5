"""A hand with forearm: meshed once from a smooth union of bone capsules, then skinned frame by frame.

**Convention:** as in :mod:`hoiset.builder.studio.skeleton`: a right hand in its wrist frame, m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from hoiset.builder.studio.shapes import round_cone, smooth_min
from hoiset.builder.studio.skeleton import FOREARM, N_BONES, N_FINGERS, PALM, Skeleton, bone_poses, posed_joints
from hoiset.builder.studio.surface_nets import Mesh, mesh_from_sdf

FOREARM_LENGTH_M = 0.50
_RADII = np.array(
    [
        [0.0135, 0.0112, 0.0102],
        [0.0098, 0.0086, 0.0076],
        [0.0100, 0.0089, 0.0078],
        [0.0095, 0.0084, 0.0075],
        [0.0083, 0.0074, 0.0066],
    ]
)
_CARPALS = np.array([[0.0150, 0.008, 0.0], [0.0050, 0.008, -0.001], [-0.0060, 0.008, 0.0], [-0.0165, 0.008, 0.002]])


@dataclass(frozen=True)
class Hand:
    """A skinned hand.

    Attributes:
        skeleton: Rest joints and axes.
        mesh: Rest mesh, hand and forearm in one closed surface.
        weights: (V, 17) skinning weights, rows sum to 1.
        normals: (V, 3) rest normals.
        is_sleeve: (V,) whether the vertex is cloth.
    """

    skeleton: Skeleton
    mesh: Mesh
    weights: Float[np.ndarray, "V 17"]
    normals: Float[np.ndarray, "V 3"]
    is_sleeve: np.ndarray

    @property
    def faces(self) -> Int[np.ndarray, "F 3"]:
        """Triangles of the mesh."""
        return self.mesh.faces

    def pose(
        self, angles: Float[np.ndarray, "5 4"], R_wrist_forearm: Float[np.ndarray, "3 3"] | None = None
    ) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, "21 3"]]:
        """Skinned vertices and joints in the wrist frame, m.

        Args:
            angles: rad, see :func:`hoiset.builder.studio.skeleton.finger_poses`.
            R_wrist_forearm: Rotation of the forearm about the wrist.
        """
        bones = bone_poses(self.skeleton, angles, R_wrist_forearm)
        blended = (self.weights @ bones[:, :3, :].reshape(N_BONES, 12)).reshape(-1, 3, 4)
        vertices = np.einsum("vab,vb->va", blended[:, :, :3], self.mesh.vertices) + blended[:, :, 3]
        return vertices, posed_joints(self.skeleton, bones)

    def thinned(self, step: int) -> Hand:
        """A hand of every ``step``-th vertex and no faces, for collision checks."""
        mesh = Mesh(self.mesh.vertices[::step], np.empty((0, 3), np.int64))
        return Hand(self.skeleton, mesh, self.weights[::step], self.normals[::step], self.is_sleeve[::step])

    def bone_vertices(self, bone: int, limit: int) -> Float[np.ndarray, "N 3"]:
        """Rest vertices that follow one bone (weight above 0.7), at most ``limit``, evenly picked."""
        at = np.flatnonzero(self.weights[:, bone] > 0.7)
        return self.mesh.vertices[at[np.linspace(0, len(at) - 1, min(limit, len(at))).astype(int)]]


class HandShape:
    """The signed distance function of a right hand at rest.

    Args:
        skeleton: Bones.
        girth: Factor on the fingers' radii.
        sleeve_start_m: Distance behind the wrist at which a sleeve begins; ``None`` = bare forearm.
    """

    def __init__(self, skeleton: Skeleton, girth: float = 1.0, sleeve_start_m: float | None = None) -> None:
        self.skeleton = skeleton
        self.scale = float(skeleton.joints[9, 1] / 0.095)
        self.girth = girth * self.scale
        self.sleeve_start_m = sleeve_start_m
        self.chains = skeleton.bone_ends()

    def finger(self, p: Float[np.ndarray, "*B 3"], f: int) -> Float[np.ndarray, "*B"]:
        """Distance to one finger without its metacarpal."""
        chain, radii = self.chains[f], _RADII[f] * self.girth
        ends = [*radii, self.skeleton.tip_radius_m[f]]
        first = 1 if f == 0 else 0
        out = round_cone(p, chain[first], chain[first + 1], ends[first], ends[first + 1])
        for k in range(first + 1, 3):
            out = smooth_min(out, round_cone(p, chain[k], chain[k + 1], ends[k], ends[k + 1]), 0.003)
        for k in range(first, 3):  # joints are a little thicker than shafts
            bulge = np.linalg.norm(p - chain[k], axis=-1) - ends[k] * 1.01
            out = smooth_min(out, bulge, 0.005)
        return out

    def thenar(self, p: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B"]:
        """Distance to the thumb's metacarpal and its muscles."""
        s, base, knuckle = self.scale, self.chains[0][0], self.chains[0][1]
        bone = round_cone(p, base, knuckle, 0.0155 * s, 0.0120 * s)
        muscle = round_cone(p, np.array([0.012, 0.022, 0.011]) * s, knuckle * 0.92, 0.0150 * s, 0.0100 * s)
        return smooth_min(bone, muscle, 0.012)

    def palm(self, p: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B"]:
        """Distance to the palm with the webs between the fingers."""
        s = self.scale
        out = np.full(p.shape[:-1], np.inf)
        for f in range(1, 5):
            knuckle = self.chains[f][0] + np.array([0.0, -0.004, 0.0015]) * s
            ray = round_cone(p, _CARPALS[f - 1] * s, knuckle, 0.0150 * s, (0.0118, 0.0122, 0.0116, 0.0108)[f - 1] * s)
            out = ray if f == 1 else smooth_min(out, ray, 0.014)
        for f in range(1, 4):
            a, b = self.chains[f], self.chains[f + 1]
            web = (a[0] + b[0]) / 2 + (a[1] - a[0] + b[1] - b[0]) * 0.16 + np.array([0.0, 0.0, 0.002]) * s
            out = smooth_min(out, np.linalg.norm(p - web, axis=-1) - 0.0062 * s, 0.010)
        little_side = round_cone(
            p, np.array([-0.019, 0.014, 0.007]) * s, np.array([-0.036, 0.062, 0.004]) * s, 0.0140 * s, 0.0115 * s
        )
        return smooth_min(out, little_side, 0.012)

    def forearm(self, p: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B"]:
        """Distance to the forearm, sleeve included."""
        s = self.scale
        flat = p * np.array([1.0, 1.0, 1.42])
        near = round_cone(
            flat, np.array([0.0, 0.010, 0.0]) * s, np.array([0.0, -0.05, 0.0]) * s, 0.0262 * s, 0.0275 * s
        )
        mid = np.array([0.0, -0.20, 0.0]) * s
        arm = smooth_min(near, round_cone(flat, np.array([0.0, -0.05, 0.0]) * s, mid, 0.0275 * s, 0.0415 * s), 0.02)
        end = np.array([0.0, -FOREARM_LENGTH_M + 0.06, 0.0])
        arm = smooth_min(arm, round_cone(flat, mid, end, 0.0415 * s, 0.047 * s), 0.02) / 1.2
        if self.sleeve_start_m is None:
            return arm
        wrinkle = 0.0008 * np.sin(p[..., 1] * 150.0 + 3.0 * np.sin(p[..., 0] * 60.0 + p[..., 2] * 45.0))
        edge = -self.sleeve_start_m - p[..., 1]
        cloth = np.maximum(arm - 0.0075 - wrinkle, -edge)
        return np.minimum(arm, cloth)

    def __call__(self, p: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B"]:
        """Distance to the whole hand, m."""
        arm = self.forearm(p)
        near = p[..., 1] > -0.075 * self.scale
        if near.all():
            return self._with_hand(p, arm)
        arm[near] = self._with_hand(p[near], arm[near])
        return arm

    def _with_hand(self, p: Float[np.ndarray, "*B 3"], arm: Float[np.ndarray, "*B"]) -> Float[np.ndarray, "*B"]:
        """The forearm's distance blended with everything before it."""
        out = smooth_min(self.palm(p), self.thenar(p), 0.016 * self.scale)
        fingers = self.finger(p, 1)
        for f in range(2, N_FINGERS):
            fingers = smooth_min(fingers, self.finger(p, f), 0.0015)
        out = smooth_min(out, fingers, 0.007 * self.scale)
        out = smooth_min(out, self.finger(p, 0), 0.006 * self.scale)
        return smooth_min(out, arm, 0.018 * self.scale)


def build_hand(
    skeleton: Skeleton, *, girth: float = 1.0, sleeve_start_m: float | None = None, spacing_m: float = 0.0022
) -> Hand:
    """Mesh and rig a right hand.

    Args:
        skeleton: Bones, :func:`hoiset.builder.studio.skeleton.adult_skeleton`.
        girth: Factor on the fingers' radii.
        sleeve_start_m: Distance behind the wrist at which a sleeve begins; ``None`` = bare forearm.
        spacing_m: Grid spacing on the hand; the forearm's is coarser.
    """
    shape = HandShape(skeleton, girth, sleeve_start_m)
    s = shape.scale
    x = np.arange(-0.085 * s, 0.105 * s, spacing_m)
    z = np.arange(-0.058 * s, 0.075 * s, spacing_m)
    arm = np.arange(-FOREARM_LENGTH_M - 0.02, -0.135, 4 * spacing_m), np.arange(-0.135, -0.055, 2 * spacing_m)
    y = np.concatenate([*arm, np.arange(-0.055, 0.225 * s, spacing_m)])
    mesh = mesh_from_sdf(shape, (x, y, z))
    sleeve = np.zeros(len(mesh.vertices), bool)
    if sleeve_start_m is not None:
        sleeve = mesh.vertices[:, 1] < -sleeve_start_m + 1e-3
    return Hand(skeleton, mesh, skin_weights(shape, mesh), mesh.normals(), sleeve)


def _smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def skin_weights(shape: HandShape, mesh: Mesh) -> Float[np.ndarray, "V 17"]:
    """Smooth linear-blend skinning weights: across each joint along the finger, and between neighbours by distance."""
    v, sk = mesh.vertices, shape.skeleton
    out = np.zeros((len(v), N_BONES))
    distances = np.stack([shape.finger(v, f) for f in range(N_FINGERS)], -1)
    thenar = np.minimum(shape.thenar(v), distances[:, 0])
    rest = np.minimum(shape.palm(v), distances[:, 1:].min(-1))
    sharp = np.exp(-np.maximum(distances[:, 1:], 0.0) / 0.0012)
    member = sharp / np.maximum(sharp.sum(-1, keepdims=True), 1e-30)
    thumb = _smoothstep(rest - thenar, -0.006, 0.007)
    thumb *= _smoothstep((v - sk.joints[1]) @ _direction(sk, 0, 0), -0.012, 0.012)
    forearm = _smoothstep(-v[:, 1], -0.006, 0.022)
    carried = np.zeros(len(v))
    for f in range(N_FINGERS):
        radii = _RADII[f] * shape.girth
        if f == 0:
            share = thumb
        else:
            along = (v - sk.joints[1 + 4 * f]) @ _direction(sk, f, 0)
            share = (1.0 - thumb) * member[:, f - 1] * _smoothstep(along, -0.008, 0.010)
        share = share * (1.0 - forearm)
        carried += share
        for k in range(3):
            step = np.ones(len(v))
            if k < 2:
                bend = _direction(sk, f, k) + _direction(sk, f, k + 1)
                ahead = (v - sk.joints[2 + 4 * f + k]) @ (bend / np.linalg.norm(bend))
                step = 1.0 - _smoothstep(ahead, -0.8 * radii[k + 1], 0.8 * radii[k + 1])
            out[:, 1 + 3 * f + k] = share * step
            share = share * (1.0 - step)
    out[:, FOREARM] = forearm
    out[:, PALM] = np.maximum(0.0, 1.0 - forearm - carried)
    return _smoothed(out, mesh.faces, 2)


def _direction(skeleton: Skeleton, finger: int, bone: int) -> np.ndarray:
    if bone == 2:
        return np.cross(skeleton.pads[finger], skeleton.bend_axes[finger])
    d = skeleton.joints[2 + 4 * finger + bone] - skeleton.joints[1 + 4 * finger + bone]
    return d / np.linalg.norm(d)


def _smoothed(weights: np.ndarray, faces: np.ndarray, rounds: int) -> np.ndarray:
    """Average weights over mesh neighbours and normalise rows."""
    n = len(weights)
    rows, cols = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, cols)), shape=(n, n)).tocsr()
    graph = ((graph + graph.T) > 0).astype(float) + sparse.identity(n)
    graph = sparse.diags(1.0 / np.asarray(graph.sum(1)).ravel()) @ graph
    for _ in range(rounds):
        weights = graph @ weights
    return weights / weights.sum(-1, keepdims=True)
