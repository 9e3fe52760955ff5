"""Anchors: objects seen whole while they stand still, before a hand takes them or after it leaves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import scipy.ndimage as ndi
from jaxtyping import Bool, Float, UInt8

from hoiset.builder.reconstruct.objects.colours import colour_histogram
from hoiset.builder.reconstruct.objects.hand_regions import forearm_mask, gap_to_mask
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.people import PeopleMasks
from hoiset.builder.reconstruct.objects.plate import Plate, foreground
from hoiset.builder.reconstruct.objects.states import PixelStates, to_lab

FINGERS = (3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20)


@dataclass(frozen=True)
class Anchor:
    """One silhouette that stands still for a while.

    Attributes:
        mask: (H, W) silhouette at the working resolution.
        first: First frame in which it stands there.
        last: Last frame in which it stands there.
        leaves: Hand (0 left, 1 right) that takes it away at ``last``; -1 if none does.
        arrives: Hand that brought it at ``first``; -1 if none did.
        image: (H, W, 3) uint8, a clean picture of that span.
        histogram: (B,) colour histogram of the silhouette, sums to 1.
        seen: (T, H, W) its visible pixels in every frame, where they are known from elsewhere.
    """

    mask: Bool[np.ndarray, "H W"]
    first: int
    last: int
    leaves: int
    arrives: int
    image: UInt8[np.ndarray, "H W 3"]
    histogram: Float[np.ndarray, "B"]
    seen: Bool[np.ndarray, "T H W"] | None = None

    @property
    def area(self) -> int:
        """Silhouette size, px."""
        return int(self.mask.sum())

    @property
    def solidity(self) -> float:
        """Share of its convex hull that the silhouette fills."""
        hull = cv2.convexHull(np.argwhere(self.mask)[:, ::-1].astype(np.int32))
        return self.area / max(float(cv2.contourArea(hull)), 1.0)


@dataclass(frozen=True)
class AnchorSearch:
    """Anchors found, and why others were not taken: (what, reason) pairs."""

    anchors: tuple[Anchor, ...]
    rejected: tuple[tuple[str, str], ...]


def find_anchors(
    rgb: UInt8[np.ndarray, "T H W 3"],
    joints_2d: Float[np.ndarray, "T 2 21 2"],
    size_px: Float[np.ndarray, "2"],
    states: PixelStates,
    plate: Plate,
    people: PeopleMasks | None,
    params: ObjectParams,
) -> AnchorSearch:
    """Find what stands still against the plate and is taken or left by a hand.

    Args:
        rgb: Frames at the working resolution.
        joints_2d: Hands in px of those frames; NaN where absent.
        size_px: Hand sizes.
        states: Pixel states.
        plate: Clean background.
        people: Where people are, if a model says so.
        params: Thresholds.
    """
    anchors: list[Anchor] = []
    rejected: list[tuple[str, str]] = []
    for region, first, last in _standing_regions(states, plate, params):
        mask = cv2.resize(region.astype(np.uint8), (rgb.shape[2], rgb.shape[1]), interpolation=cv2.INTER_LINEAR) > 0
        f0, f1 = int(states.frame_index[first]), int(states.frame_index[last])
        what = _describe(mask, f0, f1)
        hand_out, hand_in = touching_hands(mask, f0, f1, len(rgb), joints_2d, size_px, states, params)
        if hand_out < 0 and hand_in < 0:
            continue
        reason = _why_not(mask, f0, f1, hand_out, hand_in, joints_2d, size_px, params)
        if not reason and people is not None and people.share(mask, f0, f1) > params.max_person_share:
            reason = "is_a_person"
        if reason:
            rejected.append((what, reason))
            continue
        image = clean_picture(rgb, mask, f0, f1, joints_2d)
        if _is_lighter_plate(image, plate.rgb, mask, params):
            rejected.append((what, "is_a_change_of_light"))
            continue
        refined = refine_silhouette(image, plate.rgb, mask, params)
        if refined is None:
            rejected.append((what, "no_clear_outline"))
            continue
        anchors.append(Anchor(refined, f0, f1, hand_out, hand_in, image, colour_histogram(image, refined)))
    anchors.sort(key=lambda a: (a.first, -a.area))
    return AnchorSearch(tuple(anchors), tuple(rejected))


def describe(anchor: Anchor) -> str:
    """Where and when an anchor stands, for people."""
    return _describe(anchor.mask, anchor.first, anchor.last)


def _describe(mask: np.ndarray, first: int, last: int) -> str:
    y, x = np.nonzero(mask)
    return f"region x {x.min()}-{x.max()} y {y.min()}-{y.max()}, frames {first}-{last}"


def _standing_regions(states: PixelStates, plate: Plate, params: ObjectParams) -> list[tuple[np.ndarray, int, int]]:
    """Connected pieces of stable foreground in space and time: (silhouette (h, w), first sample, last sample)."""
    height, width = plate.lab.shape[:2]
    solid = np.stack([foreground(lab, plate.lab, params) for lab in states.lab]) & states.stable
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    solid = np.stack([cv2.morphologyEx(s.astype(np.uint8), cv2.MORPH_OPEN, kernel) for s in solid]) > 0
    labels, _ = ndi.label(solid)
    found = []
    for i, box in enumerate(ndi.find_objects(labels), 1):
        # A span that the clip's start or end cuts off may have been long.
        cut_off = box is not None and (box[0].start == 0 or box[0].stop == len(solid))
        min_samples = max(2, round(params.min_anchor_s * states.rate_hz * (0.5 if cut_off else 1.0)))
        if box is None or box[0].stop - box[0].start < min_samples:
            continue
        piece = labels[box] == i
        occupancy = piece.sum(0)
        core = (occupancy >= max(min_samples, 0.35 * occupancy.max())).astype(np.uint8)
        core = cv2.morphologyEx(core, cv2.MORPH_OPEN, kernel)
        n_parts, parts = cv2.connectedComponents(core, connectivity=4)
        for part in range(1, n_parts):
            inside = parts == part
            share = inside.sum() / (height * width)
            if not params.min_area <= share <= params.max_area:
                continue
            present = np.nonzero(piece[:, inside].mean(1) > 0.4)[0]
            if len(present) < min_samples:
                continue
            region = np.zeros((height, width), bool)
            region[box[1:]] = inside
            region = ndi.binary_fill_holes(region)
            first, last = box[0].start + int(present[0]), box[0].start + int(present[-1])
            found.append((region, *_whole_span(region, first, last, states)))
    return found


def _whole_span(region: np.ndarray, first: int, last: int, states: PixelStates) -> tuple[int, int]:
    """Widen a span to the clip's end (or start) if the region looks the same all the way, hands and shadows apart."""
    looks = np.median(states.lab[first : last + 1, region], axis=0)

    def still(k: int) -> bool:
        near = np.linalg.norm(states.lab[k, region] - looks, axis=-1) < 10.0
        return float(near.mean()) > 0.8

    n = len(states.lab)
    ends = [k for k in range(last + 1, n) if not still(k)]
    starts = [k for k in range(first) if not still(k)]
    first = 0 if not starts else first
    last = n - 1 if not ends else last
    return first, last


