"""``objects.glb``: one mesh per object as node ``object_<i>``, in the object's frame, m."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hoiset.errors import SchemaError
from hoiset.shards.codec import canonical_json

if TYPE_CHECKING:
    import trimesh


def encode_objects(meshes: Sequence[trimesh.Trimesh]) -> bytes:
    """GLB of the meshes in order; equal meshes give equal bytes, and no meshes give a valid GLB without nodes."""
    import trimesh

    if not meshes:
        return _empty_glb()
    scene = trimesh.Scene()
    for i, mesh in enumerate(meshes):
        scene.add_geometry(mesh, node_name=f"object_{i}", geom_name=f"object_{i}")
    return bytes(scene.export(file_type="glb"))


def decode_objects(glb: bytes) -> list[trimesh.Trimesh]:
    """The meshes in order, in the object's frame.

    Raises:
        SchemaError: Not a GLB, nodes other than ``object_0 .. object_<n-1>``, or a mesh without finite triangles.
    """
    import trimesh

    try:
        scene: Any = trimesh.load_scene(io.BytesIO(bytes(glb)), file_type="glb")
        nodes = sorted(scene.graph.nodes_geometry)
    except Exception as error:  # trimesh raises whatever the damage led to
        raise SchemaError(f"objects.glb: cannot be parsed ({type(error).__name__}: {error})") from error
    expected = [f"object_{i}" for i in range(len(nodes))]
    if nodes != expected:
        raise SchemaError(f"objects.glb: found nodes {nodes}, expected {expected}")
    meshes = []
    for node in expected:
        pose, name = scene.graph[node]
        mesh = scene.geometry[name]
        if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces) or not np.isfinite(mesh.vertices).all():
            raise SchemaError(f"objects.glb: found {node} without triangles or with vertices that are not finite")
        if mesh.faces.max() >= len(mesh.vertices):
            raise SchemaError(f"objects.glb: found a triangle of {node} at a vertex that is not there")
        meshes.append(mesh.copy() if np.array_equal(pose, np.eye(4)) else mesh.copy().apply_transform(pose))
    return meshes


def _empty_glb() -> bytes:
    """A scene without nodes; trimesh cannot write one."""
    text = canonical_json({"asset": {"version": "2.0"}, "scene": 0, "scenes": [{}]})
    text += b" " * (-len(text) % 4)
    return b"glTF" + struct.pack("<II", 2, 20 + len(text)) + struct.pack("<I4s", len(text), b"JSON") + text
