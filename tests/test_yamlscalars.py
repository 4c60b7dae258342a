"""What an unquoted value means: YAML 1.2's core schema by its own text, kubectl by kubectl itself."""

import json
import math
import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import examples

from k8s_tuning import yamlscalars

WORDS = re.findall(
    r"\S+",
    """
    true True TRUE tRue yes Yes YES no No NO on On ON off Off OFF y Y n N null Null NULL ~ .inf -.Inf +.INF .nan
    .NaN .NAN none = <<
""",
)
NUMBERS = re.findall(
    r"\S+",
    """
    0 -0 +1 08 010 -010 +017 0o10 0O10 -0o7 0x1F 0X1F -0x1f 0b11 0B11 -0b11 1_000 1_ 0_8 0x_1F 1__0 -_1 1e3 1E3
    1e-4 1e+3 .5 .5_0 ._5 .5_ .5e1_0 5. 5._0 0.1_5 1.e3 01.5 1e400 -1e400 9223372036854775807
    9223372036854775808 -9223372036854775809 99999999999999999999999 0xFFFFFFFFFFFFFFFFF 1.5.2 1-2 + - . +. 0x
    0b2 0o8 1e e3 0.0 -0.0 123456789.5e20 1.0
""",
)
TIMES = [
    "12:30",
    "1:30:00",
    "190:20:30.15",
    "2025-11-16",
    "2025-13-45",
    "2025-11-16T10:00:00Z",
    "2025-1-1",
    "2025-11-16 10:00:00",
    "2025-11-16T10:00:00.5+09:00",
]

_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"


def by_the_specification(text):
    """The table of https://yaml.org/spec/1.2.2/#103-core-schema, row by row."""
    rows = [
        (r"null|Null|NULL|~|", lambda _: None),
        (r"true|True|TRUE", lambda _: True),
        (r"false|False|FALSE", lambda _: False),
        (r"[-+]?[0-9]+", lambda digits: int(digits, 10)),
        (r"0o[0-7]+", lambda digits: int(digits, 0)),
        (r"0x[0-9a-fA-F]+", lambda digits: int(digits, 0)),
        (_FLOAT, float),
        (r"[-+]?(\.inf|\.Inf|\.INF)", lambda word: -math.inf if word[0] == "-" else math.inf),
        (r"\.nan|\.NaN|\.NAN", lambda _: math.nan),
    ]
    return next((make(text) for pattern, make in rows if re.fullmatch(pattern, text)), text)


def alike(one, other):
    return type(one) is type(other) and (one == other or (one != one and other != other))


ODD = st.text("0123456789abefoxABEFOX+-._:~ynT", max_size=8) | st.sampled_from([*WORDS, *NUMBERS, *TIMES])


@given(ODD)
def test_an_unquoted_value_of_a_configuration_is_what_the_core_schema_says(text):
    assert alike(yamlscalars.core(text), by_the_specification(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("2025-11-16", "2025-11-16"),
        ("1e-4", 0.0001),
        ("1e3", 1000.0),
        ("0o10", 8),
        ("0x1F", 31),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1", 1),
        ("~", None),
        ("Null", None),
        ("=", "="),
        ("TRUE", True),
    ],
)
def test_a_configurations_value_is_read(text, value):
    assert yamlscalars.read_scalar(text, yamlscalars.Dialect.CONFIG) == (value, "")


@pytest.mark.parametrize(
    "text", ["010", "08", "1_000", "0b11", "0X1F", "-0x1F", "0_8", "1_", "9" * 20, "9" * 5000, "-00"]
)
def test_a_number_that_older_readers_take_for_another_is_a_problem_and_not_repeated(text):
    problem = yamlscalars.read_scalar(text, yamlscalars.Dialect.CONFIG).problem
    assert "put it in quotes" in problem
    assert f" {text} " not in f" {problem} "


# --- kubectl -------------------------------------------------------------------------------------------------------


def by_kubectl(texts, tmp_path):
    """How the real kubectl reads each of these unquoted values; infinities and NaN, which it refuses, left out."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    lines = "".join(f"- {text}\n" for text in texts)
    path = tmp_path / "object.yaml"
    path.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\nvalues:\n{lines}")
    command = ["kubectl", "patch", "--local", "-f", str(path), "-p", "{}", "--type", "merge", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["values"]


def plain(texts):
    """Those that stand in a list as one unquoted value, and are no infinity."""
    return [
        text
        for text in dict.fromkeys(texts)
        if text.lower().lstrip("+-") not in (".inf", ".nan") and not re.fullmatch(r"[-:?]|-.*:|.*:|---|\.\.\.", text)
    ]


def differ(ours, theirs):
    """Kubectl prints its numbers from float64 where they are beyond 64 bits."""
    if isinstance(ours, (int, float)) and not isinstance(ours, bool):
        return isinstance(theirs, bool) or not isinstance(theirs, (int, float)) or float(ours) != float(theirs)
    return not alike(ours, theirs)


def test_kubectls_reading_is_known_word_by_word(tmp_path):
    texts = plain([*WORDS, *NUMBERS, *TIMES])
    read = by_kubectl(texts, tmp_path)
    wrong = [
        (text, yamlscalars.kubectl(text), one)
        for text, one in zip(texts, read, strict=True)
        if differ(yamlscalars.kubectl(text), one)
    ]
    assert wrong == []


@settings(max_examples=examples(15))
@given(texts=st.lists(ODD, min_size=40, max_size=120))
def test_kubectls_reading_is_known_for_whatever_resembles_a_number(texts, tmp_path_factory):
    texts = plain(texts)
    read = by_kubectl(texts, tmp_path_factory.mktemp("kubectl"))
    wrong = [
        (text, yamlscalars.kubectl(text), one)
        for text, one in zip(texts, read, strict=True)
        if differ(yamlscalars.kubectl(text), one)
    ]
    assert wrong == []


@pytest.mark.parametrize("text", ["no", "on", "y", "N", "yes", "Off", "010", "1_000", "0b11", "0X1F", "1e400", ".5_0"])
def test_a_manifests_value_that_kubectl_reads_as_another_is_a_problem(text):
    assert "put it in quotes" in yamlscalars.read_scalar(text, yamlscalars.Dialect.MANIFEST).problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"),
        ("2025-11-16", "2025-11-16"),
        ("1e3", 1000),
        ("1.0", 1),
        ("1.5", 1.5),
        ("0o10", 8),
        ("08", 8),
        ("~", None),
        ("true", True),
        ("=", "="),
        ("<<", "<<"),
        ("trading-bots", "trading-bots"),
    ],
)
def test_a_manifests_value_that_all_read_alike_is_what_kubectl_sends(text, value):
    reading = yamlscalars.read_scalar(text, yamlscalars.Dialect.MANIFEST)
    assert reading == (value, "")
    assert type(reading.value) is type(value)
