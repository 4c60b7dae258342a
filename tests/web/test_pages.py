"""The pages over real files, as a browser gets them."""

import math
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.web.html_page import NAMESPACE, SELECTOR, TARGET, Page

from k8s_tuning import timestamps
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.notice import Status
from k8s_tuning.stages.alert.incident import IncidentSeverity
from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot, K8sJobHealth
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history.latest import JobEvent, LatestJob, LatestSnapshot, LatestStore, PodLogTail
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.sessions.session import SessionJob, TuningSession
from k8s_tuning.stages.sessions.store import SessionStore


def record(
    queries,
    level="ERROR",
    *,
    minutes_ago=1,
    target=None,
    run_id=None,
    errors=(),
    namespace=NAMESPACE,
    listed=True,
    cluster=None,
    jobs=None,
):
    at = timestamps.to_text(timestamps.to_datetime(timestamps.now()) - timedelta(minutes=minutes_ago))
    job = K8sJobHealth(
        job_name="arb-tuning-a-worker-1-0", namespace=namespace, phase="FAILED", succeeded=0, failed=1, active=0,
        health=level, reasons=[] if level == "OK" else ["oom_killed"], labels={},
    )  # fmt: skip
    found = [job] if jobs is None and listed else []
    snapshot = K8sHealthSnapshot(namespace, SELECTOR, found, list(errors), level, at, listed, cluster)
    K8sHealthHistoryStore(queries.folder / "health.jsonl").append(snapshot, target=target, run_id=run_id)
    return at


def test_with_nothing_recorded_the_overview_says_how_to_start(queries, get):
    text = Page(get("").text).text
    assert "Nothing is recorded yet" in text
    assert "arbitrage trading-bots" in text
    assert "k8s_tuning_pipeline" in text
    assert "k8s_health_monitor" in text
    assert str(queries.folder) in text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("sessions", "No session was applied yet"),
        ("alerts", "No alert was decided on yet"),
        ("run?dag_id=other&run_id=manual", "runs of other DAGs record none"),
        (TARGET, "NO RECORD"),
    ],
)
def test_with_nothing_recorded_every_page_says_so(queries, get, path, said):
    assert said in Page(get(path).text).text


def test_a_failing_target_shows_its_health_in_words_and_a_shape(queries, get):
    record(queries, "OK", minutes_ago=9, target="arbitrage")
    since = record(queries, "ERROR", minutes_ago=4, target="arbitrage", run_id="k8s_health_monitor/scheduled__1+00:00")
    page = Page(get("").text)
    assert "ERROR since" in page.text
    assert since.replace("T", " ").replace("Z", " UTC") in page.text
    assert "4 min ago" in page.text
    assert "arbitrage" in page.text
    assert any("is-ERROR" in one.get("class", "") for one in page.all("svg"))


def test_jobs_that_could_not_be_listed_are_not_known_on_every_page(queries, get):
    at = record(queries, "WARN", listed=False, errors=["Jobs not read: 403"])
    look = LatestSnapshot(NAMESPACE, SELECTOR, at, errors=["Jobs not read: 403"], jobs_listed=False)
    LatestStore(queries.folder / "looks").keep(look)
    overview = Page(get("").text)
    assert "WARN not known: the Jobs could not be listed" in overview.text
    assert not any("is-OK" in one.get("class", "") and "level" in one.get("class", "") for one in overview.all("span"))
    target = Page(get(TARGET).text).text
    assert "Jobs: not known, they could not be listed" in target
    assert "WARN not known not known Jobs not read: 403" in target, "the record's row: health, Jobs, why"
    assert "The selector found no Job" not in target
    target = queries.target(NAMESPACE, SELECTOR)
    assert target.records(0, math.inf).items[0].jobs_ok is None, "what the API answers with"
    assert target.series(0, math.inf).jobs_error == [None]
    assert target.jobs().total is None


