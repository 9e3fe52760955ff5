"""How many bytes clips take, from the index alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hoiset.shards.schema import layers

REFERENCE_S = 6.0
"""Length of the clip that core sizes are told for."""


@dataclass(frozen=True)
class LayerSize:
    """Bytes of the members of a layer, headers and padding of the tar apart.

    Attributes:
        median: Of the clips.
        p95: 95th percentile of the clips.
        median_per_6_s: Median of the clips, each scaled to :data:`REFERENCE_S`.
        largest: Member that takes most, over all clips.
        largest_share: Its share of the layer's bytes.
    """

    median: int
    p95: int
    median_per_6_s: int
    largest: str
    largest_share: float


def layer_sizes(index: pa.Table) -> dict[str, LayerSize]:
    """Sizes of the layers that are there, in the order of the schema.

    Args:
        index: Its columns ``members`` and ``duration_s``.
    """
    spans = pc.list_flatten(index["members"]).combine_chunks()
    clip = pc.list_parent_indices(index["members"]).to_numpy()
    layer, member = (pc.struct_field(spans, name).to_numpy(zero_copy_only=False) for name in ("layer", "member"))
    size = pc.struct_field(spans, "size").to_numpy()
    duration_s = index["duration_s"].to_numpy()
    out = {}
    for name in layers():
        here = layer == name
        if not here.any():
            continue
        of_clip = np.bincount(clip[here], size[here], index.num_rows)
        names, inverse = np.unique(member[here].astype(str), return_inverse=True)
        of_member = np.bincount(inverse, size[here])
        middle, high = np.percentile(of_clip, (50, 95))
        scaled = of_clip[duration_s > 0] / duration_s[duration_s > 0] * REFERENCE_S
        out[name] = LayerSize(
            round(middle),
            round(high),
            round(float(np.median(scaled))) if len(scaled) else 0,
            str(names[of_member.argmax()]),
            float(of_member.max() / max(of_member.sum(), 1)),
        )
    return out
