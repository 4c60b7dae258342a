"""On a real API server: the manifests are accepted, and each service account can do its work and nothing else."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.clusters import Cluster, job_manifest
from tests.kubernetes.test_overlays import CRDS, KUBERNETES, build

from k8s_tuning.cluster.events import K8sEventCollector
from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning.stages.alert.incident import build_alert_payload, build_incident
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator
from k8s_tuning.stages.history.store import K8sHealthHistoryStore

pytestmark = [pytest.mark.cluster, pytest.mark.parametrize("cluster", ["real"], indirect=True)]


@dataclass
class Installed:
    """An overlay on a cluster, its namespaces renamed to this test's own."""

    cluster: Cluster
    airflow: str
    folder: Path

    def kubeconfig(self, account: str) -> Path:
        """A kubeconfig with the service account's own token."""
        config = yaml.safe_load(self.cluster.kubeconfig.read_text())
        token = self.cluster.kubectl("create", "token", account, "-n", self.airflow).stdout.strip()
        config["users"][0]["user"] = {"token": token}
        for entry in config["clusters"]:
            if authority := entry["cluster"].get("certificate-authority"):
                entry["cluster"]["certificate-authority"] = str(self.cluster.kubeconfig.parent / authority)
        path = self.folder / f"kubeconfig-{account}"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path


@pytest.fixture
def installed(cluster: Cluster, tmp_path: Path) -> Iterator[Installed]:
    suffix = secrets.token_hex(4)
    names = {
        "trading-bots-dev": cluster.namespace,
        "airflow-dev": f"mon-airflow-{suffix}",
        "monitoring-dev": f"mon-home-{suffix}",
    }
    documents = [document for document in build(KUBERNETES / "overlays/dev") if document["kind"] not in CRDS]
    made = list(names.values())[1:]
    try:
        for name in made:
            cluster.kubectl("create", "namespace", name)
        for name, own in names.items():
            mine = yaml.safe_dump_all(item for item in documents if item["metadata"]["namespace"] == name)
            for other, renamed in names.items():
                mine = mine.replace(other, renamed)
            cluster.kubectl("apply", "-n", own, "-f", "-", stdin=mine)
        yield Installed(cluster, names["airflow-dev"], tmp_path)
    finally:
        for name in made:
            cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)


def _failed_job(cluster: Cluster) -> str:
    name = cluster.job("failing")
    cluster.scenario([{"match": name, "outcome": "fail", "exit_code": 3, "seconds": 0, "log": "no more ticks"}])
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(job_manifest(name)))
    cluster.wait(lambda: '"Failed"' in cluster.kubectl("get", "job", name, "-o", "json").stdout)
    return name


def test_the_reader_can_do_all_of_d32_to_d35(installed: Installed) -> None:
    """Monitor with logs, judge, read events, record, build the alert: with the read-only account's token alone."""
    cluster = installed.cluster
    job = _failed_job(cluster)
    kubeconfig = str(installed.kubeconfig("k8s-tuning-reader"))
    snapshot = K8sJobMonitor(cluster.namespace, "app=arbitrage-tuning", kubeconfig).load_snapshot()
    assert snapshot.errors == []
    assert [(status.job_name, status.phase) for status in snapshot.jobs] == [(job, "FAILED")]
    assert any("no more ticks" in line for log in snapshot.pods_logs for line in log.lines)
    health = K8sHealthEvaluator().evaluate(snapshot)
    assert health.overall_health == "ERROR"
    collector = K8sEventCollector(cluster.namespace, "app=arbitrage-tuning", kubeconfig)
    # The Job controller writes the event after the condition.
    cluster.wait(lambda: "BackoffLimitExceeded" in {event.reason for event in collector.load_events().events})
    events = collector.load_events()
    assert events.errors == []
    store = K8sHealthHistoryStore(installed.folder / "history.jsonl")
    record = store.append(health)
    incident = build_incident(store.load_recent(), events.events, record.timestamp)
    assert incident
    assert cluster.namespace in build_alert_payload(incident).text


_BATCH, _CORE = "/apis/batch/v1/namespaces/{ns}", "/api/v1/namespaces/{ns}"
_JOB: dict[str, Any] = {"spec": {"parallelism": 1}}