def test_two_clusters_with_one_namespace_and_selector_are_two_targets(queries, get):
    """Each with its own row, page, Jobs, records and link."""
    for cluster, level in (("conn-east", "ERROR"), ("conn-west", "OK")):
        at = record(queries, level, target=cluster[5:], cluster=cluster)
        look = LatestSnapshot(
            NAMESPACE, SELECTOR, at, cluster=cluster, jobs=[LatestJob(f"of-{cluster}", level, "FAILED")]
        )
        LatestStore(queries.folder / "looks").keep(look)
    page = Page(get("").text)
    assert "on conn-east" in page.text
    assert "on conn-west" in page.text
    links = [one["href"] for one in page.all("a") if one.get("class") == "name" and "conn-" in one["href"]]
    assert len(links) == 2
    for link, mine, other in (
        (next(one for one in links if "conn-east" in one), "conn-east", "conn-west"),
        (next(one for one in links if "conn-west" in one), "conn-west", "conn-east"),
    ):
        text = Page(get(link).text).text
        assert f"of-{mine}" in text
        assert f"of-{other}" not in text
        assert ("ERROR since" in text) == (mine == "conn-east")
        assert "Records 1" in text


def test_a_target_without_jobs_is_idle_in_word_and_shape_and_no_green_ok(queries, get):
    record(queries, "OK", jobs=())
    page = Page(get("").text)
    assert "idle, no Jobs since" in page.text
    assert not any("level is-OK" in one.get("class", "") for one in page.all("span"))
    assert any("is-IDLE" in one.get("class", "") for one in page.all("svg"))
    assert {one["class"] for one in page.all("rect") if one.get("class", "").startswith("is-")} >= {"is-IDLE"}
    assert "idle, no Jobs" in Page(get(TARGET).text).text
    row = queries.overview(3600).rows[0]
    assert (row.status, row.last_health, row.jobs_ok) == ("IDLE", "OK", 0)
    assert queries.target(NAMESPACE, SELECTOR).records(0, math.inf).items[0].idle


def test_a_target_that_no_check_has_seen_lately_is_stale_and_never_ok(queries, get):
    record(queries, "OK", minutes_ago=300)
    text = Page(get("").text).text
    assert "STALE last seen OK" in text
    assert "5 hr ago" in text
    assert "OK since" not in text


def test_a_record_of_a_clock_that_is_ahead_is_stale_and_says_so(queries, get):
    at = record(queries, "OK", minutes_ago=-90)
    record(queries, "ERROR", minutes_ago=1)
    text = Page(get("").text).text
    assert "STALE" in text
    assert f"its newest record is dated {at}, still to come; set the clocks" in text


def test_a_renamed_target_is_one_and_says_what_it_was_called(queries, get):
    record(queries, "OK", minutes_ago=9, target="old-name")
    record(queries, "OK", minutes_ago=4, target="arbitrage")
    page = Page(get("").text)
    assert "formerly old-name" in page.text
    assert len([one for one in page.all("a") if one.get("class") == "name"]) == 1


def test_a_record_leads_to_the_dag_run_that_wrote_it(queries, get):
    record(queries, run_id="k8s_health_monitor/scheduled__2025-11-16T10:00:00+00:00")
    links = [one["href"] for one in Page(get(TARGET).text).all("a") if "data-airflow" in one]
    goal = "/dags/k8s_health_monitor/runs/scheduled__2025-11-16T10%3A00%3A00%2B00%3A00"
    assert any(link.endswith(goal) for link in links)


def test_a_run_shows_what_it_recorded(queries, get):
    record(queries, run_id="k8s_health_monitor/one", errors=["pods: 403 Forbidden"])
    text = Page(get("run?dag_id=k8s_health_monitor&run_id=one").text).text
    assert "pods: 403 Forbidden" in text
    assert "oom_killed" in text


def test_one_record_makes_a_whole_page(queries, get):
    at = record(queries)
    page = Page(get(TARGET + "&range=all").text)
    assert "1 record" in page.text
    assert f"incident-{at}" in [attributes.get("id") for _, attributes in page.elements]
    assert "No snapshot is kept of this target" in page.text


