"""Which link of the chain from the metrics to a person is broken: metrics → Prometheus → Alertmanager → receiver.

Each check is one that docs/alerting.md also gives as a command. Nothing is changed, except that a test alert is posted
to Alertmanager where one is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from k8s_tuning import proxies, timestamps
from k8s_tuning.alerts.credentials import place_of
from k8s_tuning.errors import InputError
from k8s_tuning.http_client import Fault, Request, exchange

ALERT = "K8sTuningTargetUnhealthy"
SMOKE = "K8sTuningSmoke"
METRIC = "k8s_tuning_source_readable"
_SECONDS = 10.0
_MOST_ANSWER_BYTES = 32 * 1024 * 1024
_TEST_ALERT_LASTS = timedelta(minutes=5)


@dataclass(frozen=True)
class Link:
    """One link. `found`: what was seen. `cure`: what to do where it is broken, or to learn more where it is unknown."""

    name: str
    state: Literal["ok", "broken", "unknown"]
    found: str
    cure: str = ""


@dataclass(frozen=True)
class Chain:
    """Where the links are. `metrics` and its token may be left out: Prometheus then tells whether it scrapes them."""

    prometheus: str
    alertmanager: str
    metrics: str | None = None
    metrics_token: str | None = None

    def __post_init__(self) -> None:
        for name in ("prometheus", "alertmanager", "metrics"):
            url = getattr(self, name)
            if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
                raise InputError(f"--{name}: not an address; write one as http://127.0.0.1:9090")

    def __repr__(self) -> str:
        return f"Chain(prometheus={place_of(self.prometheus)}, alertmanager={place_of(self.alertmanager)})"


@dataclass(frozen=True)
class Trial:
    """A test alert: its labels, and how long to wait for its delivery. `sleep` waits a number of seconds."""

    labels: Mapping[str, str]
    wait_seconds: float
    sleep: Callable[[float], None]
    now: Callable[[], datetime]


class _UnansweredError(Exception):
    """The other side did not answer as it should; the message says how, without a secret."""


def diagnose(chain: Chain, trial: Trial | None = None) -> Iterator[Link]:
    """The links in the order an alert takes them, each as soon as it is known."""
    if chain.metrics:
        cure = "401 and 403 want the token in K8S_TUNING_METRICS_TOKEN; else see that Airflow's API server is up"
        yield from _unless_silent(_metrics(chain.metrics, chain.metrics_token), "metrics", cure)
    for name, links in (
        ("prometheus", _prometheus(chain.prometheus.rstrip("/"))),
        ("alertmanager", _alertmanager(chain.alertmanager.rstrip("/"))),
    ):
        yield from _unless_silent(links, name, f"see that it runs, and that --{name} is its address")
    if trial is None:
        yield Link("delivery", "unknown", "no test alert was sent", "add --send to post one and see it delivered")
    else:
        links = _deliver(chain.alertmanager.rstrip("/"), trial)
        yield from _unless_silent(links, "route", "see Alertmanager's log")


def _unless_silent(links: Iterator[Link], name: str, cure: str) -> Iterator[Link]:
    """These links; the one called `name`, broken, where what they ask does not answer."""
    try:
        yield from links
    except _UnansweredError as error:
        yield Link(name, "broken", str(error), cure)


def _judged(name: str, ok: bool, found: str, otherwise: str, cure: str) -> Link:
    return Link(name, "ok", found) if ok else Link(name, "broken", otherwise, cure)


def broken(links: list[Link]) -> Link | None:
    """The first broken link: what comes after it cannot work, whatever it says."""
    return next((link for link in links if link.state == "broken"), None)


def _metrics(url: str, token: str | None) -> Iterator[Link]:
    text = _ask(url, {"Authorization": f"Bearer {token}"} if token else {})
    if METRIC not in text:
        cure = "name the metrics endpoint itself"
        yield Link("metrics", "broken", f"{place_of(url)} answers, without {METRIC}", cure)
        return
    recorded = "k8s_tuning_last_record_timestamp_seconds{" in text
    found, otherwise = f"{place_of(url)} tells the health", "no target was recorded in the last week"
    yield _judged("metrics", recorded, found, otherwise, "see that k8s_health_monitor runs")


def _prometheus(base: str) -> Iterator[Link]:
    up = _json(f"{base}/api/v1/query?query=max({METRIC})")["data"]["result"]
    groups = _json(f"{base}/api/v1/rules?type=alert")["data"]["groups"]
    found = _json(f"{base}/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    yield Link("prometheus", "ok", f"{place_of(base)} answers")
    cure = "look at its page /targets: address, token, and the ServiceMonitor's labels and namespace"
    yield _judged("scrape", bool(up), "it scrapes the pipeline's metrics", f"it has no {METRIC}", cure)
    rules = [rule for group in groups for rule in group["rules"]]
    ours = [rule["name"] for rule in rules if rule["name"].startswith("K8sTuning")]
    failing = [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule.get("health") == "err"]
    if ALERT not in ours:
        yield Link("rules", "broken", f"the rule {ALERT} is not loaded", "apply the PrometheusRule; see its labels")
    else:
        loaded = f"{len(ours)} rules of this project are loaded"
        yield _judged("rules", not failing, loaded, "; ".join(failing), "fix the rule: promtool check rules")
    sends, cure = f"it sends alerts to {len(found)} Alertmanager(s)", "set `alerting` in its configuration"
    yield _judged("discovery", bool(found), sends, "it knows no Alertmanager", cure)


def _alertmanager(base: str) -> Iterator[Link]:
    config = _json(f"{base}/api/v2/status")["config"]["original"]
    alerts = _json(f"{base}/api/v2/alerts?active=true")
    metrics = _samples(base)
    if metrics.get(("alertmanager_config_last_reload_successful", "")) == 0:
        cure = "its log names the line; amtool check-config FILE"
        yield Link("alertmanager", "broken", "it refused its newest configuration and runs on an older one", cure)
    else:
        found = f"{place_of(base)} runs on this project's configuration"
        otherwise = "it runs on another configuration than this project's"
        cure = "alertmanagerSpec.configSecret must name the Secret alertmanager-k8s-tuning"
        yield _judged("alertmanager", "k8s_tuning" in config, found, otherwise, cure)
    arrives = any(alert["labels"].get("alertname") == "Watchdog" for alert in alerts)
    found, otherwise = "Prometheus' Watchdog arrives there", "Watchdog, which always fires, has not arrived"
    cure = "wait a minute after a restart; then see Prometheus' page /status and its log for notify errors"
    yield _judged("watchdog", arrives, found, otherwise, cure)
    failed = sorted(f"{name} {int(count)}" for (metric, name), count in metrics.items() if metric == _FAILED and count)
    found, otherwise = "none has failed since its start", f"failed since its start: {', '.join(failed)}"
    cure = "the runbook of K8sTuningAlertmanagerFailing; the count starts anew with a restart"
    yield _judged("notifications", not failed, found, otherwise, cure)


_SENT, _FAILED = "alertmanager_notifications_total", "alertmanager_notifications_failed_total"


def _deliver(base: str, trial: Trial) -> Iterator[Link]:
    before = _samples(base)
    now = trial.now()
    alert = {
        "labels": dict(trial.labels),
        "annotations": {"summary": "A test by `k8s-tuning alert doctor`", "description": "Nothing is wrong."},
        "startsAt": timestamps.to_text(now),
        "endsAt": timestamps.to_text(now + _TEST_ALERT_LASTS),
    }
    _ask(f"{base}/api/v2/alerts", json=[alert])
    query = f"{base}/api/v2/alerts?filter=alertname%3D{trial.labels['alertname']}"
    known = [found for found in _json(query) if found["labels"] == dict(trial.labels)]
    receivers = sorted({receiver["name"] for found in known for receiver in found["receivers"]})
    is_routed = bool(set(receivers) - {"null"})
    waited = 0.0
    sent: list[str] = []
    while is_routed and not sent and waited < trial.wait_seconds:
        trial.sleep(1)
        waited += 1
        sent = _grown(before, _samples(base), _SENT)
    failed = _grown(before, _samples(base), _FAILED)
    takes = f"takes {', '.join(receivers) or 'no route'}"
    elsewhere = f"the test alert of namespace {trial.labels.get('namespace')} {takes}"
    cure = "the namespace must match the environment's route (environments.yaml)"
    yield _judged("route", is_routed, f"the test alert {takes}", elsewhere, cure)
    if not is_routed:
        return
    if failed:
        words = f"the notification by {', '.join(failed)} failed"
        yield Link("delivery", "broken", words, "Alertmanager's log says why: `Notify for alerts failed`")
        return
    found = f"delivered by {', '.join(sent)}; see that it is there, it resolves in 5 min"
    otherwise = f"nothing was sent within {trial.wait_seconds:.0f} s"
    cure = "a silence, a mute window or group_wait holds it: amtool alert query"
    yield _judged("delivery", bool(sent), found, otherwise, cure)


def _grown(before: dict[tuple[str, str], float], after: dict[tuple[str, str], float], name: str) -> list[str]:
    """The integrations whose counter grew."""
    return sorted(key[1] for key, count in after.items() if key[0] == name and count > before.get(key, 0))


def _samples(base: str) -> dict[tuple[str, str], float]:
    """Alertmanager's own metrics, summed by name and integration."""
    from prometheus_client.parser import text_string_to_metric_families

    text = _ask(f"{base}/metrics")
    found: dict[tuple[str, str], float] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = sample.name, sample.labels.get("integration", "")
                found[key] = found.get(key, 0.0) + sample.value
    except ValueError as error:
        raise _UnansweredError(f"{place_of(base)}/metrics is no Prometheus text") from error
    return found


def _json(url: str) -> Any:
    try:
        return orjson.loads(_ask(url))
    except ValueError as error:
        raise _UnansweredError(f"{place_of(url)} answers something that is not JSON") from error


def _ask(url: str, headers: Mapping[str, str] | None = None, json: Any = None) -> str:
    """The text of a whole answer."""
    proxy = proxies.proxy_for(url, None, place_of(url))
    if json is None:
        request = Request("GET", url, headers or {}, proxy=proxy)
    else:
        request = Request("POST", url, {"Content-Type": "application/json"}, orjson.dumps(json), proxy)
    try:
        answer = exchange(request, _SECONDS, _MOST_ANSWER_BYTES)
    except Fault as fault:
        raise _UnansweredError(f"{place_of(url)} does not answer ({fault.problem})") from None
    if answer.status != 200:
        raise _UnansweredError(f"{place_of(url)} answers {answer.status}")
    return answer.text
