"""One video of a corpus: what it shows, what pass 1 should make of it, and its truth where it shows an interaction."""

from __future__ import annotations

from dataclasses import dataclass

from hoiset.builder.studio.clip import StudioClip, render_clip
from hoiset.builder.studio.params import StudioParams
from hoiset.shards.schema import Sample
from hoiset.video import encode_lossless

POSITIVE = "positive"


@dataclass(frozen=True)
class Footage:
    """A video and what is known of it.

    Attributes:
        kind: ``positive``, or the negative's kind.
        mp4: The file.
        n_frames: Frames in it.
        duration_s: Time that it lasts, s.
        action: What happens, in words.
        nouns: Of the things that are handled.
        gate: First gate of pass 1 that it should fail, or ``""``.
        spans: Start and end of what pass 1 should keep, s.
        sample: Its truth with the layers core, video and scene; ``None`` where it shows no interaction to learn from.
    """

    kind: str
    mp4: bytes
    n_frames: int
    duration_s: float
    action: str
    nouns: tuple[str, ...]
    gate: str
    spans: tuple[tuple[float, float], ...]
    sample: Sample | None


def kind_of(seed: int) -> str:  # noqa: ARG001
    """What the video of a seed shows."""
    return POSITIVE


def shoot(seed: int, kind: str, params: StudioParams | None = None) -> Footage:
    """Render the video of a seed.

    Args:
        seed: Draws everything that ``params`` leaves open.
        kind: See :func:`kind_of`.
        params: What to fix.
    """
    clip = render_clip(seed, params)
    said = clip.truth["clip.json"]["text"]
    end_s = float(clip.time[-1])
    return Footage(
        kind=kind,
        mp4=clip.truth["rgb.mp4"],
        n_frames=len(clip.time),
        duration_s=end_s,
        action=said["action"],
        nouns=tuple(said["objects"]),
        gate="",
        spans=((0.0, end_s),),
        sample=_sample(clip),
    )


def _sample(clip: StudioClip) -> Sample:
    """The clip's truth, named as the folder source names the file, with its scene layer."""
    said = dict(clip.truth["clip.json"])
    said["source"] = {**said["source"], "uid": f"{said['key']}.mp4"}
    scene = {"depth.mkv": encode_lossless(clip.depth), "masks.mkv": encode_lossless(clip.masks)}
    return {**clip.truth, **scene, "clip.json": said}
