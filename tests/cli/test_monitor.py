"""`k8s-tuning watch`, as a CI system or a person runs it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from tests.clusters import Cluster, job_manifest

from k8s_tuning.cli import monitor as watch
from k8s_tuning.cluster import monitor as monitor_module
from k8s_tuning.errors import ConfigError, Forbidden


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    watch.register(parser.add_subparsers())
    args = parser.parse_args(["watch", *argv])
    return watch.run(args)


def create(cluster: Cluster, name: str) -> str:
    with cluster.client() as http:
        path = f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs"
        http.post(path, json=job_manifest(cluster.job(name))).raise_for_status()
    return cluster.job(name)


def where(cluster: Cluster, kubeconfig: Path | None = None) -> list[str]:
    return ["-n", cluster.namespace, "--kubeconfig", str(kubeconfig or cluster.kubeconfig)]


def test_one_look_prints_the_report(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    name = create(cluster, "a")
    assert run(*where(cluster)) == 0
    assert name in capsys.readouterr().out


def test_one_look_prints_json(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    name = create(cluster, "a")
    assert run(*where(cluster), "--json") == 0
    snapshot = json.loads(capsys.readouterr().out)
    assert [job["job_name"] for job in snapshot["jobs"]] == [name]
    assert snapshot["errors"] == []


def test_jobs_that_could_not_be_listed_are_exit_code_3(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*where(cluster, cluster.nobody_kubeconfig)) == 3
    out = capsys.readouterr().out
    assert "NOT whole" in out
    assert "Jobs:       not known\n" in out


def test_pods_that_could_not_be_read_are_exit_code_1(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> list[object]:
        raise Forbidden("may not list pods")

    monkeypatch.setattr("k8s_tuning.cluster.reader.ClusterReader.pods", refused)
    assert run(*where(cluster)) == 1
    assert "Jobs:       0\n" in capsys.readouterr().out


class Enough(Exception):  # noqa: N818
    pass


def test_an_interval_gives_a_json_object_a_line(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is interrupted; here the third sleep does that."""
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 3:
            raise Enough

    whole = monitor_module.K8sJobMonitor.watch
    monkeypatch.setattr(monitor_module.K8sJobMonitor, "watch", lambda self, interval: whole(self, interval, sleep))
    with pytest.raises(Enough):
        run(*where(cluster), "--json", "--interval", "2.5")
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["namespace"] for line in lines] == [cluster.namespace] * 3
    assert sleeps == [2.5] * 3


@pytest.mark.parametrize(
    "argv",
    [
        ("--interval", "0"),
        ("--interval", "soon"),
        ("--interval", "inf"),
        ("--max-log-lines", "-1"),
        ("--max-log-lines", "1000000000"),
    ],
)
def test_a_flag_that_makes_no_sense_is_refused(argv: tuple[str, str], capsys: Any) -> None:
    with pytest.raises(SystemExit):
        run(*argv)
    assert argv[1] in capsys.readouterr().err


def test_a_missing_kubeconfig_is_an_error_not_a_report() -> None:
    with pytest.raises(ConfigError, match="/nowhere"):
        run("--kubeconfig", "/nowhere")
