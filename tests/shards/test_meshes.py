from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hoiset.errors import SchemaError
from hoiset.shards import meshes
from hoiset.shards.glb import decode_objects, encode_objects

BOX = trimesh.creation.box((0.1, 0.1, 0.1))
COLOURED = trimesh.Trimesh(BOX.vertices, BOX.faces, vertex_colors=np.arange(32, dtype=np.uint8).reshape(8, 4))
GLB = encode_objects([COLOURED, trimesh.creation.icosphere(radius=0.1)])


@pytest.mark.parametrize("n", [0, 1, 8])
def test_our_own_are_counted_without_the_library(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    glb = encode_objects([BOX, COLOURED, *[BOX] * 6][:n])
    monkeypatch.setattr(meshes, "decode_objects", None)
    assert meshes.count_objects(glb) == n


def count(glb: bytes) -> int | None:
    try:
        return len(decode_objects(glb))
    except SchemaError:
        return None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(GLB) - 1), st.integers(1, 255), st.booleans())
@example(GLB.index(b'"buffer"', GLB.index(b'"bufferViews"')) + 1, 1, False)
@example(GLB.index(b"BIN\0") + 5, 77, False)
def test_damage_is_judged_as_the_library_does(at: int, change: int, cut: bool) -> None:
    damaged = bytearray(GLB)
    damaged[at] ^= change
    glb = bytes(damaged[:at]) if cut else bytes(damaged)
    try:
        found = meshes.count_objects(glb)
    except SchemaError:
        found = None
    assert found == count(glb)


def test_vertices_that_are_not_finite_are_refused() -> None:
    damaged = GLB.replace(np.float32(0.05).tobytes(), np.float32(np.nan).tobytes())
    assert damaged != GLB
    with pytest.raises(SchemaError, match="not finite"):
        meshes.count_objects(damaged)
