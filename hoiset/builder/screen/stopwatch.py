"""Where the time of pass 1 goes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

STEPS = {
    "fetch": ("unavailable",),
    "decode": ("no_video", "too_short"),
    "camera": ("camera_moves", "camera_unsure"),
    "picture": ("black_frames", "blurred", "split_screen", "picture_in_picture", "text_overlay", "still_image"),
    "hands": ("no_hands", "hands_too_small", "hands_cut_off", "not_a_person", "no_hand_motion"),
    "near_hands": ("no_object_motion",),
}
"""Step -> the gates whose values it measures, all at once: gates of one step share its time."""

STEP_OF = {gate: step for step, gates in STEPS.items() for gate in gates}
"""Gate -> its step."""


class Stopwatch:
    """Adds seconds to those of steps.

    Args:
        step_s: Step -> seconds; filled in.
    """

    def __init__(self, step_s: dict[str, float]) -> None:
        self._step_s = step_s

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the block's time, also where it raises."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._step_s[name] = self._step_s.get(name, 0.0) + time.perf_counter() - began

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Count the time that it takes to get the items, not what is done with them."""
        iterator = iter(items)
        while True:
            with self.step(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
