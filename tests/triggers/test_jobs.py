"""The trigger that waits for a session's Jobs, against the sandbox and a real control plane."""

import asyncio
import importlib
import time

import pytest
from tests.cluster_contract.calls import MERGE, jobs_path
from tests.clusters import Cluster, job_manifest

from k8s_tuning.stages.sessions.session import SessionJob, TuningSession
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.triggers.jobs import JobsEndedTrigger

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_default_connection(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", raising=False)


def create(cluster, name, **rule):
    cluster.scenario([{"match": cluster.job(name), **rule}])
    manifest = job_manifest(cluster.job(name))
    manifest["metadata"]["labels"]["session_id"] = cluster.tag
    with cluster.client() as http:
        http.post(jobs_path(cluster), json=manifest).raise_for_status()
    return cluster.job(name)


def trigger(cluster, *names, seconds=40.0, **fields):
    fields = {"namespace": cluster.namespace, "kubeconfig": str(cluster.kubeconfig), **fields}
    return JobsEndedTrigger(session_id=cluster.tag, job_names=list(names), deadline=time.time() + seconds, **fields)


async def payloads(waiting):
    return [event.payload async for event in waiting.run()]


def watch(waiting):
    """The payload of its one event."""
    (payload,) = asyncio.run(payloads(waiting))
    return payload


async def until(true):
    """Wait for a function of the test's to return something true."""
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_it_survives_the_triggerers_database(cluster):
    path, fields = trigger(cluster, "a", context="dev").serialize()
    module, name = path.rsplit(".", 1)
    again = getattr(importlib.import_module(module), name)(**fields)
    assert again.serialize() == (path, fields)
    assert fields["deadline"] > time.time()


def test_it_fires_when_all_jobs_have_ended(cluster):
    good = create(cluster, "good", outcome="succeed", seconds=1)
    bad = create(cluster, "bad", outcome="fail", seconds=1, exit_code=3)
    assert watch(trigger(cluster, good, bad))["progress"] == {"succeeded": [good], "failed": [bad], "waiting": []}


def test_a_fault_that_nobody_foresaw_is_an_event_of_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    waiting = JobsEndedTrigger(namespace="n", session_id="s", job_names=["a"], deadline="no time")
    payload = watch(waiting)
    assert payload["error"].startswith("TypeError in k8s_tuning/triggers/jobs.py:")
    assert payload["retryable"] is False


def test_when_the_time_is_over_it_says_who_still_runs(cluster):
    slow = create(cluster, "slow", outcome="hang")
    assert watch(trigger(cluster, slow, seconds=1.0))["progress"]["waiting"] == [slow]


def test_a_triggerer_that_comes_back_too_late_waits_no_longer(cluster):
    assert watch(trigger(cluster, "a", seconds=-5))["progress"]["waiting"] == ["a"]


def session_of(cluster, folder, *names):
    store = SessionStore(folder)
    jobs = [SessionJob(name, labels={"session_id": cluster.tag}) for name in names]
    store.applied(TuningSession(cluster.namespace, cluster.tag, None, "2025-11-16T10:00:00Z", jobs=jobs))
    return store


def test_a_job_that_is_deleted_is_waited_for_no_longer(cluster, tmp_path):
    gone = create(cluster, "gone", outcome="hang")
    store = session_of(cluster, tmp_path, gone)

    async def delete_while_it_waits():
        waiting = asyncio.create_task(payloads(trigger(cluster, gone, sessions_dir=str(tmp_path))))
        await until(lambda: store.read(cluster.namespace, cluster.tag).jobs[0].phase == "RUNNING")
        assert not waiting.done()
        await asyncio.to_thread(cluster.kubectl, "delete", "job", gone, "--cascade=background")
        return await waiting

    (payload,) = asyncio.run(delete_while_it_waits())
    assert payload["progress"] == {"succeeded": [], "failed": [], "waiting": []}


def test_while_it_waits_the_sessions_progress_is_written(cluster, tmp_path):
    """So that the health page shows it, and the times of a Job that nobody finds there later."""
    good = create(cluster, "good", outcome="succeed", seconds=2)
    store = session_of(cluster, tmp_path, good, "never-there")
    waiting = trigger(cluster, good, "never-there", sessions_dir=str(tmp_path))
    phases = []

    async def follow():
        running = asyncio.create_task(payloads(waiting))
        while not running.done():
            phases.append(store.read(cluster.namespace, cluster.tag).jobs[0].phase)
            await asyncio.sleep(0.02)

    asyncio.run(follow())
    assert {"RUNNING", "UNSEEN"} <= set(phases)
    session = store.read(cluster.namespace, cluster.tag)
    done, gone = session.jobs
    assert (done.phase, gone.phase) == ("SUCCEEDED", "GONE")
    assert done.started_at <= done.ended_at <= session.seen_at


async def killed(waiting, when):
    """A trigger that a triggerer ran until `when` was true, and then was gone with it."""
    running = asyncio.create_task(payloads(waiting))
    await until(when)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_triggerer_that_starts_anew_knows_what_was_seen_before(cluster, tmp_path):
    """Jobs that ended and were removed by their TTL meanwhile have ended as they were seen to."""
    done = create(cluster, "done", outcome="succeed", seconds=0)
    bad = create(cluster, "bad", outcome="oom", seconds=0)
    slow = create(cluster, "slow", outcome="succeed", seconds=8)
    store = session_of(cluster, tmp_path, done, bad, slow)

    def phases():
        return {job.name: job.phase for job in store.read(cluster.namespace, cluster.tag).jobs}

    path, fields = trigger(cluster, done, bad, slow, sessions_dir=str(tmp_path)).serialize()
    ended = {done: "SUCCEEDED", bad: "FAILED"}
    asyncio.run(killed(JobsEndedTrigger(**fields), lambda: phases() | ended == phases()))
    for name in (done, bad):
        cluster.kubectl("delete", "job", name, "--cascade=background")

    module, name = path.rsplit(".", 1)
    payload = watch(getattr(importlib.import_module(module), name)(**fields))
    assert payload["progress"] == {"succeeded": sorted([done, slow]), "failed": [bad], "waiting": []}
    last = store.last_seen(cluster.namespace, [bad])[bad]
    assert ("oom_killed" in last.reasons, last.exit_code) == (True, 137)


def test_progress_that_cannot_be_written_ends_no_wait(cluster, tmp_path, capsys):
    good = create(cluster, "good", outcome="succeed", seconds=1)
    session_of(cluster, tmp_path, good)
    file = tmp_path / cluster.namespace / f"{cluster.tag}.json"
    (tmp_path / ".lock").unlink()
    (tmp_path / ".lock").mkdir()  # what a volume that fails comes to
    payload = watch(trigger(cluster, good, sessions_dir=str(tmp_path)))
    assert payload["progress"]["succeeded"] == [good]
    assert "the session's progress is not on the health page" in capsys.readouterr().out
    assert "UNSEEN" in file.read_text()


def test_a_trigger_of_an_earlier_version_goes_on_waiting(cluster):
    """What the triggerer's database holds from before has no sessions_dir."""
    path, fields = trigger(cluster, "a").serialize()
    fields.pop("sessions_dir")
    assert JobsEndedTrigger(**fields).serialize() == (path, fields | {"sessions_dir": None})


def test_a_user_without_rights_is_refused_at_once(cluster):
    payload = watch(trigger(cluster, "a", kubeconfig=str(cluster.nobody_kubeconfig)))
    assert payload["retryable"] is False
    assert "jobs" in payload["error"]
    assert cluster.namespace in payload["error"]


def test_a_connection_that_nobody_defined_is_an_event_too(cluster):
    payload = watch(trigger(cluster, "a", kubeconfig=None, kubernetes_conn_id="nobodys"))
    assert payload["error"].startswith("connection 'nobodys' is not defined")


def test_an_api_server_that_restarts_is_waited_for(sandbox, tmp_path, caplog):
    """The port opens again only after the trigger has noticed that it is closed, and the Job starts after that."""
    sandbox.set_scenario([{"match": "*", "outcome": "succeed", "seconds": 0.2}])
    cluster = Cluster("sandbox", sandbox.kubeconfig, "trading-bots", sandbox)
    name = cluster.job("x")
    store = session_of(cluster, tmp_path, name)
    manifest = job_manifest(name, parallelism=0)
    manifest["metadata"]["labels"]["session_id"] = cluster.tag

    async def restart_while_it_waits(http):
        waiting = asyncio.create_task(payloads(trigger(cluster, name, sessions_dir=str(tmp_path))))
        await until(lambda: store.read(cluster.namespace, cluster.tag).jobs[0].phase != "UNSEEN")
        await asyncio.to_thread(sandbox.pause)
        await until(lambda: "was cut off and goes on by itself" in caplog.text)
        assert not waiting.done()
        await asyncio.to_thread(sandbox.resume)
        start = {"spec": {"parallelism": 1}}
        await asyncio.to_thread(http.patch, jobs_path(cluster, name), json=start, headers=MERGE)
        return await waiting

    with cluster.client() as http:
        http.post(jobs_path(cluster), json=manifest).raise_for_status()
        (payload,) = asyncio.run(restart_while_it_waits(http))
    assert payload["progress"] == {"succeeded": [name], "failed": [], "waiting": []}
