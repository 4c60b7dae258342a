"""What a run of the DAGs alerts about: its records, and the watch over the targets itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8s_tuning import plain_values
from k8s_tuning.alerts import Ledger, Notice
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot, K8sJobHealth
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.targets import TargetsConfig
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.usecases.alert_channel import Channel
from k8s_tuning.usecases.plan_alerts import Run, plan_alerts

NOW = "2025-11-16T10:00:00Z"
CONSOLE = Channel("console")
ALERTING = "receivers: [{name: all, channels: [{type: console}]}]\nroute: {receiver: all}\n"


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path)


def watching(*names: str) -> TargetsConfig:
    targets = [
        {"name": name, "namespace": name, "label_selector": "app=x", "channel_type": "console"} for name in names
    ]
    return TargetsConfig.model_validate({"targets": targets})


def record(state: StateDir, name: str, level: HealthLevel, at: str = NOW) -> K8sHealthHistoryRecord:
    job = K8sJobHealth("j", name, "FAILED", 0, 1, 0, level, [] if level == "OK" else ["job_failed"], {})
    health = K8sHealthSnapshot(name, "app=x", [job], [], level, at, cluster="kubernetes_default")
    return K8sHealthHistoryStore(state.history).append(health, target=name)


def planned(
    state: StateDir, *records: K8sHealthHistoryRecord, watched: TargetsConfig | None = None, number: int = 1
) -> list[Notice]:
    config = state.root / "alerting.yaml"
    config.write_text(ALERTING)
    run = Run("k8s_health_monitor", f"k8s_health_monitor/run-{number}", NOW, dry_run=False)
    channel = Channel("console", config_file=str(config))
    found = plan_alerts(state, run, channel, [plain_values.dump(one) for one in records], [], watched)
    return [notice for _, notice in found]


def test_a_failing_target_is_alerted_and_a_healthy_one_is_not(state: StateDir) -> None:
    ok, failing = record(state, "ok", HealthLevel.OK), record(state, "failing", HealthLevel.ERROR)
    (notice,) = planned(state, ok, failing)
    assert [item.target for item in notice.items] == ["failing"]
    assert [line.outcome for line in Ledger(state.ledger).lines()] == ["owed"]


def test_a_watched_target_without_a_record_in_this_run_is_an_alert(state: StateDir) -> None:
    found = planned(state, record(state, "a", HealthLevel.OK), watched=watching("a", "b"))
    texts = [notice.text for notice in found]
    assert any("target b has no record" in text for text in texts)
    assert not any("target a has no record" in text for text in texts)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        pytest.param("2025-11-16T09:20:00Z", "its last record is 40 minutes old", id="old"),
        pytest.param("2025-11-16T10:40:00Z", "40 minutes ahead: set the clocks", id="dated ahead"),
        pytest.param(None, "nothing was ever recorded", id="never"),
        pytest.param("2025-11-16T09:45:00Z", None, id="recent"),
        pytest.param("2025-11-16T10:15:00Z", None, id="a little ahead"),
    ],
)
def test_a_history_that_says_nothing_of_now_is_an_alert(state: StateDir, at: str | None, said: str | None) -> None:
    """The page and Prometheus call it stale by the same rule."""
    if at is not None:
        record(state, "a", HealthLevel.OK, at)
    texts = [notice.text for notice in planned(state, watched=watching("a"))]
    stale = [text for text in texts if "nobody knows how its Jobs are" in text]
    assert len(stale) == (said is not None)
    assert said is None or said in stale[0]


def test_the_incident_of_a_target_that_is_no_longer_watched_ends(state: StateDir) -> None:
    failing, other = record(state, "gone", HealthLevel.ERROR), record(state, "kept", HealthLevel.OK)
    planned(state, failing, other, watched=watching("gone", "kept"))
    planned(state, other, watched=watching("kept"), number=2)
    assert [
        one for one in Ledger(state.ledger).state().incidents.values() if one.is_open and one.target == "gone"
    ] == []


def test_without_targets_the_watch_itself_is_not_judged(state: StateDir) -> None:
    """A pipeline run judges its own Jobs alone."""
    assert planned(state) == []
