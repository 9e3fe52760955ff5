"""What licence strings permit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.studio.truth import LICENCE
from hoiset.shards.licences import Terms, terms


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC0-1.0", "cc0-1.0"),
        ("cc0", "cc0-1.0"),
        ("CC0 1.0 Universal", "cc0-1.0"),
        ("CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "cc0-1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"),
        ("Public Domain", "pdm-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "pdm-1.0"),
        ("CC-BY-4.0", "cc-by-4.0"),
        ("CC BY 4.0", "cc-by-4.0"),
        ("cc_by_4.0", "cc-by-4.0"),
        ("cc-by-3.0-de", "cc-by-3.0"),
        ("Creative Commons Attribution 4.0 International", "cc-by-4.0"),
        ("Attribution 4.0 International (CC BY 4.0)", "cc-by-4.0"),
        ("Creative Commons Attribution 4.0 International License", "cc-by-4.0"),
        ("Creative Commons Attribution license (reuse allowed)", "cc-by-3.0"),
        ("CC BY", "cc-by"),
        ("CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 3.0 Unported", "cc-by-nc-sa-3.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/4.0/legalcode.en", "cc-by-nc-nd-4.0"),
        ("http://creativecommons.org/licenses/by/2.0", "cc-by-2.0"),
        ("Apache-2.0", "apache-2.0"),
        ("Apache License, Version 2.0", "apache-2.0"),
        ("MIT License", "mit"),
        ("the Unlicense", "unlicense"),
        (LICENCE, "cc0-1.0"),
    ],
)
def test_known_licences_are_read_in_every_spelling(licence: str, expected: str) -> None:
    found = terms(licence)
    assert found.id == expected
    assert found.redistribute


@pytest.mark.parametrize(
    "licence",
    [
        None,
        "",
        "unknown",
        "Standard YouTube License",
        "YouTube Standard License",
        "youtube",
        "all rights reserved",
        "Creative Commons",
        "cc",
        "attribution",
        "not CC-BY-4.0",
        "CC-BY-4.0 for the annotations",
        "CC-BY-4.0 (annotations only)",
        "CC BY-SA-ND 4.0",
        "CC BY 9.0",
        "CC-BY-ND-NC-4.0",
        "CC-BY-4.0-NC",
        "https://example.org/creativecommons.org/licenses/by/4.0/",
        "https://creativecommons.org.example/licenses/by/4.0/",
        "odbl",
        "odc-by",
        "mit or proprietary",
        "Pexels License",
        "https://creativecommons.org/licenses/by/4.0/../../secret",
    ],
)
def test_anything_else_permits_nothing(licence: str | None) -> None:
    assert terms(licence) == Terms()


def test_every_element_of_creative_commons_is_told() -> None:
    assert terms("cc0") == Terms("cc0-1.0", redistribute=True, derivatives=True)
    assert terms("cc-by-4.0") == Terms("cc-by-4.0", redistribute=True, derivatives=True, attribution=True)
    assert terms("cc-by-nc-sa-4.0") == Terms("cc-by-nc-sa-4.0", True, True, True, True, True)
    assert terms("cc-by-nd-4.0") == Terms("cc-by-nd-4.0", redistribute=True, attribution=True)
    assert not terms("cc-by-nc-nd-4.0").pictures
    assert terms("cc-by-sa-4.0").pictures


@given(st.text(min_size=1, max_size=20).filter(lambda x: not set(x) <= set(" \t\n_,/-.") and x.strip()))
def test_words_after_a_licence_make_it_unknown(more: str) -> None:
    found = terms(f"CC-BY-4.0 words {more}")
    assert not found.redistribute
