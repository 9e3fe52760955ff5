"""What the object stages share about one clip at the working resolution, computed once per frame and kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset.builder.reconstruct.objects.colours import N_COLOURS, colour_index
from hoiset.builder.reconstruct.objects.hand_regions import forearm_mask, hand_mask, hand_size_px, palm_mask
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.plate import Plate, background_plate, foreground
from hoiset.builder.reconstruct.objects.states import PixelStates, pixel_states, to_lab


@dataclass
class Scene:
    """Frames, hands, plate and lazily computed per-frame maps of one clip.

    Attributes:
        rgb: (T, H, W, 3) uint8 at the working resolution.
        time: (T,) s.
        joints_2d: (T, 2, 21, 2) px at the working resolution; NaN where absent.
        size_px: (2,) hand sizes.
        hand_masks: (T, H, W) uint8; 1 left, 2 right.
        states: Pixel states.
        plate: Clean background.
        person: (384,) colour histogram of hands and forearms.
    """

    rgb: UInt8[np.ndarray, "T H W 3"]
    time: Float[np.ndarray, "T"]
    joints_2d: Float[np.ndarray, "T 2 21 2"]
    size_px: Float[np.ndarray, "2"]
    hand_masks: UInt8[np.ndarray, "T H W"]
    states: PixelStates
    plate: Plate
    person: Float[np.ndarray, "B"]
    params: ObjectParams
    _foreground: dict[int, np.ndarray] = field(default_factory=dict)
    _grey: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the working resolution."""
        return self.rgb.shape[1], self.rgb.shape[2]

    @property
    def fps(self) -> float:
        """Median frame rate, Hz."""
        return float(1.0 / np.median(np.diff(self.time))) if len(self.time) > 1 else 30.0

    def grey(self, t: int) -> UInt8[np.ndarray, "H W"]:
        """Frame t in grey."""
        if t not in self._grey:
            self._grey[t] = cv2.cvtColor(self.rgb[t], cv2.COLOR_RGB2GRAY)
        return self._grey[t]

    def foreground(self, t: int) -> Bool[np.ndarray, "H W"]:
        """Pixels of frame t that are not background."""
        if t not in self._foreground:
            height, width = self.plate.lab.shape[:2]
            small = foreground(to_lab(self.rgb[t], (width, height)), self.plate.lab, self.params)
            self._foreground[t] = np.packbits(small)
        height, width = self.plate.lab.shape[:2]
        small = np.unpackbits(self._foreground[t], count=height * width).reshape(height, width)
        return cv2.resize(small, (self.shape[1], self.shape[0]), interpolation=cv2.INTER_NEAREST) > 0


def build_scene(
    rgb: UInt8[np.ndarray, "T H W 3"],
    time: Float[np.ndarray, "T"],
    joints_2d: Float[np.ndarray, "T 2 21 2"],
    params: ObjectParams,
) -> Scene:
    """Analyse a clip: hand masks, pixel states, background plate, colours of the person."""
    shape = (rgb.shape[1], rgb.shape[2])
    size_px = hand_size_px(joints_2d)
    masks = np.stack([hand_mask(j, size_px, shape) for j in joints_2d])
    states = pixel_states(rgb, time, masks, params)
    plate = background_plate(states, rgb, params)
    return Scene(rgb, time, joints_2d, size_px, masks, states, plate, _person_colours(rgb, joints_2d, size_px), params)


def _person_colours(rgb: np.ndarray, joints_2d: np.ndarray, size_px: np.ndarray) -> np.ndarray:
    """Histogram of palms and forearms: per colour the median over frames, so that what hands carry at times is out."""
    shape = rgb.shape[1:3]
    rows = []
    for t in np.unique(np.linspace(0, len(rgb) - 1, 40).astype(int)):
        palm = cv2.erode(palm_mask(joints_2d[t], shape), np.ones((3, 3), np.uint8)) > 0
        arm = forearm_mask(joints_2d[t], size_px, shape, length_hands=0.8) > 0
        if not palm.any():
            continue
        index = colour_index(rgb[t])
        counts = np.bincount(index[palm], minlength=N_COLOURS) + 0.5 * np.bincount(
            index[arm & ~palm], minlength=N_COLOURS
        )
        rows.append(counts / counts.sum())
    if not rows:
        return np.zeros(N_COLOURS, np.float32)
    typical = np.median(rows, axis=0)
    return (typical / max(typical.sum(), 1e-9)).astype(np.float32)
