"""YAML that people write: what its values mean, what is refused and where, and that only a ConfigError says so."""

import json
import shutil
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError
from k8s_tuning.yamlfile import Dialect

CONFIG, MANIFEST, KUBECTL = Dialect.CONFIG, Dialect.MANIFEST, Dialect.KUBECTL


def error(text, dialect=CONFIG):
    with pytest.raises(ConfigError) as caught:
        yamlfile.parse(text, "file.yaml", dialect)
    assert str(caught.value).startswith("file.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- documents -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n---\n",
        "---\na: 1\n---\n# the end\n",
        "a: 1\n...\n",
        "a: 1\n---\n---\n",
        "# c\n---\n---\na: 1",
        "\ufeffa: 1",
        "a: 1\r\n",
        "%YAML 1.2\n---\na: 1\n",
        "--- {a: 1}\n---\n...\n# c\n",
    ],
)
def test_an_empty_document_is_none(text):
    assert yamlfile.parse(text, "file.yaml") == {"a": 1}


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "---\n---\n# c\n", "...\n" * 0])
def test_a_file_of_empty_documents_is_nothing(text):
    assert yamlfile.parse(text, "file.yaml") is None


@pytest.mark.parametrize(
    "text", ["a: 1\n---\nb: 2\n", "a: 1\n---\n---\nb: 2\n", "a: 1\n---\n''\n", "a: 1\n---\nnull\n"]
)
def test_a_second_document_is_refused_by_its_line(text):
    line = 2 if text.count("---") == 1 else 3
    assert error(text) == f"file.yaml, line {line}: a second document begins; put each into a file of its own"


# --- aliases and merge keys ----------------------------------------------------------------------------------------

MERGES = {
    "an alias": "a: &x {p: 1}\nb: *x\n",
    "an alias of a text": "a: &x text\nb: [*x, *x]\n",
    "an alias as key": "a: &x text\nb: {*x : 1}\n",
    "a redefined anchor": "a: &x 1\nb: *x\nc: &x 2\nd: *x\n",
    "a merge": "b: &b {p: 1, q: 1}\nd:\n  <<: *b\n  p: 2\n",
    "a merge of several": "b: &b {p: 1, q: 1}\nc: &c {p: 3, r: 3}\nd: {<<: [*b, *c], s: 4}\n",
    "a merge of a merge": "b: &b {p: 1, q: 1}\nc: &c {<<: *b, r: 3}\nd:\n  <<: *c\n  q: 5\n",
    "a merge written out": "d:\n  <<: {a: 1}\n  z: 5\n",
    "a merge behind other keys": "b: &b {p: 1}\nd:\n  z: 5\n  <<: *b\n",
    "a quoted <<": "d: {'<<': {a: 1}, z: 5}\n",
    "<< as a value": "d: <<\n",
}


def by_kubectl(text, tmp_path):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    path = tmp_path / "object.yaml"
    path.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n{text}")
    command = ["kubectl", "patch", "--local", "-f", str(path), "-p", "{}", "--type", "merge", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        return None
    read = json.loads(done.stdout)
    return {key: value for key, value in read.items() if key not in ("apiVersion", "kind", "metadata")}


@pytest.mark.parametrize("text", MERGES.values(), ids=MERGES)
def test_aliases_and_merge_keys_are_read_as_kubectl_reads_them(text, tmp_path):
    read = by_kubectl(text, tmp_path)
    assert read is not None
    for dialect in Dialect:
        assert yamlfile.parse(text, "file.yaml", dialect) == read


def test_each_alias_is_a_value_of_its_own():
    data = yamlfile.parse("a: &x {p: [1]}\nb: *x\n", "file.yaml")
    data["a"]["p"].append(2)
    assert data["b"] == {"p": [1]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("d: {<<: 5}", "line 1: '<<' merges a mapping or a list of mappings"),
        ("d: {<<: }", "'<<' merges a mapping"),
        ("d: {<<: [1]}", "'<<' merges a mapping"),
        ("a: &a {p: 1}\nd: {<<: *a, <<: *a}", "line 2: the key '<<' is there twice; write `<<: [*one, *other]`"),
        ("d: *nope", "line 1: the alias *nope has no anchor &nope before it"),
        ("a: &a 1\n---\nb: *a", "the alias *a has no anchor"),
        ("d: &a [*a]", "the alias *a is inside of what it repeats"),
        ("d: &a {b: {c: *a}}", "the alias *a is inside"),
        ("d: &a {<<: *a}", "the alias *a is inside"),
    ],
)
def test_an_alias_that_kubectl_refuses_too_is_refused_with_its_line(text, said, tmp_path):
    assert said in error(text)
    if "---" not in text and "twice" not in said:
        assert by_kubectl(text + "\n", tmp_path) is None


