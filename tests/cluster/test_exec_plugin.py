"""Credential plugins, as EKS, GKE and AKS kubeconfigs name them: real commands, a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.api_double import Answer, ApiDouble, refusal
from tests.servers import wait_until

from k8s_tuning.cluster import exec_plugin
from k8s_tuning.cluster.connection import ClusterAccess, Connection, run
from k8s_tuning.cluster.exchange import ApiRequest
from k8s_tuning.cluster.faults import Call
from k8s_tuning.errors import ConfigError, Unauthorized

CALL = Call("list", "jobs", "batch", "x")
V1 = "client.authentication.k8s.io/v1"


def credential(token: str | None = "from-plugin", version: str = V1, **status: Any) -> str:
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": {"token": token, **status}})


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin that notes each run and prints `answer`."""
    script = tmp_path / "plugin"
    script.write_text(f'#!/bin/sh\necho "$KUBERNETES_EXEC_INFO $EXTRA $*" >> {tmp_path}/runs\ncat {tmp_path}/answer\n')
    script.chmod(0o755)
    (tmp_path / "answer").write_text(credential())
    return script


def ask(api: ApiDouble, tmp_path: Path, requests: int = 1, **plugin: Any) -> None:
    entry = {"apiVersion": V1, "interactiveMode": "IfAvailable", **plugin}
    access = ClusterAccess(kubeconfig=api.kubeconfig(tmp_path, {"exec": entry}))

    async def go() -> None:
        async with Connection(access) as connection:
            await asyncio.gather(*(connection.request(ApiRequest("GET", CALL), BytesIO) for _ in range(requests)))

    run(go())


