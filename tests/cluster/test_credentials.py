"""Certificates and tokens of a kubeconfig, judged as kubectl judges them: real handshakes, real requests."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.authorities import Authority
from tests.cluster.api_double import ApiDouble, serving

from k8s_tuning.cluster.connection import ClusterAccess, Connection, run
from k8s_tuning.cluster.exchange import ApiRequest
from k8s_tuning.cluster.faults import Call
from k8s_tuning.errors import ConfigError, InputError, Unreachable


def ask(double: ApiDouble, folder: Path, user: dict[str, Any] | None = None, **cluster: Any) -> Any:
    access = ClusterAccess(kubeconfig=double.kubeconfig(folder, user, **cluster))

    async def go() -> Any:
        async with Connection(access) as connection:
            call = Call("list", "jobs", "batch", "x")
            return connection.json(await connection.request(ApiRequest("GET", call), BytesIO), call)

    return run(go())


def data(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


ROOT = Authority.make("root")
PLAIN = Authority.make("an older installer's", plain=True)
MIDDLE = ROOT.intermediate("middle")
HERE = ["127.0.0.1"]

JUDGED = [
    pytest.param(ROOT.server(HERE), ROOT.pem(), None, id="an authority as RFC 5280 wants it"),
    pytest.param(PLAIN.server(HERE), PLAIN.pem(), None, id="an authority without key identifiers and usages"),
    pytest.param(MIDDLE.server(HERE), ROOT.pem(), None, id="a chain up to the root"),
    pytest.param(MIDDLE.server(HERE), MIDDLE.pem(), None, id="a file with the intermediate alone"),
    pytest.param(PLAIN.server(HERE), ROOT.pem() + PLAIN.pem(), None, id="a bundle"),
    pytest.param(PLAIN.server(HERE), "# 인증서\r\n".encode() + PLAIN.pem(), None, id="a comment above it"),
    pytest.param(PLAIN.server(["localhost"]), PLAIN.pem(), "IP address mismatch", id="another host"),
    pytest.param(PLAIN.server([], "127.0.0.1"), PLAIN.pem(), "IP address mismatch", id="a common name is no host"),
    pytest.param(ROOT.server(HERE), PLAIN.pem(), "certificate-authority", id="another authority"),
]


@pytest.mark.parametrize(("leaf", "authority", "refusal"), JUDGED)
def test_a_servers_certificate_is_judged_as_kubectl_judges_it(
    leaf: Authority, authority: bytes, refusal: str | None, tmp_path: Path
) -> None:
    with serving(leaf.context(tmp_path)) as double:
        if refusal is None:
            assert ask(double, tmp_path, **{"certificate-authority-data": data(authority)}) == {}
        else:
            with pytest.raises(Unreachable, match=refusal):
                ask(double, tmp_path, **{"certificate-authority-data": data(authority)})


def test_a_common_name_is_no_host_name_either(tmp_path: Path) -> None:
    leaf = PLAIN.server([], "kubernetes.example")
    names = {"certificate-authority-data": data(PLAIN.pem()), "tls-server-name": "kubernetes.example"}
    with serving(leaf.context(tmp_path)) as double, pytest.raises(Unreachable, match="not accepted"):
        ask(double, tmp_path, **names)


def test_data_goes_before_the_file(tmp_path: Path) -> None:
    """kubectl does not even open the file then."""
    names = {"certificate-authority": "/nowhere/ca.pem", "certificate-authority-data": data(PLAIN.pem())}
    with serving(PLAIN.server(HERE).context(tmp_path)) as double:
        assert ask(double, tmp_path, **names) == {}


def test_a_locked_key_is_refused_rather_than_asked_for(tmp_path: Path) -> None:
    me = ROOT.server(["me"])
    user = {
        "client-certificate-data": data(me.pem()),
        "client-key-data": data(me.key_pem(b"passphrase")),
    }
    with serving(PLAIN.server(HERE).context(tmp_path)) as double, pytest.raises(ConfigError, match="passphrase"):
        ask(double, tmp_path, user, **{"insecure-skip-tls-verify": True})


PLUGIN = (
    'printf \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
    '"status": {"token": "%s"}}\' "$(cat TOKEN)"'
)


def user_with(token: str, way: str, folder: Path) -> dict[str, Any]:
    """A kubeconfig's user whose token is written this way."""
    (folder / "token").write_text(token, encoding="utf-8")
    if way == "token":
        return {"token": token}
    if way == "tokenFile":
        return {"tokenFile": "token"}
    escaped = token.replace("\n", "\\n").replace("\t", "\\t")
    (folder / "escaped").write_text(escaped, encoding="utf-8")
    command = ["-c", PLUGIN.replace("TOKEN", str(folder / "escaped"))]
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": command}}


WAYS = ["token", "tokenFile", "exec"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("token", ["tok\n", "  tok", "\ttok \n\n"], ids=["end", "start", "both"])
def test_white_space_around_a_token_is_stripped(token: str, way: str, api: ApiDouble, tmp_path: Path) -> None:
    ask(api, tmp_path, user_with(token, way, tmp_path))
    assert api.requests[0].headers["authorization"] == "Bearer tok"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("s3c r3t", "white space inside"),
        ("s3c\nr3t", "white space inside"),
        ("s3cr3t토큰", "a character that"),
    ],
    ids=["blank", "line break", "letters"],
)
def test_a_token_that_cannot_be_one_is_refused_by_name_and_not_shown(
    token: str, words: str, way: str, api: ApiDouble, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"token.* has {words}") as refused:
        ask(api, tmp_path, user_with(token, way, tmp_path))
    assert "s3c" not in str(refused.value).replace(str(tmp_path), "")
    assert api.requests == []


@pytest.mark.parametrize("user", [{"token": ""}, {"token": " \n"}, {}], ids=["empty", "blank", "none"])
def test_no_token_is_no_header(user: dict[str, Any], api: ApiDouble, tmp_path: Path) -> None:
    ask(api, tmp_path, user)
    assert "authorization" not in api.requests[0].headers


def test_an_empty_token_file_is_named(api: ApiDouble, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the token in .*token is empty"):
        ask(api, tmp_path, user_with("\n", "tokenFile", tmp_path))


def test_a_user_without_a_password_is_still_a_user(api: ApiDouble, tmp_path: Path) -> None:
    ask(api, tmp_path, {"username": "me"})
    assert api.requests[0].headers["authorization"] == "Basic " + base64.b64encode(b"me:").decode()
