"""What GitOps applies: generated without drift, built by kustomize, valid by schema, without a secret."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "include/kubernetes"
ENVIRONMENTS = ("dev", "staging", "production")
FORMS = ("externalsecret.yaml", "sealedsecret.yaml", "secret.sops.yaml")
KEYS = {"slack-alerts-url", "slack-low-url", "pagerduty-routing-key"}
CRDS = yaml.safe_load((Path(__file__).parent / "crds.yaml").read_text())


@cache
def build(folder: Path) -> list[dict[str, Any]]:
    """The documents that kustomize makes of an overlay; not to be changed."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is missing: kubernetes.io/docs/tasks/tools")
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def _generator(root: Path = KUBERNETES) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_manifests", root / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of include/ to change."""
    shutil.copytree(ROOT / "include", tmp_path / "include")
    return tmp_path / "include/kubernetes"


def test_what_is_checked_in_is_what_the_generator_writes() -> None:
    """No environment was edited by hand."""
    assert _generator().main(["--check"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("drift", ["edited", "missing", "left over"])
def test_drift_is_found_and_fixed(copy: Path, drift: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An edit by hand, a lost file, and a file that nothing writes any more."""
    file = copy / "overlays/production/generated/alertmanager.yaml"
    if drift == "edited":
        file.write_text(file.read_text().replace("0s", "5m"))
    elif drift == "missing":
        file.unlink()
    else:
        (file := file.with_name("old.yaml")).write_text("old: true\n")
    generator = _generator(copy)
    assert generator.main(["--check"]) == 1
    assert f"overlays/production/generated/{file.name}" in capsys.readouterr().err
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_overlay_builds_and_is_valid_with_every_form_of_the_secret(copy: Path, environment: str, form: str) -> None:
    """Core kinds by Kubernetes' own schemas, custom ones by the parts that this project uses."""
    kustomization = copy / "overlays" / environment / "kustomization.yaml"
    kustomization.write_text(
        kustomization.read_text().replace("config-secret/externalsecret.yaml\n", f"config-secret/{form}\n")
    )
    documents = build(kustomization.parent)
    assert len({(doc["kind"], doc["metadata"]["namespace"], doc["metadata"]["name"]) for doc in documents}) == len(
        documents
    )
    for document in documents:
        if document["kind"] in CRDS:
            jsonschema.validate(document, CRDS[document["kind"]])
        else:
            kubernetes_validate.validate(document, "1.34", strict=True)
    kinds = {document["kind"] for document in documents}
    assert {"PrometheusRule", "ServiceMonitor", "NetworkPolicy", "Role", "RoleBinding", "ServiceAccount"} <= kinds


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_argocd_heals_and_never_prunes(environment: str) -> None:
    """selfHeal true, prune false, and the path is an overlay that is there."""
    application = yaml.safe_load((KUBERNETES / "argocd" / f"{environment}.yaml").read_text())
    jsonschema.validate(application, CRDS["Application"])
    assert application["spec"]["syncPolicy"]["automated"] == {"prune": False, "selfHeal": True}
    assert (ROOT / application["spec"]["source"]["path"] / "kustomization.yaml").is_file()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_three_forms_make_the_same_secret_and_hold_none(environment: str) -> None:
    """The configuration is the generated one in all of them; the secret keys are placeholders or references."""
    folder = KUBERNETES / "overlays" / environment / "generated"
    external, sealed, sops = (yaml.safe_load((folder / "config-secret" / form).read_text()) for form in FORMS)
    keys = KEYS if environment == "production" else KEYS - {"pagerduty-routing-key"}
    plain = sops["stringData"]
    assert {key: value for key, value in plain.items() if key in KEYS} == dict.fromkeys(
        keys, "PLACEHOLDER-encrypt-with-sops"
    )
    assert sealed["spec"]["encryptedData"] == dict.fromkeys(keys, "PLACEHOLDER-kubeseal-raw-output")
    template = external["spec"]["target"]["template"]["data"]
    assert {key: template[key] for key in keys} == {key: "{{ ." + key.replace("-", "_") + " }}" for key in keys}
    assert {item["secretKey"] for item in external["spec"]["data"]} == {key.replace("-", "_") for key in keys}
    for data in (template, sealed["spec"]["template"]["data"]):
        for name in ("alertmanager.yaml", "k8s-tuning.tmpl"):
            assert _go_template(data[name]) == plain[name]
    assert yaml.safe_load(plain["alertmanager.yaml"]) == yaml.safe_load((folder / "alertmanager.yaml").read_text())
    names = {external["spec"]["target"]["name"], sealed["metadata"]["name"], sops["metadata"]["name"]}
    values = yaml.safe_load((KUBERNETES / "helm/kube-prometheus-stack.yaml").read_text())
    assert names == {values["alertmanager"]["alertmanagerSpec"]["configSecret"]}


def _go_template(text: str) -> str:
    """What Go's text/template makes of a text whose only actions are raw strings."""
    made = text.replace("{{ `{{` }}", "\0")
    assert "{{" not in made, "an action would be executed by the secret's controller"
    return made.replace("\0", "{{")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_prometheus_scrapes_is_what_airflow_serves(environment: str) -> None:
    """Path, token and Airflow's namespace; the metrics' own namespace label is kept."""
    documents = build(KUBERNETES / "overlays" / environment)
    (monitor,) = (document for document in documents if document["kind"] == "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["path"] == "/k8s-tuning/metrics"
    assert endpoint["honorLabels"] is True
    accounts = {document["metadata"]["namespace"] for document in documents if document["kind"] == "ServiceAccount"}
    assert set(monitor["spec"]["namespaceSelector"]["matchNames"]) == accounts
    tokens = {doc["metadata"]["name"] for doc in documents if doc["kind"] == "ExternalSecret"}
    assert endpoint["authorization"]["credentials"]["name"] in tokens


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_accounts_have_rights_in_the_watched_namespaces_alone(environment: str) -> None:
    """No cluster-wide right, no delete, no exec, no secret; only the applier writes, and only Jobs."""
    documents = build(KUBERNETES / "overlays" / environment)
    assert not [document for document in documents if document["kind"].startswith("ClusterRole")]
    settings = yaml.safe_load((KUBERNETES / "source/environments.yaml").read_text())["environments"][environment]
    for role in (document for document in documents if document["kind"] == "Role"):
        assert role["metadata"]["namespace"] in settings["watched"]
        for rule in role["rules"]:
            writes = set(rule["verbs"]) - {"get", "list", "watch"}
            applier = role["metadata"]["name"] == "k8s-tuning-applier"
            assert writes == ({"create", "patch"} if applier else set())
            assert set(rule["resources"]) <= ({"jobs"} if applier else {"jobs", "pods", "pods/log", "events"})


def test_helm_values_fit_the_manifests() -> None:
    """Service accounts, claim and mounts are those that the overlays make; nothing secret stands in the values."""
    values = {path.stem: yaml.safe_load(path.read_text()) for path in (KUBERNETES / "helm").glob("*.yaml")}
    common = values["airflow-common"]
    claim = common["volumes"][0]["persistentVolumeClaim"]["claimName"]
    documents = build(KUBERNETES / "overlays/production")
    (volume,) = (document for document in documents if document["kind"] == "PersistentVolumeClaim")
    assert (volume["metadata"]["name"], volume["spec"]["accessModes"]) == (claim, ["ReadWriteMany"])
    assert common["volumeMounts"][0]["name"] == common["volumes"][0]["name"]
    assert {"name": "K8S_TUNING_HISTORY_DIR", "value": common["volumeMounts"][0]["mountPath"]} in common["env"]
    accounts = {document["metadata"]["name"] for document in documents if document["kind"] == "ServiceAccount"}
    for executor in ("KubernetesExecutor", "CeleryExecutor"):
        file = "airflow-kubernetes-executor" if executor == "KubernetesExecutor" else "airflow-celery-executor"
        assert values[file]["executor"] == executor
        assert {values[file][part]["serviceAccount"]["name"] for part in ("workers", "triggerer")} == accounts
    for variable in common["secret"]:
        assert set(variable) == {"envName", "secretName", "secretKey"}
