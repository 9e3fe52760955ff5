"""Samples from one dataset to another, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hoiset.errors import DatasetError
from hoiset.shards.reader import ShardReader
from hoiset.shards.schema import KEY_PATTERN, MAX_KEY_LENGTH, members, robots_among
from hoiset.shards.writer import EncodedSample


def copied_sample(reader: ShardReader, row: Mapping[str, Any]) -> EncodedSample:
    """A sample as its members' bytes, which nobody decodes.

    Args:
        reader: Of the dataset that has it.
        row: Of its index.

    Raises:
        DatasetError: The index names a key, layer or member that cannot be, or a shard is missing or cut short.
    """
    key = row["key"]
    if not re.fullmatch(KEY_PATTERN, key) or len(key) > MAX_KEY_LENGTH:
        raise DatasetError(f"found the key {key!r} in the index, expected one like {KEY_PATTERN}; do not trust it")
    encoded: dict[str, dict[str, bytes]] = {}
    robots = robots_among([span["member"] for span in row["members"]])
    for span in row["members"]:
        if span["member"] not in {member.name for member in members(span["layer"], robots)}:
            raise DatasetError(f"{key}: found the member {span['member']!r} in the index, expected one of the schema")
        data = reader.read(span["shard"], span["offset"], span["size"])
        encoded.setdefault(span["layer"], {})[span["member"]] = data
    return EncodedSample(key, encoded, {name: value for name, value in row.items() if name != "members"})
