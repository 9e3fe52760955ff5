# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["pytorch-kinematics==0.10.0", "torch>=2.6,<3", "mujoco>=3.2,<4", "numpy>=2,<3", "scipy",
#                 "arm-pytorch-utilities", "pytorch-seed", "matplotlib"]
# ///
"""pytorch-kinematics: every arm by itself, all frames of a clip in one batch from the home pose.

``python retarget_pytorch_kinematics.py FOLDER`` reads what ``benchmarks/retarget.py`` wrote; the last line is JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytorch_kinematics as pk
import torch

ITERATIONS, DAMPING = 30, 1e-9
TOLERANCE_M, TOLERANCE_RAD = 0.01, np.deg2rad(3.0)

folder = Path(sys.argv[1])
about = json.loads((folder / "about.json").read_text())
data = np.load(folder / "targets.npz")
text = (folder / "robot.urdf").read_bytes()
home = dict(zip(about["joints"], about["home"], strict=True))
velocity = dict(zip(about["joints"], about["velocity"], strict=True))
torch.set_default_dtype(torch.float64)
converged = wanted = 0
jump = speed = seconds = 0.0
for arm in about["arms"]:
    chain = pk.build_serial_chain_from_urdf(text, arm["site"], root_link_name=about["root"]).to(dtype=torch.float64)
    names = chain.get_joint_parameter_names()
    q0 = torch.tensor([[home[name] for name in names]])
    limits = torch.tensor(np.array(chain.get_joint_limits())).T
    ik = pk.PseudoInverseIK(
        chain,
        max_iterations=ITERATIONS,
        retry_configs=q0,
        joint_limits=limits,
        pos_tolerance=1e-3,
        rot_tolerance=5e-3,
        regularlization=DAMPING,
        early_stopping_any_converged=False,
        lr=1.0,
    )
    for rows in np.split(np.arange(len(data["time"])), np.cumsum(data["lengths"])[:-1]):
        T = data["targets"][rows, arm["side"]]
        seen = np.isfinite(T).all((1, 2))
        if not seen.any():
            continue
        goal = torch.tensor(T[seen])
        began = time.perf_counter()
        q = ik.solve(pk.Transform3d(matrix=goal)).solutions[:, 0]
        seconds += time.perf_counter() - began
        found = chain.forward_kinematics(q).get_matrix()
        distance = (found[:, :3, 3] - goal[:, :3, 3]).norm(dim=1).numpy()
        R = (found[:, :3, :3].transpose(1, 2) @ goal[:, :3, :3]).diagonal(dim1=1, dim2=2).sum(1)
        angle = torch.arccos(((R - 1) / 2).clamp(-1, 1)).numpy()
        converged += int(((distance <= TOLERANCE_M) & (angle <= TOLERANCE_RAD)).sum())
        wanted += int(seen.sum())
        path, clock = q.detach().numpy(), data["time"][rows][seen]
        if len(path) > 1:
            steps = np.abs(np.diff(path, axis=0))
            jump = max(jump, float(steps.max()))
            limit = np.array([velocity[name] or np.inf for name in names])
            speed = max(speed, float((steps / np.diff(clock)[:, None] / limit).max()))
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
