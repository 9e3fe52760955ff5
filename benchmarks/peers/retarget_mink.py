# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["mink==1.3.0", "mujoco>=4,<5", "numpy>=2,<3", "qpsolvers[daqp]"]
# ///
"""mink: every frame a few steps of a differential QP from the last one's positions, with limits of position and speed.

``python retarget_mink.py FOLDER`` reads what ``benchmarks/retarget.py`` wrote; the last line is JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import mink
import mujoco
import numpy as np

STEPS = 3
"""Steps a frame at most; it stops earlier within tolerance."""
TOLERANCE_M, TOLERANCE_RAD = 0.01, np.deg2rad(3.0)

folder = Path(sys.argv[1])
about = json.loads((folder / "about.json").read_text())
data = np.load(folder / "targets.npz")
model = mujoco.MjModel.from_xml_path(str(folder / "robot.xml"))
place = [model.joint(name).qposadr[0] for name in about["joints"]]
home = np.zeros(model.nq)
home[place] = about["home"]
tasks = [mink.FrameTask(arm["site"], "site", position_cost=1.0, orientation_cost=0.2) for arm in about["arms"]]
posture = mink.PostureTask(model, cost=1e-3)
speeds = {name: v for name, v in zip(about["joints"], about["velocity"], strict=True) if v is not None}
limits = [mink.ConfigurationLimit(model)]
converged = wanted = 0
jump = speed = 0.0
began = time.perf_counter()
for rows in np.split(np.arange(len(data["time"])), np.cumsum(data["lengths"])[:-1]):
    clock, targets = data["time"][rows], data["targets"][rows]
    configuration = mink.Configuration(model, q=home)
    posture.set_target(home)
    last = None
    for t in range(len(rows)):
        active = [i for i, arm in enumerate(about["arms"]) if np.isfinite(targets[t, arm["side"]]).all()]
        goals = {i: mink.SE3.from_matrix(targets[t, about["arms"][i]["side"]]) for i in active}
        for i in active:
            tasks[i].set_target(goals[i])
        dt = max(clock[t] - clock[t - 1], 1e-3) if t else 1.0
        # the very first frame may take its time: a robot begins where it is to begin
        for _ in range(STEPS if t else 100):
            bounds = limits if not t else [*limits, mink.VelocityLimit(model, speeds)]
            velocity = mink.solve_ik(
                configuration, [*(tasks[i] for i in active), posture], dt / STEPS, "daqp", damping=1e-6, limits=bounds
            )
            configuration.integrate_inplace(velocity, dt / STEPS)
            error = [tasks[i].compute_error(configuration) for i in active]
            if all(np.linalg.norm(e[:3]) < 1e-3 and np.linalg.norm(e[3:]) < 5e-3 for e in error):
                break
        wanted += len(active)
        converged += sum(
            bool(np.linalg.norm(e[:3]) <= TOLERANCE_M and np.linalg.norm(e[3:]) <= TOLERANCE_RAD) for e in error
        )
        now = configuration.q[place].copy()
        if last is not None:
            jump = max(jump, float(np.abs(now - last).max()))
            shares = [abs(a - b) / dt / v for a, b, v in zip(now, last, about["velocity"], strict=True) if v]
            speed = max(speed, *shares)
        last = now
seconds = time.perf_counter() - began
print(
    json.dumps(
        {
            "frames_per_s": round(len(data["time"]) / seconds),
            "converged": round(converged / wanted, 4),
            "worst_jump_rad": round(jump, 3),
            "worst_speed_share": round(speed, 2),
        }
    )
)
