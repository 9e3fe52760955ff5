"""Which few spans of each gate are shown: those with the least lots, however the spans are ordered or divided."""

from __future__ import annotations

import hashlib
import heapq

PASSED = "ok"
SHOWN_PASSED, SHOWN_STOPPED = 24, 8


def lot_of(uid: str, segment: int, start_s: float, end_s: float) -> int:
    """A span's lot, 64 bit: a hash of its name, the same in every process and from every table."""
    name = f"{uid}\0{segment}\0{float(start_s)!r}\0{float(end_s)!r}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest())


class Draw:
    """The spans drawn so far.

    What is drawn of all spans is among what is drawn of any part of them, so that parts may be drawn from by
    themselves, with no more memory than the drawn take.

    Args:
        passed: How many spans that passed are drawn.
        stopped: How many of each gate.
    """

    def __init__(self, passed: int = SHOWN_PASSED, stopped: int = SHOWN_STOPPED) -> None:
        self._passed, self._stopped = passed, stopped
        self._heaps: dict[str, list[int]] = {}  # of negative lots, since heapq pops the least
        self._drawn: set[tuple[str, int]] = set()

    def offer(self, gate: str, lot: int) -> int | None:
        """Put a span in; returns the lot that is no longer drawn: one drawn before, this one, or none."""
        if (gate, lot) in self._drawn:
            return None
        heap = self._heaps.setdefault(gate, [])
        self._drawn.add((gate, lot))
        if len(heap) < (self._passed if gate == PASSED else self._stopped):
            heapq.heappush(heap, -lot)
            return None
        dropped = -heapq.heappushpop(heap, -lot)
        self._drawn.discard((gate, dropped))
        return dropped

    def holds(self, gate: str, lot: int) -> bool:
        """Whether a span is drawn."""
        return (gate, lot) in self._drawn
