import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.cards.markdown import cell, duration, link, size, table


@given(st.text(max_size=200))
def test_no_word_is_markup(text: str) -> None:
    found = cell(text)
    assert not set("<>|`[]*\\\n") & set(found)
    assert "://" not in found


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://example.org/a",
        "https://",
        "https://a b/c",
        "https://exa[mple.org/",
        "https://example.org:x/",
        "https://example.org/" + "x" * 400,
        "https://münchen.example/",
        "",
    ],
)
def test_what_is_no_plain_address_of_the_web_is_no_link(url: str) -> None:
    assert link("a_b", url) == "a_b"


@given(st.text(alphabet="ab/()[]<>|\"'` &=?#%\n", max_size=40))
def test_an_address_cannot_end_its_link(tail: str) -> None:
    found = link("x", f"https://example.org/{tail}")
    if found != "x":
        address = found.removeprefix("[x](").removesuffix(")")
        assert not set("()[]<>|\"'` \n") & set(address)


def test_numbers_are_for_people() -> None:
    assert [duration(h) for h in (2.51, 0.5, 0.01)] == ["2.5 h", "30 min", "36 s"]
    assert [size(n) for n in (12, 3400, 5.6e6, 7.89e9, 2e12)] == ["12 B", "3.4 kB", "5.6 MB", "7.89 GB", "2 TB"]
    assert table(("a", "b"), [("x", "1")], right=(1,)) == "| a | b |\n| --- | ---: |\n| x | 1 |\n"
