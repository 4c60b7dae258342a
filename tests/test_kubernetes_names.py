"""Names by Kubernetes' grammar: the rules' edges, and that no text outside ASCII or with a newline slips through."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning import kubernetes_names as names


@pytest.mark.parametrize("text", ["a", "0", "a-b", "a--b", "9lives", "x" * 63], ids=lambda text: text[:9])
def test_accepts_a_dns_label(text):
    assert names.dns_label_problem(text) is None


@pytest.mark.parametrize(
    "text", ["", "-a", "a-", "A", "a_b", "a.b", "x" * 64, "a\n", "이름", "a b", "１"], ids=lambda text: repr(text)[:9]
)
def test_refuses_what_is_no_dns_label(text):
    assert names.dns_label_problem(text)


@pytest.mark.parametrize("text", ["a.b", "a", "a-b.c0", ".".join(["x" * 62] * 4)], ids=lambda text: text[:9])
def test_accepts_a_dns_subdomain(text):
    assert names.dns_subdomain_problem(text) is None


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "A.b", "x" * 254, "a\n"], ids=lambda text: repr(text)[:9])
def test_refuses_what_is_no_dns_subdomain(text):
    assert names.dns_subdomain_problem(text)


@pytest.mark.parametrize("text", ["app", "example.com/App_1.x", "a/b", "x" * 63, "k8s-tuning.io/spec-hash"])
def test_accepts_a_label_key(text):
    assert names.label_key_problem(text) is None


@pytest.mark.parametrize(
    "text", ["", "/a", "a/", "a/b/c", "Ex.com/a", "_a", "a_", "a b", "x" * 64, "app\n", "앱", f"{'x' * 254}/a"]
)
def test_refuses_what_is_no_label_key(text):
    assert names.label_key_problem(text)


@pytest.mark.parametrize("text", ["", "a", "A_b.c-9", "x" * 63])
def test_accepts_a_label_value(text):
    assert names.label_value_problem(text) is None


@pytest.mark.parametrize("text", ["-", "a ", "a/b", "x" * 64, "a\n", "🙂", "a:b"])
def test_refuses_what_is_no_label_value(text):
    assert names.label_value_problem(text)


def test_an_annotation_key_may_have_a_capital_prefix():
    assert names.label_key_problem("Example.com/x")
    assert names.annotation_key_problem("Example.com/x") is None


@pytest.mark.parametrize(
    ("text", "good"), [("A_1", True), ("a.b-c", True), ("1A", False), ("", False), ("..a", False), ("A=B", False)]
)
def test_knows_an_environment_variables_name(text, good):
    assert (names.env_name_problem(text) is None) is good


@given(st.text(alphabet="aZ09-_./\n é", max_size=70))
def test_a_label_value_is_what_kubernetes_documents(text):
    """The documented regular expression and length, on texts made of its edge characters."""
    documented = len(text) <= 63 and re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", text)
    assert (names.label_value_problem(text) is None) is bool(documented)
