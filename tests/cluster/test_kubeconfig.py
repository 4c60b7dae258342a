"""Kubeconfig files: found, merged and refused as kubectl's users expect, with errors that name the file."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.api_double import certificate

from k8s_tuning.cluster import kubeconfig
from k8s_tuning.cluster.connection import ClusterAccess, Connection
from k8s_tuning.errors import ConfigError

GOOD: dict[str, Any] = {
    "current-context": "prod",
    "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"}}],
    "users": [{"name": "u", "user": {"token": "s3cret"}}],
    "contexts": [
        {"name": "prod", "context": {"cluster": "c", "user": "u"}},
        {"name": "stage", "context": {"cluster": "c"}},
        {"name": "no-user", "context": {"cluster": "c", "user": "gone"}},
        {"name": "no-cluster", "context": {"cluster": "gone", "user": "u"}},
    ],
}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kubeconfig of the machine that runs the tests."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def write(path: Path, content: Any = GOOD, **changes: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump({**content, **changes}), encoding="utf-8")
    return str(path)


def cluster(**fields: Any) -> dict[str, Any]:
    return {"clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", **fields}}]}


def user(**fields: Any) -> dict[str, Any]:
    return {"users": [{"name": "u", "user": fields}]}


def test_the_current_context_is_the_default_and_a_named_one_wins(tmp_path: Path) -> None:
    path = write(tmp_path / "config")
    assert ClusterAccess(kubeconfig=path).target().name == "prod"
    assert ClusterAccess(kubeconfig=path, context="stage").target().name == "stage"


@pytest.mark.parametrize(
    ("changes", "context", "words"),
    [
        ({}, "prodd", ["no context 'prodd'", "no-cluster, no-user, prod, stage"]),
        ({"current-context": ""}, None, ["no current-context", "prod, stage"]),
        ({}, "no-user", ["names user 'gone'"]),
        ({}, "no-cluster", ["names cluster 'gone'"]),
        (cluster(server="10.0.0.1"), None, ["server: https://HOST:PORT"]),
        (cluster(server=None), None, ["server: https://HOST:PORT"]),
        (cluster(**{"insecure-skip-tls-verify": True, "certificate-authority": "/x"}), None, ["drop one"]),
        (user(**{"auth-provider": {"name": "gcp"}}), None, ["auth-provider", "exec plugin"]),
        (user(**{"as": "boss", "as-groups": ["a"]}), None, ["impersonates"]),
        (user(token=5), None, ["context 'prod' cannot be used", "`$.token`"]),
        ({"clusters": "x"}, None, ["clusters must be a list"]),
        ({"contexts": [{"context": {}}]}, None, ["contexts must be a list"]),
        (cluster(**{"certificate-authority": "/nowhere/ca.crt"}), None, ["/nowhere/ca.crt, a certificate"]),
        (cluster(**{"certificate-authority-data": "bm90IGEgY2VydA=="}), None, ["certificates, keys or user"]),
        (cluster(**{"certificate-authority-data": "%%%"}), None, ["certificates, keys or user"]),
        (user(**{"client-certificate": "/nowhere/c.pem"}), None, ["/nowhere/c.pem, a certificate"]),
        (user(**{"client-certificate": "/dev/../etc/hostname"}), None, ["certificates, keys or user"]),
        (user(exec={"apiVersion": "v7", "command": "x"}), None, ["exec apiVersion 'v7'"]),
        (user(exec={"apiVersion": "client.authentication.k8s.io/v1"}), None, ["exec needs a command"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_file(
    changes: dict[str, Any], context: str | None, words: list[str], tmp_path: Path
) -> None:
    path = write(tmp_path / "config", **changes)
    with pytest.raises(ConfigError) as caught:
        Connection(ClusterAccess(kubeconfig=path, context=context))
    assert all(word in str(caught.value) for word in [path, *words]), str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "not YAML"), ("- a", "key: value"), ("", "found nothing"), ("a: \x00", "not YAML")],
)
def test_a_file_that_is_no_kubeconfig_is_named(text: str, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "설정 🗝", text)
    with pytest.raises(ConfigError, match=words) as caught:
        ClusterAccess(kubeconfig=path).target()
    assert path in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere: No such file or directory"):
        ClusterAccess(kubeconfig=str(tmp_path / "nowhere")).target()


def test_a_broken_neighbour_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """A kubeconfig collects entries for years; only the chosen ones need to be understood."""
    neighbours = {
        "users": [*GOOD["users"], {"name": "old", "user": {"token": ["odd"]}}, {"name": "empty", "user": None}]
    }
    assert ClusterAccess(kubeconfig=write(tmp_path / "config", **neighbours)).target().name == "prod"


def test_kubeconfig_in_the_environment_may_be_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file that names a thing wins, and files that are not there are passed over, as kubectl does."""
    one = write(tmp_path / "one", {"contexts": [{"name": "prod", "context": {"cluster": "other", "user": "u"}}]})
    other = [{"name": "other", "cluster": {"server": "https://10.9.9.9"}}]
    two = write(tmp_path / "two", clusters=other)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'gone'}:{one}:{two}:")
    target = ClusterAccess().target()
    assert target.cluster.server == "https://10.9.9.9"
    assert target.name == "prod"


