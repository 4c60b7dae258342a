"""Names of Jobs, and the hash of their specs."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.generate.sessions import session

from k8s_tuning import kubernetes_names as names
from k8s_tuning.stages.generate.jobs import (
    build_k8s_jobs_from_orchestrator,
)
from k8s_tuning.stages.job_identity import job_name

CREATED = "2025-11-16T10:00:00Z"


LABEL_TEXT = st.from_regex(r"\A[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")


@given(LABEL_TEXT, LABEL_TEXT, st.integers(0, 99_999))
def test_a_job_name_is_always_a_dns_label_that_fits(session_id, worker_id, index):
    name = job_name(session_id, worker_id, index)
    assert names.dns_label_problem(name) is None
    assert name.startswith("arb-tuning-")
    assert name.endswith(f"-{index}")
    assert "--" not in name


@given(st.lists(LABEL_TEXT, min_size=2, max_size=2, unique=True), st.text("ab-", max_size=40))
def test_two_sessions_never_share_a_name(ids, prefix):
    """Above all not two that begin alike or differ only in capitals and punctuation."""
    first, second = (f"{prefix.strip('-')}{text}" for text in ids)
    assert job_name(first, "worker-1", 0) != job_name(second, "worker-1", 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("d29-k8s-demo-session", "d29-k8s-other-session"),
        ("a.b", "a-b"),
        ("Session", "session"),
        ("a-very-long-session-name-of-monday", "a-very-long-session-name-of-tuesday"),
    ],
)
def test_sessions_that_look_alike_stay_apart(first, second):
    assert job_name(first, "worker-1", 0) != job_name(second, "worker-1", 0)


def test_a_session_named_like_anothers_short_form_stays_apart():
    long = "a-very-long-session-name-of-monday"
    short = job_name(long, "worker-1", 0).removeprefix("arb-tuning-").removesuffix("-worker-1-0")
    assert job_name(short, "worker-1", 0) != job_name(long, "worker-1", 0)


def test_a_short_session_id_is_readable_in_the_name():
    assert job_name("d29-k8s-demo-session", "worker-1", 0) == "arb-tuning-d29-k8s-demo-session-worker-1-0"


@given(st.integers(1, 60), st.integers(1, 60))
def test_names_are_unique_within_a_session(total, workers):
    jobs = build_k8s_jobs_from_orchestrator(session(total_iterations=total, workers=workers))
    assert not [name for name, count in Counter(job.name for job in jobs).items() if count > 1]
    assert len(jobs) == min(total, workers)


def test_the_hash_knows_the_spec_and_neither_the_time_nor_the_run():
    def hashes(config, **keywords):
        jobs = build_k8s_jobs_from_orchestrator(config, **keywords)
        return [job.annotations["k8s-tuning.io/spec-hash"] for job in jobs]

    assert hashes(session(), created_at=CREATED, run_id="a") == hashes(session(), created_at="2026-01-01T00:00:00Z")
    assert hashes(session()) != hashes(session(image="registry.example/arbitrage-lite:1.0.1"))
    assert len(set(hashes(session()))) == 2
