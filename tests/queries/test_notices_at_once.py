"""The ledger's index beside a reader of the whole file, for any lines in any order."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.alerts.observations import NAMESPACE, at
from tests.queries import plain_ledger as plain
from tests.queries.ledger_lines import EVERYTHING, line, quiet_line

from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.notice import Status
from k8s_tuning.queries.notices import LedgerIndex
from k8s_tuning.queries.view_models import Alerts, RunRef
from k8s_tuning.stages.alert.incident import IncidentSeverity
from k8s_tuning.stages.target_identity import TargetIdentity
from k8s_tuning.timestamps import to_datetime

SELECTORS = {"incident-0": "app=a", "incident-1": "app=a", "incident-2": "app=b"}
NOTICES = {
    f"notice-{n}": (receiver, channel, state)
    for n, (receiver, channel, state) in enumerate(
        [("team", "slack", Status.FIRING), ("team", "slack", Status.RESOLVED), ("team", "slack", Status.FIRING),
         ("ops", "mail", Status.FIRING), ("ops", "mail", Status.TEST), ("ops", "mail", Status.ACKNOWLEDGED)]
    )
}  # fmt: skip
TARGETS = st.sampled_from(["bots", "봇", None])
MINUTES = st.integers(0, 300)


@st.composite
def notice_lines(draw: st.DrawFn) -> LedgerLine:
    name = draw(st.sampled_from(sorted(NOTICES)))
    receiver, channel, state = NOTICES[name]
    incident_id = draw(st.sampled_from(sorted(SELECTORS)))
    return line(
        draw(MINUTES), notice_id=name, receiver=receiver, channel=channel, status=state, incident_id=incident_id,
        selector=SELECTORS[incident_id], target=draw(TARGETS), run_id=f"dag/{name}",
        decision=draw(st.sampled_from(["first", "owed"])), dry_run=draw(st.booleans()),
        outcome=draw(st.sampled_from(["owed", "owed", "failed", "sent", "dry_run", "superseded"])),
        attempts=draw(st.integers(0, 4)), message=draw(st.sampled_from(["", "", "보낸 글", "words"])),
        severity=draw(st.sampled_from(list(IncidentSeverity))),
    )  # fmt: skip


@st.composite
def decision_lines(draw: st.DrawFn) -> LedgerLine:
    incident_id = draw(st.sampled_from(sorted(SELECTORS)))
    receiver, channel = draw(st.sampled_from([("team", "slack"), ("ops", "mail"), ("null", ""), ("", "")]))
    return quiet_line(
        draw(MINUTES), receiver=receiver, channel=channel, incident_id=incident_id, selector=SELECTORS[incident_id],
        target=draw(TARGETS), dry_run=draw(st.booleans()), is_open=draw(st.booleans()),
        decision=draw(st.sampled_from(["still_firing", "muted", "over", "resolve_off", "receiver_gone"])),
        status=draw(st.sampled_from([Status.FIRING, Status.RESOLVED, Status.ACKNOWLEDGED])),
    )  # fmt: skip


LINES = st.one_of(notice_lines(), notice_lines(), decision_lines()).map(
    lambda one: json.dumps(one.record(), ensure_ascii=False).encode() + b"\n"
)
DAMAGE = st.sampled_from([b"\n", b'{"at": "2025\n', b"\0\0\0\n", b"[]\n", '{"한": 1}\n'.encode(), b'{"at": "20'])
STEPS = st.lists(st.one_of(st.lists(st.one_of(LINES, LINES, LINES, DAMAGE), max_size=8), st.just(None)), max_size=6)
EPOCH = int(to_datetime(at(0)).timestamp())
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "target": st.sampled_from(["bots", "봇", f"{NAMESPACE}/app=a", "nobody"]),
        "channel": st.sampled_from(["team/slack", "ops/mail", "null"]),
        "decision": st.sampled_from(["first", "owed", "muted", "over"]),
        "outcome": st.sampled_from(["owed", "failed", "sent", "superseded", "not_sent", "dry_run"]),
        "namespace": st.sampled_from([NAMESPACE, "nowhere"]),
        "selector": st.sampled_from(["app=a", "app=b"]),
        "run_id": st.sampled_from(["dag/notice-0", "k8s_health/run-1"]),
        "incident_id": st.sampled_from(sorted(SELECTORS)),
        "since": st.floats(-10, 300).map(lambda minute: EPOCH + minute * 60),
        "until": st.floats(-10, 300).map(lambda minute: EPOCH + minute * 60),
        "quiet": st.booleans(),
    },
)


@given(
    steps=STEPS, filters=st.lists(FILTERS, min_size=1, max_size=4), limit=st.integers(0, 7), offset=st.integers(0, 7)
)
def test_every_answer_is_that_of_a_reader_of_the_whole_file(
    steps: list[list[bytes] | None], filters: list[dict[str, Any]], limit: int, offset: int
) -> None:
    """After each batch of lines, damage among them, and after each time that retention (None) replaced the file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "l.jsonl")
        asked = LedgerIndex(path)
        for step in steps:
            if step is None:
                Ledger(path).prune(0.1, at(300))
            else:
                with path.open("ab") as file:
                    file.writelines(step)
            lines = plain.read(path)
            every = [(one, plain.outcome(one, lines)) for one in plain.entries(lines)]
            for chosen in filters:
                wanted = [pair for pair in every if plain.passes(*pair, chosen)][::-1]
                found = asked.alerts(**chosen, limit=limit, offset=offset)
                assert found.total == len(wanted)
                assert _reported(found) == [_plainly(*pair) for pair in wanted[offset : offset + limit]]
            _compare(asked, every, lines)


