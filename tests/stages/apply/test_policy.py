"""The allow-list that keeps a slip away from production."""

from pathlib import Path

import pytest

from k8s_tuning.errors import ConfigError, RefusedError
from k8s_tuning.stages.apply.policy import ApplyPolicy, load_policy


def test_without_a_list_everything_is_allowed_and_an_empty_one_allows_nothing():
    ApplyPolicy().check("namespace", ["anything"])
    with pytest.raises(RefusedError, match="which is empty"):
        ApplyPolicy([]).check("namespace", ["anything"])


def test_a_namespace_outside_the_list_is_refused_by_name():
    policy = ApplyPolicy(["trading-bots", "dev-*"])
    policy.check("namespace", ["trading-bots", "dev-1"])
    with pytest.raises(RefusedError, match=r"namespace prod, prod-dev is not on the allow-list.*nothing was sent"):
        policy.check("namespace", ["prod-dev", "prod", "dev-2"])


def test_a_context_outside_the_list_is_refused():
    with pytest.raises(RefusedError, match="context prod is not on the allow-list"):
        ApplyPolicy(None, ["staging"]).check("context", ["prod"])


def test_the_shipped_policy_can_be_read():
    policy = load_policy(Path(__file__).parents[3] / "include/configs/apply.yaml")
    assert policy.allowed_namespaces == ["trading-bots", "trading-bots-*"]
    assert policy.allowed_contexts is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("allowed_namespace: [a]", "allowed_namespace: unknown key; known keys: allowed_namespaces"),
        ("allowed_namespaces: prod", "allowed_namespaces"),
        ("allowed_namespaces: [1]", r"allowed_namespaces\.0"),
        ("allowed_namespaces: ['']", r"allowed_namespaces\.0"),
        ("[]", "expected `key: value` lines"),
    ],
)
def test_a_policy_with_a_mistake_is_refused_rather_than_ignored(tmp_path, text, said):
    path = tmp_path / "apply.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_policy(path)
