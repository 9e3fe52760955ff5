"""Writes docs/schema.md from the schema: ``python docs/make_schema.py``."""

from pathlib import Path

from hoiset.shards.features import clip_table, schema_table
from hoiset.shards.schema import ROBOT_FIELDS, SCHEMA_VERSION


def schema_page() -> str:
    """The page as it must be."""
    return f"""# Schema {SCHEMA_VERSION}

<!-- made by docs/make_schema.py -->

A sample is a clip. Every clip has exactly the same members; absence is a value (NaN, an `absent` code, an empty list),
never a missing file. Each layer is its own series of tars with the same keys in the same order.

Metres, radians, seconds, pixels. Camera frame: x right, y down, z forward. `T_a_b` maps points of b to a. Pixel (0, 0)
is the centre of the top-left pixel. Hands axis: 0 = left, 1 = right. 21 joints: wrist, then thumb, index, middle, ring,
little, each from palm to tip. T is the number of frames.

{schema_table()}
## clip.json

{clip_table()}
## robots.json

Which robots a version has is its recipe's choice (`hoiset build --robots`); every clip has all of their members. The
index has `robots_<robot>_ik_rate`, `_position_m` and `_rotation_rad` of each, which a query calls
`robots.<robot>.ik_rate` and so on. [Retargeting](retargeting.md) says how they are made.

{clip_table(ROBOT_FIELDS)}"""


if __name__ == "__main__":
    Path(__file__).with_name("schema.md").write_text(schema_page(), encoding="utf-8")