def touching_hands(
    mask: np.ndarray,
    first: int,
    last: int,
    n_frames: int,
    joints_2d: np.ndarray,
    size_px: np.ndarray,
    states: PixelStates,
    params: ObjectParams,
) -> tuple[int, int]:
    """The hands that touch a silhouette when it leaves and when it arrives (-1: none)."""
    frame_rate = (states.frame_index[-1] - states.frame_index[0]) / max(len(states.frame_index) - 1, 1) * states.rate_hz
    window = max(1, round(params.contact_window_s * frame_rate))
    step = max(1, round(frame_rate / states.rate_hz))
    gap = gap_to_mask(joints_2d[:, :, FINGERS], mask.astype(np.uint8)) / size_px

    def touching(at: int) -> int:
        near = gap[max(0, at - window) : at + window + 1]
        if not len(near) or np.isnan(near).all():
            return -1
        least = np.array([np.nanmin(g) if np.isfinite(g).any() else np.inf for g in near.T])
        hand = int(least.argmin())
        return hand if least[hand] <= params.contact_gap_hands else -1

    leaves = touching(last) if last < n_frames - 1 - 2 * step else -1
    arrives = touching(first) if first > 2 * step else -1
    return leaves, arrives


def _why_not(
    mask: np.ndarray,
    first: int,
    last: int,
    leaves: int,
    arrives: int,
    joints_2d: np.ndarray,
    size_px: np.ndarray,
    params: ObjectParams,
) -> str:
    """Reason why a standing region is no object, or ``""``."""
    y, x = np.nonzero(mask)
    hand = leaves if leaves >= 0 else arrives
    if max(np.ptp(x), np.ptp(y)) > params.max_extent_hands * size_px[hand]:
        return "too_large_for_a_hand"
    height, width = mask.shape
    border = mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum()
    if border > 1.5 * np.sqrt(mask.sum()):
        return "cut_off_by_the_border"
    frames = np.unique(np.linspace(first, last, 8).astype(int))
    arm = np.mean([(forearm_mask(joints_2d[i], size_px, (height, width)) > 0)[mask].mean() for i in frames])
    if arm > 0.4:
        return "is_an_arm"
    return ""


