from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.errors import QueryError
from hoiset.filter.fields import fields
from hoiset.filter.nodes import Always, And, Compares, Is, IsNull, Matches, Node, Not, Or
from hoiset.filter.parsing import MAX_DEPTH, parse_text

A, B, C = Is("key", ("a",)), Is("key", ("b",)), Is("key", ("c",))
a, b, c = 'key = "a"', "key = 'b'", 'key=="c"'


@pytest.mark.parametrize(
    ("text", "node"),
    [
        (a, A),
        (f"{a} and {b} or {c}", Or((And((A, B)), C))),
        (f"{a} and ({b} or {c})", And((A, Or((B, C))))),
        (f"not {a} and {b}", And((Not(A), B))),
        (f"NOT ({a} AND\n{b})", Not(And((A, B)))),
        (f"{a} or {b} or {c}", Or((A, B, C))),
        (f"((({a})))", A),
        (f"not not {a}", Not(Not(A))),
        ('key != "a"', Not(A)),
        ("true", Always(True)),
        ("False or true", Or((Always(False), Always(True)))),
        ('verb in ("Pour", "pick  up")', Is("verb", ("pour", "pick up"))),
        ('verb not in ("pour")', Not(Is("verb", ("pour",)))),
        ('object ~ "Mug"', Matches("object", ("mug",))),
        ('object ~ ("mug", "cup")', Matches("object", ("mug", "cup"))),
        ('action ~ "The Mug"', Matches("action", ("The Mug",))),
        ("quality.score > 0.8", Compares("quality.score", ">", 0.8)),
        ("duration_s<10", Compares("duration_s", "<", 10)),
        ("duration_s >= -1.5e-3", Compares("duration_s", ">=", -0.0015)),
        ("duration_s <= +.5", Compares("duration_s", "<=", 0.5)),
        ("n_objects in (1, 2)", Is("n_objects", (1, 2))),
        ("verb is null", IsNull("verb")),
        ("object is not null", Not(IsNull("object"))),
        ('grasp = "Both"', Is("grasp", ("both",))),
        (r'uid = "a\"b\\c"', Is("uid", ('a"b\\c',))),
        (r"uid = 'it\'s'", Is("uid", ("it's",))),
        ('licence = ""', Is("licence", ("",))),
        ('uid = "and"', Is("uid", ("and",))),
    ],
)
def test_what_is_written_becomes_a_tree(text: str, node: Node) -> None:
    assert parse_text(text) == node


def test_what_was_written_as_a_whole_number_stays_one() -> None:
    found = parse_text("n_objects in (1, 1.0)")
    assert isinstance(found, Is)
    assert [type(value) for value in found.values] == [int, float]


ERRORS = [
    ("verb = pour", "pour", 'words in quotes: "pour"'),
    ('verb = "pour', '"pour', "no closing"),
    ('grasp = "bothh"', '"bothh"', "expected one of left, right, both, any, none; both?"),
    ('key = "a" and colour = "red"', "colour", "unknown field 'colour'"),
    ('vreb = "pour"', "vreb", "did you mean verb?"),
    ("quality.scor > 1", "quality.scor", "quality.score"),
    ('quality > "high"', '"high"', "expected a number"),
    ("quality > true", "true", "found True, expected a number"),
    ("n_objects in (1, 'two')", "'two'", "expected a number"),
    ("quality = 1e999", "1e999", "found inf, expected a number"),
    ("verb > 3", ">", "verb is a verb: found >"),
    ("quality ~ 3", "~", "quality is a number: found ~"),
    ('grasp ~ "left"', "~", "grasp is one of left"),
    ("verb = 3", "3", "found 3, expected a word"),
    ('verb = " "', '" "', "expected a word"),
    ("key in (3)", "3", "expected a string"),
    ('partition = "dev"', '"dev"', "expected one of train, validation, test"),
    ('state = "grasped_lef"', '"grasped_lef"', "grasped_left?"),
    ('verb in ("pour", and object ~ "mug"', "and", "found 'and': expected a value"),
    ('verb in "pour"', '"pour"', "expected ("),
    ('verb = "a" verb', "verb", "expected one of: and, or, the end"),
    ("quality > 0.8.1", "0.8.1", "expected a value"),
    ("duration_s <10s", "10s", "expected a value"),
    ("key $ 3", "$", "expected one of: = != < <= > >=, ~, in, is, not"),
    ('verb = "a" or or', "or", "expected one of: a field, not, ("),
    ("verb = “pour”", "“", "expected a value"),
    ("quality >", "", "ends too early: expected a value"),
    ("(quality > 1", "", "ends too early: expected )"),
    ("", "", "ends too early: expected one of: a field, not, ("),
]


@pytest.mark.parametrize(("text", "place", "message"), ERRORS)
def test_an_error_points_at_its_place(text: str, place: str, message: str) -> None:
    with pytest.raises(QueryError) as error:
        parse_text(text)
    head, line, carets, *_ = str(error.value).split("\n")
    assert message in head
    assert line == "  " + text
    start = text.rindex(place) if place else len(text)
    assert carets == "  " + " " * start + "^" * max(len(place), 1)
    assert text[error.value.start : error.value.end] == place


def test_an_unknown_field_lists_all() -> None:
    with pytest.raises(QueryError) as error:
        parse_text('colour = "red"')
    listed = str(error.value).split("\nfields: ")[1].split(", ")
    assert listed == sorted(fields())
    assert {"verb", "object", "quality.score", "source.licence", "n_frames", "grasp"} <= set(listed)
    assert "members" not in listed


def test_the_line_of_the_error_is_shown_and_wide_letters_take_two_places() -> None:
    with pytest.raises(QueryError) as error:
        parse_text('key = "a"\nand action ~ "貓"\tand vreb = "x"\nor true')
    assert str(error.value).split("\n")[1:3] == [
        '  and action ~ "貓" and vreb = "x"',
        "                        ^^^^",
    ]


def test_bytes_that_are_no_text_are_refused() -> None:
    for text in ('key = "\udcff"', 'object ~ "a\udcff"', "key = \udcff"):
        with pytest.raises(QueryError) as error:
            parse_text(text)
        assert str(error.value).encode()


def test_a_long_line_is_cut_around_the_place() -> None:
    with pytest.raises(QueryError) as error:
        parse_text(" or ".join([a] * 500) + " or vreb = 3 or " + " or ".join([a] * 500))
    line, carets = str(error.value).split("\n")[1:3]
    assert len(line) < 250
    assert line[carets.index("^") : carets.rindex("^") + 1] == "vreb"


@pytest.mark.parametrize("text", ["not " * 5000 + "true", "not (" * 5000 + "true" + ")" * 5000])
def test_depth_has_a_bound(text: str) -> None:
    with pytest.raises(QueryError, match=f"more than {MAX_DEPTH} deep"):
        parse_text(text)
    assert parse_text("(" * 5000 + "true" + ")" * 5000) == Always(True)
    assert parse_text("not " * 50 + "true")


@settings(max_examples=300, deadline=None)
@given(st.text("verb=<>!~() \"'\\\n.,0123andotriskey貓\x00", max_size=40))
def test_any_text_is_a_tree_or_an_error_that_points_into_it(text: str) -> None:
    error = _error_of(text)
    if error is not None:
        assert 0 <= error.start <= error.end <= len(text)
        assert "^" in str(error)


def _error_of(text: str) -> QueryError | None:
    try:
        parse_text(text)
    except QueryError as error:
        return error
    return None
