from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.retarget.arms import ArmParams, fit_arms
from hoiset.builder.retarget.collision import CollisionParams, Collisions
from hoiset.builder.retarget.mjspec import build_spec, set_positions
from hoiset.builder.retarget.reach import joined
from hoiset.builder.retarget.robot import Robot, load_robot

mujoco = pytest.importorskip("mujoco")
ROBOTS = ("g1", "fr3_dual", "robonaut2", "xlerobot")
ROW = np.zeros(1, np.int64)


def at_random(robot: Robot, n: int, spread: float = 0.6) -> np.ndarray:
    reach = joined(robot, (0, 1))
    q = reach.home + np.random.default_rng(0).normal(0, spread, (n, len(reach.home)))
    return np.clip(q, reach.lower, reach.upper)


@pytest.mark.parametrize("name", ROBOTS)
def test_slopes_are_those_of_the_cost(name: str) -> None:
    robot = load_robot(name)
    table = np.array([*robot.up, 0.1])
    collisions = Collisions(robot, joined(robot, (0, 1)), table, CollisionParams(margin_m=0.03))

    def cost(q: np.ndarray) -> np.ndarray:
        return collisions(q[None], ROW)[0][0]

    pushed = 0
    for q in at_random(robot, 12):
        value, g, H = collisions(q[None, None], ROW)
        steps = 1e-6 * np.eye(len(q))
        numeric = (cost(q + steps) - cost(q - steps)) / 2e-6
        np.testing.assert_allclose(g[0, 0], numeric, atol=1e-4 * (1 + np.abs(numeric).max()))
        assert np.linalg.eigvalsh(H[0, 0]).min() > -1e-6 * (1 + np.abs(H).max())
        pushed += value[0, 0] > 0
    assert pushed > 0


@pytest.mark.parametrize("name", ROBOTS)
def test_capsules_are_as_far_apart_as_mujoco_says(name: str) -> None:
    robot = load_robot(name)
    reach = joined(robot, (0, 1))
    collisions = Collisions(robot, reach, params=CollisionParams(margin_m=0.5))
    model = build_spec(robot).compile()
    data = mujoco.MjData(model)
    round_shapes = {place: shape for place, shape in enumerate(robot.shapes) if shape.kind in ("capsule", "sphere")}
    geoms = {
        place: int(model.body(shape.link).geomadr[0])
        + [each for each in robot.shapes if each.link == shape.link].index(shape)
        for place, shape in round_shapes.items()
    }
    kept = [place for place, shape in enumerate(robot.shapes) if shape.collides and shape.link in collisions._links]
    for q in at_random(robot, 5, 0.8):
        full = np.array(robot.home)
        full[reach.dofs] = q
        set_positions(model, data, robot, full)
        mujoco.mj_forward(model, data)
        shapes = collisions._forward(q[None])[:, collisions._place[collisions._of]]
        ends = np.einsum("nsab,seb->nsea", shapes[..., :3, :3], collisions._ends) + shapes[..., None, :3, 3]
        found = np.sort(collisions._round_contacts(ends, 0.3)[1])
        distances = [
            mujoco.mj_geomDistance(model, data, geoms[kept[a]], geoms[kept[b]], 1.0, None) for a, b in collisions._round
        ]
        expected = np.sort([d for d in distances if d < 0.3])
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert len(expected)


def test_nothing_touches_at_home_and_fingers_are_left_out() -> None:
    for name in ROBOTS:
        robot = load_robot(name)
        reach = joined(robot, (0, 1))
        collisions = Collisions(robot, reach)
        assert collisions.pairs > 50
        assert collisions.depth(reach.home) == 0
        assert not any("thumb" in link or "finger" in link for link in collisions._links)


def crossed(robot: Robot, n: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Hands at the same place in the middle of a movement."""
    reach = joined(robot, (0, 1))
    targets = np.tile(reach.tools(reach.home), (n, 1, 1, 1))
    middle = targets[:, :, :3, 3].mean(1, keepdims=True)
    share = np.sin(np.linspace(0, np.pi, n))[:, None, None]
    targets[:, :, :3, 3] += share * (middle - targets[:, :, :3, 3]) + share * 0.05 * np.array(robot.forward)
    return targets, np.arange(n) / 10


def test_hands_that_meet_keep_off_each_other_and_say_what_it_costs() -> None:
    robot = load_robot("fr3_dual")
    targets, time = crossed(robot)
    fit = fit_arms(robot, targets, time, ArmParams(further_starts=0))
    through = fit_arms(robot, targets, time, ArmParams(further_starts=0, collision=None))
    reach = joined(robot, (0, 1))
    deep = Collisions(robot, reach).depth(through.q[:, reach.dofs]).max()
    assert deep > 0.04
    report = fit.report["collision"]
    assert report["depth_m"] < deep / 3
    assert fit.depth.max() == report["depth_m"]
    assert report["cost_m"] > 0.001
    gained = fit.residual[..., 0].mean() - through.residual[..., 0].mean()
    assert report["cost_m"] == pytest.approx(gained, rel=0.5)
    assert np.isnan(through.depth).all()


def test_a_table_holds_the_arms_up() -> None:
    robot = load_robot("fr3_dual")
    reach = joined(robot, (0, 1))
    targets = np.tile(reach.tools(reach.home), (10, 1, 1, 1))
    targets[:, :, 2, 3] = 0.05
    table = np.array([0.0, 0.0, 1.0, 0.2])
    params = ArmParams(further_starts=0)
    free, held = (fit_arms(robot, targets, np.arange(10) / 10, params, table=t) for t in (None, table))
    collisions = Collisions(robot, reach, table)
    assert collisions.depth(free.q[:, reach.dofs]).min() > 0.05
    assert held.depth.max() < collisions.depth(free.q[:, reach.dofs]).min() / 3
    assert held.residual[..., 0].mean() > free.residual[..., 0].mean()
