from __future__ import annotations

import pytest

from hoiset.shards.redact import redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/folder", "s3://bucket/folder"),
        ("hf://datasets/owner/name@main/x", "hf://datasets/owner/name@main/x"),
        ("https://me:pass@host/x", "https://host/x"),
        ("see 'https://cdn/x?Signature=abc&Key=1' now", "see 'https://cdn/x' now"),
        ("https://me:p@ss@host:1/x?t=1", "https://host:1/x"),
        ("Authorization: Bearer hf_abcdefgh1", "Authorization: Bearer ..."),
        ("token hf_abcdefgh1 is\n wrong", "token hf_... is wrong"),
    ],
)
def test_what_is_secret_goes(text: str, expected: str) -> None:
    assert redacted(text) == expected
