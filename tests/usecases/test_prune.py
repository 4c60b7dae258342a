"""Retention goes through everything in the shared folder, whatever the history's file is called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.stages.history_lines import line

from k8s_tuning import timestamps
from k8s_tuning.stages.history.latest import LatestSnapshot, LatestStore
from k8s_tuning.stages.history.retention import RetentionPolicy
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunRecord, K8sPipelineRunStore
from k8s_tuning.stages.sessions.session import TuningSession
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.stages.targets import Retention
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.usecases.prune import Pruned, policy_of, prune

OLD = "2020-01-01T00:00:00Z"


@pytest.fixture(params=["health.jsonl", "other.jsonl"])
def state(tmp_path: Path, request: pytest.FixtureRequest) -> StateDir:
    """Of everything one that is old and one that is new."""
    found, now = StateDir(tmp_path, request.param), timestamps.now()
    found.history.write_bytes(line(at=OLD) + line(at=now))
    for at in (OLD, now):
        K8sPipelineRunStore(found.runs).append(K8sPipelineRunRecord(at, f"d/{at}", "dry_run", 0))
        LatestStore(found.latest).keep(LatestSnapshot("n", f"app={at}", at))
        SessionStore(found.sessions).applied(TuningSession("n", f"s{at[:4]}", None, at))
        for path in (found.jobs / at[:4] / "a.yaml", found.handovers / "d" / at[:4] / "x.json"):
            path.parent.mkdir(parents=True)
            path.write_text("x")
            if at == OLD:
                for one in (path, path.parent):
                    os.utime(one, (0, 0))
    return found


def test_what_is_past_its_age_goes_everywhere(state: StateDir) -> None:
    now, policy = timestamps.now(), policy_of(Retention(max_age_days=30))
    assert prune(state, policy, now) == Pruned(records=1, runs=1, looks=1, sessions=1, files=2)
    assert prune(state, policy, now) == Pruned()


def test_a_limit_on_the_number_of_records_is_the_historys_alone(state: StateDir) -> None:
    assert prune(state, RetentionPolicy(max_records=1), timestamps.now()) == Pruned(records=1)
