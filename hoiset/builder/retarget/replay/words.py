"""Nouns of things that are no rigid body: a replay of those would judge the wrong physics."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Literal


def not_rigid(label: str) -> Literal["deformable", "articulated"] | None:
    """What a label says, by its last word, and the last one before any "of"; ``None`` for nothing of the kind."""
    words = re.findall(r"[a-z]+", label.lower())
    if not words:
        return None
    heads = {words[-1], *(word for word, after in pairwise(words) if after == "of")}
    heads |= {head.removesuffix("s") for head in heads}
    known = _known()
    if heads & known["deformable"] or known["soft"].intersection(words):
        return "deformable"
    return "articulated" if heads & known["articulated"] else None


@cache
def _known() -> dict[str, frozenset[str]]:
    text = resources.files("hoiset.builder.retarget.replay").joinpath("words.toml").read_text("utf-8")
    return {name: frozenset(words) for name, words in tomllib.loads(text).items()}
