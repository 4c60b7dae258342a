"""Today's configuration over the recorded history: what would have been sent.

Pure; nothing leaves, nothing is written.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from k8s_tuning.alerts.config import AlertingConfig
from k8s_tuning.alerts.decide import decide
from k8s_tuning.alerts.ledger_state import LedgerState
from k8s_tuning.alerts.notice import Notice
from k8s_tuning.alerts.observation import Observation, observe_records
from k8s_tuning.alerts.plan import group
from k8s_tuning.alerts.reason import Result
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord
from k8s_tuning.stages.target_identity import TargetIdentity, TargetIndex


@dataclass
class ReplayedNotice:
    """One message that would have gone out, and the decisions behind it."""

    at: str
    receiver: str
    channel: str
    status: str
    decisions: dict[str, int]
    title: str
    incidents: list[str]


@dataclass
class Replay:
    """Everything that would have gone out since `since`. `decisions`: how often each was made, sent or not."""

    since: str
    records: int = 0
    notices: list[ReplayedNotice] = field(default_factory=list)
    decisions: dict[str, int] = field(default_factory=dict)


@dataclass
class _Target(TargetIdentity):
    first: K8sHealthHistoryRecord | None = None
    recent: list[K8sHealthHistoryRecord] = field(default_factory=list)


def replay(config: AlertingConfig, records: Iterable[K8sHealthHistoryRecord], since: str) -> Replay:
    """Run the decisions over `records` (oldest first), as if alerting had begun at `since` and every send had
    succeeded.

    Records before `since` only say since when a target was not OK. Those of one DAG run are decided on at once, as that
    run would have.
    """
    result = Replay(since)
    state = LedgerState()
    targets = TargetIndex(_Target)
    made: Counter[str] = Counter()
    for number, batch in enumerate(_runs(records)):
        now = max(record.timestamp for record in batch)
        observations = dict(_observation(targets, record, now) for record in batch)
        if now < since:
            continue
        result.records += len(batch)
        decisions = decide(config, list(observations.values()), state, now, f"replay-{number}")
        made.update(one.reason.value for one in decisions)
        notices, lines = group(decisions, now, f"replay-{number}", dry_run=False)
        for line in lines:
            state.add(line)
            if line.outcome == Result.PENDING:
                state.add(replace(line, outcome=Result.SENT))
        result.notices += [_replayed(notice) for notice in notices]
    result.decisions = dict(made.most_common())
    return result


def _replayed(notice: Notice) -> ReplayedNotice:
    decisions = Counter(item.decision.value for item in notice.items)
    incidents = [item.incident_id for item in notice.items]
    return ReplayedNotice(
        notice.planned_at, notice.receiver, notice.channel, notice.status, dict(decisions), notice.title, incidents
    )


def _runs(records: Iterable[K8sHealthHistoryRecord]) -> Iterator[list[K8sHealthHistoryRecord]]:
    """Records of one DAG run together; one that no run recorded alone."""
    counter = itertools.count()
    for _, batch in itertools.groupby(records, lambda record: record.run_id or next(counter)):
        yield list(batch)


def _observation(targets: TargetIndex[_Target], record: K8sHealthHistoryRecord, now: str) -> tuple[int, Observation]:
    known = targets.of(record.namespace, record.selector, record.target, record.cluster)
    if record.overall_health == HealthLevel.OK:
        known.first = None
    else:
        known.first = known.first or record
    # The one before is what the state has followed up to; a few more for records that share its second.
    known.recent = [*known.recent[-4:], record]
    open_run = []
    if known.first is not None:
        last = known.recent[-2:]
        open_run = last if any(known.first is one for one in last) else [known.first, *last]
    return id(known), observe_records(known.recent, open_run, [], now)
