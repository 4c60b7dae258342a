"""D35's incident: one target, one unbroken run of non-OK, one id; and its words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.history_lines import NAMESPACE, SELECTOR, check

from k8s_tuning.stages.alert.incident import K8sIncident, build_alert_payload, build_incident, severity_of
from k8s_tuning.stages.events.snapshot import K8sEvent
from k8s_tuning.stages.health.evaluate import HealthLevel
from k8s_tuning.stages.history.store import K8sHealthHistoryRecord, K8sHealthHistoryStore

GOLDEN = Path(__file__).parents[2] / "golden"
NOW = "2025-11-16T11:00:00Z"
NAMES = {"O": "OK", "W": "WARN", "E": "ERROR"}


def records(levels: str, **more: object) -> list[K8sHealthHistoryRecord]:
    """One record a minute from 10:00, a letter each."""
    return [
        K8sHealthHistoryRecord(
            f"2025-11-16T10:{minute:02}:00Z",
            NAMESPACE,
            SELECTOR,
            HealthLevel(NAMES[level]),
            **{"jobs_ok": 1, "jobs_warn": int(level == "W"), "jobs_error": int(level == "E")} | more,  # type: ignore[arg-type]
        )
        for minute, level in enumerate(levels)
    ]


def event(
    reason: str = "BackoffLimitExceeded",
    kind: str = "Warning",
    namespace: str = NAMESPACE,
    name: str = "arb-tuning-1",
    of: str = "Job",
) -> K8sEvent:
    return K8sEvent(kind, reason, "Job has reached the specified\nbackoff limit", of, name, namespace, raw={"a": 1})


def incident(levels: str, events: tuple[K8sEvent, ...] = (), **more: object) -> K8sIncident:
    built = build_incident(records(levels, **more), events, NOW)
    assert built is not None
    return built


@pytest.mark.parametrize(
    ("levels", "severity", "started", "previous"),
    [
        ("E", "CRITICAL", 0, None),
        ("OE", "CRITICAL", 1, "OK"),
        ("OW", "WARN", 1, "OK"),
        ("OWE", "CRITICAL", 1, "WARN"),
        ("EOWEW", "WARN", 2, "ERROR"),
        ("EEEE", "CRITICAL", 0, "ERROR"),
    ],
)
def test_it_starts_where_the_unbroken_run_does(levels: str, severity: str, started: int, previous: str | None) -> None:
    built = incident(levels)
    assert (built.severity, built.previous_health) == (severity, previous)
    assert built.started_at == f"2025-11-16T10:{started:02}:00Z"
    assert built.detected_at == NOW


@pytest.mark.parametrize("levels", ["", "O", "EO", "WEO"])
def test_health_ok_is_no_incident(levels: str) -> None:
    assert build_incident(records(levels), [], NOW) is None
    assert severity_of(HealthLevel.OK) is None


def test_one_incident_keeps_one_id_and_another_gets_another() -> None:
    lasting = {incident("OE").id, incident("OEW").id, incident("OEWE" + "E" * 50).id}
    assert len(lasting) == 1
    assert incident("OEOE").id not in lasting
    moved = [dataclasses.replace(record, namespace="other") for record in records("OE")]
    other = build_incident(moved, [], NOW)
    assert other is not None
    assert other.id not in lasting
    assert incident("OE").id == "0906a536891a", "ids are in ledgers and in PagerDuty: they never change"


def test_other_targets_in_the_history_do_not_mix_in() -> None:
    """The known fault: another namespace's OK ended, and its ERROR lengthened, this one's incident."""
    own = records("OEE")
    others = [dataclasses.replace(record, namespace="other") for record in records("EOE")]
    mixed = [record for pair in zip(others, own, strict=True) for record in pair]
    assert build_incident(mixed, [], NOW) == build_incident(own, [], NOW)


def test_three_events_of_its_namespace_are_shown_warnings_first_and_the_newest_of_each_reason() -> None:
    events = (event("A"), event("B", name="old"), event("X", namespace="other"), event("C", "Normal"), event("B"))
    built = incident("OE", events)
    assert [(shown.reason, shown.involved_name) for shown in built.recent_events] == [
        ("B", "arb-tuning-1"),
        ("A", "arb-tuning-1"),
        ("C", "arb-tuning-1"),
    ]
    assert built.summary == "Health transitioned from OK to ERROR. 1 job(s) in ERROR state. Recent warnings: B, A"


def pulled(number: int) -> K8sEvent:
    return event("Pulled", "Normal", name=f"arb-tuning-9-{number:05}", of="Pod")


CAUSE = "container tuning cannot pull its image: unauthorized"


@pytest.mark.parametrize(
    ("events", "shown"),
    [
        pytest.param([event("Failed", name="arb-tuning-1-abcde", of="Pod")], ["Failed"], id="its pod's"),
        pytest.param([event("Failed", name="arb-tuning-1-0-abcde", of="Pod")], ["Failed"], id="its indexed pod's"),
        pytest.param([event("FailedScheduling", name="arb-tuning-9", of="Job")], [], id="a healthy Job's"),
        pytest.param([event("BackOff", name="arb-tuning-12-abcde", of="Pod")], [], id="a Job's with a longer name"),
        pytest.param([event("Failed"), *[event("BackOff")] * 9], ["BackOff", "Failed"], id="repeats"),
        pytest.param([*(event(of, "Normal") for of in "abc"), event("Failed")], ["Failed", "c", "b"], id="Normal ones"),
    ],
)  # fmt: skip
def test_where_the_failing_jobs_are_known_only_their_events_are_shown(events: list[K8sEvent], shown: list[str]) -> None:
    noise = [pulled(number) for number in range(50)]
    built = incident("OE", (*events, *noise), failing_jobs={"arb-tuning-1": CAUSE})
    assert [one.reason for one in built.recent_events] == shown
    text = build_alert_payload(built).text
    assert f"**Failing Jobs:**\n- arb-tuning-1: {CAUSE}\n" in text
    assert "Pulled" not in text


@pytest.mark.parametrize(
    ("levels", "more", "summary"),
    [
        ("OE", {}, "Health transitioned from OK to ERROR. 1 job(s) in ERROR state."),
        ("W", {}, "Health is WARN. 1 job(s) in WARN state."),
        (
            "EE",
            {"reasons": {"oom_killed": 2}},
            "Health remains ERROR. 1 job(s) in ERROR state. Reasons: oom_killed (2).",
        ),
        (
            "OW",
            {"monitor_errors": ["파드: 403"]},
            "Health transitioned from OK to WARN. 1 job(s) in WARN state. Not everything could be read: 파드: 403.",
        ),
        (
            "OW",
            {"jobs_ok": None, "jobs_warn": None, "jobs_error": None, "monitor_errors": ["Jobs not read: 403"]},
            (
                "Health transitioned from OK to WARN. The Jobs could not be listed, so their health is not known. "
                "Not everything could be read: Jobs not read: 403."
            ),
        ),
    ],
)
def test_the_summary_says_what_changed_and_why(levels: str, more: dict[str, object], summary: str) -> None:
    assert incident(levels, **more).summary == summary


def test_counts_that_are_not_known_are_not_in_the_incident() -> None:
    unknown: dict[str, object] = {"jobs_ok": None, "jobs_warn": None, "jobs_error": None}
    assert incident("W", **unknown).job_counts == {}
    assert "**Job Counts:** not known" in build_alert_payload(incident("W", **unknown)).text


@pytest.mark.parametrize(
    ("name", "built"),
    [
        ("critical", incident("OE", (event(), event("이미지", "Normal")), reasons={"image_pull": 1})),
        ("warn", incident("W")),
    ],
)
def test_the_payload_is_the_golden_one(name: str, built: K8sIncident) -> None:
    payload = build_alert_payload(built)
    assert f"{payload.title}\n\n{payload.text}\n" == (GOLDEN / f"alert-{name}.md").read_text()
    assert payload.metadata == {
        "incident_id": built.id,
        "started_at": built.started_at,
        "detected_at": NOW,
        "severity": built.severity,
        "namespace": NAMESPACE,
        "selector": SELECTOR,
    }
    assert "raw" not in json.dumps(payload.raw_incident["recent_events"])
    assert payload.raw_incident["id"] == built.id


@given(levels=st.text("OWE", max_size=12))
def test_what_the_store_calls_open_gives_the_incident_of_the_whole_history(
    tmp_path_factory: pytest.TempPathFactory, levels: str
) -> None:
    """Three records are as good as all of them, whatever the history-limit is."""
    store = K8sHealthHistoryStore(tmp_path_factory.mktemp("incident") / "history.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        for minute, level in enumerate(levels):
            store.append(check(NAMES[level], at=f"2025-11-16T10:{minute:02}:00Z"))
    expected = build_incident(store.load_recent(), [], NOW)
    assert build_incident(store.open_run(NAMESPACE, SELECTOR), [], NOW) == expected
