"""Things that only stand there: out of everyone's way, in view, and not in front of what matters.

**Convention:** world frame of :mod:`hoiset.builder.studio.stage`; m.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.actions.planning import Scene
from hoiset.builder.studio.actions.script import Arm, Script
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.skeleton import rotation
from hoiset.geometry import make_T, project, transform

_GAP_M = 0.018
_TRIES = 160
_COVER_SHARE = 0.15


def place_bystanders(
    scene: Scene, script: Script, arms: list[Arm], props: Sequence[Prop]
) -> list[tuple[Prop, Float[np.ndarray, "4 4"]]]:
    """Where bystanders stand; those for which there is no room in view are left out.

    Args:
        scene: Hand, camera and handled things.
        script: What happens.
        arms: The hands over time.
        props: The bystanders.
    """
    busy = _busy(scene, script, arms)
    shown = [_box(scene, points) for points in _handled(scene, script)]
    out: list[tuple[Prop, np.ndarray]] = []
    for prop in props:
        T = _room(scene, prop, busy, shown)
        if T is None:
            continue
        out.append((prop, T))
        corners = transform(T, prop.mesh.vertices[:: max(1, len(prop.mesh.vertices) // 150)])
        busy = np.concatenate([busy, corners])
        shown.append(_box(scene, corners))
    return out


def _room(scene: Scene, prop: Prop, busy: np.ndarray, shown: list[np.ndarray]) -> np.ndarray | None:
    surface = prop.mesh.vertices[:: max(1, len(prop.mesh.vertices) // 150)]
    radius = float(np.linalg.norm(surface[:, :2], axis=-1).max())
    low = busy[busy[:, 2] < prop.extent_m[2] + _GAP_M, :2]
    for at in scene.view.spots(scene.rng, _TRIES):
        yaw = scene.rng.uniform(-np.pi, np.pi)
        away = np.linalg.norm(low - at[:2], axis=-1)
        if len(low) and away.min() < radius + _GAP_M:
            continue
        R = rotation(np.array([0.0, 0.0, 1.0]), np.array(yaw))
        T = make_T(R, at + np.array([0.0, 0.0, prop.extent_m[2] / 2]))
        world = transform(T, surface)
        if world[:, 1].max() > scene.view.wall_y_m - 0.01 or scene.view.outside(world, 0.01) > 0.05:
            continue
        box = _box(scene, world)
        if all(_covered(other, box) < _COVER_SHARE and _covered(box, other) < 0.5 for other in shown):
            return T
    return None


def _busy(scene: Scene, script: Script, arms: list[Arm]) -> Float[np.ndarray, "N 3"]:
    """Points that hands and handled things pass through."""
    frames = np.unique(np.linspace(0, len(scene.time) - 1, 40).astype(int))
    parts = [scene.feelers.posed(scene.taker.hand, arm, frames)[0][:, ::2].reshape(-1, 3) for arm in arms]
    for path, body in zip(script.paths, scene.bodies, strict=True):
        parts.append(transform(path(scene.time[frames]), body.surface[::4]).reshape(-1, 3))
    return np.concatenate(parts) if parts else np.zeros((0, 3))


def _handled(scene: Scene, script: Script) -> list[np.ndarray]:
    """World points of the handled things at the beginning, half-way and at the end."""
    at = scene.time[[0, len(scene.time) // 2, -1]]
    out = []
    for path, body in zip(script.paths, scene.bodies, strict=True):
        out += list(transform(path(at), body.surface))
    return out


def _box(scene: Scene, points: np.ndarray) -> Float[np.ndarray, "4"]:
    """Left, top, right, bottom in the image, px."""
    T = scene.view.T_camera_world
    uv = project(scene.view.K, points @ T[:3, :3].T + T[:3, 3])
    return np.concatenate([np.nanmin(uv, 0), np.nanmax(uv, 0)])


def _covered(a: np.ndarray, b: np.ndarray) -> float:
    """Share of box a that box b covers."""
    size = np.maximum(0.0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]))
    return float(size.prod() / max(1e-9, float((a[2:] - a[:2]).prod())))
