"""What labels say of rigidity."""

from __future__ import annotations

import pytest

from hoiset.builder.retarget.replay.words import not_rigid


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("mug", None),
        ("paper plate", None),
        ("water bottle", None),
        ("", None),
        ("???", None),
        ("plush toy", "deformable"),
        ("Plastic Bags", "deformable"),
        ("piece of paper", "deformable"),
        ("a bag of rice", "deformable"),
        ("laptop", "articulated"),
        ("pair of scissors", "articulated"),
    ],
)
def test_the_last_word_decides(label: str, kind: str | None) -> None:
    assert not_rigid(label) == kind
