"""A camera that turns or zooms: exact homographies of a larger picture taken from the same place.

**Convention:** rotations are those of the moving camera in the frame of the still one; px, rad.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hoiset.builder.studio.stage import Stage

MARGIN = 0.18
"""How much larger the picture is on either side, as a share of its width and height."""


@dataclass(frozen=True)
class CameraPath:
    """What a camera without a tripod does.

    Attributes:
        turn_rad: (T, 3) rotation vectors: tilt, pan, roll.
        zoom: (T,) factor on the focal length, at least 1.
    """

    turn_rad: Float[np.ndarray, "T 3"]
    zoom: Float[np.ndarray, "T"]


def slow_pan(stage: Stage, time: Float[np.ndarray, "T"], rng: np.random.Generator) -> CameraPath:
    """A steady pan by a tenth to a quarter of the image's width."""
    reach = np.arctan(rng.uniform(0.05, 0.125) * stage.width / stage.K[0, 0]) * rng.choice([-1.0, 1.0])
    turn = np.zeros((len(time), 3))
    turn[:, 1] = np.linspace(-reach, reach, len(time))
    turn[:, 0] = np.linspace(0.0, reach * rng.uniform(-0.25, 0.25), len(time))
    return CameraPath(turn, np.ones(len(time)))


def shake(stage: Stage, time: Float[np.ndarray, "T"], rng: np.random.Generator) -> CameraPath:
    """A camera held in the hand: drift and tremor of some hundredths of the image."""
    view = 0.5 * min(stage.height, stage.width) / stage.K[0, 0]
    turn = np.zeros((len(time), 3))
    for hz_low, hz_high, size in ((0.2, 0.6, 0.06), (0.8, 2.0, 0.025), (3.0, 6.0, 0.008)):
        hz, phase = rng.uniform(hz_low, hz_high, 3), rng.uniform(0.0, 2.0 * np.pi, 3)
        turn += view * size * rng.uniform(0.7, 1.3) * np.sin(2.0 * np.pi * time[:, None] * hz + phase)
    turn[:, 2] *= 0.5
    return CameraPath(turn, np.ones(len(time)))


def zoom(stage: Stage, time: Float[np.ndarray, "T"], rng: np.random.Generator) -> CameraPath:  # noqa: ARG001
    """A zoom by a fifth to a half, in or out."""
    factors = np.linspace(1.0, rng.uniform(1.2, 1.5), len(time))
    return CameraPath(np.zeros((len(time), 3)), factors if rng.random() < 0.5 else factors[::-1].copy())


def widened(stage: Stage) -> Stage:
    """The same camera with a larger sensor."""
    right, down = round(MARGIN * stage.width), round(MARGIN * stage.height)
    K = stage.K.copy()
    K[:2, 2] += [right, down]
    return replace(stage, K=K, width=stage.width + 2 * right, height=stage.height + 2 * down)


def homography(stage: Stage, path: CameraPath, frame: int) -> Float[np.ndarray, "3 3"]:
    """Maps pixels of the moving camera's image to those of the still, widened one."""
    K = stage.K.copy()
    K[[0, 1], [0, 1]] *= path.zoom[frame]
    return widened(stage).K @ Rotation.from_rotvec(path.turn_rad[frame]).as_matrix() @ np.linalg.inv(K)


def moved(stage: Stage, path: CameraPath, frame: int, wide: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "H W 3"]:
    """What the moving camera sees of the widened picture."""
    return cv2.warpPerspective(
        wide.astype(np.float32),
        homography(stage, path, frame),
        (stage.width, stage.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
