"""What every action plans with: hand, camera, things, and the search for a script without faults.

**Convention:** world frame of :mod:`hoiset.builder.studio.stage`; m, rad, s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.actions.faults import Feelers, faults
from hoiset.builder.studio.actions.script import Arm, Script, arm_of
from hoiset.builder.studio.body import Body, body_of
from hoiset.builder.studio.grasp import Grasp
from hoiset.builder.studio.grips import Grip
from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.outlook import Outlook, View
from hoiset.builder.studio.performance import MIRROR
from hoiset.builder.studio.skeleton import rotation
from hoiset.builder.studio.stage import Stage
from hoiset.builder.studio.wrists import Judge, Place, Taker
from hoiset.geometry import make_T

GOOD_COST = 30.0
Candidate = tuple[float, Script]
"""What the grasps cost, mm, and the script."""


@dataclass(frozen=True)
class Scene:
    """A hand, a camera and the things that are handled.

    Attributes:
        taker: Finds grasps.
        light: The hand thinned, for paths.
        feelers: Points on it, for collisions.
        view: What the camera sees.
        props: The handled things.
        bodies: How hands and things meet them.
        time: (T,) s.
        duration_s: Over which the phases are spread.
        rng: Source of everything.
    """

    taker: Taker
    light: Hand
    feelers: Feelers
    view: View
    props: tuple[Prop, ...]
    bodies: tuple[Body, ...]
    time: Float[np.ndarray, "T"]
    duration_s: float
    rng: np.random.Generator

    @classmethod
    def of(cls, hand: Hand, stage: Stage, props: tuple[Prop, ...], time: np.ndarray, rng: np.random.Generator) -> Scene:
        """Measure hand and things."""
        taker = Taker(hand)
        duration_s = float(time[-1]) * len(time) / max(1, len(time) - 1)
        bodies = tuple(body_of(prop) for prop in props)
        return cls(taker, hand.thinned(9), Feelers.of(hand), View.of(stage), props, bodies, time, duration_s, rng)

    def from_share(self, share: float) -> Scene:
        """The same, of which the clip shows only what comes after a share of the action."""
        return replace(self, time=share * self.duration_s + self.time * (1.0 - share))

    def spot(
        self, clear: float = 0.0, near: np.ndarray | None = None, low: float = 0.0, high: float = 9.0
    ) -> np.ndarray:
        """A place on the table, well in view; within ``low`` to ``high`` m of ``near``."""
        spots = self.view.spots(self.rng, 200)
        if near is not None:
            gap = np.linalg.norm(spots - near, axis=-1)
            off = np.maximum(low - gap, gap - high)
            order = np.argsort(np.maximum(off, 0.0), kind="stable")
            spots = spots[order[: max(1, int((off <= 0).sum()))]]
        if len(spots) == 0:
            return np.zeros(3)
        if clear > 0.0:
            ring = clear * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1.5]])
            fits = self.view.within(spots[:, None] + ring, 0.03).mean(-1)
            spots = spots[fits >= fits.max() - 1e-9]
        return spots[int(self.rng.integers(len(spots)))]

    def shoulder(self, about: np.ndarray, left: bool = False) -> Float[np.ndarray, "3"]:
        """Where an arm comes from that works about a place: in front of the table, a little to its own side."""
        side = np.deg2rad(self.rng.uniform(8.0, 40.0) if left else self.rng.uniform(-15.0, 70.0))
        away = 1.5 * np.array([np.sin(side), -np.cos(side), 0.0]) + [0.0, 0.0, self.rng.uniform(0.35, 0.65)]
        return about * (MIRROR if left else 1.0) + away

    def outlook(self, at: np.ndarray, shoulder: np.ndarray, left: bool = False) -> Outlook:
        """What is seen of a thing whose foot is at ``at`` (of the mirror image for a left hand)."""
        camera = self.view.camera * (MIRROR if left else 1.0)
        away = at - shoulder
        return Outlook(float(np.arctan2(away[1], away[0])), shoulder - at, camera - at)

    def grasps(
        self,
        thing: int,
        grip: Grip,
        outlook: Outlook,
        *,
        left: bool = False,
        yaw: float | None = None,
        lift_m: float = 0.0,
        judge: Judge | None = None,
        n: int = 2,
    ) -> list[tuple[Grasp, Place]]:
        """Grasps of a thing over the outlook's origin, best first; for a left hand ``yaw`` is of the mirror image."""
        body = self.bodies[thing]
        if left:
            body, grip = body.mirrored(), grip.mirrored()
        posture = grip.posture(self.rng)
        places = self.taker.survey(body, grip.site, posture, outlook, self.rng, yaw=yaw, lift_m=lift_m, judge=judge)
        return self.taker.take(body, grip.touch, places, n)

    def pick(self, options: list[Grip]) -> Grip:
        """One of the ways to hold a thing; the first is the usual one."""
        if len(options) == 1 or self.rng.random() < 0.55:
            return options[0]
        return options[int(self.rng.integers(len(options)))]

    def standing(self, thing: int, at: np.ndarray, yaw: float) -> Float[np.ndarray, "4 4"]:
        """A thing on the table."""
        R = rotation(np.array([0.0, 0.0, 1.0]), np.array(yaw))
        return make_T(R, at + np.array([0.0, 0.0, self.props[thing].extent_m[2] / 2]))

    def arms(self, script: Script) -> list[Arm]:
        """Every hand of a script over time."""
        return [arm_of(h, script.paths[h.thing], self.light, self.view, self.time) for h in script.holds]

    def cost(self, script: Script) -> float:
        """What is wrong with a script."""
        return faults(self.taker.hand, self.feelers, self.view, list(self.bodies), script, self.arms(script), self.time)

    def best(self, candidates: Iterator[Candidate], enough: float = GOOD_COST, limit: int = 7) -> tuple[float, Script]:
        """The candidate with the least cost, or the first that is good; with its cost."""
        best: Candidate | None = None
        for k, (grasping, script) in enumerate(candidates):
            cost = grasping + self.cost(script)
            if best is None or cost < best[0]:
                best = (cost, script)
            if best[0] < enough or k + 1 >= limit:
                break
        if best is None:
            raise ValueError("found no candidate: expected a thing that the hand can hold; cast another one")
        return best


def yaw_of(T: Float[np.ndarray, "4 4"]) -> float:
    """Heading of a standing thing."""
    return float(np.arctan2(T[1, 0], T[0, 0]))
