"""Names by Kubernetes' grammar: the rules' edges, and that no text outside ASCII or with a newline slips through."""

import shutil
import subprocess

import pytest

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


# What the grammar could be misread in: each of its signs first, within and last; its longest; letters, digits and
# spaces that are none in ASCII; and what some expressions' `$` lets pass.
EDGES = [
    *(text.format(sign) for sign in "-_." for text in ("{}", "{}a", "a{}", "a{}b", "a{0}{0}b")),
    *(text.format(sign) for sign in "/: ,+~@\t\u00e9\u00df\u0660\uff11\ud55c\u200b" for text in ("a{}b", "a{}", "{}")),
    *("x" * count for count in (1, 62, 63, 64)),
    "x" * 62 + "-",
    "a\n",
    "a\nb",
    "",
]


@pytest.mark.slow
@pytest.mark.parametrize("text", EDGES, ids=ascii)
def test_kubectl_has_the_same_opinion_of_a_label_value(text):
    """kubectl judges by Kubernetes' own code (k8s.io/apimachinery), without a server."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    pod = b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
    command = [kubectl, "label", "--local", "-f", "-", "-o", "name", f"key={text}"]
    done = subprocess.run(command, input=pod, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 or b"label value" in done.stderr, done.stderr
    assert (names.label_value_problem(text) is None) is (done.returncode == 0)
