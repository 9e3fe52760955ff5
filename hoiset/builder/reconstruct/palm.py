"""How a palm is turned: its outline in the image against what the detector says of it.

A detector's 3D joints are learned, and lean towards palms that face the camera: a hand that reaches away is made flat,
too far and too small. The palm is nearly rigid, so that five of its joints in the image fix its pose but for a tilt's
sign (perspective-n-point). Both speak: of the rotations that fit the image, and those between them and the detector's,
the most probable one is taken under Huber noise of the joints and a heavy-tailed (Student) error of the detector, over
time by dynamic programming (Viterbi, IEEE Trans. Inf. Theory 1967).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from hoiset.builder.params import Params
from hoiset.geometry import angle_between, wrist_frame

PALM = (0, 5, 9, 13, 17)
_BRACES = ((0, 5), (0, 9), (0, 13), (0, 17), (5, 9), (9, 13), (13, 17), (5, 17))
_LENGTHS = (4, 8, 12, 16, 20, 21, 22, 23)
"""Where the lengths of :data:`_BRACES` stand among those of :func:`hoiset.builder.reconstruct.lifting.link_lengths`."""
_STARTS = 8
_BETWEEN = (0.33, 0.66)


class PalmParams(Params):
    """Noise of what speaks for a palm's rotation.

    Attributes:
        sigma_2d: Of the observed joints, as a share of the hand's size in the image.
        huber: Residual, in standard deviations, from which a joint counts less.
        sigma_detector_deg: Scale of the detector's error of rotation.
        tail: The smaller, the less a rotation is punished for being far from the detector's.
        sigma_turn_deg_per_s: Scale of how fast palms turn.
        max_turn_deg_per_s: Beyond this no palm turns in manipulation (20 rad/s).
        sigma_beyond_deg: Scale of turns beyond it.
        start_tilt_deg: Tilts away from the detector's rotation from which fits are started.
        iterations: Gauss-Newton steps of each.
    """

    sigma_2d: float = 0.03
    huber: float = 2.0
    sigma_detector_deg: float = 20.0
    tail: float = 1.5
    sigma_turn_deg_per_s: float = 200.0
    max_turn_deg_per_s: float = 1146.0
    sigma_beyond_deg: float = 10.0
    start_tilt_deg: float = 50.0
    iterations: int = 15


def palm_shape(lengths_m: Float[np.ndarray, "24"], *, left: bool) -> Float[np.ndarray, "5 3"]:
    """Wrist and knuckles of a flat palm in its wrist frame, m: the plane figure that best has the given lengths."""
    wanted = lengths_m[list(_LENGTHS)]
    guess = np.array([[0.27, 0.95], [0.0, 1.0], [-0.24, 0.93], [-0.42, 0.8]]) * wanted[1]

    def off(v: np.ndarray) -> np.ndarray:
        place = dict(zip(PALM, [np.zeros(2), *v.reshape(4, 2)], strict=True))
        errors = [np.linalg.norm(place[a] - place[b]) for a, b in _BRACES] - wanted
        return np.append(errors, v[2])  # the middle knuckle lies on y

    flat = least_squares(off, guess.ravel()).x.reshape(4, 2)
    out = np.zeros((5, 3))
    out[1:, :2] = flat * ((-1.0, 1.0) if left else (1.0, 1.0))
    return out


def turn_palms(
    rays: Float[np.ndarray, "T 21 2"],
    model: Float[np.ndarray, "T 21 3"],
    lengths_m: Float[np.ndarray, "24"],
    time: Float[np.ndarray, "T"],
    params: PalmParams,
    *,
    left: bool,
) -> Float[np.ndarray, "T 21 3"]:
    """Turn a detector's 3D joints, fingers and all, so that the palm is how image and detector together have it.

    Args:
        rays: Observed joints, (x, y) at depth 1.
        model: The detector's joints in the camera's axes, any origin.
        lengths_m: Of the links.
        time: s, increasing.
        params: See :class:`PalmParams`.
        left: Which hand it is.

    Returns:
        The joints, turned about the wrist, which is at the origin.
    """
    told = wrist_frame(model, left=left)[:, :3, :3]
    shape = palm_shape(lengths_m, left=left)
    seen, sigma = rays[:, list(PALM)], params.sigma_2d * np.ptp(rays, axis=1).max(-1)
    rotations = _candidates(seen, sigma, shape, told, params)
    cost = np.stack([_image_cost(seen, sigma, shape, R, params.huber) for R in rotations])
    away = np.degrees(angle_between(rotations, told[None])) / params.sigma_detector_deg
    cost += params.tail * np.log1p(away**2 / (2.0 * params.tail))
    best = _smoothest(rotations, cost, time, params)
    turn = rotations[best, np.arange(len(best))] @ told.transpose(0, 2, 1)
    return (model - model[:, :1]) @ turn.transpose(0, 2, 1)


def _candidates(
    seen: np.ndarray, sigma: np.ndarray, shape: np.ndarray, told: np.ndarray, params: PalmParams
) -> Float[np.ndarray, "C T 3 3"]:
    """The detector's rotations, fits to the image from several starts, and rotations between the two."""
    around = np.arange(_STARTS) * (2.0 * np.pi / _STARTS)
    tilts = np.radians(params.start_tilt_deg) * np.stack([np.cos(around), np.sin(around), np.zeros(_STARTS)], -1)
    starts = [np.eye(3), *Rotation.from_rotvec(tilts).as_matrix()]
    fits = np.stack([_fit(seen, sigma, shape, start @ told, params) for start in starts])
    turn = Rotation.from_matrix((fits @ told.transpose(0, 2, 1)).reshape(-1, 3, 3)).as_rotvec()
    between = [Rotation.from_rotvec(s * turn).as_matrix().reshape(fits.shape) @ told for s in _BETWEEN]
    return np.concatenate([told[None], fits, *between])


