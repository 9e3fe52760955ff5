"""Rendered clips on disk: one folder a clip, complete or not there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16

from hoiset.builder.studio.clip import StudioClip, render_clip
from hoiset.builder.studio.params import StudioParams
from hoiset.builder.studio.truth import clip_key
from hoiset.errors import SchemaError, SourceError
from hoiset.shards import codec
from hoiset.shards.schema import DEFAULT_LAYERS, Sample, members

STUDIO_VERSION = "3"
_VIDEO = "rgb.mp4"
_SCENE = "scene.npz"
_MEMBERS = tuple(m for layer in DEFAULT_LAYERS for m in members(layer))


@dataclass(frozen=True)
class StoredClip:
    """A rendered clip read back.

    Attributes:
        path: Its video.
        truth: Every member of the schema.
        depth: (T, H, W) uint16 z-depth, mm.
        masks: (T, H, W) uint8, see :class:`hoiset.builder.studio.clip.StudioClip`.
    """

    path: Path
    truth: Sample
    depth: UInt16[np.ndarray, "T H W"]
    masks: UInt8[np.ndarray, "T H W"]


def clip_folder(root: Path, seed: int, params: StudioParams) -> Path:
    """Where the clip of a seed and parameters is kept: another version or other parameters are another folder."""
    values = {"studio": STUDIO_VERSION, "seed": seed, "params": params.model_dump(mode="json")}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return root / f"{clip_key(seed)}-{digest[:12]}"


def ensure_clip(root: Path, seed: int, params: StudioParams) -> Path:
    """The folder of a clip; it is rendered when it is not there yet.

    Raises:
        SourceError: The folder cannot be written.
    """
    folder = clip_folder(root, seed, params)
    if not (folder / _VIDEO).is_file():
        write_clip(folder, render_clip(seed, params))
    return folder


def write_clip(folder: Path, clip: StudioClip) -> None:
    """Write a clip's video, truth, depth and masks under a temporary name and rename the whole folder.

    Raises:
        SourceError: The folder cannot be written.
    """
    temporary = ""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent)
        _fill(Path(temporary), clip)
        try:
            Path(temporary).rename(folder)
        except OSError:
            if not (folder / _VIDEO).is_file():  # otherwise another process was first, with the same bytes
                raise
    except OSError as error:
        raise SourceError(
            f"cannot write rendered clips to {folder.parent}: {error}; give a writable directory with --source"
        ) from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def _fill(folder: Path, clip: StudioClip) -> None:
    for member in _MEMBERS:
        (folder / member.name).write_bytes(codec.encode(member, clip.truth[member.name]))
    np.savez_compressed(folder / _SCENE, depth=clip.depth, masks=clip.masks)
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def read_clip(folder: Path) -> StoredClip:
    """Read a clip that :func:`write_clip` wrote.

    Raises:
        SourceError: The folder is not there or incomplete.
    """
    truth: dict[str, Any] = {}
    try:
        for member in _MEMBERS:
            truth[member.name] = codec.decode(member, (folder / member.name).read_bytes())
        with np.load(folder / _SCENE, allow_pickle=False) as scene:
            return StoredClip(folder / _VIDEO, truth, scene["depth"], scene["masks"])
    except (OSError, ValueError, KeyError, SchemaError) as error:
        raise SourceError(f"{folder} is not a rendered clip: {error}; remove it and it is rendered again") from error
