"""What a model must offer to be used as a backend; stages know these Protocols and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from jaxtyping import UInt8

from hoiset.builder.records import HandDetections


class HandDetector(Protocol):
    """Finds hands in frames."""

    @property
    def name(self) -> str:
        """Of the model."""
        ...

    @property
    def version(self) -> str:
        """Of the model and, after a ``+``, of its weights."""
        ...

    def detect(self, rgb: Iterable[UInt8[np.ndarray, "H W 3"]], *, video: bool) -> HandDetections:
        """Detect hands in frames of one size.

        Args:
            rgb: Frames, uint8 RGB; consumed lazily.
            video: Whether the frames are consecutive (tracking between them allowed) or independent samples.

        Returns:
            Detections with T = number of frames.

        Raises:
            BackendUnavailable: The model cannot be started.
            ClipError: The model died twice on these frames (reason ``worker_crashed``).
        """
        ...


class PersonSegmenter(Protocol):
    """Separates people from the rest."""

    @property
    def name(self) -> str:
        """Of the model."""
        ...

    @property
    def version(self) -> str:
        """Of the model and, after a ``+``, of its weights."""
        ...

    def segment(self, rgb: Iterable[UInt8[np.ndarray, "H W 3"]]) -> UInt8[np.ndarray, "T H W"]:
        """Probability of a person (0..255) at the frames' own resolution; raises as :class:`HandDetector`."""
        ...
