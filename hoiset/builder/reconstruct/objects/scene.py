"""What the object stages share about one clip at the working resolution, computed once per frame and kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset.builder.reconstruct.objects.hand_regions import forearm_mask, hand_mask, hand_size_px
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.plate import Plate, background_plate, foreground
from hoiset.builder.reconstruct.objects.states import PixelStates, pixel_states, to_lab

_BINS = (8, 8, 6)


def colour_index(rgb: UInt8[np.ndarray, "H W 3"]) -> np.ndarray:
    """(H, W) index of every pixel's bin in a CIELAB (a, b, L) histogram of 8 x 8 x 6 bins."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.int16)
    a = np.clip((lab[..., 1] - 88) // 10, 0, 7)
    b = np.clip((lab[..., 2] - 88) // 11, 0, 7)
    return (a * 8 + b) * 6 + np.clip(lab[..., 0] // 43, 0, 5)


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

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the working resolution."""
        return self.rgb.shape[1], self.rgb.shape[2]

    @property
    def fps(self) -> float:
        """Median frame rate, Hz."""
        return float(1.0 / np.median(np.diff(self.time))) if len(self.time) > 1 else 30.0

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
    return Scene(
        rgb, time, joints_2d, size_px, masks, states, plate, _person_colours(rgb, joints_2d, size_px, masks), params
    )


def _person_colours(rgb: np.ndarray, joints_2d: np.ndarray, size_px: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Histogram of hands and forearms over twenty frames."""
    counts = np.zeros(int(np.prod(_BINS)))
    for t in np.unique(np.linspace(0, len(rgb) - 1, 20).astype(int)):
        hand = cv2.erode((masks[t] > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        arm = forearm_mask(joints_2d[t], size_px, masks.shape[1:], length_hands=0.8) > 0
        index = colour_index(rgb[t])
        counts += np.bincount(index[hand], minlength=len(counts)) + 0.5 * np.bincount(
            index[arm & ~hand], minlength=len(counts)
        )
    return (counts / max(counts.sum(), 1.0)).astype(np.float32)
