"""How members are called in items."""

from __future__ import annotations


def item_name(member: str) -> str:
    """Key of a member in an item: ``hand_joints.npy.gz`` -> ``hand_joints``, ``objects.glb`` -> ``objects_glb``."""
    stem, _, suffix = member.removesuffix(".gz").rpartition(".")
    return stem if suffix in ("npy", "json", "mp4", "mkv") else member.replace(".", "_")
