"""How well the camera sees a grasp.

**Convention:** a world with the object's foot at its origin and z up; m and rad.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.studio.distance_field import DistanceField
from hoiset.builder.studio.skeleton import N_FINGERS, forearm_rotation
from hoiset.builder.studio.stage import Stage
from hoiset.geometry import invert, project, transform

_RAY_STEPS_M = np.concatenate([np.arange(0.020, 0.11, 0.014), np.arange(0.13, 0.5, 0.06)])
_JOINT_WORTH = np.array([2.0, 1, 2, 2, 2, 2, 1.5, 1, 1.5, 2, 1, 1, 1, 1.5, 1, 0.5, 0.5, 1.5, 1, 0.5, 0.5])


@dataclass(frozen=True)
class View:
    """A camera over a table.

    Attributes:
        K: (3, 3) px.
        size: (2,) width and height, px.
        T_camera_world: (4, 4); of a mirrored world it is no rotation.
        wall_y_m: Nothing stands behind the plane y = wall_y_m.
    """

    K: Float[np.ndarray, "3 3"]
    size: Float[np.ndarray, "2"]
    T_camera_world: Float[np.ndarray, "4 4"]
    wall_y_m: float

    @classmethod
    def of(cls, stage: Stage) -> View:
        """The camera of a stage."""
        return cls(stage.K, np.array([stage.width, stage.height], float), stage.T_camera_world, stage.wall_y_m)

    @property
    def camera(self) -> Float[np.ndarray, "3"]:
        """Where the camera is, world, m."""
        return np.linalg.solve(self.T_camera_world[:3, :3], -self.T_camera_world[:3, 3])

    def mirrored(self) -> View:
        """The same view of the world's mirror image in x."""
        flip = np.diag([-1.0, 1.0, 1.0, 1.0])
        return View(self.K, self.size, self.T_camera_world @ flip, self.wall_y_m)

    def within(self, points: Float[np.ndarray, "*B 3"], margin: float = 0.0) -> Bool[np.ndarray, "*B"]:
        """Which world points are inside the image shrunk by ``margin`` of its size."""
        uv = project(self.K, points @ self.T_camera_world[:3, :3].T + self.T_camera_world[:3, 3])
        return np.asarray(((uv >= margin * self.size) & (uv <= (1 - margin) * self.size - 1)).all(-1))

    def outside(self, points: Float[np.ndarray, "N 3"], margin: float = 0.0) -> float:
        """Share of world points outside the image shrunk by ``margin`` of its size."""
        return float(1.0 - self.within(points, margin).mean())

    def spots(self, rng: np.random.Generator, n: int, reach_m: float = 2.5) -> Float[np.ndarray, "N 3"]:
        """Points of the table in view, evenly over the image's middle; those too far off are left out."""
        uv = rng.uniform([0.16, 0.24], [0.84, 0.86], (n, 2)) * self.size
        ray = np.stack(
            [(uv[:, 0] - self.K[0, 2]) / self.K[0, 0], (uv[:, 1] - self.K[1, 2]) / self.K[1, 1], np.ones(n)], -1
        )
        ray = np.linalg.solve(self.T_camera_world[:3, :3], ray.T).T
        t = -self.camera[2] / np.minimum(ray[:, 2], -1e-6)
        p = self.camera + t[:, None] * ray
        p[:, 2] = 0.0
        return p[(np.linalg.norm(p - self.camera, axis=-1) < reach_m) & (p[:, 1] < self.wall_y_m - 0.14)]


