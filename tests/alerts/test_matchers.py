"""Alertmanager's matchers: their grammar, what they match, and what can never be true."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.alerts.matchers import Matcher, contradiction, implies, parse_matchers
from k8s_tuning.errors import InputError


def parse_matcher(text: str) -> Matcher:
    (found,) = parse_matchers(text)
    return found


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
    # Alertmanager's UTF-8 mode, for what the classic one has not
    ("app.kubernetes.io/name=bots", ("app.kubernetes.io/name", "=", "bots")),
    ("1a=b", ("1a", "=", "b")),
    ("이름!=값🙂", ("이름", "!=", "값🙂")),
    (r'"q\"uo\\te"="b"', ('q"uo\\te', "=", "b")),
    (r'"a.b"="\t\x41\101\u00e9\U0001F642"', ("a.b", "=", "\tAAé🙂")),
    # and the classic one first, where both have it
    (r'a="\t\u00e9"', ("a", "=", r"\t\u00e9")),
    ("a= b c ", ("a", "=", "b c")),
    (r"a=x\y", ("a", "=", r"x\y")),
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
        ("a.b", "not a matcher"),
        ("a b=c", "not a matcher"),
        ('"a"b"="c"', "not a matcher"),
        (r'"a\q"="c"', "not a matcher"),
        ("'a'=b", "not a matcher"),
        ("a.b=", "not a matcher"),
        ("", "not a matcher"),
        ("{}", "not a matcher"),
        ("a=b,,c=d", "not a matcher"),
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


# (expression, a value, whether it fits; None: no expression to RE2). Python's own `re` has another answer to each.
RE2 = [
    ("[[:alpha:]]+", "xyz", True),
    ("[[:alpha:]]+", "x:", False),
    ("[[:^digit:]]", "x", True),
    ("[[:word:]-]+", "a_1-b", True),
    ("x{,2}", "xx", False),
    ("x{,2}", "x{,2}", True),
    ("x{1001}", None, None),
    ("(x{100}){100}", None, None),
    (r"x\Z", None, None),
    (r"x\z", "x", True),
    ("x$", "x\n", False),
    ("(?x)x y", None, None),
    ("(?U)x+", "xx", True),
    ("(?s).", "\n", True),
    (".", "\n", False),
    ("(?a)x", None, None),
    ("(?L)x", None, None),
    (r"\Qa.b\E", "a.b", True),
    (r"\Qa.b\E", "axb", False),
    (r"\pL+", "한국", True),
    (r"\p{Hangul}+", "한국", True),
    (r"\p{^Hangul}", "한", False),
    (r"\d", "٣", False),
    (r"\w+", "한국", False),
    (r"\s", "\v", False),
    (r"\x{AC00}", "가", True),
    (r"\uAC00", None, None),
    (r"\C", None, None),
    (r"[^\\]\\C", r"a\C", True),
    (r"\Q\C\E", r"\C", True),
    (r"\N{DIGIT ONE}", None, None),
    ("(?i)k", "K", True),
    ("(?i)ſ", "S", True),
    ("(?i)straße", "STRASSE", False),
    ("(?P<n>x)(?P=n)", None, None),
    ("(?P<n>x)", "x", True),
    ("(?P<n>x)(?P<n>y)", "xy", True),
    ("(?#note)x", None, None),
    ("(?=x)x", None, None),
    ("(?<!x)y", None, None),
    ("(?>x)", None, None),
    (r"(x)\1", None, None),
    ("x**", None, None),
    ("x*+", None, None),
    ("[a&&b]", "&", True),
    ("[[a]]", "a]", True),
    ("[]a]", "]", True),
    ("[a", None, None),
    ("a)|(b", "a and more", True),
    ("a|b", "ab", False),
    ("", "", True),
    ("x" * 1500, "x" * 1500, True),
]


@pytest.mark.parametrize(("expression", "value", "fits"), RE2, ids=[row[0][:20] or "empty" for row in RE2])
def test_an_expression_means_what_it_means_to_re2(expression: str, value: str | None, fits: bool | None) -> None:
    matcher = Matcher("a", "=~", expression)
    if value is None:
        with pytest.raises(InputError, match="RE2"):
            parse_matcher(str(matcher))
        return
    assert parse_matcher(str(matcher)) == matcher
    assert matcher.matches({"a": value}) is fits
    assert Matcher("a", "!~", expression).matches({"a": value}) is not fits


@pytest.mark.servers
def test_amtool_says_the_same_of_every_expression(tmp_path: Path) -> None:
    """Which it refuses, and which values fit: one file with a route an expression, each asked for every value."""
    if not shutil.which("amtool"):
        pytest.skip("amtool is missing: apt-get install prometheus-alertmanager")
    good = list(dict.fromkeys(expression for expression, value, _ in RE2 if value is not None))
    refused = [expression for expression, value, _ in RE2 if value is None]
    for expression in refused:
        assert not _amtool(tmp_path, [expression], "check-config"), expression
    for value in dict.fromkeys(value for _, value, _ in RE2 if value):
        theirs = _amtool(tmp_path, good, "config", "routes", "test", label=value)
        ours = [f"r{number}" for number, text in enumerate(good) if Matcher("a", "=~", text).matches({"a": value})]
        assert theirs == (ours or ["root"]), value


def _amtool(folder: Path, expressions: list[str], *command: str, label: str | None = None) -> list[str]:
    routes: list[dict[str, Any]] = [
        {"receiver": f"r{number}", "continue": True, "matchers": [str(Matcher("a", "=~", expression))]}
        for number, expression in enumerate(expressions)
    ]
    receivers = [{"name": name} for name in ("root", *(route["receiver"] for route in routes))]
    file = folder / "alertmanager.yaml"
    file.write_text(json.dumps({"route": {"receiver": "root", "routes": routes}, "receivers": receivers}))
    where = [f"--config.file={file}", str(Matcher("a", "=", label))] if label else [str(file)]
    done = subprocess.run(["amtool", *command, *where], capture_output=True, text=True)
    return done.stdout.strip().split(",") if done.returncode == 0 else []


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
