"""Writes what differs between the environments from source/, so that they cannot drift apart.

    python include/kubernetes/generate.py          writes overlays/*/generated/, argocd/ and ../compose/
    python include/kubernetes/generate.py --check  exit 1, with their names, where files are not what it would write

By environment: the Alertmanager configuration (alertmanager.yaml, and the config Secret as ExternalSecret, SealedSecret
and SOPS file), the PrometheusRules, the smoke rule, the history volume, and the Roles in the watched namespaces.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from k8s_tuning.alerts.judge import duration
from k8s_tuning.stages.targets import VERY_STALE, load_targets

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "source"
COMPOSE = HERE.parent / "compose"
CONFIGS = HERE.parent / "configs"
HEADER = "# Written by include/kubernetes/generate.py from include/kubernetes/source/: change it there.\n"
SECRET_KEYS = ("slack-alerts-url", "slack-low-url", "pagerduty-routing-key")

Document = dict[str, Any]
Values = dict[str, str]


class _Dumper(yaml.SafeDumper):
    """YAML without aliases, long texts as blocks: what a person would read in a review."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def main(argv: list[str] | None = None) -> int:
    """Write the files, or with --check say which are not up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is not up to date")
    args = parser.parse_args(argv)
    wanted = files()
    there = {path for folder in (HERE / "overlays").glob("*/generated") for path in folder.rglob("*") if path.is_file()}
    stale = sorted(path for path in there - wanted.keys())
    stale += sorted(path for path, text in wanted.items() if not path.is_file() or path.read_text() != text)
    if args.check:
        for path in stale:
            print(f"{path.relative_to(HERE.parent.parent)}: not what generate.py writes; run it", file=sys.stderr)
        return 1 if stale else 0
    for path in there - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


def files() -> dict[Path, str]:
    """Every generated file and its text."""
    settings = yaml.safe_load((SOURCE / "environments.yaml").read_text())
    written: dict[Path, str] = {}
    for name, environment in settings["environments"].items():
        folder = HERE / "overlays" / name / "generated"
        values = _values(name, environment, settings)
        config = alertmanager_config(environment, values)
        keys = [key for key in SECRET_KEYS if environment["pagerduty"] or key != "pagerduty-routing-key"]
        data = {"alertmanager.yaml": _dump(config), "k8s-tuning.tmpl": (SOURCE / "k8s-tuning.tmpl").read_text()}
        roles = [
            role for watched in environment["watched"] for role in source("roles.yaml", {**values, "watched": watched})
        ]
        documents = {
            folder / "alertmanager.yaml": [config],
            folder / "prometheus-rules.yaml": [prometheus_rule("k8s-tuning", rule_groups("rules.yaml", values))],
            folder / "smoke-rule.yaml": [
                prometheus_rule("k8s-tuning-smoke", rule_groups("smoke.yaml", values), values["home"])
            ],
            folder / "rbac.yaml": source("accounts.yaml", values) + roles,
            folder / "history-volume.yaml": source("history-volume.yaml", values),
            folder / "home.yaml": source("home.yaml", values),
            folder / "metrics-token.yaml": source("metrics-token.yaml", values),
            folder / "config-secret/externalsecret.yaml": [external_secret(values, data, keys)],
            folder / "config-secret/sealedsecret.yaml": [sealed_secret(values, data, keys)],
            folder / "config-secret/secret.sops.yaml": [sops_secret(values, data, keys)],
            HERE / "argocd" / f"{name}.yaml": source("argocd.yaml", values),
        }
        written |= {path: HEADER + _dump(*content) for path, content in documents.items()}
    local = settings["compose"]
    values = _values("dev", local, settings)
    return written | {
        COMPOSE / "alertmanager/alertmanager.yaml": HEADER + _dump(alertmanager_config(local, values)),
        COMPOSE / "alertmanager/k8s-tuning.tmpl": (SOURCE / "k8s-tuning.tmpl").read_text(),
        COMPOSE / "prometheus/k8s-tuning.rules.yaml": HEADER + _dump({"groups": rule_groups("rules.yaml", values)}),
    }


def source(file: str, values: Values) -> list[Document]:
    """The documents of a source file, with $name replaced by its value."""
    return [_filled(document, values) for document in yaml.safe_load_all((SOURCE / file).read_text())]


def _values(name: str, environment: Document, settings: Document) -> Values:
    stale = load_targets(CONFIGS / "targets.yaml").stale_after_minutes * 60
    return {
        "stale_seconds": f"{stale:g}",
        "very_stale_seconds": f"{VERY_STALE * stale:g}",
        "stale": duration(stale),
        "very_stale": duration(VERY_STALE * stale),
        "runbooks": settings["runbooks"],
        "repository": settings["repository"],
        "config_secret": "alertmanager-k8s-tuning",
        "environment": name,
        "ENVIRONMENT": "PROD" if name == "production" else name.upper(),
        "namespaces": "|".join(environment["namespaces"]),
        "home": environment["home"],
        "airflow": environment.get("airflow", ""),
        "store": environment.get("store", ""),
        "slack_alerts": environment["slack_alerts"],
        "slack_low": environment["slack_low"],
        "critical_receiver": f"pagerduty-{name}" if environment["pagerduty"] else f"slack-alerts-{name}",
    }


def _filled(data: Any, values: Values) -> Any:
    """`data` with $name replaced in every text; other dollars (Prometheus' $labels, $value) stay."""
    if isinstance(data, dict):
        return {key: _filled(value, values) for key, value in data.items()}
    if isinstance(data, list):
        return [_filled(value, values) for value in data]
    if isinstance(data, str):
        return re.sub(r"\$(\w+)", lambda hit: values.get(hit[1], hit[0]), data)
    return data


def alertmanager_config(environment: Document, values: Values) -> Document:
    """The environment's Alertmanager configuration; without PagerDuty that receiver is left out."""
    config = source("alertmanager.yaml", values)[0]
    if not environment["pagerduty"]:
        config["receivers"] = [item for item in config["receivers"] if "pagerduty_configs" not in item]
    return config


def rule_groups(file: str, values: Values) -> list[Document]:
    """The rule groups of a source file, each alert with the link to its runbook page."""
    groups: list[Document] = source(file, values)[0]["groups"]
    for group in groups:
        for rule in group["rules"]:
            rule["annotations"]["runbook_url"] = f"{values['runbooks']}/{rule['alert']}.md"
    return groups


def prometheus_rule(name: str, groups: list[Document], namespace: str | None = None) -> Document:
    """Rule groups as Prometheus Operator takes them; the smoke rule is applied by hand and names its namespace."""
    metadata: Document = {
        "name": name,
        "labels": {"app.kubernetes.io/name": "k8s-tuning", "release": "kube-prometheus-stack"},
    }
    if namespace:
        metadata["namespace"] = namespace
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": {"groups": groups},
    }


