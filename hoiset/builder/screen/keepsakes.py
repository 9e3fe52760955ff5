"""Small pictures of the spans that the report will show, made while a remote video is at hand and kept with the state.

Whoever judges videos makes a picture of a span only where its lot is among the least that it has seen: after n spans it
has made some k ln(n / k) of them, of which k are shown. The driver keeps k.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from hoiset.builder.records import Candidate, SourceVideo
from hoiset.builder.screen.draw import Draw, lot_of
from hoiset.builder.screen.thumbnails import thumbnail
from hoiset.shards.storage import Storage

_FOLDER = ".hoiset/thumbnails"


@dataclass(frozen=True)
class Keepsake:
    """Picture (JPEG) of a span that may be shown, and what decides whether it is."""

    gate: str
    lot: int
    jpeg: bytes


def make_keepsakes(video: SourceVideo, candidates: Iterable[Candidate], draw: Draw) -> tuple[Keepsake, ...]:
    """Pictures of those spans of a remote video that are drawn; of one on this machine the report makes its own.

    Args:
        video: With its file here.
        candidates: Its spans.
        draw: Of the process, in which the spans are put.
    """
    if not video.remote:
        return ()
    spans = [(c, lot_of(c.uid, c.segment, c.start_s, c.end_s)) for c in candidates]
    for c, lot in spans:
        draw.offer(c.gate, lot)
    drawn = ((c, lot) for c, lot in spans if draw.holds(c.gate, lot))
    made = ((c.gate, lot, thumbnail(video.path, c.start_s, c.end_s)) for c, lot in drawn)
    return tuple(Keepsake(gate, lot, jpeg) for gate, lot, jpeg in made if jpeg is not None)


class KeepsakeBox:
    """The pictures of a build, one file each.

    Args:
        storage: The dataset's root.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage, self._draw = storage, Draw()

    def add(self, keepsakes: Iterable[Keepsake]) -> None:
        """Keep what is drawn, and drop what it drives out; raises DatasetError when the storage refuses."""
        for keepsake in keepsakes:
            dropped = self._draw.offer(keepsake.gate, keepsake.lot)
            if dropped != keepsake.lot:
                self._storage.write(_name(keepsake.lot), keepsake.jpeg)
            if dropped is not None and dropped != keepsake.lot:
                self._storage.remove(_name(dropped))

    def read(self, lot: int) -> bytes | None:
        """The picture of a span, of this run or an earlier one."""
        return self._storage.read(_name(lot))

    def keep_only(self, lots: Iterable[int]) -> None:
        """Remove what earlier runs have left over."""
        kept = {PurePosixPath(_name(lot)).name for lot in lots}
        for name in self._storage.names(_FOLDER, ".jpg"):
            if PurePosixPath(name).name not in kept:
                self._storage.remove(name)


def _name(lot: int) -> str:
    return f"{_FOLDER}/{lot:016x}.jpg"
