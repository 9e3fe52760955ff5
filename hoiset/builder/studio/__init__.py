"""Rendered clips with exact ground truth: a modelled hand handles modelled objects in front of a virtual camera."""

from hoiset.builder.studio.clip import StudioClip, render_clip
from hoiset.builder.studio.params import DEMO_KINDS, OBJECT_KINDS, StudioParams
from hoiset.builder.studio.rgbd import RgbdCamera, RgbdFrame, Solid
from hoiset.builder.studio.store import STUDIO_VERSION, StoredClip, read_clip, write_clip

__all__ = [
    "DEMO_KINDS",
    "OBJECT_KINDS",
    "STUDIO_VERSION",
    "RgbdCamera",
    "RgbdFrame",
    "Solid",
    "StoredClip",
    "StudioClip",
    "StudioParams",
    "read_clip",
    "render_clip",
    "write_clip",
]
