"""Ways to take hold of a thing: which part of it, with the hand shaped how, and what the fingers must touch.

**Convention:** object frame, m.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.body import Body, Pinches
from hoiset.builder.studio.forms import Hold
from hoiset.builder.studio.grasp import Touch
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.performance import MIRROR
from hoiset.builder.studio.wrists import Posture, Site, Taker, pressing, wrapping

POWER = Touch((2.0, 1.2, 1.2, 0.7, 0.3), opposed=True)
PRECISION = Touch((2.0, 1.5, 1.0, 0.1, 0.1), opposed=True)
_SPAN_M = 0.096
_WRAP_RADIUS_M = 0.046
_RING_M = 0.010


@dataclass(frozen=True)
class Grip:
    """One way to take hold of a thing.

    Attributes:
        name: ``power``, ``pinch``, ``rim`` or ``press``.
        site: Where.
        posture: Draws how the hand is shaped.
        touch: What the fingers must do.
    """

    name: str
    site: Site
    posture: Callable[[np.random.Generator], Posture]
    touch: Touch

    def mirrored(self) -> Grip:
        """The same on the thing's mirror image in x, as a left hand's mirror image takes it."""
        push = None if self.touch.push is None else self.touch.push * MIRROR
        return replace(self, site=self.site.mirrored(), touch=replace(self.touch, push=push))

    def towards(self, about: Float[np.ndarray, "2"], side: Float[np.ndarray, "2"], least: float = 0.8) -> Grip | None:
        """Only the places on one side of a point of the plane; ``None`` where there are none."""
        away = self.site.point[:, :2] - about
        away = away / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9)
        keep = away @ side > least
        if not keep.any():
            return None
        site = replace(self.site, point=self.site.point[keep], axis=self.site.axis[keep], width=self.site.width[keep])
        return replace(self, site=site)


def anywhere(body: Body, taker: Taker, reach: float = 0.8, reach_z: tuple[float, float] = (-1.0, 0.3)) -> list[Grip]:
    """Pinches of any opposed surfaces that are within a factor ``reach`` of what the hand spans."""
    pinches = body.pinches(_SPAN_M * taker.scale * reach)
    return _pinch("pinch", pinches, reach_z, taker)


def grips(prop: Prop, body: Body, taker: Taker) -> list[Grip]:
    """Ways in which a hand of this size can hold a thing, for each of its parts; empty where it spans none."""
    out = []
    pinches = body.pinches(_SPAN_M * taker.scale)
    for hold in prop.holds:
        if hold.name in ("rim", "edge"):
            out += _rim(hold, prop, pinches, taker)
        elif hold.name == "knob":
            out += _pinch("pinch", _near(hold, pinches), (-1.0, -0.55), taker)
        elif abs(hold.axis[2]) < 0.7:
            out += _lying(hold, pinches, taker)
        else:
            out += _upright(hold, prop, pinches, taker)
    if prop.kind == "mug" and prop.opening is not None:
        at = prop.opening.centre - np.array([prop.opening.radius_m + 0.003, 0.0, 0.006])
        out += _rim(Hold("rim", at, np.array([0.0, 1.0, 0.0]), 0.003, 0.03), prop, pinches, taker)
    return out


def press(
    body: Body, taker: Taker, direction: Float[np.ndarray, "3"], reach_z: tuple[float, float], low: float, high: float
) -> Grip | None:
    """Fingers side by side against the side of a thing from which it is pushed in ``direction``.

    Args:
        body: The thing.
        taker: Whose hand.
        direction: (3,) unit.
        reach_z: Least and greatest z of the direction of the fingers.
        low: Least height above the thing's foot as a share of its own.
        high: Greatest.
    """
    share = body.surface[:, 2] / body.extent_m[2] + 0.5
    facing = -(body.normals @ direction)
    across = np.cross(direction, [0.0, 0.0, 1.0] if abs(direction[2]) < 0.7 else [1.0, 0.0, 0.0])
    off = np.abs(body.surface @ (across / np.linalg.norm(across)))
    at = (share >= low) & (share <= high) & (facing > 0.85) & (off < 0.3 * body.extent_m[:2].min())
    if not at.any():
        return None
    point = body.surface[at]
    site = Site(point, np.tile(direction, (len(point), 1)), np.zeros(len(point)), reach_z)
    touch = Touch((0.1, 1.4, 1.4, 1.0, 0.4), opposed=False, push=direction)
    return Grip("press", site, lambda rng: pressing(taker, rng), touch)


def _rim(hold: Hold, prop: Prop, pinches: Pinches, taker: Taker) -> list[Grip]:
    """Across a wall: all round where the thing is round, else where the part is."""
    if prop.opening is None:
        return _pinch("rim", _near(hold, pinches), (-0.8, 0.2), taker)
    centre = prop.opening.centre[:2]
    radial = np.linalg.norm(pinches.point[:, :2] - centre, axis=-1) - np.linalg.norm(hold.centre[:2] - centre)
    high = pinches.point[:, 2] - hold.centre[2]
    keep = (np.abs(radial) < _RING_M) & (high > -0.014) & (pinches.width < 0.012)
    return _pinch("rim", pinches.where(keep), (-1.0, -0.25) if hold.name == "rim" else (-0.8, 0.15), taker)


def _lying(hold: Hold, pinches: Pinches, taker: Taker) -> list[Grip]:
    out = _pinch("pinch", _near(hold, pinches, level=True), (-1.0, -0.5), taker)
    if hold.centre[2] > 0.0 and hold.radius_m > 0.008:  # high enough for fingers to close below it
        out.insert(0, _wrap(hold, (-1.0, -0.4), taker, either=True))
    return out


def _upright(hold: Hold, prop: Prop, pinches: Pinches, taker: Taker) -> list[Grip]:
    out = []
    near = _near(hold, pinches)
    slim = hold.radius_m < _WRAP_RADIUS_M * taker.scale
    if slim and hold.name == "body" and prop.kind not in ("ball", "box", "lid"):
        out.append(_wrap(hold, (-0.55, 0.2), taker))
    if prop.kind in ("ball", "box", "can", "lid", "jar"):
        reach_z = (-1.0, -0.15) if prop.kind == "box" else (-1.0, -0.6)
        out += _pinch("pinch", near.where(near.width > hold.radius_m), reach_z, taker)
    return out


def _wrap(hold: Hold, reach_z: tuple[float, float], taker: Taker, either: bool = False) -> Grip:
    along = np.linspace(-0.2, 0.22, 6)[:, None] * hold.length_m * hold.axis
    site = Site(hold.centre + along, np.tile(hold.axis, (6, 1)), np.full(6, hold.radius_m), reach_z, either)
    return Grip("power", site, lambda rng: wrapping(taker, np.array([hold.radius_m]), rng), POWER)


def _pinch(name: str, pinches: Pinches, reach_z: tuple[float, float], taker: Taker) -> list[Grip]:
    if len(pinches.point) == 0:
        return []
    site = Site(pinches.point, pinches.axis, pinches.width, reach_z, either=True)
    return [Grip(name, site, lambda _: taker.pinching, PRECISION)]


def _near(hold: Hold, pinches: Pinches, level: bool = False) -> Pinches:
    """Pairs across a part, and about its middle."""
    away = pinches.point - hold.centre
    along = away @ hold.axis
    off = np.linalg.norm(away - along[:, None] * hold.axis, axis=-1)
    keep = (np.abs(along) < hold.length_m / 2) & (off < max(0.006, 0.45 * hold.radius_m))
    keep &= np.abs(pinches.axis @ hold.axis) < 0.35
    keep &= pinches.width < 2.6 * hold.radius_m + 0.004
    if level:
        keep &= np.abs(pinches.axis[:, 2]) < 0.5
    return pinches.where(keep)