@pytest.mark.parametrize("version", exec_plugin.API_VERSIONS)
def test_the_token_that_a_plugin_prints_is_used(version: str, api: ApiDouble, plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(credential(version=version))
    extra = [{"name": "EXTRA", "value": "값"}]
    ask(api, tmp_path, apiVersion=version, command="./plugin", args=["--for", "me"], env=extra)
    assert api.requests[0].headers["authorization"] == "Bearer from-plugin"
    info, rest = (tmp_path / "runs").read_text().strip().split("} 값 ")
    assert json.loads(info + "}") == {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    assert rest == "--for me"


@pytest.mark.parametrize("entry", [{"name": "EXTRA"}, {"name": "EXTRA", "value": None}], ids=["absent", "null"])
def test_a_variable_without_a_value_is_empty(
    entry: dict[str, Any], api: ApiDouble, plugin: Path, tmp_path: Path
) -> None:
    ask(api, tmp_path, command=str(plugin), args=["end"], env=[entry])
    assert (tmp_path / "runs").read_text().strip().endswith("}  end")


@pytest.mark.parametrize(
    "entry", [{"name": "EXTRA", "value": True}, {"name": "EXTRA", "value": 5}, {"value": "x"}, "x"]
)
def test_a_variable_that_go_would_refuse_is_refused(entry: Any, api: ApiDouble, plugin: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exec env"):
        ask(api, tmp_path, command=str(plugin), env=[entry])


def test_many_requests_at_once_start_one_plugin(api: ApiDouble, plugin: Path, tmp_path: Path) -> None:
    ask(api, tmp_path, requests=20, command=str(plugin))
    assert len((tmp_path / "runs").read_text().splitlines()) == 1


def test_requests_that_waited_for_a_plugin_that_failed_do_not_start_it_again(
    api: ApiDouble, plugin: Path, tmp_path: Path
) -> None:
    (tmp_path / "answer").write_text("hello")
    access = ClusterAccess(kubeconfig=api.kubeconfig(tmp_path, {"exec": {"apiVersion": V1, "command": str(plugin)}}))

    async def go() -> list[Any]:
        async with Connection(access) as connection:
            asked = (connection.request(ApiRequest("GET", CALL), BytesIO) for _ in range(20))
            return await asyncio.gather(*asked, return_exceptions=True)

    assert all(isinstance(answer, Unauthorized) for answer in run(go()))
    assert len((tmp_path / "runs").read_text().splitlines()) == 1


def test_an_expired_token_is_fetched_anew(api: ApiDouble, plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(credential(expirationTimestamp="2020-01-01T00:00:00Z"))
    ask(api, tmp_path, requests=2, command=str(plugin))
    assert len((tmp_path / "runs").read_text().splitlines()) == 2


def test_a_refused_token_is_fetched_anew_once(api: ApiDouble, plugin: Path, tmp_path: Path) -> None:
    api.script(refusal(401, "Unauthorized"), Answer({}))
    ask(api, tmp_path, command=str(plugin))
    api.script(refusal(401, "Unauthorized"))
    with pytest.raises(Unauthorized, match="expired or wrong token"):
        ask(api, tmp_path, command=str(plugin))
    assert len((tmp_path / "runs").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("not json", "no ExecCredential"),
        ("{}", "no ExecCredential"),
        (credential(None), "gave no token"),
        (credential(None, clientCertificateData="PEM"), "gave a client certificate, which is not supported"),
    ],
)
def test_a_plugin_without_a_token_is_reported(
    answer: str, words: str, api: ApiDouble, plugin: Path, tmp_path: Path
) -> None:
    (tmp_path / "answer").write_text(answer)
    with pytest.raises(Unauthorized, match=words) as caught:
        ask(api, tmp_path, command=str(plugin))
    assert "context 'here'" in str(caught.value)
    assert api.requests == []


def test_a_plugin_of_another_version_is_reported(api: ApiDouble, plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(credential(version="client.authentication.k8s.io/v1beta1"))
    with pytest.raises(ConfigError, match=r"speaks .*v1beta1.*make them agree"):
        ask(api, tmp_path, command=str(plugin))


def test_a_plugin_that_is_not_installed_comes_with_its_hint(api: ApiDouble, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'gke-plugin-nowhere' is not on the PATH; Install it from example\.org"):
        ask(api, tmp_path, command="gke-plugin-nowhere", installHint="Install it from example.org\n")


def test_what_a_failing_plugin_says_is_reported_but_no_secret(api: ApiDouble, tmp_path: Path) -> None:
    script = tmp_path / "failing"
    script.write_text(f'#!/bin/sh\necho "SSO expired, run: aws sso login ({"A1b2" * 20})" >&2\nexit 7\n')
    script.chmod(0o755)
    with pytest.raises(Unauthorized, match=r"ended with 7: SSO expired, run: aws sso login") as caught:
        ask(api, tmp_path, command=str(script))
    assert "A1b2A1b2" not in str(caught.value)


def test_a_plugin_that_waits_for_ever_is_ended(api: ApiDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "TIMEOUT_SECONDS", 0.1)
    with pytest.raises(Unauthorized, match="gave no token within"):
        ask(api, tmp_path, command="sleep", args=["30"])


ENDLESS = {
    "prints": "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
    "complains": "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy >&2; done",
    "drips": "while :; do echo y; sleep 0.01; done",
    "leaves a child": "sleep 60 & wait",
    "leaves a child that holds its output": "cat ANSWER; sleep 60 &",
    "does not take the hint": "trap '' TERM INT HUP; while :; do sleep 0.05; done",
}


@pytest.mark.slow
@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS)
def test_a_plugin_without_an_end_is_ended_with_all_that_it_started(
    body: str, api: ApiDouble, plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_plugin, "TIMEOUT_SECONDS", 0.5)
    plugin.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/group\n{body.replace('ANSWER', str(tmp_path / 'answer'))}\n")
    with pytest.raises(Unauthorized, match="gave no token within"):
        ask(api, tmp_path, command=str(plugin))
    group = int((tmp_path / "group").read_text())
    wait_until(lambda: not alive(group))


def alive(group: int) -> bool:
    """Whether a process of the group is there that has not ended (one that ended waits to be collected)."""
    states = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            states += [fields[0]] if int(fields[2]) == group else []
    return any(state != "Z" for state in states)


def test_what_a_plugin_prints_is_bounded(api: ApiDouble, plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(credential() + " " * 50_000_000)
    with pytest.raises(Unauthorized, match="printed more than a credential can be"):
        ask(api, tmp_path, command=str(plugin))


def test_what_a_plugin_complains_of_is_bounded_and_its_token_taken(
    api: ApiDouble, plugin: Path, tmp_path: Path
) -> None:
    (tmp_path / "noise").write_text("x" * 20_000_000)
    plugin.write_text(f"#!/bin/sh\ncat {tmp_path}/noise >&2\ncat {tmp_path}/answer\n")
    ask(api, tmp_path, command=str(plugin))
    assert api.requests[0].headers["authorization"] == "Bearer from-plugin"


def test_a_plugin_that_needs_a_terminal_is_refused(api: ApiDouble, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs a terminal"):
        ask(api, tmp_path, command="true", interactiveMode="Always")