JOBS = [
    LatestJob(
        "arb-tuning-a-worker-2-0", HealthLevel.ERROR, "FAILED", failed=1, reasons=["oom_killed"], exit_code=137,
        cause="container worker was OOM-killed (exit code 137)", labels={"session_id": "a", "worker_id": "worker-2"},
        start_time="2025-11-16T10:00:00Z", completion_time="2025-11-16T10:01:30Z", restarts=2, nodes=["node-1"],
        logs=[PodLogTail("arb-tuning-a-worker-2-0-x", "worker", ["\x1b[31mMemoryError\x1b[0m <b>"], truncated=True)],
        events=[JobEvent("Warning", "BackOff", "restarting <i>", "Pod", "arb-tuning-a-worker-2-0-x", 3)],
    ),
    LatestJob("arb-tuning-a-worker-10-1", HealthLevel.OK, "RUNNING", active=1),
]  # fmt: skip


def test_the_jobs_of_the_newest_snapshot_come_with_their_last_words(queries, get):
    at = record(queries)
    LatestStore(queries.folder / "looks").keep(LatestSnapshot(NAMESPACE, SELECTOR, at, jobs=JOBS, errors=["pods: 403"]))
    text = Page(get(TARGET).text).text
    for said in (
        "FAILED on node-1", "oom_killed", "137", "1 min 30 sec", "MemoryError <b>", "only the end", "restarting <i>",
        "×3", "2 of 2 Jobs", "Not everything could be read: pods: 403",
        "container worker was OOM-killed (exit code 137)",
    ):  # fmt: skip
        assert said in text, said


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("", ["worker-2-0", "worker-10-1"]),
        ("&sort=name&order=desc", ["worker-10-1", "worker-2-0"]),
        ("&q=worker-10", ["worker-10-1"]),
        ("&phase=FAILED", ["worker-2-0"]),
        ("&health=WARN", []),
    ],
    ids=["worst first", "sorted", "searched", "by phase", "by health"],
)
def test_jobs_are_searched_and_sorted_by_the_address(queries, get, asked, names):
    LatestStore(queries.folder / "looks").keep(LatestSnapshot(NAMESPACE, SELECTOR, record(queries), jobs=JOBS))
    html = get(TARGET + asked).text
    assert re.findall(r'<span class="id">arb-tuning-a-([^<]+)</span>', html) == names
    if not names:
        assert "No Job fits the search." in html


def test_an_unknown_sort_is_named_with_what_would_be_right(queries, get):
    LatestStore(queries.folder / "looks").keep(LatestSnapshot(NAMESPACE, SELECTOR, record(queries), jobs=JOBS))
    assert "sort: &#39;colour&#39; is not one of health, name" in get(TARGET + "&sort=colour", status=422).text


def test_a_sorted_column_says_so_and_turns_round(queries, get):
    LatestStore(queries.folder / "looks").keep(LatestSnapshot(NAMESPACE, SELECTOR, record(queries), jobs=JOBS))
    page = Page(get(TARGET + "&sort=name&order=asc").text)
    assert [one["aria-sort"] for one in page.all("th") if "aria-sort" in one] == ["ascending"]
    links = [parse_qs(urlsplit(one["href"]).query) for one in page.all("a") if one.get("class") == "sort"]
    assert (["name"], ["desc"]) in [(one["sort"], one["order"]) for one in links]


def test_a_damaged_snapshot_costs_the_jobs_and_not_the_page(queries, get):
    store = LatestStore(queries.folder / "looks")
    store.keep(LatestSnapshot(NAMESPACE, SELECTOR, record(queries), jobs=JOBS))
    for path in (queries.folder / "looks").glob("*.json"):
        path.write_bytes(b'{"namespace": "trad')
    text = Page(get(TARGET).text).text
    assert "Not everything could be read:" in text
    assert "ERROR since" in text


def apply_session(queries, session_id, phases):
    """A session in NAMESPACE with a Job for each phase."""
    jobs = [
        SessionJob(
            f"arb-tuning-a-worker-{number}-0", f"worker-{number}", "registry.example/tuner:1",
            {"lr": 10.0**-number}, ["run.py", f"--lr={10.0**-number}"], phase, started_at="2025-11-16T10:00:00Z",
        )
        for number, phase in enumerate(phases)
    ]  # fmt: skip
    applied = TuningSession(NAMESPACE, session_id, "k8s_tuning_pipeline/manual", "2025-11-16T09:59:00Z", jobs=jobs)
    SessionStore(queries.folder / "sessions").applied(applied)


