"""Short takes of a hand and things on a table, drawn in two dimensions, with the truth of every frame.

Everything lies in planes parallel to the image, so that a thing at z-depth z is drawn ``FOCAL / z`` pixels a metre.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.scene import Scene, build_scene
from hoiset.builder.records import Camera, Hands
from hoiset.geometry import make_T, unproject, wrist_frame
from hoiset.shards.schema import HandSource

from .synthetic import hand, seen_from_crop

WIDTH, HEIGHT = 320, 180
FOCAL = 280.0
K = np.array([[FOCAL, 0, (WIDTH - 1) / 2], [0, FOCAL, (HEIGHT - 1) / 2], [0, 0, 1.0]])
DEPTH = 0.9
TAKEN_S, LEFT_S = 1.0, 1.8
"""When the hand begins to move the thing, and when it lets go."""

SKIN = np.array([208, 150, 122.0])
_PALM = (0, 1, 2, 5, 9, 13, 17)
_FINGERS = ((0, 1, 2, 3, 4), (0, 5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (0, 17, 18, 19, 20))
_LAYOUT = hand(0.0)[:, :2]

Place = tuple[float, float, float, float]
"""x px, y px, angle rad, z m."""


@dataclass(frozen=True)
class Thing:
    """A flat textured thing, ``size`` px at ``DEPTH``, and where it is at a time."""

    at: Callable[[float], Place]
    size: tuple[int, int] = (44, 56)
    round: bool = False
    seed: int = 1


@dataclass(frozen=True)
class Actor:
    """A hand: where its middle fingertip is at a time, or ``None``."""

    at: Callable[[float], Place | None]
    side: int = 1


@dataclass(frozen=True)
class Take:
    """Frames and what is true of them.

    Attributes:
        rgb: (T, H, W, 3) uint8.
        time: (T,) s.
        joints_2d: (T, 2, 21, 2) px, NaN where absent.
        joints: (T, 2, 21, 3) m.
        masks: (O, T, H, W) whole silhouettes, hidden parts included.
        poses: (O, T, 4, 4) of the things' middles.
        table: (H, W, 3) the background, without noise.
    """

    rgb: np.ndarray
    time: np.ndarray
    joints_2d: np.ndarray
    joints: np.ndarray
    masks: np.ndarray
    poses: np.ndarray
    table: np.ndarray

    @property
    def camera(self) -> Camera:
        return Camera(K, WIDTH, HEIGHT, "given", np.full(3, np.nan), "absent", "test")

    @property
    def hands(self) -> Hands:
        present = np.isfinite(self.joints).all((2, 3))
        wrist = np.stack([wrist_frame(self.joints[:, h], left=h == 0) for h in range(2)], axis=1)
        source = np.where(present, HandSource.OBSERVED, HandSource.ABSENT).astype(np.uint8)
        return Hands(self.joints, self.joints_2d, wrist, source, present.astype(float))

    @property
    def world(self) -> np.ndarray:
        """(T, 2, 21, 3) joints as a detector gives them: about their middle, in the axes of its crop."""
        out = np.full_like(self.joints, np.nan)
        for index in np.argwhere(np.isfinite(self.joints).all((2, 3))):
            out[tuple(index)] = seen_from_crop(self.joints[tuple(index)])
        return out

    def part(self, **changes: np.ndarray) -> Take:
        return replace(self, **changes)


def ease(t: float, start: float, end: float) -> float:
    """0 before, 1 after, smooth between."""
    s = float(np.clip((t - start) / (end - start), 0.0, 1.0))
    return s * s * (3 - 2 * s)


def carried(
    a: tuple[float, float] = (100, 70),
    b: tuple[float, float] = (205, 80),
    *,
    turn: float = 0.0,
    to_depth: float = DEPTH,
) -> Callable[[float], Place]:
    """From a to b between ``TAKEN_S`` and ``LEFT_S``, turned and taken to another depth on the way."""

    def at(t: float) -> Place:
        s = ease(t, TAKEN_S, LEFT_S)
        z = 1.0 / ((1 - s) / DEPTH + s / to_depth)
        return a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1]), s * turn, z

    return at


def resting(x: float, y: float, z: float = DEPTH) -> Callable[[float], Place]:
    return lambda t: (x, y, 0.0, z)


def reaching(
    thing: Callable[[float], Place],
    grip: tuple[float, float] = (0.0, 16.0),
    *,
    side: int = 1,
    depth: float | None = None,
) -> Actor:
    """Comes from the lower border, goes along with a thing, and leaves."""

    def at(t: float) -> Place | None:
        away = 1 - ease(t, 0.55, 0.92) + ease(t, LEFT_S + 0.1, 2.3)
        if away >= 1:
            return None
        x, y, angle, z = thing(t)
        c, s = np.cos(angle), np.sin(angle)
        dx, dy = DEPTH / z * np.array([c * grip[0] - s * grip[1], s * grip[0] + c * grip[1]])
        return x + dx, y + dy + 130 * away, angle, depth or z

    return Actor(at, side)


def take(
    things: Sequence[Thing], actors: Sequence[Actor], *, fps: float = 15.0, seconds: float = 3.0, shadow: bool = False
) -> Take:
    """Film it; with ``shadow`` a soft one goes along with every hand."""
    time = np.arange(round(seconds * fps)) / fps
    rng = np.random.default_rng(0)
    table = _table()
    pictures = [_picture(thing) for thing in things]
    n = len(time)
    rgb = np.zeros((n, HEIGHT, WIDTH, 3), np.uint8)
    joints_2d = np.full((n, 2, 21, 2), np.nan)
    joints = np.full((n, 2, 21, 3), np.nan)
    masks = np.zeros((len(things), n, HEIGHT, WIDTH), bool)
    poses = np.zeros((len(things), n, 4, 4))
    for i, t in enumerate(time):
        image = table.copy()
        for o, thing in enumerate(things):
            x, y, angle, z = thing.at(float(t))
            masks[o, i] = _lay(image, *pictures[o], (x, y, angle, z))
            turn = Rotation.from_euler("z", angle).as_matrix()
            poses[o, i] = make_T(turn, unproject(K, np.array([x, y]), np.array(z)))
        present = [(actor, place) for actor in actors if (place := actor.at(float(t))) is not None]
        for actor, place in present:
            if shadow:
                _shade(image, _hand_px(place, actor.side))
        for actor, place in present:
            px = _hand_px(place, actor.side)
            _draw_hand(image, px)
            if 0 <= px[9, 0] < WIDTH and 0 <= px[9, 1] < HEIGHT:
                joints_2d[i, actor.side] = px
                joints[i, actor.side] = unproject(K, px, np.full(21, place[3]))
        rgb[i] = np.clip(image + rng.normal(0, 1.5, image.shape), 0, 255)
    return Take(rgb, time, joints_2d, joints, masks, poses, np.clip(table, 0, 255))


def scene_of(shot: Take, params: ObjectParams | None = None) -> Scene:
    return build_scene(shot.rgb, shot.time, shot.joints_2d, params or ObjectParams())


def moved(**how: float | tuple[float, float]) -> Take:
    """A right hand carries one thing to another place."""
    path = carried(**how)  # type: ignore[arg-type]
    return take([Thing(path)], [reaching(path)])


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def _table() -> np.ndarray:
    rng = np.random.default_rng(7)
    coarse = cv2.resize(rng.normal(0, 8, (9, 16, 1)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.normal(0, 10, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 1.5)
    return np.array([112, 124, 140.0]) + (coarse + fine)[..., None]


def _picture(thing: Thing) -> tuple[np.ndarray, np.ndarray]:
    """Colours and opacity of a thing, px at ``DEPTH``."""
    rng = np.random.default_rng(thing.seed)
    width, height = thing.size
    palette = np.array([[36, 130, 70], [60, 160, 60], [225, 205, 60], [20, 90, 60]], np.float32)
    if thing.seed % 2 == 0:
        palette = np.array([[60, 60, 190], [110, 40, 170], [80, 180, 230], [40, 30, 120]], np.float32)
    blocks = palette[rng.integers(0, len(palette), (height // 7 + 1, width // 7 + 1))]
    colours = np.kron(blocks, np.ones((7, 7, 1), np.float32))[:height, :width]
    alpha = np.zeros((height, width), np.float32)
    if thing.round:
        cv2.ellipse(alpha, (width // 2, height // 2), (width // 2 - 1, height // 2 - 1), 0, 0, 360, 1, -1)
    else:
        alpha[1:-1, 1:-1] = 1
    return colours, alpha


def _lay(image: np.ndarray, colours: np.ndarray, alpha: np.ndarray, place: Place) -> np.ndarray:
    """Draw a thing into an image; its silhouette."""
    x, y, angle, z = place
    scale, middle = DEPTH / z, (np.array(alpha.shape[::-1]) - 1) / 2
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    affine = np.column_stack([linear, np.array([x, y]) - linear @ middle])
    cover = cv2.warpAffine(alpha, affine, (WIDTH, HEIGHT))
    over = cv2.warpAffine(colours, affine, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    image[:] = image * (1 - cover[..., None]) + over * cover[..., None]
    return cover > 0.5


def _hand_px(place: Place, side: int) -> np.ndarray:
    x, y, angle, z = place
    layout = (_LAYOUT - _LAYOUT[12]) * [1 if side else -1, 1]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.array([x, y]) + FOCAL / z * layout @ turn.T


def _draw_hand(image: np.ndarray, px: np.ndarray) -> None:
    size = float(np.ptp(px, axis=0).max())
    cover = np.zeros(image.shape[:2], np.uint8)
    points = np.round(px).astype(np.int32)
    axis = px[0] - px[[5, 9, 13, 17]].mean(0)
    axis = axis / np.linalg.norm(axis)
    across = np.array([-axis[1], axis[0]])
    end = px[0] + 6 * size * axis
    corners = [px[0] + 0.17 * size * across, px[0] - 0.17 * size * across]
    corners += [end - 0.22 * size * across, end + 0.22 * size * across]
    cv2.fillConvexPoly(cover, np.round(corners).astype(np.int32), 1)
    cv2.fillConvexPoly(cover, cv2.convexHull(points[list(_PALM)]), 1)
    for finger in _FINGERS:
        cv2.polylines(cover, [points[list(finger)]], False, 1, max(2, round(0.11 * size)))
    shade = 1 + 0.05 * np.sin(np.arange(image.shape[1]) / 9 - px[0, 0] / 9)
    image[cover > 0] = (SKIN * np.broadcast_to(shade[None, :, None], image.shape))[cover > 0]


def _shade(image: np.ndarray, px: np.ndarray) -> None:
    """Darken softly at the left of a hand."""
    middle = px.mean(0) - [45, 8]
    y, x = np.indices(image.shape[:2])
    depth = np.exp(-(((x - middle[0]) / 30) ** 2 + ((y - middle[1]) / 26) ** 2))
    image *= 1 - 0.26 * depth[..., None]
