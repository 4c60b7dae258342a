"""Which events belong, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning import plain_values
from k8s_tuning.errors import InputError
from k8s_tuning.stages.events.snapshot import (
    K8sEventSnapshot,
    Selected,
    belongs,
    generate_events_report_text,
    read_event,
    select_events,
)

SELECTED = Selected(
    uids=frozenset({"uid-job", "uid-pod"}), names=frozenset({("Job", "nightly"), ("Pod", "nightly-x7")})
)


def event(kind: str = "Job", name: str = "arb-tuning-a-worker-1-0", uid: str = "", **more: Any) -> dict[str, Any]:
    involved = {"kind": kind, "name": name, "namespace": "trading-bots"} | ({"uid": uid} if uid else {})
    return {
        "metadata": {"name": "e", "namespace": "trading-bots", "resourceVersion": "1"},
        "type": "Warning",
        "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
        "involvedObject": involved,
        "lastTimestamp": "2025-11-16T10:00:00Z",
        **more,
    }


@pytest.mark.parametrize(
    ("raw", "ours"),
    [
        pytest.param(event("Job", "arb-tuning-a-worker-1-0"), True, id="a Job by its prefix"),
        pytest.param(event("Pod", "arb-tuning-a-worker-1-0-x7"), True, id="a pod by its prefix"),
        pytest.param(event("Job", "nightly", "uid-job"), True, id="a selected Job by uid"),
        pytest.param(event("Pod", "nightly-x7", "uid-pod"), True, id="a selected pod by uid"),
        pytest.param(event("Job", "nightly"), True, id="a selected Job by name, the event has no uid"),
        pytest.param(event("Job", "nightly", "uid-old"), False, id="an earlier Job of that name"),
        pytest.param(event("Pod", "nightly"), False, id="a pod with a selected Job's name"),
        pytest.param(event("Job", "backup", "uid-b"), False, id="another workload's Job"),
        pytest.param(event("Deployment", "arb-tuning-ui"), False, id="the prefix, but neither Job nor pod"),
        pytest.param(event("Job", "my-arb-tuning-x"), False, id="the prefix elsewhere in the name"),
        pytest.param({**event("Job", "x"), "involvedObject": None}, False, id="no object at all"),
        pytest.param(
            {"metadata": {}, "regarding": {"kind": "Pod", "name": "arb-tuning-q"}}, True, id="events.k8s.io's regarding"
        ),
    ],
)
def test_an_event_belongs_by_its_object_alone(raw: dict[str, Any], ours: bool) -> None:
    assert belongs(raw, SELECTED) is ours
    assert len(select_events([raw], SELECTED)) == ours


def test_labels_on_the_involved_object_mean_nothing() -> None:
    """They are never there on a real cluster; an event that claims some is not let through for them."""
    raw = event("Job", "backup")
    raw["involvedObject"]["labels"] = {"app": "arbitrage-tuning"}
    assert not belongs(raw, SELECTED)


def test_events_come_oldest_first_by_when_they_were_last_seen() -> None:
    raws = [
        event(reason="4", lastTimestamp="2025-11-16T10:00:04Z"),
        event(reason="1", lastTimestamp=None, eventTime="2025-11-16T10:00:01.123456Z"),
        event(reason="3", lastTimestamp=None, eventTime="2025-11-16T09:00:00.000000Z",
              series={"count": 7, "lastObservedTime": "2025-11-16T10:00:03.5Z"}),
        event(reason="2", lastTimestamp=None, firstTimestamp="2025-11-16T10:00:02Z"),
        event(reason="0", lastTimestamp=None, metadata={"creationTimestamp": "2025-11-16T10:00:00Z"}),
        event(reason="-", lastTimestamp="odd", metadata={}),
    ]  # fmt: skip
    assert "".join(e.reason for e in select_events(raws, SELECTED)) == "-01234"


def test_events_of_one_second_come_in_the_order_they_were_stored() -> None:
    raws = [event(reason="b", metadata={"resourceVersion": "10"}), event(reason="a", metadata={"resourceVersion": "9"})]
    assert [e.reason for e in select_events(raws, SELECTED)] == ["a", "b"]


def test_fractions_of_a_second_do_not_put_the_scheduler_behind_the_kubelet() -> None:
    """The scheduler dates its events to the microsecond, the kubelet to the second."""
    scheduled = event(
        reason="Scheduled",
        lastTimestamp=None,
        eventTime="2025-11-16T10:00:00.400000Z",
        metadata={"resourceVersion": "8"},
    )
    started = event(reason="Started", metadata={"resourceVersion": "9"})
    assert [e.reason for e in select_events([started, scheduled], SELECTED)] == ["Scheduled", "Started"]


@pytest.mark.parametrize(("limit", "reasons"), [(None, "abc"), (2, "bc"), (3, "abc"), (9, "abc"), (0, "")])
def test_a_limit_keeps_the_newest(limit: int | None, reasons: str) -> None:
    raws = [event(reason=r, metadata={"resourceVersion": str(i)}) for i, r in enumerate("abc")]
    assert "".join(e.reason for e in select_events(raws, SELECTED, limit)) == reasons


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(InputError, match="-1"):
        select_events([], SELECTED, -1)


def test_an_event_is_read_whole() -> None:
    raw = event(firstTimestamp="2025-11-16T18:59:00+09:00", count=3, message="한계 초과 🚨")
    read = read_event(raw)
    assert (read.type, read.reason, read.message) == ("Warning", "BackoffLimitExceeded", "한계 초과 🚨")
    assert (read.involved_kind, read.involved_name, read.involved_namespace) == (
        "Job",
        "arb-tuning-a-worker-1-0",
        "trading-bots",
    )
    assert (read.first_timestamp, read.last_timestamp, read.count) == (
        "2025-11-16T09:59:00Z",
        "2025-11-16T10:00:00Z",
        3,
    )
    assert read.raw is raw


def test_an_event_with_null_timestamps_is_dated_by_what_it_has() -> None:
    """As events.k8s.io's are, read through core/v1."""
    raw = event(
        firstTimestamp=None,
        lastTimestamp=None,
        count=None,
        eventTime="2025-11-16T10:00:00.250000Z",
        series={"count": 5, "lastObservedTime": "2025-11-16T10:07:00.000000Z"},
    )
    read = read_event(raw)
    assert (read.first_timestamp, read.last_timestamp, read.count) == (
        "2025-11-16T10:00:00Z",
        "2025-11-16T10:07:00Z",
        5,
    )


