from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.sources import open_source, safe_key
from hoiset.builder.sources.folder import FolderSource
from hoiset.errors import SourceError


def test_kinds(tmp_path: Path) -> None:
    assert isinstance(open_source(tmp_path), FolderSource)
    with pytest.raises(SourceError, match=r"'web'.*folder, studio, action100m"):
        open_source(tmp_path, kind="web")


@given(st.text(max_size=120))
def test_keys_are_safe_whatever_the_name(uid: str) -> None:
    key = safe_key(uid)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", key)
    assert len(key) <= 64
    assert safe_key(key) == key or "." in uid  # a key is its own key, a suffix apart


@pytest.mark.parametrize(
    ("uid", "key"),
    [
        ("cups_shuffle.mp4", "cups_shuffle"),
        ("a/b c.é.MOV", "a-b-c-e"),
        ("../../etc/passwd", "etc-passwd"),
        ("日本.mp4", "video"),
        ("", "video"),
        ("x" * 99, "x" * 64),
    ],
)
def test_keys_stay_readable(uid: str, key: str) -> None:
    assert safe_key(uid) == key
