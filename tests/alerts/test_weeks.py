"""Weeks of alerts: health changes, crashes at every step, channels that fail, clocks that jump, retention.

Driven through the real functions on real files. What must hold whatever happens:

- no incident that a run has decided on goes unannounced, on any channel that it was routed to;
- none is announced twice to one channel within its repeat interval, but for a crash between sending and writing;
- no resolve without its firing, and none twice, but for the same crash; every firing is resolved once all is well;
- what was pending arrives.

HYPOTHESIS_PROFILE sets how many weeks are tried; the figures stand at the end of pytest's report.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from tests.alerts.figures import FIGURES
from tests.profiles import examples

from k8s_tuning.alerts.channels import CHANNELS, ChannelConfig, ChannelKind, Draft
from k8s_tuning.alerts.config import AlertingConfig, Receiver
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.deliver import deliver_notice
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.matchers import Matcher
from k8s_tuning.alerts.notice import Notice, Sent, Status
from k8s_tuning.alerts.observation import observe_target
from k8s_tuning.alerts.plan import plan_notices
from k8s_tuning.alerts.route import Route
from k8s_tuning.errors import DeliveryError
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot, K8sJobHealth
from k8s_tuning.stages.history.retention import RetentionPolicy
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.timestamps import to_datetime, to_text

REPEAT = 7200.0
TARGETS = ("app=a", "app=b")
CONFIG = AlertingConfig(
    Route(
        "everyone",
        routes=(
            Route(
                "pager", (Matcher("severity", "=", "CRITICAL"),), continues=True, repeat_seconds=REPEAT, place="r[0]"
            ),
            Route("everyone", group_by=("namespace",), repeat_seconds=REPEAT, place="r[1]"),
        ),
        repeat_seconds=REPEAT,
    ),
    {
        "everyone": Receiver("everyone", (ChannelConfig("one", "probe"), ChannelConfig("two", "probe"))),
        "pager": Receiver("pager", (ChannelConfig("page", "probe"),)),
    },
)
NEWS = ("severity_changed", "changed")
PLACES = ("everyone/one", "everyone/two", "pager/page")
LEVELS = st.sampled_from([HealthLevel.OK, HealthLevel.OK, HealthLevel.WARN, HealthLevel.ERROR])
CRASHES = st.sampled_from([None] * 6 + ["record", "plan", "planned", "before_send", "after_send"])


class Crash(BaseException):
    """The machine goes down here."""


@dataclass
class Message:
    """What one channel received of one incident. `lost_track`: the ledger never knew of it, for a crash came first."""

    place: str
    incident: str
    status: Status
    decision: str
    at: float
    jumps: int
    why: str = ""
    lost_track: bool = False


class CrashingLedger(Ledger):
    """Goes down after so many more lines."""

    lines_left: int | None = None

    def append(self, lines: Iterable[LedgerLine]) -> None:
        for line in lines:
            if self.lines_left is not None:
                if self.lines_left == 0:
                    raise Crash
                self.lines_left -= 1
            super().append([line])


class Weeks(RuleBasedStateMachine):
    """One shared volume, two targets, three channels."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.store = K8sHealthHistoryStore(self.folder / "history.jsonl")
        self.ledger = CrashingLedger(self.folder / "ledger.jsonl")
        self.true_seconds = 0.0  # time as it really passes
        self.clock = to_datetime("2025-11-16T10:00:00Z")  # what the machines believe
        self.jumps = 0
        self.runs = 0
        self.failing: set[str] = set()
        self.crash_at: str | None = None
        self.received: list[Message] = []
        self.planned: list[Notice] = []
        self.levels = dict.fromkeys(TARGETS, HealthLevel.OK)
        self.decided: set[tuple[str, str]] = set()

    # --- the probe channel --------------------------------------------------------------------------------------

    def send(self, drafts: list[Draft], config: ChannelConfig, _secret: ChannelSecret) -> Sent:
        place, notice = config.name, self.sending
        if any(f.endswith("/" + place) for f in self.failing):
            raise DeliveryError("down", retryable=False)
        if self.crash_at == "before_send":
            raise Crash
        for item in notice.items:
            self.received.append(
                Message(
                    f"{notice.receiver}/{notice.channel}",
                    item.incident_id,
                    notice.status,
                    item.decision,
                    self.true_seconds,
                    self.jumps,
                    item.why,
                    lost_track=self.crash_at == "after_send",
                )
            )
        if self.crash_at == "after_send":
            raise Crash
        return Sent("taken")

    def deliver(self, notice: Notice) -> None:
        self.sending = notice
        deliver_notice(
            CONFIG, notice, lambda _: ChannelSecret(), self.ledger, dry_run=False, now=self.now, sleep=lambda _: None
        )

    def now(self) -> str:
        return to_text(self.clock)

    # --- what happens -------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        kind = ChannelKind("probe", lambda *_: [Draft("probe", b"")], self.send)
        CHANNELS["probe"] = kind

    @rule(
        minutes=st.sampled_from([5, 5, 5, 10, 30, 120, 600, 1440]),
        first=LEVELS,
        second=LEVELS,
        crash=CRASHES,
        lines=st.integers(0, 4),
    )
    def check(self, minutes: int, first: HealthLevel, second: HealthLevel, crash: str | None, lines: int) -> None:
        """The monitor's next run."""
        self.pass_time(minutes)
        self.levels = dict(zip(TARGETS, (first, second), strict=True))
        self.run(crash, lines)

    @rule(minutes=st.sampled_from([1, 5, 125]), crash=CRASHES)
    def check_again(self, minutes: int, crash: str | None) -> None:
        """Nothing has changed."""
        self.pass_time(minutes)
        self.run(crash, 0)

    @rule()
    def retry_the_tasks(self) -> None:
        """Airflow runs the last run's delivering tasks once more."""
        for notice in self.planned:
            self.deliver(notice)

    @rule()
    def plan_again(self) -> None:
        """The last run's planning is cleared and run again."""
        self.plan()

    @rule(failing=st.sets(st.sampled_from(PLACES)))
    def channels_fail(self, failing: set[str]) -> None:
        self.failing = failing

    @rule(hours=st.sampled_from([-200, -5, -1, 1, 30]))
    def clock_jumps(self, hours: int) -> None:
        self.clock += timedelta(hours=hours)
        self.jumps += 1

    @rule(records=st.integers(1, 4))
    def history_is_pruned(self, records: int) -> None:
        self.store.prune(RetentionPolicy(max_records=records), self.now())

    @rule(days=st.sampled_from([1, 30]))
    def ledger_is_pruned(self, days: int) -> None:
        if self.ledger.path.exists():
            self.ledger.prune(days, self.now())

    # --- one run ------------------------------------------------------------------------------------------------

    def pass_time(self, minutes: float) -> None:
        self.true_seconds += minutes * 60
        self.clock += timedelta(minutes=minutes)

    def run(self, crash: str | None, lines: int) -> None:
        self.runs += 1
        self.planned = []
        FIGURES["runs"] += 1
        FIGURES["crashes"] += crash is not None
        try:
            for selector, level in self.levels.items():
                jobs = [K8sJobHealth("arb-tuning-1", "ns", "RUNNING", 0, 0, 1, level, ["oom_killed"])]
                snapshot = K8sHealthSnapshot("ns", selector, jobs, [], level, self.now())
                self.store.append(snapshot, run_id=f"run-{self.runs}")
                if crash == "record":
                    raise Crash
            self.ledger.lines_left = lines if crash == "plan" else None
            self.plan()
            self.ledger.lines_left = None
            if crash == "planned":
                raise Crash
            self.crash_at = crash
            for notice in self.planned:
                self.deliver(notice)
        except Crash:
            pass
        finally:
            self.crash_at = self.ledger.lines_left = None

    def plan(self) -> None:
        if not self.runs or not self.store.path.exists():
            return
        known = {(target.namespace, target.selector) for target in self.store.targets()}
        observations = [
            observe_target(self.store, "ns", selector, [], self.now())
            for selector in TARGETS
            if ("ns", selector) in known
        ]
        self.planned = plan_notices(CONFIG, observations, self.ledger, self.now(), f"run-{self.runs}", dry_run=False)
        decided = {line.selector for line in self.ledger.lines() if line.run_id == f"run-{self.runs}"}
        for observation in observations:
            if observation.incident is not None:
                assert observation.selector in decided, "a failing target, and no decision about it"

    # --- what must hold -----------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self.check_order()
            self.failing = set()
            for level in (None, HealthLevel.OK):
                for _ in range(4):
                    self.pass_time(15)
                    self.levels = {target: level or self.levels[target] for target in TARGETS}
                    self.run(None, 0)
            self.check_order()
            self.check_completeness()
        finally:
            CHANNELS.pop("probe", None)
            shutil.rmtree(self.folder, ignore_errors=True)

    def of_each(self) -> dict[tuple[str, str], list[Message]]:
        found: dict[tuple[str, str], list[Message]] = {}
        for message in self.received:
            found.setdefault((message.incident, message.place), []).append(message)
        return found

    def check_order(self) -> None:
        for messages in self.of_each().values():
            assert messages[0].status is Status.FIRING, f"a resolve without its firing: {messages}"
            resolves = [message for message in messages if message.status is Status.RESOLVED]
            extra = len(resolves) - 1 - sum(message.lost_track for message in resolves)
            assert extra < 1, f"resolved twice: {messages}"
            for one, two in itertools.pairwise(messages):
                if two.status is Status.RESOLVED or two.decision in NEWS:
                    continue
                assert one.status is Status.FIRING, f"announced after it was resolved: {messages}"
                soon = two.at - one.at < REPEAT
                excused = one.lost_track or one.jumps != two.jumps or one.decision in NEWS
                # What was decided, failed and arrives now may be news; it must not be what the channel knows already.
                pending_news = two.decision == "owed" and two.why.startswith(NEWS)
                assert not soon or excused or pending_news, f"announced twice: {messages}"

    def check_completeness(self) -> None:
        assert self.ledger.state().incidents == {}, "all is well, and something is still open or pending"
        lines = list(self.ledger.lines())
        routed = {
            (line.incident_id, f"{line.receiver}/{line.channel}")
            for line in lines
            if line.channel and line.decision in ("first", "owed")
        }
        got = self.of_each()
        lost = [key for key in routed if key not in got]
        unresolved = [key for key, messages in got.items() if messages[-1].status is not Status.RESOLVED]
        incidents = {message.incident for message in self.received}
        FIGURES["incidents"] += len(incidents)
        FIGURES["notices"] += len(self.received)
        FIGURES["duplicates (a crash between sending and writing)"] += sum(m.lost_track for m in self.received)
        FIGURES["losses"] += len(lost)
        FIGURES["left unresolved"] += len(unresolved)
        assert not lost
        assert not unresolved


def test_whatever_happens_for_weeks_everybody_is_notified_of_everything_once() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Weeks, settings=settings(max_examples=examples(40), stateful_step_count=30)
    )
    assert FIGURES["incidents"] > 0