def test_a_key_before_the_merge_that_brings_it_too_is_refused():
    """YAML 1.1 lets the mapping's own key win, kubectl whatever stands last."""
    text = "b: &b {p: 1}\nd:\n  p: 2\n  <<: *b\n"
    assert "line 4: 'p' stands before the '<<' that brings it too; put '<<' first" in error(text)


def lists_of_lists(levels, width):
    lines = ["a0: &a0 [" + ", ".join(["lol"] * width) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * width) + "]" for n in range(1, levels)]
    return "\n".join(lines)


BOMBS = {
    "billion laughs": lists_of_lists(9, 10),
    "merged laughs": "a0: &a0 {x: [lol, lol]}\n"
    + "\n".join(f"a{n}: &a{n} {{<<: *a{n - 1}, y{n}: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)),
    "quadratic in texts": f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 20_000)}]",
    "quadratic in lists": f"a: &a [{', '.join(['x'] * 5_000)}]\nb: [{', '.join(['*a'] * 5_000)}]",
    "quadratic in keys": f"a: &a {{{', '.join(f'k{n}: 1' for n in range(30_000))}}}\n"
    f"b: [{', '.join(['{<<: *a}'] * 30_000)}]",
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_aliases_are_bounded_by_what_they_make(bomb):
    assert len(bomb) < yamlfile.MAX_BYTES
    for dialect in Dialect:
        assert "its aliases, written out, make more than 1,000,000 characters" in error(bomb, dialect)


def test_aliases_that_nest_ever_deeper_are_refused():
    text = "a0: &a0 [1]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100))
    assert "nested deeper than 64 levels" in error(text)


@pytest.mark.slow
def test_a_file_without_aliases_is_never_called_a_bomb():
    assert len(yamlfile.parse("[" + "{a,b}," * 20_000 + "]", "file.yaml")) == 20_000


# --- tags, keys, characters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 3", "3"),
        ("! 3", "3"),
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("!!bool true", True),
        ("!!null ''", None),
        ("!!map {a: 1}", {"a": 1}),
        ("!!seq [1]", [1]),
        ("!!str", ""),
    ],
)
def test_the_core_schemas_tags_are_read(text, value):
    assert yamlfile.parse(f"x: {text}", "file.yaml") == {"x": value}


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system",
        "!!python/name:os.system",
        "!!python/tuple",
        "!!binary",
        "!!set",
        "!!omap",
        "!!pairs",
        "!!timestamp",
        "!!merge",
        "!!value",
        "!!yaml",
        "!custom",
        "!<tag:example.org,2000:x>",
    ],
)
@pytest.mark.parametrize("value", ["x", "{a: b}", "[a]", "''"])
def test_any_other_tag_is_refused_by_its_line(tag, value):
    assert error(f"a: 1\nb: {tag} {value}").startswith("file.yaml, line 2: not YAML that is read here: the tag ")


@pytest.mark.parametrize(
    "text", ["!!int x", "!!int 1.5", "!!bool yes", "!!bool 1", "!!null 0", "!!float x", "!!seq {}", "!!map []"]
)
def test_a_tag_that_its_value_belies_is_refused(text):
    assert "line 1" in error(f"a: {text}")
    assert "tag" in error(f"a: {text}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb:\n  1: x", "b.1: the key is not a text; put it in quotes (line 3)"),
        ("true: x", "true: the key is not a text"),
        ("1.5: x", "1.5: the key is not a text"),
        ("~: x", "~: the key is not a text"),
        ("{? , a: b}", "the key is not a text; put it in quotes (line 1)"),
        ("[a]: x", "line 1: the key is not a text but a list or a mapping"),
        ("? {a: b}\n: x", "line 1: the key is not a text but a list or a mapping"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is there twice"),
        ("a: {b: 1, 'b': 2}", "line 1: the key 'b' is there twice"),
        ("a: &x b\n*x : 1\nb: 2", "line 3: the key 'b' is there twice"),
    ],
)
def test_a_key_is_a_text_and_there_once(text, said):
    assert said in error(text)


