"""Where people are in a clip, at a low rate, as a second opinion on what is an object."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Int, UInt8


@dataclass(frozen=True)
class PeopleMasks:
    """Person probabilities of a few frames.

    Attributes:
        frame_index: (n,) the frames.
        probability: (n, h, w) uint8, 0..255, at any resolution of the clip's aspect.
    """

    frame_index: Int[np.ndarray, "n"]
    probability: UInt8[np.ndarray, "n h w"]

    def share(self, mask: Bool[np.ndarray, "H W"], first: int, last: int) -> float:
        """Mean share of a silhouette that is a person in the frames of a span (the nearest one if none falls in it)."""
        inside = np.nonzero((self.frame_index >= first) & (self.frame_index <= last))[0]
        if len(inside) == 0:
            inside = np.array([np.abs(self.frame_index - (first + last) // 2).argmin()])
        height, width = self.probability.shape[1:]
        small = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
        return float((self.probability[inside][:, small] > 127).mean()) if small.any() else 0.0
