"""From observations to notices: read the ledger, decide, write down what was decided, and group what goes out."""

from __future__ import annotations

from collections.abc import Sequence

from k8s_tuning.alerts.channels import CHANNELS
from k8s_tuning.alerts.config import AlertingConfig
from k8s_tuning.alerts.decide import decide
from k8s_tuning.alerts.decision import Decision
from k8s_tuning.alerts.incident_update import unseen
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.ledger_state import ChannelState
from k8s_tuning.alerts.notice import Notice, NoticeItem, Status, notice_id
from k8s_tuning.alerts.observation import Observation
from k8s_tuning.alerts.reason import Reason
from k8s_tuning.alerts.words import compose, smoke_incident, smoke_payload
from k8s_tuning.errors import InputError

# Larger groups go as several messages: each stays readable, and what a task hands on stays small.
MOST_ITEMS = 25


def plan_notices(
    config: AlertingConfig,
    observations: Sequence[Observation],
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
        decisions = decide(config, observations, ledger.state(dry_run=dry_run), now, run_id)
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
        if not one.reason.sends or one.channel is None:
            lines.append(LedgerLine.decided(one, now, run_id, dry_run=dry_run))
            continue
        alone = one.group is None or CHANNELS[one.channel.type].per_incident
        shared = (position,) if alone else (one.group,)
        groups.setdefault((one.state.receiver, one.state.channel, one.status, *shared), []).append(one)
    notices = []
    for members in groups.values():
        members.sort(key=lambda one: (-one.severity.rank, one.update.incident.started_at, one.update.incident.id))
        for start in range(0, len(members), MOST_ITEMS):
            part = members[start : start + MOST_ITEMS]
            notice = _notice(part, now, run_id)
            notices.append(notice)
            lines += [LedgerLine.decided(one, now, run_id, notice.id, dry_run=dry_run) for one in part]
    return notices, lines


def _notice(members: Sequence[Decision], now: str, run_id: str) -> Notice:
    items, records = [], []
    for one in members:
        incident = one.update.incident
        items.append(
            NoticeItem(
                one.payload, one.reason, one.why, incident.id, incident.started_at, incident.target,
                dict(incident.reasons), one.state.notified_severity, dict(one.state.ref),
            )
        )  # fmt: skip
        # A run that is repeated and finds something new has something new to send.
        records.append(f"{incident.id} {one.update.record_at if one.update.source == 'health' else ''}".rstrip())
    state, status = members[0].state, members[0].status
    identity = notice_id(run_id, state.receiver, state.channel, status, *sorted(records))
    title, text, severity = compose(items, status)
    return Notice(
        identity, run_id, now, state.receiver, state.channel, status, title, text, severity, items,
        max(one.repeat_seconds for one in members),
    )  # fmt: skip


def acknowledge(
    config: AlertingConfig, incident_id: str, by: str, ledger: Ledger, now: str, run_id: str
) -> list[Notice]:
    """Note that somebody has taken an incident: it is not repeated any more, unless it grows worse or is resolved.

    The notices are for the channels that know of acknowledging and were notified of it. InputError where no such
    incident is open.
    """
    with ledger.planning():
        known = ledger.state().incidents.get(incident_id)
        if known is None or not known.is_open:
            raise InputError(f"{ledger.path}: no open incident {incident_id!r}; see `k8s-tuning alert history`")
        update = unseen(known)
        reason = (Reason.ACKNOWLEDGED, f"taken by {by}", Status.ACKNOWLEDGED)
        ledger.append([LedgerLine.decided(Decision(update, ChannelState("", ""), None, *reason), now, run_id)])
    notices = []
    for state in known.channels.values():
        channel = config.channel(state.receiver, state.channel)
        if channel and CHANNELS[channel.type].acknowledges and state.notified_at is not None:
            notices.append(_notice([Decision(update, state, channel, *reason)], now, run_id))
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
            payload, Reason.TEST, "asked for by a person", incident.id, now, incident.target, dict(incident.reasons)
        )
        title, text, severity = compose([item], Status.TEST)
        identity = notice_id(run_id, receiver, channel.name, Status.TEST)
        notices.append(
            Notice(identity, run_id, now, receiver, channel.name, Status.TEST, title, text, severity, [item])
        )
    return notices