def test_kubeconfig_in_the_environment_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    with pytest.raises(ConfigError, match=r"\$KUBECONFIG names /nowhere/config"):
        ClusterAccess().target()


def test_the_home_directorys_kubeconfig_comes_second(tmp_path: Path) -> None:
    write(tmp_path / "home/.kube/config")
    assert ClusterAccess().target().cluster.server == "https://10.0.0.1:6443"


def test_with_nothing_anywhere_all_three_places_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        ClusterAccess().target()
    assert all(word in str(caught.value) for word in ("$KUBECONFIG", "~/.kube/config", "service account"))


def test_a_context_without_any_kubeconfig_is_reported() -> None:
    with pytest.raises(ConfigError, match="'prod' needs a kubeconfig"):
        ClusterAccess(context="prod").target()


def test_a_pods_service_account_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tmp_path / "serviceaccount"
    account.mkdir()
    pem, _ = certificate(tmp_path, "kubernetes.default.svc")
    (account / "ca.crt").write_bytes(pem.read_bytes())
    (account / "token").write_text("s3cret")
    (account / "namespace").write_text("trading-bots")
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", str(account))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for access in (ClusterAccess(), ClusterAccess(in_cluster=True)):
        assert access.target().cluster.server == "https://10.96.0.1:443"
        assert Connection(access).context == "in-cluster"


def test_paths_are_relative_to_the_file_that_holds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate(tmp_path, "ca")
    path = write(tmp_path / "config", **cluster(**{"certificate-authority": "ca.pem"}))
    monkeypatch.chdir("/")
    Connection(ClusterAccess(kubeconfig=path))


def test_certificates_may_stand_in_the_file(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path, "me")
    data = base64.b64encode(pem.read_bytes()).decode()
    key = base64.b64encode((tmp_path / "me.key").read_bytes()).decode()
    changes = {
        **cluster(**{"certificate-authority-data": data}),
        **user(**{"client-certificate-data": data, "client-key-data": key}),
    }
    Connection(ClusterAccess(kubeconfig=write(tmp_path / "config", **changes)))


def test_content_is_taken_as_it_is() -> None:
    target = ClusterAccess(content=GOOD, context="stage").target()
    assert (target.cluster.server, target.name) == ("https://10.0.0.1:6443", "stage")


def test_content_has_no_folder_for_relative_paths() -> None:
    with pytest.raises(ConfigError, match=r"certificate-authority 'ca\.crt' must be absolute"):
        ClusterAccess(content={**GOOD, **cluster(**{"certificate-authority": "ca.crt"})}).target()


def test_two_sources_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not several"):
        ClusterAccess(kubeconfig=write(tmp_path / "config"), in_cluster=True).target()


def test_impersonation_is_sent_along(tmp_path: Path) -> None:
    path = write(tmp_path / "config", **user(token="s3cret", **{"as": "boss"}))
    assert ClusterAccess(kubeconfig=path).target().impersonate == {"Impersonate-User": "boss"}


def test_a_name_with_a_line_break_stands_in_no_error_as_a_line_of_its_own(tmp_path: Path) -> None:
    names = ["a\nERROR: all is lost", "b"]
    contexts = [{"name": name, "context": {"cluster": name, "user": name}} for name in names]
    path = write(tmp_path / "config", {"contexts": contexts, "clusters": [], "users": []})
    for context in (None, "c", *names):
        with pytest.raises(ConfigError) as caught:
            kubeconfig.from_files(path, context)
        assert "\n" not in str(caught.value)
