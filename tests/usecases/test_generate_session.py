"""D29 for every face: whose session it is, and where its Jobs may go."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.airflow_runs import ROOT

from k8s_tuning.errors import ConfigError, InputError
from k8s_tuning.usecases.generate_session import generate_session, namespace_of

SESSION = ROOT / "include/configs/d29-k8s-demo-session.yaml"
STARTED = datetime(2025, 11, 16, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "session_id"),
    [
        ({}, "d29-k8s-demo-session"),
        ({"session_id": "mine"}, "mine"),
        ({"started_at": STARTED}, "d29-k8s-demo-session-20251116-100000"),
        ({"session_id": "mine", "started_at": STARTED}, "mine"),
    ],
    ids=["the file's", "the caller's", "one of its own a run", "the caller's before one of its own"],
)
def test_whose_session_it_is(options: dict, session_id: str, tmp_path: Path) -> None:
    done = generate_session(SESSION, tmp_path, **options)
    assert (done.session_id, done.total_jobs, len(list(tmp_path.glob("job-*.yaml")))) == (session_id, 2, 2)


def test_another_namespace_than_the_files_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--namespace is 'elsewhere', but .* says k8s_namespace: trading-bots"):
        generate_session(SESSION, tmp_path / "jobs", namespace="elsewhere", namespace_param="--namespace")
    assert not (tmp_path / "jobs").exists()


@pytest.mark.parametrize("session_id", ["", "no label!"])
def test_a_session_id_that_cannot_be_one_is_the_callers_fault_not_the_files(session_id: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^session_id: "):
        generate_session(SESSION, tmp_path, session_id=session_id)


@pytest.mark.parametrize(
    ("source", "asked", "namespace"),
    [
        (SESSION, None, "trading-bots"),
        (None, None, "fallback"),
        (None, "asked", "asked"),
        ("no-such-file.yaml", "asked", "asked"),
    ],
    ids=["the session's", "neither", "asked for", "a file that cannot be read"],
)
def test_where_a_runs_jobs_go(source: str | Path | None, asked: str | None, namespace: str) -> None:
    assert namespace_of(source, asked, "--namespace", "fallback") == namespace


def test_a_namespace_that_differs_from_the_sessions_is_refused() -> None:
    with pytest.raises(InputError, match="--namespace is 'elsewhere'"):
        namespace_of(SESSION, "elsewhere", "--namespace", "fallback")