def _fit(
    seen: np.ndarray, sigma: np.ndarray, shape: np.ndarray, R: np.ndarray, params: PalmParams
) -> Float[np.ndarray, "T 3 3"]:
    """Gauss-Newton on rotation and translation with Huber weights: the nearest minimum of the image's cost."""
    t = translation_onto_rays(seen, _posed(R, shape))
    for _ in range(params.iterations):
        Y = _posed(R, shape)
        X = Y + t[:, None]
        z = np.maximum(X[..., 2:], 0.03)
        r = X[..., :2] / z - seen
        distance = np.linalg.norm(r, axis=-1) / sigma[:, None]
        weight = np.minimum(1.0, params.huber / np.maximum(distance, 1e-9)) / sigma[:, None] ** 2
        project = np.zeros((*z.shape[:2], 2, 3))
        project[..., 0, 0] = project[..., 1, 1] = 1.0 / z[..., 0]
        project[..., :, 2] = -X[..., :2] / z**2
        J = np.concatenate([-project @ _cross(Y), project], axis=-1)
        A = np.einsum("tkai,tk,tkaj->tij", J, weight, J)
        A[:, range(6), range(6)] *= 1.001
        step = -np.linalg.solve(A + 1e-6 * np.eye(6), np.einsum("tkai,tk,tka->ti", J, weight, r)[..., None])[..., 0]
        angle = np.linalg.norm(step[:, :3], axis=1, keepdims=True)
        R = Rotation.from_rotvec(step[:, :3] * np.minimum(1.0, 0.5 / np.maximum(angle, 1e-9))).as_matrix() @ R
        t = t + step[:, 3:]
        t[:, 2] = np.maximum(t[:, 2], 0.1)
    return R


def _image_cost(
    seen: np.ndarray, sigma: np.ndarray, shape: np.ndarray, R: np.ndarray, huber: float
) -> Float[np.ndarray, "T"]:
    """Huber loss of the palm's joints at the translation that suits a rotation."""
    Y = _posed(R, shape)
    X = Y + translation_onto_rays(seen, Y)[:, None]
    r = np.linalg.norm(X[..., :2] / np.maximum(X[..., 2:], 0.03) - seen, axis=-1) / sigma[:, None]
    return np.where(r < huber, 0.5 * r**2, huber * (r - 0.5 * huber)).sum(1)


def _posed(R: np.ndarray, shape: np.ndarray) -> Float[np.ndarray, "T 5 3"]:
    return np.einsum("tij,kj->tki", R, shape)


def translation_onto_rays(
    rays: Float[np.ndarray, "T K 2"], points: Float[np.ndarray, "T K 3"]
) -> Float[np.ndarray, "T 3"]:
    """Least-squares translation of points, m, that lays them onto rays (x, y) at depth 1: linear in the translation."""
    n, k = rays.shape[:2]
    A, b = np.zeros((n, 2 * k, 3)), np.zeros((n, 2 * k))
    A[:, :k, 0] = A[:, k:, 1] = 1.0
    A[:, :k, 2], A[:, k:, 2] = -rays[..., 0], -rays[..., 1]
    b[:, :k], b[:, k:] = rays[..., 0] * points[..., 2] - points[..., 0], rays[..., 1] * points[..., 2] - points[..., 1]
    At = A.transpose(0, 2, 1)
    t = np.linalg.solve(At @ A + 1e-9 * np.eye(3), At @ b[..., None])[..., 0]
    t[:, 2] = np.clip(t[:, 2], 0.1, 10.0)
    return np.asarray(t)


def _cross(v: np.ndarray) -> Float[np.ndarray, "T K 3 3"]:
    """Matrices that take w to v x w."""
    out = np.zeros((*v.shape, 3))
    x, y, z = np.moveaxis(v, -1, 0)
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -z, y, -x
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = z, -y, x
    return out


def _smoothest(rotations: np.ndarray, cost: np.ndarray, time: np.ndarray, params: PalmParams) -> np.ndarray:
    """Index of the candidate of every frame: least cost along the way, turns between frames included."""
    n_candidates, T = cost.shape
    best, back = cost[:, 0].copy(), np.zeros((T, n_candidates), int)
    for t in range(1, T):
        step_s = max(time[t] - time[t - 1], 1e-3)
        turn_deg = np.degrees(angle_between(rotations[:, None, t], rotations[None, :, t - 1]))
        turn = turn_deg / (params.sigma_turn_deg_per_s * step_s)
        beyond = np.maximum(turn_deg - params.max_turn_deg_per_s * step_s, 0.0) / params.sigma_beyond_deg
        way = best[None] + params.tail * np.log1p(turn**2 / (2.0 * params.tail)) + 0.5 * beyond**2
        back[t] = way.argmin(1)
        best = way.min(1) + cost[:, t]
    path = np.zeros(T, int)
    path[-1] = int(best.argmin())
    for t in range(T - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path
