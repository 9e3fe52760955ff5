"""Where windows stand: a number for every window of every clip, and its clip and time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from hoiset.errors import DatasetError
from hoiset.loaders.interpolation import TOLERANCE_S


@dataclass(frozen=True)
class Placement:
    """Windows of N clips: 8 bytes a clip.

    Attributes:
        starts: (N + 1,) number of the first window of each clip; the last is how many there are.
        stride_s: Between windows, s; ``None`` = at every frame.
        first_s: Of the first window after the clip's first frame, s.
    """

    starts: Int[np.ndarray, "N+1"]
    stride_s: float | None
    first_s: float

    @classmethod
    def of(
        cls,
        n_frames: Int[np.ndarray, "N"],
        last_s: Float[np.ndarray, "N"],
        deltas: Float[np.ndarray, "D"],
        stride_s: float | None,
        *,
        pad: bool,
    ) -> Placement:
        """Place windows.

        Args:
            n_frames: Of each clip.
            last_s: Time of each clip's last frame, s.
            deltas: All times that windows reach to, s from now.
            stride_s: Between windows, s; ``None`` = at every frame.
            pad: Whether windows may reach out of the clip.

        Raises:
            DatasetError: A stride that is not positive, or ``pad=False`` at every frame.
        """
        if stride_s is not None and not (np.isfinite(stride_s) and stride_s > 0):
            raise DatasetError(f"found stride_s={stride_s}, expected a positive number of seconds")
        first_s, reach_s = 0.0, 0.0
        if not pad:
            if stride_s is None:
                raise DatasetError("pad=False needs stride_s or rate_hz: where frames stand is not in the index")
            first_s, reach_s = max(0.0, -float(deltas.min())), max(0.0, float(deltas.max()))
        if stride_s is None:
            counts = n_frames.astype(np.int64)
        else:
            room = last_s - first_s - reach_s + TOLERANCE_S
            counts = np.where(room >= 0, np.floor(room / stride_s) + 1, 0).astype(np.int64)
        return cls(np.concatenate([[0], np.cumsum(counts)]), stride_s, first_s)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def clip(self, window: int) -> tuple[int, int]:
        """The clip of a window, and the window's number in it."""
        row = int(self.starts.searchsorted(window, "right")) - 1
        return row, window - int(self.starts[row])

    def times(self, row: int, time: Float[np.ndarray, "T"]) -> Float[np.ndarray, "W"]:
        """Times of all windows of a clip, s."""
        return self.at(time, np.arange(self.starts[row + 1] - self.starts[row]))

    def at(self, time: Float[np.ndarray, "T"], number: Int[np.ndarray, "*B"]) -> Float[np.ndarray, "*B"]:
        """Times of windows by their numbers in the clip, s."""
        if self.stride_s is None:
            return time[number]
        return np.minimum(time[0] + self.first_s + number * self.stride_s, time[-1])
