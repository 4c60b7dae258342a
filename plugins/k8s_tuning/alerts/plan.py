"""From situations to notices: read the ledger, decide, write down what was decided, and group what goes out."""

from __future__ import annotations

from collections.abc import Sequence

from k8s_tuning import plain_values
from k8s_tuning.alerts.channels import CHANNELS
from k8s_tuning.alerts.channels.kind import rank
from k8s_tuning.alerts.config import AlertingConfig
from k8s_tuning.alerts.decide import decide
from k8s_tuning.alerts.decision import Decision, ill_jobs, make
from k8s_tuning.alerts.episodes import Course, Situation
from k8s_tuning.alerts.ledger import Ledger, LedgerLine
from k8s_tuning.alerts.ledger_state import ChannelFacts
from k8s_tuning.alerts.notice import Notice, NoticeItem, Status, notice_id
from k8s_tuning.alerts.words import compose, firing_payload, own_incident, smoke_incident, smoke_payload
from k8s_tuning.errors import InputError

# Larger groups go as several messages: each stays readable, and what a task hands on stays small.
MOST_ITEMS = 25


def plan_notices(
    config: AlertingConfig,
    situations: Sequence[Situation],
    ledger: Ledger,
    now: str,
    run_id: str,
    *,
    dry_run: bool = True,
) -> list[Notice]:
    """The notices that are to go out now, one message to one channel each; empty where there is nothing to say.

    Each decision, whether it sends or not, is in the ledger when this returns. Planned again by the same run, what was
    sent is left out and the rest comes with the same ids. `now`: a timestamp. StoreError where the ledger cannot be
    read or written.
    """
    if not run_id:
        raise InputError("run_id is empty; it tells one run's notices from another's")
    with ledger.planning():
        decisions = decide(config, situations, ledger.state(dry_run=dry_run), now, run_id)
        notices, lines = group(decisions, now, run_id, dry_run=dry_run)
        ledger.append(lines)
    return notices


def group(
    decisions: Sequence[Decision], now: str, run_id: str, *, dry_run: bool
) -> tuple[list[Notice], list[LedgerLine]]:
    """Decisions as messages, and as the ledger's lines."""
    groups: dict[tuple[object, ...], list[Decision]] = {}
    lines = []
    for position, one in enumerate(decisions):
        if not one.sends or one.channel is None:
            lines.append(_line(one, now, run_id, "", dry_run))
            continue
        alone = one.group is None or CHANNELS[one.channel.type].per_incident
        shared = (position,) if alone else (one.group,)
        groups.setdefault((one.receiver, one.channel.name, one.status, *shared), []).append(one)
    notices = []
    for members in groups.values():
        members.sort(key=lambda one: (-rank(one.severity), one.incident.started_at, one.incident.id))
        for start in range(0, len(members), MOST_ITEMS):
            part = members[start : start + MOST_ITEMS]
            notice = _notice(part, now, run_id)
            notices.append(notice)
            lines += [_line(one, now, run_id, notice.id, dry_run) for one in part]
    return notices, lines


def _notice(members: Sequence[Decision], now: str, run_id: str) -> Notice:
    first = members[0]
    items = [
        NoticeItem(
            one.payload,
            one.decision,
            one.why,
            one.incident.id,
            one.incident.started_at,
            one.incident.target,
            dict(one.incident.reasons),
            one.told_severity,
            dict(one.ref),
        )
        for one in members
    ]
    title, text, severity = compose(items, first.status)
    # With the record that each rests on: a run that is repeated and finds something new has something new to send.
    told = sorted(f"{one.incident.id} {one.record_at if one.source == 'health' else ''}".rstrip() for one in members)
    identity = notice_id(run_id, first.receiver, first.channel_name, first.status, *told)
    return Notice(
        identity, run_id, now, first.receiver, first.channel_name, first.status, title, text, severity, items,
        max(one.repeat_seconds for one in members),
    )  # fmt: skip


def _line(one: Decision, now: str, run_id: str, identity: str, dry_run: bool) -> LedgerLine:
    incident = one.incident
    raw = plain_values.dump(incident)
    for event in raw["recent_events"]:
        event["raw"] = {}
    return LedgerLine(
        at=now,
        run_id=run_id,
        incident_id=incident.id,
        namespace=incident.namespace,
        selector=incident.selector,
        target=incident.target,
        started_at=incident.started_at,
        receiver=one.receiver,
        channel=one.channel_name,
        decision=one.decision,
        why=one.why,
        status=one.status,
        severity=one.severity,
        outcome="owed" if identity else "not_sent",
        notice_id=identity,
        is_open=one.is_open,
        dry_run=dry_run,
        reasons=dict(incident.reasons),
        ill_jobs=ill_jobs(incident),
        record_at=one.record_at,
        quiet_seconds=one.quiet_seconds,
        over_at=one.over_at,
        source=one.source,
        incident=raw if one.is_new or identity else None,
        cluster=incident.cluster,
    )


def acknowledge(
    config: AlertingConfig, incident_id: str, by: str, ledger: Ledger, now: str, run_id: str
) -> list[Notice]:
    """Note that somebody has taken an incident: it is not repeated any more, unless it grows worse or is resolved.

    The notices are for the channels that know of acknowledging (PagerDuty) and were told of it. InputError where no
    such incident is open.
    """
    with ledger.planning():
        facts = ledger.state().incidents.get(incident_id)
        if facts is None or not facts.is_open:
            raise InputError(f"{ledger.path}: no open incident {incident_id!r}; see `k8s-tuning alert history`")
        incident = own_incident(facts)
        why = f"taken by {by}"
        payload = firing_payload(incident, facts.source)
        course = Course(None, incident, facts.record_at, facts.quiet_seconds)
        verdict = ("acknowledged", why, False)
        nobody = make(incident, facts.source, ChannelFacts("", ""), None, verdict, Status.ACKNOWLEDGED, payload, course)
        ledger.append([_line(nobody, now, run_id, "", dry_run=False)])
    notices = []
    for known in facts.channels.values():
        channel = config.channel(known.receiver, known.channel)
        if channel and channel.type == "pagerduty" and known.told_at is not None:
            one = make(incident, facts.source, known, channel, verdict, Status.ACKNOWLEDGED, payload, course)
            notices.append(_notice([one], now, run_id))
    return notices


def smoke_notices(config: AlertingConfig, receiver: str, message: str, now: str, run_id: str) -> list[Notice]:
    """A marked test alert for every channel of one receiver.

    InputError where there is no such receiver, or no channel.
    """
    found = config.receivers.get(receiver)
    if found is None:
        raise InputError(f"{config.name}: unknown receiver {receiver!r}; known are {', '.join(config.receivers)}")
    if not found.channels:
        raise InputError(f"{config.name}: receiver {receiver!r} has no channels: there is nothing to try")
    incident = smoke_incident(receiver, message, run_id, now)
    notices = []
    for channel in found.channels:
        payload = smoke_payload(incident, receiver, channel.name)
        item = NoticeItem(
            payload, "test", "asked for by a person", incident.id, now, incident.target, dict(incident.reasons)
        )
        title, text, severity = compose([item], Status.TEST)
        identity = notice_id(run_id, receiver, channel.name, Status.TEST)
        notices.append(
            Notice(identity, run_id, now, receiver, channel.name, Status.TEST, title, text, severity, [item], 0)
        )
    return notices