SESSION = f"session?namespace={NAMESPACE}&session_id=demo"


def test_a_session_shows_its_progress_and_a_column_a_parameter(queries, get):
    apply_session(queries, "demo", ["SUCCEEDED", "FAILED", "RUNNING", "PENDING", "UNSEEN", "GONE"])
    assert "3 of 6 done" in Page(get("sessions").text).text
    text = Page(get(SESSION).text).text
    for said in ("3 of 6 done", "1 succeeded", "1 failed", "1 running", "1 pending", "1 not seen yet", "lr", "0.01"):
        assert said in text, said


@pytest.mark.parametrize(("phases", "seconds"), [(["RUNNING", "FAILED"], "5"), (["SUCCEEDED", "FAILED"], "30")])
def test_a_page_with_a_running_session_refreshes_faster(queries, get, phases, seconds):
    apply_session(queries, "demo", phases)
    for path in ("sessions", SESSION):
        assert Page(get(path).text).all("body")[0]["data-refresh"] == seconds


def test_sessions_are_searched(queries, get):
    apply_session(queries, "demo", ["RUNNING"])
    apply_session(queries, "other", ["RUNNING"])
    text = get("sessions?q=DEM").text
    assert "session_id=demo" in text
    assert "session_id=other" not in text
    assert "No session fits the search." in get("sessions?q=nothing").text


def test_a_message_is_shown_with_what_became_of_it(queries, get):
    line = LedgerLine(
        at=timestamps.now(), run_id="k8s_health_monitor/one", incident_id="3fa9c1d2e4b5", namespace=NAMESPACE,
        selector=SELECTOR, target="arbitrage", started_at="2025-11-16T10:00:00Z", receiver="ops", channel="console",
        decision="first", why="nobody knows of it yet", status=Status.FIRING, severity=IncidentSeverity.CRITICAL,
        outcome="owed", notice_id="n1",
    )  # fmt: skip
    Ledger(queries.folder / "alerts-ledger.jsonl").append([line])
    text = Page(get("alerts").text).text
    for said in ("1 entry", "CRITICAL", "nobody knows of it yet", "pending", "not yet: pending for", "arbitrage"):
        assert said in text, said
    assert "1 entry" in get(f"alerts?{TARGET.partition('?')[2]}").text
    assert "No entry fits these filters" in get("alerts?namespace=another").text
    html = get("alerts?outcome=sent").text
    assert "No entry fits these filters" in html


def test_torn_lines_cost_themselves_and_are_noted(queries, get):
    record(queries)
    with (queries.folder / "health.jsonl").open("ab") as file:
        file.write(b'{"timestamp": "2025-1\n\x00\x00\x00\n')
    record(queries, "OK", minutes_ago=0)
    text = Page(get("").text).text
    assert "OK since" in text
    assert "Not everything could be read: health.jsonl: 2 lines are no health record" in text


def test_a_range_in_the_address_is_what_the_page_shows(queries, get):
    record(queries, minutes_ago=60 * 30)
    assert "Nothing was recorded in this range." in Page(get(TARGET).text).text
    page = Page(get(TARGET + "&range=7d").text)
    assert "1 record" in page.text
    assert next(one for one in page.all("a") if one.get("aria-current") == "true")["href"].endswith("range=7d")


def test_a_forms_time_is_utc(queries, get):
    page = Page(get(TARGET + "&since=2025-11-16T10:00:00&until=2025-11-16T11:00:30").text)
    fields = {one["name"]: one["value"] for one in page.all("input") if one["type"] == "datetime-local"}
    assert fields == {"since": "2025-11-16T10:00:00", "until": "2025-11-16T11:00:30"}


