"""A hand with our bone lengths that opens, closes and moves, and the detections that a detector would make of it."""

import numpy as np
from scipy.spatial.transform import Rotation

from hoiset.builder.reconstruct.lifting import HAND_LENGTH_M, link_lengths
from hoiset.builder.records import Camera, HandDetections
from hoiset.geometry import project

KNUCKLE_DEG = (48.0, 21.0, 6.0, -8.5, -23.0)


def hand(curl: float = 0.3, *, left: bool = False, hand_length_m: float = HAND_LENGTH_M) -> np.ndarray:
    """(21, 3) joints, m: wrist at the origin, fingers along -y, palm towards -z (the camera); curl in rad a joint."""
    lengths, out = link_lengths(hand_length_m), np.zeros((21, 3))
    for finger, degrees in enumerate(KNUCKLE_DEG):
        a = np.radians(degrees)
        along, bend = np.array([np.sin(a), -np.cos(a), 0.0]), 0.0
        at = np.zeros(3)
        for k in range(4):
            bend += curl if k else 0.05
            at = at + lengths[4 * finger + k] * (np.cos(bend) * along - np.sin(bend) * np.array([0.0, 0.0, 1.0]))
            out[4 * finger + 1 + k] = at
    # A right hand that shows its palm with the fingers up has its thumb at the right of the image.
    return out * [-1 if left else 1, 1, 1]


def place(joints: np.ndarray, at: np.ndarray, rotation_vector: np.ndarray) -> np.ndarray:
    """Turn about the wrist and move there."""
    return joints @ Rotation.from_rotvec(rotation_vector).as_matrix().T + at


def camera(focal: float = 576.0, width: int = 640, height: int = 360) -> Camera:
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    return Camera(K, width, height, "given", np.full(3, np.nan), "absent", "test")


def right_hand_path(n: int, seconds: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """(T,) times and (T, 21, 3) joints of a right hand that moves, turns and closes."""
    t = np.linspace(0, seconds, n)
    joints = [
        place(
            hand(0.3 + 0.25 * np.sin(1.5 * s)),
            np.array([0.12 * np.sin(1.2 * s), 0.05, 0.7 + 0.1 * np.sin(0.9 * s)]),
            np.array([-0.4 + 0.2 * np.sin(s), 0.4 * np.sin(0.8 * s), 0.3]),
        )
        for s in t
    ]
    return t, np.array(joints)


def seen_from_crop(joints: np.ndarray) -> np.ndarray:
    """(21, 3) joints about their middle, in the axes of a camera turned towards them."""
    towards = joints[[0, 5, 9, 13, 17]].mean(0)
    axis = np.cross([0.0, 0.0, 1.0], towards)
    angle = np.arctan2(np.linalg.norm(axis), towards[2])
    turn = Rotation.from_rotvec(axis / max(np.linalg.norm(axis), 1e-12) * angle)
    return turn.inv().apply(joints - joints.mean(0))


def detect(
    joints: list[np.ndarray], right: list[float], cam: Camera, *, noise_px: float = 0.0, seed: int = 0
) -> HandDetections:
    """Detections of hands given as (T, 21, 3) tracks with NaN where unseen, in a random slot order each frame."""
    rng = np.random.default_rng(seed)
    n_frames, n = len(joints[0]), len(joints)
    px, world = np.full((n_frames, n, 21, 2), np.nan), np.full((n_frames, n, 21, 3), np.nan)
    p, score = np.full((n_frames, n), 0.5), np.zeros((n_frames, n))
    for i in range(n_frames):
        for slot, k in enumerate(rng.permutation(n)):
            X = joints[k][i]
            if np.isnan(X).any():
                continue
            px[i, slot] = project(cam.K, X) + rng.normal(0, noise_px, (21, 2))
            # A detector sees a crop: its axes are those of a camera that looks at the hand, its scale is a guess.
            world[i, slot] = seen_from_crop(X) * rng.uniform(0.9, 1.1)
            p[i, slot], score[i, slot] = right[k], 0.97
    return HandDetections(px, world, p, score)