def test_kubectls_own_files_may_have_numbers_for_keys(tmp_path):
    text = "d: {1: a, true: c, x: d}\n"
    assert yamlfile.parse(text, "file.yaml", KUBECTL) == by_kubectl(text, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n\tb: 1", "line 2: not YAML: found character that cannot start any token; indent with spaces"),
        ("a: b\n\tc: 1", "indent with spaces, not with tabs"),
        ("a: @x", "line 1: not YAML: found character that cannot start any token; put the value in quotes"),
        (
            "a: b: c",
            "line 1: not YAML: mapping values are not allowed in this context; put a text that holds ': ' in quotes",
        ),
        ("a: [", "not YAML"),
        ("a: 'x", "not YAML"),
        ("a: 1\nb: \x00", "line 2: not YAML: control characters are not allowed"),
        ("한국어: 1\nb: \x07", "line 2: not YAML: control characters are not allowed"),
        ("a: \ud83d", "not text"),
        ('a: "\\ud83d"', "line 1: not YAML"),
        ("a: 1\nb: x\x85y", "line 2: holds U+0085, a line break to some readers of YAML"),
        ("a: x\u2028y", "line 1: holds U+2028"),
        ("# x\u2029a: 1", "line 1: holds U+2029"),
        ("%YAML 1.1\n---\na: no", "line 1: %YAML 1.1"),
        ("%YAML 2.0\n---\na: no", "line 1: not YAML: found incompatible YAML document"),
        ("a: " + "[" * 100_000, "line 1: nested deeper than 64 levels"),
        ("a: " + "{b: " * 100_000, "line 1: nested deeper than 64 levels"),
        ("- " * 100_000, "line 1: nested deeper than 64 levels"),
        ("a: " + "9" * 100_000, "a: is a number beyond 64 bits"),
        ("a: 0x" + "F" * 100_000, "a: is a number beyond 64 bits"),
    ],
    ids=lambda text: repr(text)[:30],
)
def test_what_is_odd_is_refused_with_its_line_and_cure(text, said):
    assert said in error(text)


@pytest.mark.parametrize("escape", ["\\N", "\\L", "\\P", "\\u2028"])
def test_the_cure_for_an_odd_line_break_holds(escape):
    assert yamlfile.parse(f'a: "x{escape}y"', "file.yaml")["a"] in ("x\x85y", "x\u2028y", "x\u2029y")


def test_other_alphabets_and_emoji_stay_as_they_are():
    assert yamlfile.parse("값: 한국어 🚀 café\n", "file.yaml") == {"값": "한국어 🚀 café"}


def test_a_problem_names_the_key_and_all_come_at_once_but_not_without_end():
    text = "env:\n" + "".join(f"  - {{name: n{index}, value: 010}}\n" for index in range(9))
    said = error(text)
    assert "env[0].value: this number is one value to YAML 1.2 and another to older readers of YAML" in said
    assert "(line 2)" in said
    assert said.endswith("and 4 more values like these")


def test_the_same_value_is_a_text_to_a_configuration_and_a_problem_in_a_manifest():
    assert yamlfile.parse("a: no", "file.yaml") == {"a": "no"}
    assert yamlfile.parse("a: no", "file.yaml", KUBECTL) == {"a": False}
    assert error("a: no", MANIFEST) == (
        "file.yaml: a: no is false to kubectl and a text to YAML 1.2; put it in quotes, or write false (line 1)"
    )
    for dialect in Dialect:
        assert yamlfile.parse("a: 'no'", "file.yaml", dialect) == {"a": "no"}


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-32", "cp949", "latin-1"])
def test_a_file_that_is_not_utf_8_is_named(tmp_path, codec):
    path = tmp_path / "file.yaml"
    path.write_bytes("a: 값\n".encode(codec) if codec != "latin-1" else "a: é\n".encode(codec))
    with pytest.raises(ConfigError, match=r"file\.yaml.*(UTF-8|control characters)"):
        yamlfile.read(path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_bytes("\ufeff값: 1\n".encode())
    assert yamlfile.read_mapping(path) == {"값": 1}


SNIPPETS = [
    "a",
    "1",
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&x ",
    "*x",
    "<<: ",
    "!!int ",
    "!t ",
    "|\n",
    ">\n",
    "'",
    '"',
    "#",
    "---\n",
    "...\n",
    "? ",
    "%YAML 1.2\n",
    "%TAG ! x\n",
    "\t",
    "\x85",
    "\ufeff",
    "é",
    "🚀",
    "~",
    ".inf",
    "0x1",
    "1_0",
]


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from(SNIPPETS), max_size=30).map(lambda parts: "".join(parts).encode())
)
@example(b"%TAG !! tag:x,2000:\n---\n!!str a")
@example(b"&x [*x")
@example(b"\xef\xbb\xbf\xef\xbb\xbfa")
def test_no_bytes_bring_anything_but_data_or_our_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(data)
    for dialect in Dialect:
        try:
            json.dumps(yamlfile.read(path, dialect=dialect))
        except ConfigError as caught:
            assert "fuzzed.yaml" in str(caught)  # noqa: PT017 - either outcome is right
