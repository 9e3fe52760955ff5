"""How many meshes a GLB holds, without the library that could draw them.

Loading trimesh takes longer than verifying a hundred clips. What this accepts, :func:`hoiset.shards.glb.decode_objects`
accepts; whatever else it is shown, that one is asked.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from hoiset.errors import SchemaError
from hoiset.shards.glb import decode_objects

_INDICES = {5121: "u1", 5123: "<u2", 5125: "<u4"}
_WIDTHS = {"SCALAR": 1, "VEC3": 3}


def count_objects(glb: bytes) -> int:
    """Number of meshes ``object_0``, ``object_1``, ... with triangles and finite vertices.

    Raises:
        SchemaError: As :func:`hoiset.shards.glb.decode_objects`.
    """
    count = _plain_count(glb)
    return len(decode_objects(glb)) if count is None else count


def _plain_count(glb: bytes) -> int | None:
    """The count for a GLB as :func:`hoiset.shards.glb.encode_objects` writes it; ``None`` for any other bytes."""
    try:
        head, binary = _chunks(glb)
        named = [node for node in head.get("nodes", []) if "mesh" in node]
        names = sorted(node["name"] for node in named)
        if names != [f"object_{i}" for i in range(len(named))] or len(names) > 9:
            return None
        meshes = [head["meshes"][node["mesh"]] for node in named]
        return len(named) if all(_is_sound(head, mesh, binary) for mesh in meshes) else None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error, SchemaError):
        return None


def _chunks(glb: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, length, size, kind = struct.unpack_from("<4sIII4s", glb)
    if (magic, version, length, kind) != (b"glTF", 2, len(glb), b"JSON"):
        raise SchemaError("another kind of file")
    head = json.loads(glb[20 : 20 + size])
    at = 20 + size
    if at == len(glb):
        return head, b""
    size, kind = struct.unpack_from("<I4s", glb, at)
    if kind != b"BIN\0" or at + 8 + size != len(glb):
        raise SchemaError("other chunks")
    return head, glb[at + 8 :]


def _is_sound(head: dict[str, Any], mesh: dict[str, Any], binary: bytes) -> bool:
    if len(mesh["primitives"]) != 1 or mesh["primitives"][0].get("mode", 4) != 4:
        return False
    primitive = mesh["primitives"][0]
    vertices = _values(head, primitive["attributes"]["POSITION"], binary, "VEC3", {5126: "<f4"})
    indices = _values(head, primitive["indices"], binary, "SCALAR", _INDICES)
    triangles = len(indices) >= 3 and len(indices) % 3 == 0
    return bool(triangles and np.isfinite(vertices).all() and int(indices.max()) * 3 < len(vertices))


def _values(head: dict[str, Any], index: int, binary: bytes, kind: str, types: dict[int, str]) -> np.ndarray:
    accessor = head["accessors"][index]
    view = head["bufferViews"][accessor["bufferView"]]
    if accessor["type"] != kind or "byteStride" in view or "sparse" in accessor or view["buffer"] != 0:
        raise SchemaError("another layout")
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    count = accessor["count"] * _WIDTHS[kind]
    if start < 0 or count < 0:
        raise SchemaError("another layout")
    return np.frombuffer(binary, types[accessor["componentType"]], count, start)