@dataclass(frozen=True)
class Outlook:
    """Where the arm comes from and where the camera is, in a world with the object at its origin.

    Attributes:
        heading: Azimuth in which the arm points when it comes, rad.
        shoulder: (3,) m.
        camera: (3,) m.
    """

    heading: float
    shoulder: Float[np.ndarray, "3"]
    camera: Float[np.ndarray, "3"]

    def averted(self, T_world_wrist: Float[np.ndarray, "*B 4 4"]) -> Float[np.ndarray, "*B"]:
        """How far the back of the hand is turned away from the camera, and how much the fingers hang down; 0 = not."""
        to_camera = self.camera - T_world_wrist[..., :3, 3]
        facing = -(T_world_wrist[..., :3, 2] * to_camera).sum(-1) / np.linalg.norm(to_camera, axis=-1)
        edge_on = 1.0 - np.clip(facing * 1.5, 0.0, 1.0)
        return 0.9 * edge_on + 0.8 * np.maximum(0.0, -T_world_wrist[..., 2, 1] - 0.5)

    def hidden(
        self,
        joints: Float[np.ndarray, "21 3"],
        T_world_wrist: Float[np.ndarray, "4 4"],
        field: DistanceField,
        T_object_world: Float[np.ndarray, "4 4"],
        surface: Float[np.ndarray, "N 3"],
    ) -> float:
        """How badly the camera sees a grasp: 0 = everything, about 1 = nothing.

        Joints are weighed by worth; hand and arm are capsules.

        Args:
            joints: Joints in the wrist frame.
            T_world_wrist: Pose of the wrist.
            field: Distance to the object.
            T_object_world: Pose of the world in the object's frame.
            surface: Points on the object, object frame.
        """
        arm = forearm_rotation(T_world_wrist[None], self.shoulder)[0]
        camera = transform(invert(T_world_wrist), self.camera[None])[0]
        shape = _capsules(joints, arm)
        owners = np.array([-1, *np.repeat(np.arange(N_FINGERS), 4)])
        points = _towards(joints, camera)
        covered = _inside_capsules(points, shape, owners)
        covered |= (field(transform(T_object_world @ T_world_wrist, points)) < 0).any(-1)
        thing = transform(invert(T_object_world @ T_world_wrist), surface)
        lost = float(_inside_capsules(_towards(thing, camera), shape, np.full(len(thing), -1)).mean())
        hidden = float((covered * _JOINT_WORTH).sum() / _JOINT_WORTH.sum())
        return hidden + 1.3 * max(0.0, lost - 0.4)


def _towards(points: np.ndarray, camera: np.ndarray) -> Float[np.ndarray, "N S 3"]:
    """Samples on the way from each point to the camera."""
    back = camera - points
    back /= np.linalg.norm(back, axis=-1, keepdims=True)
    return points[:, None] + back[:, None] * _RAY_STEPS_M[:, None]


def _inside_capsules(
    points: np.ndarray, capsules: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], owners: np.ndarray
) -> Bool[np.ndarray, "N"]:
    """Whether any sample of (N, S, 3) lies in a capsule of another owner than its own."""
    a, b, radius, owner = capsules
    axis = b - a
    t = np.clip(((points[:, :, None] - a) * axis).sum(-1) / (axis * axis).sum(-1), 0.0, 1.0)
    distance = np.linalg.norm(points[:, :, None] - a - t[..., None] * axis, axis=-1)
    return ((distance < radius) & (owner != owners[:, None])[:, None]).any((1, 2))


def _capsules(joints: np.ndarray, arm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ends, radii and fingers (5 = palm, 6 = arm) of capsules that stand for the hand in the wrist frame."""
    chain = joints[1:].reshape(N_FINGERS, 4, 3)
    a = [*chain[:, :3].reshape(-1, 3), *np.repeat(joints[:1], 4, axis=0), joints[0] - arm[:, 1] * 0.03]
    b = [*chain[:, 1:].reshape(-1, 3), *joints[[5, 9, 13, 17]], joints[0] - arm[:, 1] * 0.35]
    radius = [*np.full(15, 0.008), *np.full(4, 0.011), 0.042]
    owner = [*np.repeat(np.arange(5), 3), 5, 5, 5, 5, 6]
    return np.array(a), np.array(b), np.array(radius), np.array(owner)
