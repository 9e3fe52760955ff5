"""Draws frames of a mujoco scene without a display; a process of its own, for what draws is chosen at import.

``python -m hoiset.view.robot_renderer FOLDER`` reads ``scene.xml`` and ``frames.npz`` of a folder and writes RGB of the
frames to stdout. With ``--probe`` it draws one empty picture and writes how much that is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

_EMPTY = "<mujoco><visual><quality offsamples='0'/></visual><worldbody/></mujoco>"
HAND_RGBA = ((0.26, 0.53, 0.96, 1.0), (0.96, 0.62, 0.26, 1.0))
"""Left, right."""


def main(argument: str) -> None:
    """Draw a folder's frames, or probe."""
    import mujoco

    if argument == "--probe":
        model = mujoco.MjModel.from_xml_string(
            "<mujoco><visual><quality offsamples='0'/></visual><worldbody/></mujoco>"
        )
        renderer = mujoco.Renderer(model, 16, 16)
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        renderer.update_scene(data)
        sys.stdout.buffer.write(b"drew %d" % renderer.render().size)
        sys.stdout.buffer.flush()
        renderer.close()
        return
    folder = Path(argument)
    model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
    with np.load(folder / "frames.npz", allow_pickle=False) as archive:
        frames = {name: archive[name] for name in archive.files}
    height, width = frames["size"].tolist()
    data = mujoco.MjData(model)
    renderer = mujoco.Renderer(model, height, width)
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
    for t in range(len(frames["qpos"])):
        data.qpos[:] = frames["qpos"][t]
        data.mocap_pos[:], data.mocap_quat[:] = frames["mocap_pos"][t], frames["mocap_quat"][t]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        renderer.update_scene(data, camera="camera")
        _add_capsules(mujoco, renderer.scene, frames["capsules"][t])
        sys.stdout.buffer.write(renderer.render().tobytes())
    sys.stdout.buffer.flush()
    renderer.close()


def _add_capsules(mujoco: Any, scene: Any, capsules: np.ndarray) -> None:
    """Rows of hand, radius and the two ends of a capsule; NaN for none."""
    for row in capsules[np.isfinite(capsules).all(1)]:
        if scene.ngeom >= scene.maxgeom:
            return
        geom = scene.geoms[scene.ngeom]
        rgba = np.array(HAND_RGBA[int(row[0])], np.float32)
        mujoco.mjv_initGeom(geom, mujoco.mjtGeom.mjGEOM_CAPSULE, np.zeros(3), np.zeros(3), np.eye(3).ravel(), rgba)
        mujoco.mjv_connector(geom, mujoco.mjtGeom.mjGEOM_CAPSULE, row[1], row[2:5], row[5:8])
        scene.ngeom += 1


if __name__ == "__main__":
    main(sys.argv[1])
