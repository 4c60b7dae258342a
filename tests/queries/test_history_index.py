"""What the page says of the history is what the file says, however it grew and whatever lies in it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import examples
from tests.queries import plain_history as plain
from tests.stages.history_lines import NAMESPACE, SELECTOR, check, line

from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.queries.history_index import HistoryIndex
from k8s_tuning.queries.view_models import Record, RunRef
from k8s_tuning.stages.history.store import K8sHealthHistoryStore, RetentionPolicy
from k8s_tuning.stages.target_identity import TargetIdentity

MINE = TargetIdentity(NAMESPACE, SELECTOR)
OTHER = TargetIdentity("research", "app=arbitrage-tuning,session_id=둘")
NOON = 1_763_294_400  # 2025-11-16T12:00:00Z

# Mostly five minutes apart, and then what a hand, a late task or another zone writes.
_times = st.one_of(
    st.integers(-200, 200).map(lambda steps: plain.text(NOON + steps * 300)),
    st.sampled_from(["2025-11-16T21:00:00+09:00", "2025-11-16T12:00:00.25Z", "1969-07-20T20:17:40Z"]),
)
_levels = st.lists(st.sampled_from(["OK", "OK", "OK", "WARN", "ERROR"]), max_size=4)
_append = st.fixed_dictionaries(
    {
        "do": st.just("append"),
        "levels": _levels,
        "at": _times,
        "where": st.sampled_from([MINE, MINE, OTHER]),
        "run_id": st.sampled_from([None, "dag/하나", "dag/two", "no-slash"]),
        "target": st.sampled_from([None, "demo", "데모"]),
    }
)
UNKNOWN = {"jobs_ok": None, "jobs_warn": None, "jobs_error": None}
_debris = st.sampled_from(
    [
        b"\n",
        b"torn{",
        line(at="yesterday"),
        line("ERROR", at=""),
        b"\0\0\n",
        b"[1]\n",
        line()[:40],
        line(),
        line(jobs_ok=10**15),
        line("WARN", **UNKNOWN),
    ]
)
_steps = st.one_of(
    _append,
    _append,
    _append,
    st.builds(lambda data: {"do": "write", "data": data}, _debris),
    st.builds(lambda keep: {"do": "prune", "keep": keep}, st.integers(1, 6)),
    st.just({"do": "ask"}),
)
_bounds = st.one_of(st.integers(-220, 220).map(lambda steps: float(NOON + steps * 300)), st.just(math.inf))


@settings(max_examples=examples(150))
@given(st.lists(_steps, max_size=25), _bounds, _bounds, st.integers(2, 12))
def test_every_answer_is_the_plain_one(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, Any]], one: float, two: float, points: int
) -> None:
    """However the reads fall between appends, torn writes and retention, nothing is lost, counted twice or moved."""
    path = tmp_path_factory.mktemp("series") / "health.jsonl"
    columns = HistoryIndex(path)
    since, until = (-math.inf, one) if two == math.inf else sorted((one, two))
    path.write_bytes(line())  # nothing is appended to a file that holds no record
    for step in [*steps, {"do": "ask"}]:
        if step["do"] == "append":
            where = step["where"]
            snapshot = check(*step["levels"], at=step["at"], namespace=where.namespace, selector=where.selector)
            K8sHealthHistoryStore(path).append(snapshot, run_id=step["run_id"], target=step["target"])
        elif step["do"] == "write":
            with path.open("ab") as handle:
                handle.write(step["data"])
        elif step["do"] == "prune":
            K8sHealthHistoryStore(path).prune(RetentionPolicy(max_records=step["keep"]))
        else:
            for where in (MINE, OTHER, TargetIdentity("nobody", "app=x")):
                compare(columns, path, where, since, until, points)


def compare(columns: HistoryIndex, path: Path, where: TargetIdentity, since: float, until: float, points: int) -> None:
    every = plain.read(path, (where.namespace, where.selector))
    chosen = plain.within(every, since, until)
    assert (columns.find(where.namespace, where.selector) is not None) == bool(every)
    compare_series(columns, where, chosen, (since, until), points)
    found = columns.records(where, since, until, 3, 1)
    assert found.total == len(chosen)
    assert found.items == [as_record(record) for record in chosen[::-1][1:4]]
    episodes = columns.episodes(where, since, until)
    naive = plain.episodes(every, since, until)
    plainly = ("started_at", "ended_at", "worst", "records")
    assert [{name: getattr(one, name) for name in plainly} for one in episodes] == [
        {name: one[name] for name in plainly} for one in naive
    ]
    for ours, other in zip(episodes, naive, strict=True):
        assert columns.record_at(ours.first) == as_record(other["first"])
        assert columns.record_at(ours.worst_record) == as_record(other["worst_record"])
    assert columns.episodes(where, since, until, newest=1) == episodes[-1:]
    runs = [record for record in plain.read(path) if record.record.run_id == "dag/하나"]
    assert sorted(columns.of_run("dag/하나"), key=repr) == sorted(map(as_record, runs), key=repr)
    used = [record.record.target for record in every if record.record.target]
    assert columns.names(where) == list(dict.fromkeys(used[::-1]))[::-1]
    if every:
        same = [record.rank == every[-1].rank for record in every]
        start = len(same) - same[::-1].index(False) if False in same else 0
        assert columns.since(where) == plain.text(every[start].at)


def compare_series(
    columns: HistoryIndex, where: TargetIdentity, chosen: list[plain.Timed], span: tuple[float, float], points: int
) -> None:
    series = columns.series(where, *span, points, 900)
    assert series.total_records == len(chosen)
    assert len(series.at) <= points
    assert series.gap_seconds == max(900, series.seconds)
    periods: dict[float, list[plain.Timed]] = {}
    for number, record in enumerate(chosen):
        begin = record.at // series.seconds * series.seconds if series.seconds else number
        periods.setdefault(begin, []).append(record)
    if series.seconds:
        assert series.at == list(periods)
    else:
        assert series.at == [record.at for record in chosen]
    parts = list(periods.values())
    assert series.worst == [max(record.rank for record in part) for part in parts]
    counts = series.records_ok, series.records_warn, series.records_error
    for rank, count in enumerate(counts):
        assert count == [sum(record.rank == rank for record in part) for part in parts]
    worst = [plain.worst(part).record for part in parts]
    assert series.jobs_ok == [record.jobs_ok for record in worst]
    assert series.jobs_warn == [record.jobs_warn for record in worst]
    assert series.jobs_error == [record.jobs_error for record in worst]
    if math.isfinite(span[0]):
        strip = columns.strip(where, *span, points)
        assert sum(cell.records for cell in strip) == len(chosen)
        ranks = [plain.LEVELS.index(cell.worst) for cell in strip if cell.worst]
        assert max(ranks, default=0) == max((record.rank for record in chosen), default=0)
        assert all((cell.worst is None) == (cell.records == 0) for cell in strip)


def as_record(timed: plain.Timed) -> Record:
    found = timed.record
    counts = {name: getattr(found, name) for name in ("jobs_ok", "jobs_warn", "jobs_error", "reasons", "target")}
    return Record(
        at=plain.text(timed.at),
        namespace=found.namespace,
        selector=found.selector,
        health=found.overall_health.value,
        monitor_errors=found.monitor_errors,
        run=RunRef.named(found.run_id),
        idle=found.overall_health == "OK" and [found.jobs_ok, found.jobs_warn, found.jobs_error] == [0, 0, 0],
        **counts,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "health.jsonl"


def at(minutes: float) -> str:
    return plain.text(NOON + minutes * 60)


def test_nothing_recorded_yet_is_empty_answers(path: Path) -> None:
    """The page of a fresh installation is no error, and its strip is all unknown."""
    columns = HistoryIndex(path)
    assert columns.identities() == []
    assert columns.since(MINE) is None
    assert columns.series(MINE, NOON, NOON + 60).at == []
    assert {cell.worst for cell in columns.strip(MINE, NOON, NOON + 60, 4)} == {None}
    assert columns.episodes(MINE, -math.inf, math.inf) == []
    assert columns.records(MINE, -math.inf, math.inf).total == 0
    assert columns.notes() == []


def test_a_strip_has_cells_of_one_length_from_since_to_until(path: Path) -> None:
    """Each cell says the worst of its own period; the record of this very second is in the last."""
    path.write_bytes(line("ERROR", at(0)) + line("OK", at(59)) + line("WARN", at(60)) + line("OK", at(240)))
    strip = HistoryIndex(path).strip(MINE, NOON, NOON + 4 * 3600, 4)
    assert [(cell.at, cell.seconds, cell.worst, cell.records) for cell in strip] == [
        (at(0), 3600, "ERROR", 2),
        (at(60), 3600, "WARN", 1),
        (at(120), 3600, None, 0),
        (at(180), 3600, "OK", 1),
    ]


@pytest.mark.slow
def test_one_error_among_a_hundred_thousand_is_seen_at_every_zoom(path: Path) -> None:
    """Downsampling by averages would hide the one record that matters."""
    lines = [line("OK", plain.text(NOON + number * 60)) for number in range(100_000)]
    lines[70_123] = line("ERROR", plain.text(NOON + 70_123 * 60))
    path.write_bytes(b"".join(lines))
    columns = HistoryIndex(path)
    for points in (2, 10, 600, 99_999):
        series = columns.series(MINE, -math.inf, math.inf, points)
        assert sum(series.records_error) == 1
        assert series.jobs_error[series.worst.index(2)] == 1
        assert len(series.at) <= points


def test_an_episode_has_its_true_start_though_the_range_begins_later(path: Path) -> None:
    """Zooming in must not make an incident look younger; a silence of a week does not end it."""
    path.write_bytes(line("OK", at(0)) + line("WARN", at(5)) + line("ERROR", at(7 * 1440)) + line("OK", at(7 * 1441)))
    columns = HistoryIndex(path)
    (episode,) = columns.episodes(MINE, NOON + 86_400, NOON + 2 * 86_400)
    assert (episode.started_at, episode.ended_at, episode.worst) == (at(5), at(7 * 1441), "ERROR")
    assert columns.episodes(MINE, NOON + 7 * 86_460, math.inf) == [episode], "it ended at that very second"
    assert columns.episodes(MINE, NOON + 8 * 86_400, math.inf) == []


def test_a_record_that_has_no_time_is_noted(path: Path) -> None:
    """It can stand nowhere on an axis of time; that it is missing is said, with the place in the log."""
    path.write_bytes(line("ERROR", "yesterday") + b"torn{\n" + line("OK", at(0)))
    columns = HistoryIndex(path)
    assert columns.records(MINE, -math.inf, math.inf).total == 1
    assert [note.split(" ")[1] for note in columns.notes()] == ["2"]


@pytest.mark.parametrize("run_id", ["dag/manual__2025-11-16", "dag/\\ud55c", 'dag/a"b'])
def test_a_run_is_found_however_its_id_is_escaped(path: Path, run_id: str) -> None:
    """Another writer may escape what this one does not."""
    run_id = json.loads(f'"{run_id}"') if "\\" in run_id else run_id
    path.write_bytes(line(run_id=run_id))
    path.write_bytes(
        path.read_bytes() + json.dumps(json.loads(line(run_id=run_id)), ensure_ascii=False).encode() + b"\n"
    )
    assert len(HistoryIndex(path).of_run(run_id)) == 2
    assert HistoryIndex(path).of_run("dag/other") == []


def test_a_place_in_a_file_that_was_replaced_is_no_record(path: Path) -> None:
    """Retention moves every line: another record's words must not be shown for the one that was asked for."""
    path.write_bytes(line("ERROR", at(0)) + line("ERROR", at(5)) + line("OK", at(10)))
    columns = HistoryIndex(path)
    (episode,) = columns.episodes(MINE, -math.inf, math.inf)
    assert columns.record_at(episode.first) is not None
    path.write_bytes(line("ERROR", at(5)) + line("OK", at(10)))
    assert columns.record_at(episode.first) is None
    path.unlink()
    assert columns.record_at(episode.first) is None


def test_a_line_written_over_in_its_place_is_read_afresh(path: Path) -> None:
    """A hand that fixes a file keeps its inode and its end."""
    path.write_bytes(line("ERROR", at(0)) + line("OK", at(5)) * 9)
    columns = HistoryIndex(path)
    columns.identities()
    with path.open("r+b") as handle:
        handle.write(line("ERROR", at(1)))
    assert columns.records(MINE, -math.inf, math.inf).items[-1].at == at(1)


def test_a_range_that_is_no_range_is_a_clear_error(path: Path) -> None:
    """What a person may have put into the address."""
    path.write_bytes(line(at=at(0)) * 3)
    with pytest.raises(InputError, match="since"):
        HistoryIndex(path).records(MINE, math.nan, 0)
    with pytest.raises(InputError, match="points"):
        HistoryIndex(path).series(MINE, -math.inf, math.inf, 1)
    assert HistoryIndex(path).records(MINE, NOON + 60, NOON - 60).total == 0


def test_a_folder_in_the_files_place_is_a_clear_error(tmp_path: Path) -> None:
    """Unreadable is not empty: an empty page would say that all is well."""
    with pytest.raises(StoreError, match="not a regular file"):
        HistoryIndex(tmp_path).identities()
