"""Rendered clips as a source of videos: needs no footage, and its truth is exact."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hoiset.builder.records import SourceVideo
from hoiset.builder.studio.params import DEMO_KINDS, StudioParams
from hoiset.builder.studio.store import StoredClip, clip_folder, ensure_clip, read_clip
from hoiset.builder.studio.truth import LICENCE, clip_key
from hoiset.errors import SourceError


class StudioSource:
    """Clips of a hand that picks up and places an object, rendered once into a directory.

    Args:
        cache_dir: Where the clips are kept; empty = ``$XDG_CACHE_HOME/hoiset/studio``, or ``~/.cache/hoiset/studio``.
        n_clips: How many.
        seed: Seed of the first clip; the others follow.
        params: Size, duration and rate. Objects and hands that it leaves open take turns.

    Raises:
        SourceError: ``n_clips`` is not positive or ``seed`` is negative.
    """

    name = "studio"

    def __init__(
        self, cache_dir: str | Path = "", n_clips: int = 6, seed: int = 0, params: StudioParams | None = None
    ) -> None:
        if n_clips < 1 or seed < 0:
            raise SourceError(f"found n_clips = {n_clips}, seed = {seed}; expected n_clips >= 1 and seed >= 0")
        self._root = Path(cache_dir) if str(cache_dir) else default_cache_dir()
        self._seeds = range(seed, seed + n_clips)
        self._params = params or StudioParams()

    def videos(self) -> Iterator[SourceVideo]:
        """See :meth:`hoiset.builder.sources.base.Source.videos`; a clip that is not there yet is rendered first."""
        return (self._video(seed) for seed in self._seeds)

    def clip(self, seed: int) -> StoredClip:
        """Video, truth, depth and masks of one clip of :meth:`videos`.

        Raises:
            SourceError: It was not rendered yet, or is damaged.
        """
        return read_clip(clip_folder(self._root, seed, self.params_of(seed)))

    def params_of(self, seed: int) -> StudioParams:
        """The parameters of one clip: objects and hands take turns unless they are fixed."""
        kind = self._params.object_kind or DEMO_KINDS[seed % len(DEMO_KINDS)]
        hand = self._params.handedness or ("right", "left")[(seed + seed // len(DEMO_KINDS)) % 2]
        return self._params.model_copy(update={"object_kind": kind, "handedness": hand})

    def _video(self, seed: int) -> SourceVideo:
        folder = ensure_clip(self._root, seed, self.params_of(seed))
        said = read_clip(folder).truth["clip.json"]
        x, y, z = said["camera"]["gravity"]
        return SourceVideo(
            uid=clip_key(seed),
            path=folder / "rgb.mp4",
            licence=LICENCE,
            action=said["text"]["action"],
            objects=tuple(said["text"]["objects"]),
            summary=said["text"]["summary"],
            focal_px=said["camera"]["K"][0][0],
            gravity=(x, y, z),
        )


def default_cache_dir() -> Path:
    """Where rendered clips are kept unless told otherwise."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "hoiset" / "studio"