def _is_lighter_plate(image: np.ndarray, plate_rgb: np.ndarray, mask: np.ndarray, params: ObjectParams) -> bool:
    """Whether a region is only brighter than the plate, without a change of hue: a shadow went, nothing came."""
    difference = (to_lab(image) - to_lab(plate_rgb))[mask]
    hue = float(np.linalg.norm(difference[:, 1:], axis=-1).mean())
    return hue < 0.7 * params.colour_change and 0.0 < float(difference[:, 0].mean()) < 3.0 * params.colour_change


def clean_picture(rgb: np.ndarray, mask: np.ndarray, first: int, last: int, joints_2d: np.ndarray) -> np.ndarray:
    """Median of up to five frames of the span in which hands are farthest from the silhouette."""
    frames = np.unique(np.linspace(first, last, 15).astype(int))
    gap = gap_to_mask(joints_2d[frames], mask.astype(np.uint8))
    gap = np.nan_to_num(np.nanmin(np.where(np.isnan(gap), 1e6, gap), axis=1), nan=1e6)
    best = np.sort(frames[np.argsort(-gap, kind="stable")[:5]])
    return np.median(rgb[best], axis=0).astype(np.uint8)


def cast_shadow(image: UInt8[np.ndarray, "H W 3"], plate_rgb: UInt8[np.ndarray, "H W 3"]) -> Bool[np.ndarray, "H W"]:
    """Pixels that are the plate under less light: one factor below 1 for all three linear colour channels.

    A dark object on a ground of its own hue passes for a shadow too; what is done with the answer must allow for that.
    """
    light, ground = (np.power(cv2.GaussianBlur(x, (0, 0), 1.2) / 255.0, 2.2) for x in (image, plate_rgb))
    power = np.maximum((ground**2).sum(-1), 1e-6)
    factor = (light * ground).sum(-1) / power
    residual = np.linalg.norm(light - factor[..., None] * ground, axis=-1) / np.sqrt(power)
    return (residual < 0.07) & (factor > 0.2) & (factor < 0.95)


def refine_silhouette(
    image: UInt8[np.ndarray, "H W 3"],
    plate_rgb: UInt8[np.ndarray, "H W 3"],
    mask: Bool[np.ndarray, "H W"],
    params: ObjectParams,
) -> Bool[np.ndarray, "H W"] | None:
    """Sharpen a silhouette with GrabCut between picture and plate (Rother et al., SIGGRAPH 2004).

    Returns:
        The largest connected piece with holes filled, or ``None`` where nothing of it is left.
    """
    y, x = np.nonzero(mask)
    pad = int(0.35 * max(np.ptp(x), np.ptp(y))) + 6
    top, left = max(0, y.min() - pad), max(0, x.min() - pad)
    crop = np.s_[top : y.max() + pad + 1, left : x.max() + pad + 1]
    differs = foreground(to_lab(image[crop], sigma=0.7), to_lab(plate_rgb[crop], sigma=0.7), params)
    inside = mask[crop].astype(np.uint8)
    shade = cast_shadow(image[crop], plate_rgb[crop])
    if (differs & ~shade & (inside > 0)).sum() > 0.5 * inside.sum():
        differs &= ~shade
    radius = max(1, int(0.06 * np.sqrt(inside.sum())))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    near = cv2.dilate(inside, kernel, iterations=2) > 0
    core = cv2.erode(inside, kernel) > 0
    trimap = np.full(inside.shape, cv2.GC_BGD, np.uint8)
    trimap[near] = cv2.GC_PR_BGD
    trimap[near & differs] = cv2.GC_PR_FGD
    trimap[core & differs] = cv2.GC_FGD
    if not (trimap == cv2.GC_FGD).any() or not (trimap == cv2.GC_BGD).any():
        return None
    cv2.setRNGSeed(0)
    grab_cut: Any = cv2.grabCut  # its stub forbids the None that stands for "no rectangle"
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cut, _, _ = grab_cut(image[crop].copy(), trimap, None, *models, 2, cv2.GC_INIT_WITH_MASK)
    taken = (cut == cv2.GC_FGD) | (cut == cv2.GC_PR_FGD)
    # GrabCut may give away parts whose colour also stands around; what differs from the plate and lies inside stays.
    taken |= differs & (inside > 0)
    taken = cv2.morphologyEx(
        taken.astype(np.uint8), cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    )
    n_parts, parts, stats, _ = cv2.connectedComponentsWithStats(taken, connectivity=4)
    if n_parts < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    out = np.zeros(mask.shape, bool)
    out[crop] = ndi.binary_fill_holes(parts == largest)
    return out if out.sum() >= params.min_area * out.size else None
