"""One video of a corpus: what it shows, what pass 1 should make of it, and its truth where it shows an interaction."""

from __future__ import annotations

from dataclasses import dataclass

from hoiset.builder.studio.clip import StudioClip, film_clip
from hoiset.builder.studio.negatives import GATES, NEGATIVES, Negative, render_negative
from hoiset.builder.studio.params import StudioParams
from hoiset.builder.studio.scene import plan_scene
from hoiset.builder.studio.uneventful import self_moving_scene
from hoiset.builder.studio.web import encode_web
from hoiset.shards.schema import Sample
from hoiset.video import encode_lossless

POSITIVE = "positive"
_EVERY = 7


@dataclass(frozen=True)
class Footage:
    """A video and what is known of it.

    Attributes:
        kind: ``positive``, or one of :data:`~hoiset.builder.studio.negatives.NEGATIVES`.
        mp4: The file.
        n_frames: Frames in it.
        duration_s: Time of its last frame, s.
        action: What happens, in words.
        nouns: Of the things that are handled.
        gate: First gate of pass 1 that it should fail, or ``""``.
        spans: Start and end of what pass 1 should keep, s.
        sample: Its truth with the layers core, video and scene, where its camera stands still from the first frame to
            the last and a hand is in view; else ``None``.
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


def kind_of(seed: int) -> str:
    """What the video of a seed shows: of any 49 seeds in a row, one each is of every negative kind."""
    return POSITIVE if seed % _EVERY != _EVERY - 1 else NEGATIVES[seed // _EVERY % len(NEGATIVES)]


def shoot(seed: int, kind: str, params: StudioParams | None = None) -> Footage:
    """Render the video of a seed.

    Args:
        seed: Draws everything that ``params`` leaves open.
        kind: See :func:`kind_of`.
        params: What to fix; by default everything varies (:meth:`StudioParams.varied`).
    """
    params = params or StudioParams.varied(seed)
    if kind == POSITIVE:
        return _of_clip(kind, film_clip(seed, params, plan_scene(seed, params)), params)
    if kind == "self_moving":
        return _of_clip(kind, film_clip(seed, params, self_moving_scene(seed, params)), params)
    return _of_negative(kind, render_negative(seed, kind, params), params)


def _of_clip(kind: str, clip: StudioClip, params: StudioParams) -> Footage:
    said = clip.truth["clip.json"]["text"]
    gate, end_s = GATES.get(kind, ""), float(clip.time[-1])
    return Footage(
        kind=kind,
        mp4=clip.truth["rgb.mp4"] if params.web_crf is None else encode_web(clip.rgb, params.rate_hz, params.web_crf),
        n_frames=len(clip.time),
        duration_s=end_s,
        action=said["action"],
        nouns=tuple(said["objects"]),
        gate=gate,
        spans=() if gate else ((0.0, end_s),),
        sample=_sample(clip),
    )


def _of_negative(kind: str, made: Negative, params: StudioParams) -> Footage:
    crf = params.crf if params.web_crf is None else params.web_crf
    return Footage(
        kind=kind,
        mp4=encode_web(made.rgb, params.rate_hz, crf),
        n_frames=len(made.time),
        duration_s=float(made.time[-1]),
        action=made.action,
        nouns=made.nouns,
        gate=made.gate,
        spans=made.spans,
        sample=None,
    )


def _sample(clip: StudioClip) -> Sample:
    """The clip's truth, named as the folder source names the file, with its scene layer."""
    said = dict(clip.truth["clip.json"])
    said["source"] = {**said["source"], "uid": f"{said['key']}.mp4"}
    scene = {"depth.mkv": encode_lossless(clip.depth), "masks.mkv": encode_lossless(clip.masks)}
    return {**clip.truth, **scene, "clip.json": said}
