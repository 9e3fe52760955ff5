from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.publish.tags import latest_tag, next_tag, version_key

number = st.integers(0, 10**6)


@given(st.lists(st.tuples(number, number), min_size=1, max_size=5))
def test_the_next_tag_is_after_all_others(numbers: list[tuple[int, int]]) -> None:
    tags = [f"v2.{minor}.{patch}" for minor, patch in numbers]
    latest = latest_tag("v2", [*tags, "v2", "v3.9.9", "v2.1", "v2.01.1", "v2.1.1.1", "paper", "v20.1.1"])
    assert latest == "v2.{}.{}".format(*max(numbers))
    minor, patch = max(numbers)
    assert next_tag("v2", latest, data_changed=True) == f"v2.{minor + 1}.0"
    assert next_tag("v2", latest, data_changed=False) == f"v2.{minor}.{patch + 1}"


@pytest.mark.parametrize(
    ("version", "tag"), [("v2", "v2.0.0"), ("v10", "v10.0.0"), ("demo", "demo-v1.0.0"), ("v2-lab", "v2-lab-v1.0.0")]
)
def test_the_first_tag_has_the_number_of_the_version(version: str, tag: str) -> None:
    assert next_tag(version, latest_tag(version, ["other"]), data_changed=True) == tag


def test_the_order_of_versions() -> None:
    versions = ["v10", "demo", "v2", "v1", "action100m", "v2-lab"]
    assert sorted(versions, key=version_key) == ["action100m", "demo", "v2-lab", "v1", "v2", "v10"]