def test_an_event_without_any_time_has_none() -> None:
    read = read_event(event(lastTimestamp=None, metadata={}))
    assert (read.first_timestamp, read.last_timestamp, read.count) == (None, None, 1)


def test_the_report_tells_what_happened_to_what() -> None:
    raws = [event(count=2, message="first\nsecond \x1b[31m한글"), event(type="Normal", reason="Completed")]
    snapshot = K8sEventSnapshot("trading-bots", "app=x", select_events(raws, SELECTED), "2025-11-16T10:00:00Z")
    text = generate_events_report_text(snapshot)
    assert "Events:     2 (1 Warning)" in text
    line = "Warning  BackoffLimitExceeded (x2)  Job arb-tuning-a-worker-1-0: first second 한글"
    assert f"2025-11-16T10:00:00Z  {line}" in text


def test_no_events_and_unread_events_read_differently() -> None:
    quiet = generate_events_report_text(K8sEventSnapshot("n", "", [], "2025-11-16T10:00:00Z"))
    unread = generate_events_report_text(
        K8sEventSnapshot("n", "", [], "2025-11-16T10:00:00Z", ["events not read: 403"])
    )
    assert "No events of the selected" in quiet
    assert "NOT all" in unread
    assert "403" in unread
    assert "No events" not in unread


def test_a_snapshot_survives_as_plain_values() -> None:
    snapshot = K8sEventSnapshot("n", "s", select_events([event()], SELECTED), "2025-11-16T10:00:00Z")
    assert plain_values.load(K8sEventSnapshot, plain_values.dump(snapshot)) == snapshot


odd = st.none() | st.integers() | st.text(max_size=4) | st.dictionaries(st.text(max_size=3), st.integers(), max_size=1)

OPTIONAL = ["metadata", "type", "message", "count", "series", "eventTime", "lastTimestamp", "firstTimestamp"]


@given(
    st.lists(
        st.fixed_dictionaries(
            {"involvedObject": st.just({"kind": "Pod", "name": "arb-tuning-x"})},
            optional=dict.fromkeys(OPTIONAL, odd),
        ),
        max_size=5,
    ),
    st.integers(0, 6) | st.none(),
)  # fmt: skip
def test_no_event_is_too_odd_to_be_read(raws: list[dict[str, Any]], limit: int | None) -> None:
    selected = select_events(raws, SELECTED, limit)
    assert len(selected) == min(len(raws), len(raws) if limit is None else limit)
    assert all(event.count >= 1 for event in selected)


def numbered(*, level: str = "Normal", of: str = "arb-tuning-ok", reason: str = "Pulled", second: int = 0) -> Any:
    return event("Job", of, type=level, reason=reason, lastTimestamp=f"2025-11-16T10:00:{second:02}Z")


@pytest.mark.parametrize(
    "pushed_out",
    [
        pytest.param(numbered(level="Warning", reason="Failed", of="arb-tuning-bad"), id="by newer Normal events"),
        pytest.param(
            numbered(reason="Killing", of="arb-tuning-bad"), id="of a failing Job, by warnings of healthy ones"
        ),
    ],
)
def test_a_limit_pushes_out_what_tells_least(pushed_out: dict[str, Any]) -> None:
    others = [numbered(second=number) for number in range(1, 30)]
    others += [numbered(level="Warning", reason="Unhealthy", second=number) for number in range(30, 60)]
    if pushed_out["type"] == "Warning":
        others = others[:29]
    found = select_events([pushed_out, *others], Selected(), 3, failing={"arb-tuning-bad"})
    assert [one.involved_name for one in found] == ["arb-tuning-bad", "arb-tuning-ok", "arb-tuning-ok"]
    assert [one.last_timestamp for one in found] == sorted(one.last_timestamp or "" for one in found)


def test_a_reason_that_repeats_pushes_out_no_other() -> None:
    once = numbered(level="Warning", reason="FailedMount", second=1)
    again = [numbered(level="Warning", reason="BackOff", second=number) for number in range(2, 40)]
    assert [one.reason for one in select_events([once, *again], Selected(), 2)] == ["FailedMount", "BackOff"]


@given(
    st.lists(st.tuples(st.sampled_from(["Warning", "Normal", ""]), st.sampled_from("abc"), st.sampled_from("xyz"))),
    st.integers(0, 12),
)
def test_whatever_the_limit_no_normal_event_is_kept_before_a_warning(made: list[Any], limit: int) -> None:
    raws = [numbered(level=level, reason=reason, of=f"arb-tuning-{name}", second=second % 60)
            for second, (level, reason, name) in enumerate(made)]  # fmt: skip
    kept = select_events(raws, Selected(), limit)
    warnings = sum(level == "Warning" for level, *_ in made)
    assert len(kept) == min(limit, len(made))
    assert sum(one.type == "Warning" for one in kept) == min(limit, warnings)