# Every way to change something, and to read what is nobody's business: method, path, body.
REFUSED: dict[str, tuple[str, str, Any]] = {
    "create a Job": ("POST", f"{_BATCH}/jobs", job_manifest("arb-tuning-mine")),
    "patch a Job": ("PATCH", f"{_BATCH}/jobs/{{job}}", _JOB),
    "replace a Job": ("PUT", f"{_BATCH}/jobs/{{job}}", _JOB),
    "change a Job's status": ("PATCH", f"{_BATCH}/jobs/{{job}}/status", {"status": {}}),
    "delete a Job": ("DELETE", f"{_BATCH}/jobs/{{job}}", None),
    "delete every Job": ("DELETE", f"{_BATCH}/jobs", None),
    "create a pod": ("POST", f"{_CORE}/pods", {}),
    "patch a pod": ("PATCH", f"{_CORE}/pods/{{pod}}", {"metadata": {"labels": {"a": "b"}}}),
    "delete a pod": ("DELETE", f"{_CORE}/pods/{{pod}}", None),
    "evict a pod": ("POST", f"{_CORE}/pods/{{pod}}/eviction", {}),
    "exec into a pod": ("POST", f"{_CORE}/pods/{{pod}}/exec?command=true", None),
    "attach to a pod": ("POST", f"{_CORE}/pods/{{pod}}/attach", None),
    "forward a port": ("POST", f"{_CORE}/pods/{{pod}}/portforward", None),
    "scale a Deployment": ("PATCH", "/apis/apps/v1/namespaces/{ns}/deployments/x/scale", {"spec": {"replicas": 0}}),
    "create an event": ("POST", f"{_CORE}/events", {}),
    "read Secrets": ("GET", f"{_CORE}/secrets", None),
    "read ConfigMaps": ("GET", f"{_CORE}/configmaps", None),
    "read other namespaces' Jobs": ("GET", "/apis/batch/v1/jobs", None),
    "read nodes": ("GET", "/api/v1/nodes", None),
    "make itself a right": ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings", {}),
    "delete the namespace": ("DELETE", _CORE, None),
}


@pytest.mark.parametrize("account", ["k8s-tuning-reader", "k8s-tuning-applier"])
def test_every_mutation_beyond_an_accounts_work_is_refused(installed: Installed, account: str) -> None:
    """403 from the API server itself; the applier may create and patch Jobs, and no more."""
    cluster = installed.cluster
    job = _failed_job(cluster)
    pod = json.loads(cluster.kubectl("get", "pods", "-o", "json").stdout)["items"][0]["metadata"]["name"]
    got = {}
    with cluster.client(installed.kubeconfig(account)) as http:
        for what, (method, path, body) in REFUSED.items():
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            url = path.format(ns=cluster.namespace, job=job, pod=pod)
            content = None if body is None else json.dumps(body)
            got[what] = http.request(method, url, content=content, headers={"Content-Type": kind}).status_code
    allowed = {"create a Job": 201, "patch a Job": 200} if account == "k8s-tuning-applier" else {}
    assert got == {**dict.fromkeys(REFUSED, 403), **allowed}
    assert cluster.kubectl("get", "job", job, "-o", "name").stdout.strip() == f"job.batch/{job}"


def test_the_rights_are_exactly_those_of_the_role(installed: Installed) -> None:
    """What the API server itself lists for the reader in the watched namespace."""
    kubeconfig = installed.kubeconfig("k8s-tuning-reader")
    with installed.cluster.client(kubeconfig) as http:
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
        body: dict[str, Any] = {**review, "spec": {"namespace": installed.cluster.namespace}}
        rules = http.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", json=body).json()
    verbs = {
        (resource, verb)
        for rule in rules["status"]["resourceRules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if not resource.startswith("selfsubject")
    }
    read = {(resource, verb) for resource in ("jobs", "pods", "events") for verb in ("get", "list", "watch")}
    assert verbs == read | {("pods/log", "get")}


def test_the_cronjob_example_is_accepted(installed: Installed) -> None:
    """With the account and the claim that the overlay made; its Job is accepted, too."""
    cluster = installed.cluster
    document = yaml.safe_load((KUBERNETES.parents[1] / "examples/kubernetes/monitor-cronjob.yaml").read_text())
    document["metadata"]["namespace"] = installed.airflow
    spec = document["spec"]["jobTemplate"]["spec"]
    pod = spec["template"]["spec"]
    for kind, name in (
        ("serviceaccount", pod["serviceAccountName"]),
        ("pvc", pod["volumes"][0]["persistentVolumeClaim"]["claimName"]),
    ):
        cluster.kubectl("get", kind, name, "-n", installed.airflow)
    if "CronJob" not in cluster.kubectl("api-resources", "--api-group=batch", "-o", "wide").stdout:
        pytest.skip("this cluster has no CronJobs")
    with cluster.client() as http:
        kinds = {resource["kind"] for resource in http.get("/apis/batch/v1").json()["resources"]}
    if "CronJob" not in kinds:
        document["apiVersion"] = "batch/v1beta1"  # before Kubernetes 1.21; the fields are the same
    cluster.kubectl("apply", "-n", installed.airflow, "-f", "-", stdin=json.dumps(document))
    name = cluster.job("cron")
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}
    cluster.kubectl("apply", "-n", installed.airflow, "-f", "-", stdin=json.dumps(job))
