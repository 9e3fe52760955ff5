"""The schema in other people's words: Arrow types, the features of a `datasets` card, a table for people.

The YAML is made by hand so that the builder needs no `datasets`; a test compares it with what `datasets` itself writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hoiset.shards.schema import (
    CLIP_FIELDS,
    ROBOT,
    ROBOT_SCHEMA,
    SCHEMA,
    Member,
    json_fields,
    layers,
    members,
    robot_members,
)

_OF_ROBOTS = {m.layer for m in ROBOT_SCHEMA}
KEY_COLUMN = "__key__"
"""The sample key as `datasets` and WebDataset give it; what joins the layers."""


def config_name(version: str, layer: str) -> str:
    """Name of the Hub config of a layer: the core layer has the version's own name."""
    return version if layer == "core" else f"{version}-{layer}"


def clip_type(fields: Any = None) -> pa.DataType:
    """Arrow type of ``clip.json``, or of a part of :data:`hoiset.shards.schema.CLIP_FIELDS`."""
    fields = CLIP_FIELDS if fields is None else fields
    if isinstance(fields, dict):
        return pa.struct({name: clip_type(f) for name, f in fields.items()})
    if isinstance(fields, list):
        return pa.list_(clip_type(fields[0]))
    return pa.bool_() if fields == "bool" else pa.type_for_alias(fields)


def features_yaml(layer: str, robots: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The ``features`` of a layer's config as they stand in a card's ``dataset_info``.

    Args:
        layer: Of the schema.
        robots: The version's robots.

    Arrays of two or more axes are ArrayND with an open first dimension. Meshes and videos are ``binary``: their
    bytes reach every user, whatever decoders are installed, and `cast_column` makes a Video of them for who wants one.
    """
    columns = [{"name": KEY_COLUMN, "dtype": "string"}]
    return columns + [{"name": m.name, **_member_yaml(m)} for m in members(layer, robots)]


def _member_yaml(member: Member) -> dict[str, Any]:
    if member.name.endswith(".json"):
        return _struct_yaml(json_fields(member.name))
    if member.shape is None or member.dtype is None:
        return {"dtype": "binary"}
    scalar = {"f8": "float64", "f4": "float32", "u1": "uint8"}[member.dtype[1:]]
    if len(member.shape) == 1:
        return {"list": scalar}
    if "dof" in member.shape:  # only the first dimension of an ArrayND may be open
        return {"list": {"list": scalar}}
    shape = [None if n == "T" else n for n in member.shape]
    return {"dtype": {f"array{len(shape)}_d": {"shape": shape, "dtype": scalar}}}


def _struct_yaml(fields: Any) -> dict[str, Any]:
    if isinstance(fields, dict):
        return {"struct": [{"name": name, **_struct_yaml(f)} for name, f in fields.items()]}
    if isinstance(fields, list):
        inner = _struct_yaml(fields[0])
        # `datasets` writes a list of a bare type or of a struct without the extra level
        return {"list": next(iter(inner.values())) if set(inner) in ({"dtype"}, {"struct"}) else inner}
    return {"dtype": fields}


def schema_table(robots: Sequence[str] = (ROBOT,)) -> str:
    """The schema as a markdown table, one row a member.

    Args:
        robots: The version's; without any there is no layer of robots. By default their placeholder.
    """
    lines = ["| layer | member | dtype, shape | meaning |", "|---|---|---|---|"]
    for layer in layers():
        for m in _in_order(layer, robots):
            lines.append(f"| {layer} | `{m.name}` | {_kind(m)} | {m.doc.replace('<', '&lt;')} |")
    return "\n".join(lines) + "\n"


def _in_order(layer: str, robots: Sequence[str]) -> list[Member]:
    """As the schema lists them, then those of every robot."""
    known = [*SCHEMA, *(m for robot in robots for m in robot_members(robot))]
    return [m for m in known if m.layer == layer and (robots or m.layer not in _OF_ROBOTS)]


def clip_table(fields: Mapping[str, Any] = CLIP_FIELDS) -> str:
    """The fields of ``clip.json``, or of another struct, as a markdown table, one row a top-level field."""
    lines = ["| field | type |", "|---|---|"]
    lines += [f"| `{name}` | {_type_words(kind)} |" for name, kind in fields.items()]
    return "\n".join(lines) + "\n"


def _kind(member: Member) -> str:
    if member.shape is None or member.dtype is None:
        return "struct" if member.name.endswith(".json") else "bytes"
    return f"{member.dtype[1:]} ({', '.join(str(n) for n in member.shape)}{',' if len(member.shape) == 1 else ''})"


def _type_words(fields: Any) -> str:
    if isinstance(fields, dict):
        return ", ".join(f"`{name}` {_type_words(f)}" for name, f in fields.items())
    if isinstance(fields, list):
        inner = _type_words(fields[0])
        return f"list of ({inner})" if isinstance(fields[0], dict) else f"list of {inner}"
    return str(fields)
