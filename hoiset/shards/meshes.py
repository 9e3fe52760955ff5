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

_INDICES = {"componentType": 5125, "type": "SCALAR"}
_VERTICES = {"componentType": 5126, "type": "VEC3", "byteOffset": 0}
_COLOURS = {"componentType": 5121, "normalized": True, "type": "VEC4", "byteOffset": 0}
_KINDS = {kind["type"]: kind for kind in (_INDICES, _VERTICES, _COLOURS)}
_BYTES = {"SCALAR": 4, "VEC3": 12, "VEC4": 4}


def count_objects(glb: bytes) -> int:
    """Number of meshes ``object_0``, ``object_1``, ... with triangles and finite vertices.

    Raises:
        SchemaError: As :func:`hoiset.shards.glb.decode_objects`.
    """
    count = _plain_count(glb)
    return len(decode_objects(glb)) if count is None else count


def _plain_count(glb: bytes) -> int | None:
    """The count for a GLB as :func:`hoiset.shards.glb.encode_objects` writes it; ``None`` for any other."""
    try:
        head, binary = _chunks(glb)
        n = len(head.get("nodes", []))
        if not n:
            return 0 if head == {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{}]} else None
        return (
            n
            if head == _expected(head, n, binary) and all(_is_sound(head, mesh, binary) for mesh in head["meshes"])
            else None
        )
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


def _expected(head: dict[str, Any], n: int, binary: bytes) -> dict[str, Any]:
    """The head of ``n`` meshes, with what may differ taken from ``head``: counts, bounds, what is shared, extras."""
    accessors = []
    for known in head["accessors"]:
        accessors.append(
            {**_KINDS[known["type"]], **{name: known[name] for name in ("bufferView", "count", "max", "min")}}
        )
    sizes = {each["bufferView"]: each["count"] * _BYTES[each["type"]] for each in accessors}
    views, start = [], 0
    for place in range(len(sizes)):
        views.append({"buffer": 0, "byteOffset": start, "byteLength": sizes[place]})
        start += sizes[place]
    meshes = []
    for i in range(n):
        known = head["meshes"][i]["primitives"][0]
        of = {name: known["attributes"][name] for name in ("POSITION", "COLOR_0") if name in known["attributes"]}
        at = {"attributes": of, "indices": known["indices"], "mode": 4}
        meshes.append({**head["meshes"][i], "name": f"object_{i}", "primitives": [at]})
    return {
        "asset": {"generator": head["asset"]["generator"], "version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": list(range(n))}],
        "nodes": [{"name": f"object_{i}", "mesh": i} for i in range(n)],
        "meshes": meshes,
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }


def _is_sound(head: dict[str, Any], mesh: dict[str, Any], binary: bytes) -> bool:
    primitive = mesh["primitives"][0]
    indices = _values(head, primitive["indices"], binary, _INDICES, "<u4")
    vertices = _values(head, primitive["attributes"]["POSITION"], binary, _VERTICES, "<f4")
    colour = primitive["attributes"].get("COLOR_0")
    if colour is not None and 3 * len(_values(head, colour, binary, _COLOURS, "<u4")) != len(vertices):
        raise SchemaError("another layout")
    triangles = len(indices) >= 3 and len(indices) % 3 == 0
    return bool(triangles and np.isfinite(vertices).all() and int(indices.max()) * 3 < len(vertices))


def _values(head: dict[str, Any], index: int, binary: bytes, kind: dict[str, Any], dtype: str) -> np.ndarray:
    accessor = head["accessors"][index]
    if index < 0 or accessor["type"] != kind["type"]:
        raise SchemaError("another layout")
    view = head["bufferViews"][accessor["bufferView"]]
    return np.frombuffer(binary, dtype, view["byteLength"] // 4, view["byteOffset"])