def _reported(found: Alerts) -> list[tuple[Any, ...]]:
    return [
        (
            row.notice_id,
            row.decided_at,
            row.decision,
            row.outcome,
            row.incident_ids,
            row.done_at,
            row.attempts,
            row.dry_run,
        )
        for row in found.items
    ]


def _plainly(one: plain.PlainEntry, outcome: str) -> tuple[Any, ...]:
    first, attempt = one.first, one.attempt if one.first.notice_id else None
    done_at, attempts = (attempt.at, attempt.attempts) if attempt else (None, 0)
    return (
        first.notice_id or None, first.at, first.decision, outcome, one.incident_ids, done_at, attempts, first.dry_run
    )  # fmt: skip


def _compare(asked: LedgerIndex, every: list[tuple[plain.PlainEntry, str]], lines: list[LedgerLine]) -> None:
    rows = asked.alerts(**EVERYTHING)
    assert rows.outcomes == sorted({outcome for _, outcome in every})
    for row, (one, _) in zip(rows.items, reversed(every), strict=True):
        whole = asked.alert(row.ref)
        assert whole is not None
        assert (whole.row, whole.message) == (row, plain.message(one))
        assert len(whole.history) <= len(one.lines)
    runs = {run for one, _ in every for run in [one.lines[0][1].run_id]}
    assert all(asked.of_run(run) == [row for row in rows.items if _run(row.run) == run] for run in runs)
    for selector in ("app=a", "app=b"):
        mine = [pair for pair in every if any(line.selector == selector for _, line in pair[0].lines)]
        notices = [pair for pair in mine if pair[0].first.notice_id]
        brief = asked.last_notice(TargetIdentity(NAMESPACE, selector))
        assert (brief and (brief.notice_id, brief.outcome)) == (
            (notices[-1][0].first.notice_id, notices[-1][1]) if notices else None
        )
        said = asked.incidents(TargetIdentity(NAMESPACE, selector), -math.inf, math.inf)
        own = [one for one in lines if one.selector == selector and one.status is not Status.TEST]
        assert {one.id: one.dry_run for one in said} == {
            name: all(one.dry_run for one in own if one.incident_id == name)
            for name in {one.incident_id for one in own}
        }
        for incident in said:
            assert incident.is_open == _is_open([one for one in own if one.incident_id == incident.id])


def _run(ref: RunRef | None) -> str:
    return f"{ref.dag_id}/{ref.run_id}" if ref else ""


def _is_open(lines: list[LedgerLine]) -> bool:
    """The newest decision's word; a dry run's while nothing real came before it."""
    is_open, real = True, False
    for one in lines:
        if one.outcome in ("owed", "not_sent") and one.status is not Status.ACKNOWLEDGED and not (real and one.dry_run):
            is_open = one.is_open
        real = real or not one.dry_run
    return is_open
