"""How the connection gets there: TLS, proxies and tokens in files."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.api_double import Answer, ApiDouble, certificate, refusal, serving

from k8s_tuning.cluster.connection import ClusterAccess, Connection, run
from k8s_tuning.cluster.exchange import ApiRequest
from k8s_tuning.cluster.faults import Call
from k8s_tuning.errors import (
    ClusterError,
    ConfigError,
    Unreachable,
)

CALL = Call("list", "jobs", "batch", "trading-bots")


class Sleeps(list[float]):
    """A sleep that only notes how long it was asked to."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def ask(access: ClusterAccess, method: str = "GET", *, writable: bool = False, sleep: Any = None, **more: Any) -> Any:
    async def go() -> Any:
        async with Connection(access, writable=writable, sleep=Sleeps() if sleep is None else sleep) as connection:
            answer = await connection.request(ApiRequest(method, CALL, **more), BytesIO)
            return connection.json(answer, CALL)

    return run(go())


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiDouble, Path]]:
    """An HTTPS server whose certificate names only `kubernetes.example`."""
    pem, context = certificate(tmp_path_factory.mktemp("tls"), "kubernetes.example")
    with serving(context) as double:
        yield double, pem


def test_a_certificate_of_an_unknown_authority_is_named_as_the_problem(
    tls_server: tuple[ApiDouble, Path], tmp_path: Path
) -> None:
    sleeps = Sleeps()
    with pytest.raises(Unreachable, match=r"certificate is not accepted: .*certificate-authority"):
        ask(ClusterAccess(kubeconfig=tls_server[0].kubeconfig(tmp_path)), sleep=sleeps)
    assert sleeps == []


def test_a_certificate_of_another_host_is_named_as_the_problem(
    tls_server: tuple[ApiDouble, Path], tmp_path: Path
) -> None:
    double, pem = tls_server
    with pytest.raises(Unreachable, match="certificate is not accepted: IP address mismatch"):
        ask(ClusterAccess(kubeconfig=double.kubeconfig(tmp_path, **{"certificate-authority": str(pem)})))


def test_tls_server_name_says_which_host_the_certificate_must_name(
    tls_server: tuple[ApiDouble, Path], tmp_path: Path
) -> None:
    double, pem = tls_server
    names = {"certificate-authority": str(pem), "tls-server-name": "kubernetes.example"}
    assert ask(ClusterAccess(kubeconfig=double.kubeconfig(tmp_path, **names))) == {}


def test_tls_verification_can_be_switched_off(tls_server: tuple[ApiDouble, Path], tmp_path: Path) -> None:
    double, pem = tls_server
    assert ask(ClusterAccess(kubeconfig=double.kubeconfig(tmp_path, **{"insecure-skip-tls-verify": True}))) == {}
    with_authority = double.kubeconfig(tmp_path, **{"certificate-authority": str(pem)})
    assert ask(ClusterAccess(kubeconfig=with_authority, skip_tls_verify=True)) == {}


def test_https_to_a_plain_port_is_reported(api: ApiDouble, tmp_path: Path) -> None:
    api.url = api.url.replace("http:", "https:")
    with pytest.raises(Unreachable, match="TLS failed"):
        ask(ClusterAccess(kubeconfig=api.kubeconfig(tmp_path)))


def test_plain_http_to_a_tls_port_is_reported(tls_server: tuple[ApiDouble, Path], tmp_path: Path) -> None:
    double = ApiDouble(tls_server[0].url.replace("https:", "http:"))
    with pytest.raises(ClusterError, match="127"):
        ask(ClusterAccess(kubeconfig=double.kubeconfig(tmp_path)))


def test_a_proxy_of_the_kubeconfig_is_used(api: ApiDouble, tmp_path: Path) -> None:
    through = ApiDouble("http://kubernetes.invalid:8080")
    ask(ClusterAccess(kubeconfig=through.kubeconfig(tmp_path, **{"proxy-url": api.url})))
    assert api.requests[0].headers["host"] == "kubernetes.invalid:8080"


def test_the_environments_proxy_is_used_too(api: ApiDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", api.url.removeprefix("http://"))
    ask(ClusterAccess(kubeconfig=ApiDouble("http://kubernetes.invalid:8080").kubeconfig(tmp_path)))
    assert api.requests[0].headers["host"] == "kubernetes.invalid:8080"


def test_the_netrc_file_is_not_read(api: ApiDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig whose user has no credentials is anonymous, not whoever ~/.netrc knows for that host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login another password systems\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    ask(ClusterAccess(kubeconfig=api.kubeconfig(tmp_path, {})))
    assert "authorization" not in api.requests[0].headers


def test_a_socks_proxy_is_refused_by_name(api: ApiDouble, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only http and https proxies"):
        Connection(ClusterAccess(kubeconfig=api.kubeconfig(tmp_path, **{"proxy-url": "socks5://127.0.0.1:1080"})))


def test_a_token_file_is_read_again_when_it_was_rotated(api: ApiDouble, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    def answer(request: Any) -> Answer:
        if request.headers["authorization"] == "Bearer new":
            return Answer({"ok": True})
        token.write_text("new")
        return refusal(401, "Unauthorized")

    api.answer = answer
    assert ask(ClusterAccess(kubeconfig=api.kubeconfig(tmp_path, {"tokenFile": "token"}))) == {"ok": True}


def test_a_token_file_that_is_gone_is_named(api: ApiDouble, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        ask(ClusterAccess(kubeconfig=api.kubeconfig(tmp_path, {"tokenFile": "nowhere"})))


def test_ssl_contexts_verify_by_default(tls_server: tuple[ApiDouble, Path], tmp_path: Path) -> None:
    link = Connection(ClusterAccess(kubeconfig=tls_server[0].kubeconfig(tmp_path)))._link
    assert link.tls.verify_mode is ssl.CERT_REQUIRED