def test_zooming_out_doubles_the_range(queries, get):
    page = Page(get(TARGET + "&since=2025-11-16T10:00:00Z&until=2025-11-16T12:00:00Z").text)
    query = [parse_qs(urlsplit(one["href"]).query) for one in page.all("a")]
    ranges = [(one["since"], one["until"]) for one in query if "since" in one and "until" in one]
    assert (["2025-11-16T09:00:00Z"], ["2025-11-16T13:00:00Z"]) in ranges


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("target?namespace=n", 422, "selector: the address does not say it"),
        (TARGET + "&range=2w", 422, "range: '2w' is not one of"),
        ("session?namespace=n&session_id=gone", 404, "n/gone"),
        ("alert?ref=gone", 404, "There is nothing by this name"),
    ],
)
def test_what_cannot_be_shown_is_said_on_a_page(queries, get, path, status, said):
    assert said in Page(get(path, status=status).text).text


def test_korean_readers_read_korean(queries, get):
    answer = get("", "ko-KR,ko;q=0.9")
    assert answer.headers["content-language"] == "ko"
    assert "Accept-Language" in answer.headers["vary"]
    assert "아직 기록이 없습니다" in answer.text
    assert Page(answer.text).all("html")[0]["lang"] == "ko"


def records_listed(get, page=""):
    """Which records a target's page says that it lists, and their times."""
    text = get(f"{TARGET}&range=24h{page}").text
    said = Page(re.findall(r'<section id="records".*?</section>', text, re.DOTALL)[0]).text
    (which,) = re.findall(r"\d+ to \d+ of \d+", said)
    return which, re.findall(r"\d\d:\d\d:\d\d UTC", said)


@pytest.mark.parametrize("number", ["0", "-1", "x", "", "1e9", "2.0", "٣", "99999999999999999999"])
def test_what_is_no_page_number_is_the_first_page(queries, get, number):
    for minutes in range(40, 0, -1):
        record(queries, minutes_ago=minutes)
    first, second = records_listed(get), records_listed(get, "&records_page=2")
    assert (first[0], second[0]) == ("1 to 25 of 40", "26 to 40 of 40")
    assert (len(first[1]), len(second[1])) == (25, 15)
    assert records_listed(get, f"&records_page={number}") == first


def test_a_target_of_every_job_has_its_page_and_its_alerts(queries, get):
    """An empty selector is one, and stays in every link."""
    snapshot = K8sHealthSnapshot("n", "", [], [], HealthLevel.OK, timestamps.now())
    K8sHealthHistoryStore(queries.folder / "health.jsonl").append(snapshot)
    (link,) = [link for link in Page(get("").text).links if "target?namespace=n&" in link]
    assert parse_qs(urlsplit(link).query, keep_blank_values=True)["selector"] == [""]
    page = Page(get(link).text)
    assert "n (every Job)" in page.text
    assert all("selector=" in link for link in page.links if "target?" in link)
    at = timestamps.now()
    Ledger(queries.folder / "alerts-ledger.jsonl").append(
        [
            LedgerLine(
                at, "d/r", f"i-{selector}", "n", selector, None, at, "team", "console", "first", "it is new",
                Status.FIRING, IncidentSeverity.CRITICAL, "owed", f"n-{selector}", incident={},
            )
            for selector in ("", "app=other")
        ]
    )  # fmt: skip
    assert queries.ledger.alerts(namespace="n", selector="").total == 1
    assert len([link for link in Page(get("alerts?namespace=n&selector=").text).links if "alert?" in link]) == 1


def test_a_bar_leads_to_its_row_or_where_that_is_on_a_later_page_to_its_own_time(queries, get):
    for number in range(60, 0, -1):
        record(queries, "ERROR" if number % 2 else "OK", minutes_ago=number)
    bars = [link for link in Page(get(TARGET + "&range=24h").text).links if "#incident" in link]
    listed = [link for link in bars if link.startswith("#incident-")]
    apart = [link for link in bars if "since=" in link and link.endswith("#incidents")]
    assert len(listed) == 25
    assert len(apart) == 5
    alone = Page(get(apart[0].partition("#")[0]).text)
    assert [link for link in alone.links if link.startswith("#incident-")], "the row is on the page that it leads to"
