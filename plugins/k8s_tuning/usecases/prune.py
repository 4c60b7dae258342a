"""Retention: what is past the limits goes, from the history and from everything beside it."""

from __future__ import annotations

from dataclasses import dataclass

from k8s_tuning import timestamps
from k8s_tuning.alerts import Ledger
from k8s_tuning.stages.history.latest import LatestStore
from k8s_tuning.stages.history.retention import RetentionPolicy
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunStore
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.stages.targets import Retention
from k8s_tuning.storage.leftovers import drop_drafts, drop_old, drop_old_files
from k8s_tuning.storage.state_dir import StateDir


@dataclass(frozen=True)
class Pruned:
    """How much went: records, lines of the ledger, finished runs, latest snapshots, sessions, and files of runs."""

    records: int = 0
    ledger_lines: int = 0
    runs: int = 0
    looks: int = 0
    sessions: int = 0
    files: int = 0


def policy_of(retention: Retention) -> RetentionPolicy:
    """The limits that targets.yaml sets."""
    return RetentionPolicy(retention.max_age_days, retention.max_records)


def prune(state: StateDir, policy: RetentionPolicy, now: str) -> Pruned:
    """Drop what is past the limits at `now`; others may write meanwhile.

    Each target keeps its newest `max_records`. By `max_age_days` go records of the history, lines of the ledger,
    finished runs, latest snapshots, sessions, and the files of runs (manifests, what tasks handed over); without it
    only records. StoreError where a file cannot be read or written.
    """
    records = K8sHealthHistoryStore(state.history).prune(policy, now).total_dropped
    days = policy.max_age_days
    if days is None:
        return Pruned(records)
    at = timestamps.to_datetime(now).timestamp()
    return Pruned(
        records,
        ledger_lines=Ledger(state.ledger).prune(days, now),
        looks=LatestStore(state.latest).prune(days, now),
        sessions=SessionStore(state.sessions).prune(days, now),
        runs=K8sPipelineRunStore(state.runs).prune(days, now),
        files=drop_old(state.jobs, days, at) + drop_old_files(state.handovers, days, at) + drop_drafts(state.root, at),
    )
