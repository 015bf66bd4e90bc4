"""Names and paths: what a name may be, and that different names never meet in one path."""

import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from flowgraph.errors import InvalidName
from flowgraph.model import checked_name, child_path, escaped, is_below, item_path, leaf_name, parent_path
from flowgraph.runtime.history import ancestors

_nasty = st.text(alphabet='/[]%"\\.25F{}ab0 é\u00a0\u200b🙂', min_size=1, max_size=8)
names = st.one_of(_nasty, st.text(min_size=1, max_size=40)).filter(
    lambda text: not text.isspace() and all(character.isprintable() or character == "\u200b" for character in text)
)
keys = st.one_of(_nasty, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
parts = st.one_of(
    st.tuples(st.just("name"), names),
    st.tuples(st.just("index"), st.integers(0, 10_000)),
    st.tuples(st.just("key"), keys),
)
segments = st.lists(parts, max_size=5).map(lambda rest: [("name", "root"), *rest])


def path_of(pieces: list[tuple[str, object]]) -> str:
    path = ""
    for kind, value in pieces:
        if kind == "name":
            path = child_path(path, value)
        elif kind == "index":
            path = item_path(path, int(str(value)))
        else:
            path = item_path(path, 0, str(value))
    return path


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "fetch data",
        "x" * 512,
        "a/b",
        "[",
        "%",
        '"',
        "ünïcode",
        "日本",
        "🙂",
        " padded ",
        ".",
        "..",
        "a\\b",
        "'",
        "None",
    ],
)
def test_a_name_is_returned_as_it_is(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        (" ", "white space"),
        ("\u2003\u00a0", "white space"),
        ("x" * 513, "513 characters"),
        ("a\nb", "U+000A"),
        ("a\x00", "U+0000"),
        ("\x7f.", "U+007F"),
        ("a\x85b", "U+0085"),
        ("a\u2028b", "U+2028"),
        ("a\ud800", "U+D800"),
        (None, "not NoneType"),
        (b"bytes", "not bytes"),
        (7, "not int"),
    ],
)
def test_a_bad_name_is_refused_with_the_rule_it_breaks(name: object, reason: str) -> None:
    with pytest.raises(InvalidName) as caught:
        checked_name(name)
    assert reason in str(caught.value)
    assert caught.value.name == name or caught.value.name is name
    assert isinstance(caught.value, ValueError)


def test_a_subclass_of_text_becomes_plain_text() -> None:
    class Loud(str):
        __slots__ = ()

        def __str__(self) -> str:
            return self.upper()

        def __hash__(self) -> int:
            return 1

    assert type(checked_name(Loud("quiet"))) is str
    assert checked_name(Loud("quiet")) == "quiet"


@given(names)
def test_what_is_escaped_has_nothing_that_means_something_in_a_path(name: str) -> None:
    assert not set('/[]"') & set(escaped(name))


@given(names, names)
@example("%2F", "/")
@example("%", "%25")
def test_escaping_is_injective(one: str, other: str) -> None:
    assume(one != other)
    assert escaped(one) != escaped(other)


@given(names, names)
def test_the_leaf_of_a_path_is_the_name_as_it_was_written(parent: str, name: str) -> None:
    assert leaf_name(child_path(child_path("", parent), name)) == name
    assert leaf_name(child_path("", name)) == name


@given(segments, segments)
def test_different_places_never_have_the_same_path(
    one: list[tuple[str, object]], other: list[tuple[str, object]]
) -> None:
    assume(one != other)
    assert path_of(one) != path_of(other)


@given(segments)
def test_the_parent_of_a_path_is_the_place_it_was_made_from(pieces: list[tuple[str, object]]) -> None:
    assert parent_path(path_of(pieces)) == path_of(pieces[:-1])


@given(segments)
def test_ancestors_are_all_the_places_around_a_path_from_the_nearest_outwards(pieces: list[tuple[str, object]]) -> None:
    expected = [path_of(pieces[:length]) for length in range(len(pieces) - 1, 0, -1)]
    assert list(ancestors(path_of(pieces))) == expected


@given(segments, segments)
def test_a_path_is_below_exactly_its_ancestors(one: list[tuple[str, object]], other: list[tuple[str, object]]) -> None:
    longer = one + other[1:]
    for path, ancestor in ((path_of(longer), path_of(one)), (path_of(one), path_of(other))):
        assert is_below(path, ancestor) == (ancestor in list(ancestors(path)))


@pytest.mark.parametrize(
    ("path", "ancestor", "below"),
    [
        ("a/b", "a", True),
        ("a/b/c", "a", True),
        ("a", "a", False),
        ("ab", "a", False),
        ("ab/c", "a", False),
        ("a[3]", "a", True),
        ('a["k"]', "a", True),
        ("a[3]/b", "a", True),
        ("a[3]/b", "a[3]", True),
        ("a[31]", "a[3]", False),
        ("a", "a/b", False),
    ],
)
def test_below(path: str, ancestor: str, below: bool) -> None:
    assert is_below(path, ancestor) is below


@given(st.text(alphabet=string.printable + "\x00\x85\u2028\ud800é", max_size=10))
def test_every_text_is_either_a_name_or_refused_as_one(text: str) -> None:
    try:
        checked = checked_name(text)
    except InvalidName:
        return
    assert checked == text
    checked.encode()
