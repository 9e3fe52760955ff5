"""The clean background plate: what the camera would see with nobody and nothing movable in view."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.ndimage as ndi
from jaxtyping import Bool, Float, Int, UInt8

from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.states import PixelStates

_SURROUND_SIGMAS = (3, 6, 12, 25, 50)


@dataclass(frozen=True)
class Plate:
    """The background at two resolutions.

    Attributes:
        lab: (h, w, 3) at the analysis resolution.
        rgb: (H, W, 3) uint8 at the working resolution.
        changed: (h, w) pixels that had more than one state.
    """

    lab: Float[np.ndarray, "h w 3"]
    rgb: UInt8[np.ndarray, "H W 3"]
    changed: Bool[np.ndarray, "h w"]


def background_plate(states: PixelStates, rgb: UInt8[np.ndarray, "T H W 3"], params: ObjectParams) -> Plate:
    """Choose, for every pixel that had several states, the one that continues its unchanged surroundings.

    What leaves or arrives covers the background with something that ends at its own outline, while the background
    goes on across it. The colour expected from the unchanged pixels around (normalised convolution over several
    scales) is compared with every state over a small neighbourhood; the nearest state is the background. Pixels that
    change together in space and time decide together.
    """
    K = len(states.colour)
    base = np.nan_to_num(states.colour[0])
    spread = np.zeros(states.count.shape, np.float32)
    for k in range(1, K):
        distance = np.linalg.norm(states.colour[k] - states.colour[0], axis=-1)
        spread = np.fmax(spread, np.where(k < states.count, distance, 0.0))
    changed = (spread > params.colour_change) | (states.count == 0)
    expected = _surround(base, changed)
    choice = _vote(states, changed, _nearest_state(states, changed, expected))
    yy, xx = np.indices(choice.shape)
    lab = states.colour[choice, yy, xx]
    unknown = np.isnan(lab).any(-1)
    lab[unknown] = expected[unknown]
    middle = (states.first[choice, yy, xx].astype(int) + states.last[choice, yy, xx]) // 2
    return Plate(lab, _gather(rgb, states.frame_index[_nearest_stable(states.stable, middle)], unknown, lab), changed)


def _surround(base: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Colour of the unchanged pixels around, near ones weighing most."""
    weight = (cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0).astype(np.float32)
    total, norm = np.zeros_like(base), np.zeros_like(weight)
    for sigma in _SURROUND_SIGMAS:
        total += cv2.GaussianBlur(base * weight[..., None], (0, 0), sigma) / sigma**3
        norm += cv2.GaussianBlur(weight, (0, 0), sigma) / sigma**3
    return total / np.maximum(norm, 1e-9)[..., None]


def _nearest_state(states: PixelStates, changed: np.ndarray, expected: np.ndarray) -> Int[np.ndarray, "h w"]:
    """Index of the state that fits the expectation best, judged over a 9x9 neighbourhood."""
    cost = np.full(states.colour.shape[:3], np.inf, np.float32)
    for k in range(len(cost)):
        valid = (k < states.count) & changed
        if not valid.any():
            continue
        error = np.minimum(np.linalg.norm(np.nan_to_num(states.colour[k]) - expected, axis=-1), 40.0)
        total = cv2.boxFilter(np.where(valid, error, 0.0).astype(np.float32), -1, (9, 9), normalize=False)
        count = cv2.boxFilter(valid.astype(np.float32), -1, (9, 9), normalize=False)
        cost[k] = np.where(valid, total / np.maximum(count, 1e-6), np.inf)
    choice = cost.argmin(0)
    choice[~changed] = 0
    return choice


def _vote(states: PixelStates, changed: np.ndarray, choice: np.ndarray) -> Int[np.ndarray, "h w"]:
    """Let neighbouring pixels whose states swap at the same time agree, where the majority is clear."""
    two = changed & (states.count == 2)
    swap = np.where(two, (states.last[0].astype(np.int32) + states.first[1]) // 2, -1000)
    tolerance = max(2, round(0.5 * states.rate_hz))
    out = choice.copy()
    for start in range(0, int(swap.max(initial=0)) + 1, tolerance):
        together = two & (swap >= start) & (swap < start + 2 * tolerance)
        labels, n = ndi.label(together)
        if n == 0:
            continue
        index = np.arange(1, n + 1)
        share = ndi.mean(choice == 1, labels, index)
        verdict = np.where(share >= 0.65, 1, np.where(share <= 0.35, 0, -1))[np.maximum(labels - 1, 0)]
        own = together & (swap < start + tolerance) & (verdict >= 0)
        out[own] = verdict[own]
    return out


def _nearest_stable(stable: Bool[np.ndarray, "n h w"], middle: Int[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Stable sample nearest to the middle of a state: in the very middle, something may be passing in front of it."""
    nearest, least = np.zeros_like(middle), np.full(middle.shape, len(stable) + 1)
    for k, here in enumerate(stable):
        distance = np.abs(k - middle)
        better = here & (distance < least)
        nearest[better], least[better] = k, distance[better]
    return nearest


def _gather(rgb: np.ndarray, frame: np.ndarray, unknown: np.ndarray, lab: np.ndarray) -> np.ndarray:
    """The plate at working resolution: every pixel from one frame, in which its background state is seen."""
    height, width = rgb.shape[1:3]
    frame_hi = cv2.resize(frame.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST).astype(int)
    yy, xx = np.indices((height, width))
    plate = rgb[frame_hi, yy, xx]
    missing = cv2.resize(unknown.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    if missing.any():
        fill = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
        fill = cv2.resize(np.clip(fill * 255, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
        plate[missing] = fill[missing]
    return plate


def foreground(
    lab: Float[np.ndarray, "*T h w 3"], plate_lab: Float[np.ndarray, "h w 3"], params: ObjectParams
) -> Bool[np.ndarray, "*T h w"]:
    """Pixels that differ from the plate by more than noise and by more than a shadow."""
    difference = lab - plate_lab
    distance = np.linalg.norm(difference, axis=-1)
    hue = np.linalg.norm(difference[..., 1:], axis=-1)
    lightness = lab[..., 0] / np.maximum(plate_lab[..., 0], 1.0)
    shadow = (hue < 0.6 * params.colour_change) & (lightness < 1.0) & (lightness > params.shadow_ratio)
    return (distance > params.colour_change) & ~shadow
