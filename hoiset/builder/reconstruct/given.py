"""What is known of a clip from elsewhere: it replaces what a stage would have estimated.

Ground truth goes in here when one stage's own error is to be measured, and so would a depth map or masks of a model
that ran before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.records import Camera, Clip, HandDetections, Hands


@dataclass(frozen=True)
class Given:
    """What is known of one clip; ``None`` is estimated.

    Attributes:
        name: Where it comes from and what it is, for the clip's provenance.
        digest: Of everything in it.
        camera: Of the stored clip.
        detections: Hands before identity and depth, px of the stored clip.
        palm_depth_m: (T, 2) mean z-depth of each hand's palm joints; NaN where unknown.
        hands: Final hands.
        masks: (T, H, W) visible pixels of object i as i + 1, any resolution; other codes are ignored.
        depth_m: (T, H, W) z-depth, NaN where unknown, any resolution.
    """

    name: str = ""
    digest: str = ""
    camera: Camera | None = None
    detections: HandDetections | None = None
    palm_depth_m: Float[np.ndarray, "T 2"] | None = None
    hands: Hands | None = None
    masks: UInt8[np.ndarray, "T H W"] | None = None
    depth_m: Float[np.ndarray, "T H W"] | None = None


GivenSource = Callable[[Clip, Float[np.ndarray, "T"], tuple[int, int]], Given]
"""(clip, times of its frames in the source video in s, (width, height) of the stored clip) -> what is known of it.

Raises :class:`hoiset.errors.ClipError` where nothing is known of the clip.
"""
