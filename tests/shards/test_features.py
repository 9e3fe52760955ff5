import pyarrow as pa
import pytest

from hoiset.shards.features import clip_table, clip_type, config_name, features_yaml, schema_table
from hoiset.shards.schema import CLIP_FIELDS, ROBOT_SCHEMA, SCHEMA, layers
from tests.factories import make_clip

datasets = pytest.importorskip("datasets", reason="the features are compared with those of hoiset[datasets]")


@pytest.mark.parametrize("layer", layers())
def test_yaml_is_what_datasets_writes(layer: str) -> None:
    features = datasets.Features._from_yaml_list(features_yaml(layer))
    assert datasets.DatasetInfo(features=features)._to_yaml_dict()["features"] == features_yaml(layer)


def test_yaml_says_what_the_schema_says() -> None:
    features = datasets.Features._from_yaml_list(features_yaml("core"))
    assert features.arrow_schema.field("clip.json").type == clip_type()
    assert features["time.npy"] == datasets.List(datasets.Value("float64"))
    assert features["hand_joints.npy.gz"] == datasets.Array4D((None, 2, 21, 3), "float32")
    assert features["object_state.npy"] == datasets.Array2D((None, 8), "uint8")
    assert features["objects.glb"] == datasets.Value("binary")
    names = {n for layer in layers() for n in datasets.Features._from_yaml_list(features_yaml(layer))}
    assert names == {m.name for m in SCHEMA} | {"__key__"}


def test_clip_type_holds_a_clip() -> None:
    clip = make_clip("a", n_objects=2)
    assert pa.array([clip], clip_type()).to_pylist() == [clip]


def test_config_names() -> None:
    assert (config_name("v2", "core"), config_name("v2", "video")) == ("v2", "v2-video")


def test_tables_have_a_row_for_everything() -> None:
    table = schema_table().splitlines()
    assert len(table) == 2 + len(SCHEMA) + len(ROBOT_SCHEMA)
    assert {line.count("|") for line in table} == {5}
    assert all(f"`{m.name}`" in schema_table() for m in (*SCHEMA, *ROBOT_SCHEMA))
    assert "<" not in schema_table(())
    assert all(f"| `{name}` |" in clip_table() for name in CLIP_FIELDS)
