"""Alertmanager's matchers: their grammar, what they match, and what can never be true."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.alerts.matchers import Matcher, contradiction, implies, parse_matcher, parse_matchers
from k8s_tuning.errors import InputError

GRAMMAR = [
    ('severity="CRITICAL"', ("severity", "=", "CRITICAL")),
    ("severity=CRITICAL", ("severity", "=", "CRITICAL")),
    (' a != "b c" ', ("a", "!=", "b c")),
    ('a=~"x|y"', ("a", "=~", "x|y")),
    ('a!~".*-dev"', ("a", "!~", ".*-dev")),
    (r'a="q\"uote\\ \n"', ("a", "=", 'q"uote\\ \n')),
    (r'a=~"\d+"', ("a", "=~", r"\d+")),
    ('a=""', ("a", "=", "")),
    ("a=", ("a", "=", "")),
    ('"app.kubernetes.io/name"="한국어"', ("app.kubernetes.io/name", "=", "한국어")),
    ('_x:y="{,}"', ("_x:y", "=", "{,}")),
]


@pytest.mark.parametrize(("text", "expected"), GRAMMAR, ids=[text for text, _ in GRAMMAR])
def test_a_matcher_reads_as_alertmanager_reads_it(text: str, expected: tuple[str, str, str]) -> None:
    matcher = parse_matcher(text)
    assert (matcher.name, matcher.operator, matcher.value) == expected
    assert parse_matcher(str(matcher)) == matcher


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("severity", "not a matcher"),
        ("1a=b", "not a matcher"),
        ("a.b=c", "not a matcher"),
        ('a="b', "closing double quote"),
        ('a=b"c', "double quote inside"),
        ('a="b"c"', "double quote inside"),
        ('a=~"("', "does not compile"),
        ('a=~"(?=x)y"', "RE2"),
        (r'a=~"(x)\1"', "RE2"),
        ('a=~"x*+"', "RE2"),
    ],
)
def test_what_is_no_matcher_is_refused_with_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_matcher(text)


def test_several_matchers_stand_between_commas_and_braces() -> None:
    """A comma or brace within quotes separates nothing."""
    assert list(map(str, parse_matchers('{a="1,2}", b=~"x" ,}'))) == ['a="1,2}"', 'b=~"x"']
    with pytest.raises(InputError, match="braces"):
        parse_matchers('{a="1"')


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ('a="b"', {"a": "b"}, True),
        ('a="b"', {}, False),
        ('a=""', {}, True),
        ('a!="b"', {}, True),
        ('a=~"b"', {"a": "bb"}, False),
        ('a=~"b+"', {"a": "bb"}, True),
        ('a!~"b+"', {"a": "bb"}, False),
        ('a=~".*"', {}, True),
        ('a=~".+"', {}, False),
        ('a=~"^b$"', {"a": "b"}, True),
        ('reason="oom_killed"', {"reason": ["image_pull", "oom_killed"]}, True),
        ('reason!="oom_killed"', {"reason": ["image_pull", "oom_killed"]}, False),
        ('reason!~"image.*"', {"reason": ["oom_killed"]}, True),
        ('reason=""', {"reason": []}, True),
    ],
)
def test_a_matcher_is_anchored_and_a_missing_label_is_empty(text: str, labels: dict[str, str], expected: bool) -> None:
    """Of several reasons, one that fits is enough, and one that is excluded is too many."""
    assert parse_matcher(text).matches(labels) is expected


@pytest.mark.parametrize(
    ("texts", "impossible"),
    [
        (['severity="CRITICAL"', 'severity="WARN"'], True),
        (['severity="critical"'], True),
        (['severity=~"crit.*"'], True),
        (['severity!~".*"'], True),
        (['severity=""'], True),
        (['severity=~"WARN|INFO"', 'severity!="WARN"', 'severity!="INFO"'], True),
        (['source="airflow"'], True),
        (['reason="oomkilled"'], True),
        (['reason="oom_killed"', 'reason!="oom_killed"'], True),
        (['reason="oom_killed"', 'reason="image_pull"'], False),
        (['reason="oom_killed"', 'reason!~"oom.*"'], True),
        (['a="x"', 'a="y"'], True),
        (['a="x"', 'a!~"x|y"'], True),
        (['a=~"x.*"', 'a!~"x.*"'], True),
        (['a=~"x.*"', 'a=~"y.*"'], False),  # not decided: better let through than wrongly refused
        (['a="x"', 'b="y"'], False),
        (['severity!="INFO"'], False),
        ([], False),
    ],
)
def test_what_can_never_be_true_is_known(texts: list[str], impossible: bool) -> None:
    assert (contradiction(map(parse_matcher, texts)) is not None) is impossible


@pytest.mark.parametrize(
    ("given_texts", "wanted", "implied"),
    [
        (['a="x"'], 'a=~"x|y"', True),
        (['a=~"x"'], 'a="x"', False),
        (['severity!="INFO"', 'severity!="WARN"'], 'severity="CRITICAL"', True),
        ([], 'severity=~".+"', True),
        (['reason="oom_killed"'], 'reason=~"oom.*"', True),
        (['reason="oom_killed"'], 'reason!="image_pull"', False),  # it may have both
        (['b="x"'], 'a="x"', False),
    ],
)
def test_one_condition_implies_another_only_where_that_is_sure(
    given_texts: list[str], wanted: str, implied: bool
) -> None:
    assert implies(list(map(parse_matcher, given_texts)), [parse_matcher(wanted)]) is implied


VALUES = st.sampled_from(["", "x", "y", "xy"])
MATCHERS = st.builds(
    Matcher,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["=", "!=", "=~", "!~"]),
    st.sampled_from(["x", "y", "x.*", ""]),
)


@given(st.lists(MATCHERS, max_size=4), st.lists(MATCHERS, max_size=3), VALUES, VALUES)
def test_neither_contradiction_nor_implication_is_ever_claimed_wrongly(
    first: list[Matcher], second: list[Matcher], a: str, b: str
) -> None:
    labels = {"a": a, "b": b}
    fits = all(matcher.matches(labels) for matcher in first)
    if contradiction(first):
        assert not fits
    if fits and implies(first, second):
        assert all(matcher.matches(labels) for matcher in second)


@given(st.text(max_size=40))
def test_any_text_is_a_matcher_or_an_input_error(text: str) -> None:
    try:
        matchers = parse_matchers(text)
    except InputError:
        return
    assert parse_matchers(",".join(map(str, matchers))) == matchers
