"""Label and field selectors: what parses, what it selects, what is refused and how."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.cluster.selectors import Requirement, Selector, parse
from k8s_tuning.errors import SelectorError

KEYS = ("app", "session_id", "in", "notin", "example.com/team", "g")
VALUES = ("", "a", "b", "in", "arbitrage-tuning", "7", "10")
BLANKS = ("", " ", "\t", " \r\n ")


@st.composite
def selectors(draw: st.DrawFn) -> Selector:
    """A valid selector as a value."""
    found = []
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=4)):
        operator = draw(st.sampled_from(("=", "==", "!=", "in", "notin", "exists", "!", ">", "<")))
        if operator in ("in", "notin"):
            values = tuple(sorted(draw(st.sets(st.sampled_from(VALUES), min_size=1))))
        elif operator in (">", "<"):
            values = (str(draw(st.integers(0, 20))),)
        elif operator in ("exists", "!"):
            values = ()
        else:
            values = (draw(st.sampled_from(VALUES)),)
        found.append(Requirement(key, operator, values))
    return Selector(tuple(sorted(found, key=lambda requirement: requirement.key)))


def text_of(selector: Selector) -> str:
    """The canonical text."""
    texts = []
    for one in selector.requirements:
        match one.operator:
            case "exists":
                texts.append(one.key)
            case "!":
                texts.append(f"!{one.key}")
            case "in" | "notin":
                texts.append(f"{one.key} {one.operator} ({','.join(one.values)})")
            case _:
                texts.append(f"{one.key}{one.operator}{one.values[0]}")
    return ",".join(texts)


label_sets = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
# Text near the grammar: every part of it in any order.
PARTS = ("a", "b", "in", "notin", "=", "==", "!=", "!", "(", ")", ",", ">", "<", "5", "-a", "x/y", "/", " ", "\t")
near_selectors = st.lists(st.sampled_from(PARTS)).map("".join)


@given(selectors())
def test_canonical_text_parses_to_the_same_selector(selector: Selector) -> None:
    assert parse(text_of(selector)) == selector


@given(selectors(), st.data())
def test_white_space_between_the_parts_changes_nothing(selector: Selector, data: st.DataObject) -> None:
    blank = data.draw(st.sampled_from(BLANKS))
    text = text_of(selector)
    for part in (",", "(", ")", "!=", ">", "<"):
        text = text.replace(part, f"{blank}{part}{blank}")
    assert parse(f"{blank}{text}{blank}") == selector


@given(near_selectors)
def test_any_text_parses_or_is_refused_and_what_parses_is_stable(text: str) -> None:
    try:
        selector = parse(text)
    except SelectorError:
        return
    assert parse(text_of(selector)) == selector


@given(st.text())
def test_no_text_ends_in_another_error(text: str) -> None:
    with contextlib.suppress(SelectorError):
        parse(text)


@given(st.text(max_size=3), label_sets)
def test_a_not_in_selects_the_complement_of_in(value: str, labels: dict[str, str]) -> None:
    for key in KEYS:
        inside, outside = Requirement(key, "in", (value,)), Requirement(key, "notin", (value,))
        assert inside.matches(labels) != outside.matches(labels)


@pytest.mark.parametrize(
    ("text", "labels", "selected"),
    [
        ("", {}, True),
        (" \t", {"a": "b"}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a=b", {}, False),
        ("a=", {"a": ""}, True),
        ("a=", {}, False),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a in (b,c)", {"a": "c"}, True),
        ("a in(b,c)", {"a": "d"}, False),
        ("a in (b,c)", {}, False),
        ("a notin (b,c)", {}, True),
        ("a notin (b,c)", {"a": "b"}, False),
        ("a in ()", {"a": ""}, True),
        ("a in (b,)", {"a": ""}, True),
        ("a", {"a": ""}, True),
        ("a", {"b": ""}, False),
        ("!a", {}, True),
        ("! a", {"a": "b"}, False),
        ("in in (in,notin)", {"in": "notin"}, True),
        ("a>5", {"a": "10"}, True),
        ("a>5", {"a": "5"}, False),
        ("a<5", {"a": "x"}, False),
        ("a<5", {}, False),
        ("a=b,c!=d,e in (f,g),!h", {"a": "b", "e": "g"}, True),
        ("a=b,c!=d,e in (f,g),!h", {"a": "b", "e": "g", "h": ""}, False),
        ("a=b,c!=d,e in (f,g),!h", {"a": "b", "c": "d", "e": "f"}, False),
        ("a=b,a=c", {"a": "b"}, False),
    ],
)
def test_selects_what_kubernetes_selects(text: str, labels: dict[str, str], selected: bool) -> None:
    assert parse(text).matches(labels) is selected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (",a", "expected a label key, found ','"),
        ("a,", "ends with ','"),
        ("a,,b", "expected a label key, found ','"),
        ("a b", "found 'b' after the key 'a'"),
        ("a=b c", "found 'c' where ',' or the end was expected"),
        ("!a=b", "found '=' where ',' or the end was expected"),
        ("!!a", "expected a label key, found '!'"),
        ("a in b", "expected '(' after 'a in', found 'b'"),
        ("a in", "expected '(' after 'a in', found 'the end'"),
        ("a in (b", "expected ',' or ')' among the values of 'a', found 'the end'"),
        ("a in (b c)", "expected ',' or ')' among the values of 'a', found 'c'"),
        ("a===b", "expected the value of 'a', found '='"),
        ("a>x", "needs a whole number, not 'x'"),
        ("a>99999999999999999999", "needs a whole number"),
        ("a=-b", "the value '-b' of 'a' may hold only"),
        ("a=" + "b" * 64, "is 64 characters long; at most 63 are allowed"),
        ("-a=b", "the key '-a' may hold only"),
        ("a/b/c=d", "has more than one '/'"),
        ("A.b/c", "has a prefix ('A.b')"),
        ("a=한국", "the value '한국' of 'a' may hold only"),
        ("a\x00", "the key 'a\\x00' may hold only"),
    ],
)
def test_refuses_with_the_part_the_reason_and_the_cure(text: str, says: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse(text)
    assert says in str(caught.value)
    assert "write key=value" in str(caught.value)


def test_a_long_selector_is_not_repeated_whole_in_its_error() -> None:
    with pytest.raises(SelectorError) as caught:
        parse("a=" + "b" * 100_000)
    assert len(str(caught.value)) < 1_000
    assert "…" in str(caught.value)
