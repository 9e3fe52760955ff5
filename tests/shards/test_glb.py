import numpy as np
import pytest
import trimesh

from hoiset.errors import SchemaError
from hoiset.shards.glb import decode_objects, encode_objects


@pytest.mark.parametrize("n", [0, 1, 3, 8])
def test_meshes_come_back_in_order(n: int) -> None:
    meshes = [trimesh.creation.box((0.1 * (i + 1), 0.2, 0.3)) for i in range(n)]
    glb = encode_objects(meshes)
    assert glb == encode_objects([m.copy() for m in meshes])
    back = decode_objects(glb)
    assert len(back) == n
    for a, b in zip(meshes, back, strict=True):
        np.testing.assert_allclose(a.extents, b.extents, rtol=1e-6)
        assert len(a.faces) == len(b.faces)


def test_node_poses_are_applied() -> None:
    scene = trimesh.Scene()
    T = trimesh.transformations.translation_matrix((1.0, 2.0, 3.0))
    scene.add_geometry(trimesh.creation.box(), node_name="object_0", transform=T)
    (mesh,) = decode_objects(scene.export(file_type="glb"))
    np.testing.assert_allclose(mesh.bounds.mean(0), (1.0, 2.0, 3.0), atol=1e-6)


def test_damage_and_foreign_nodes_are_refused() -> None:
    glb = encode_objects([trimesh.creation.box()])
    foreign = trimesh.Scene()
    foreign.add_geometry(trimesh.creation.box(), node_name="mug")
    for bad in (b"", b"glTF", glb[:-200], b"x" * 100, foreign.export(file_type="glb")):
        with pytest.raises(SchemaError, match=r"objects\.glb: "):
            decode_objects(bad)
