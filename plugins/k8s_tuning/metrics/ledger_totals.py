"""What the metrics keep of the ledger: notices by outcome, and those that are pending. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.ledger_state import LedgerState
from k8s_tuning.alerts.reason import ATTEMPTED, Reason, Result

_ANSWERED = re.compile(r"answered (\d{3})\b")
# What a failed attempt's answer says, as a word that a label may hold; the first that is found.
_CAUSES = (
    ("timeout", ("no answer within",)),
    ("tls", ("certificate", "TLS")),
    ("connection", ("cannot be connected", "closed the connection", "broke off")),
)


@dataclass
class LedgerTotals:
    """`notices`: by (channel, receiver, outcome, cause); a dry run sends nothing and counts for nothing."""

    notices: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    state: LedgerState = field(default_factory=LedgerState)
    last_attempt: tuple[str, str, str] | None = None
    is_empty: bool = True

    @property
    def pending(self) -> int:
        """Notices that were decided and that no attempt has delivered yet."""
        return len(
            {
                channel.pending.notice_id
                for incident in self.state.incidents.values()
                for channel in incident.channels.values()
                if channel.pending is not None
            }
        )


def add_line(totals: LedgerTotals, line: LedgerLine) -> None:
    """Take in one line of the ledger."""
    totals.is_empty = False
    totals.state.add(line)
    if line.dry_run or not line.channel:
        return
    if line.outcome in ATTEMPTED:
        # A notice of several incidents has a line each.
        attempt = line.notice_id, line.at, line.outcome
        if attempt != totals.last_attempt:
            totals.last_attempt = attempt
            cause = cause_of(line.answer) if line.outcome == Result.FAILED else ""
            totals.notices[line.channel, line.receiver, line.outcome, cause] += 1
    elif line.decision == Reason.MUTED:
        totals.notices[line.channel, line.receiver, line.decision, ""] += 1


def cause_of(answer: str) -> str:
    """Why an attempt failed, as one of few words: http_404, timeout, tls, connection, other."""
    if status := _ANSWERED.search(answer):
        return f"http_{status[1]}"
    return next((cause for cause, signs in _CAUSES if any(sign in answer for sign in signs)), "other")