def _escaped(data: dict[str, str]) -> dict[str, str]:
    """Texts as Go templates that yield them: both controllers run the data through text/template."""
    return {key: text.replace("{{", "{{ `{{` }}") for key, text in data.items()}


def external_secret(values: Values, data: dict[str, str], keys: list[str]) -> Document:
    """The config Secret, its secret keys fetched from a secret store."""
    secret = source("externalsecret.yaml", values)[0]
    names = {key: key.replace("-", "_") for key in keys}  # a Go template cannot say .slack-low-url
    fetched = {key: "{{ ." + name + " }}" for key, name in names.items()}
    secret["spec"]["target"]["template"]["data"] = {**_escaped(data), **fetched}
    secret["spec"]["data"] = [
        {"secretKey": name, "remoteRef": {"key": values["store"], "property": key}} for key, name in names.items()
    ]
    return secret


def sealed_secret(values: Values, data: dict[str, str], keys: list[str]) -> Document:
    """The config Secret, its secret keys encrypted for one cluster."""
    secret = source("sealedsecret.yaml", values)[0]
    secret["spec"]["encryptedData"] = dict.fromkeys(keys, "PLACEHOLDER-kubeseal-raw-output")
    secret["spec"]["template"]["data"] = _escaped(data)
    return secret


def sops_secret(values: Values, data: dict[str, str], keys: list[str]) -> Document:
    """The config Secret before SOPS encrypts it."""
    secret = source("secret.sops.yaml", values)[0]
    secret["stringData"] = {**data, **dict.fromkeys(keys, "PLACEHOLDER-encrypt-with-sops")}
    return secret


def _dump(*documents: Document) -> str:
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


if __name__ == "__main__":
    sys.exit(main())
