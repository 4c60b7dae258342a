"""Whatever has become of a file on the shared volume, its readers give what is left, or an error of ours."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydantic_core
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.odd_values import ODD, changed, places
from tests.profiles import examples
from tests.web.recordings import DAG_ID, NAMESPACE, RUN_ID, SELECTOR, SESSION, ago, record_a_run

from k8s_tuning import plain_values, timestamps
from k8s_tuning.alerts import AlertingConfig, Ledger, deliver_notice, observe_target, plan_notices
from k8s_tuning.alerts.channels import ChannelConfig
from k8s_tuning.cli import main
from k8s_tuning.errors import InputError, TuningError
from k8s_tuning.metrics.collector import render
from k8s_tuning.operators.stage import from_xcom
from k8s_tuning.queries.overview import HealthQueries
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot, K8sJobHealth
from k8s_tuning.stages.history.store import (
    K8sHealthHistoryStore,
    RetentionPolicy,
    generate_history_summary_text,
    generate_history_text,
)
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunRecord, K8sPipelineRunStore
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.storage import tail

CONSOLE = AlertingConfig.single(ChannelConfig("console", "console"))
KINDS = ["health.jsonl", "alerts-ledger.jsonl", "runs.jsonl", "sessions", "looks"]
WHOLE = [b"", b"null\n", b"[]\n", b"{}\n", b"\0" * 50, b"[" * 100_000, b"9" * 5000, b'"\\ud800"\n', b"\xef\xbb\xbf{}\n"]


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """What is skipped is logged, a line each; here that is thousands."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a run left everything."""
    folder = tmp_path_factory.mktemp("recorded")
    record_a_run(folder)
    run = K8sPipelineRunRecord(ago(1), f"{DAG_ID}/{RUN_ID}", "apply", 2, HealthLevel.ERROR, {"monitor": 1.5})
    K8sPipelineRunStore(folder / "runs.jsonl").append(run)
    return folder


def readers(folder: Path) -> dict[str, Callable[[], Any]]:
    """All that reads them: the pages, the metrics, the commands, the tasks."""
    queries, since, until = HealthQueries(folder, folder / "targets.yaml"), time.time() - 7200, time.time()
    history, ledger = K8sHealthHistoryStore(folder / "health.jsonl"), Ledger(folder / "alerts-ledger.jsonl")
    sessions, target, now = SessionStore(folder / "sessions"), (NAMESPACE, SELECTOR), timestamps.now()

    def alerts() -> list[Any]:
        return [queries.ledger.alert(row.ref) for row in queries.ledger.alerts().items]

    def plan() -> None:
        found = observe_target(history, *target, [], now, target="x")
        for notice in plan_notices(CONSOLE, [found], ledger, now, "run-2", dry_run=True):
            deliver_notice(CONSOLE, notice, lambda _: pytest.fail("nothing is sent"), ledger)

    return {
        "overview": lambda: queries.overview(7200),
        "series": lambda: queries.target(*target).series(since, until),
        "incidents": lambda: queries.target(*target).incidents(since, until),
        "records": lambda: queries.target(*target).records(since, until),
        "jobs": lambda: queries.target(*target).jobs(),
        "sessions": queries.sessions,
        "session": lambda: queries.session(NAMESPACE, SESSION),
        "alerts": alerts,
        "run": lambda: queries.run(DAG_ID, RUN_ID),
        "metrics": lambda: render(*(str(folder / name) for name in KINDS[:3])).decode(),
        "history": lambda: generate_history_text(history.load_recent(5)),
        "summary": lambda: generate_history_summary_text(history.summarize()),
        "targets": history.targets,
        "last seen": lambda: list(sessions.last_seen(NAMESPACE, ["demo-worker-1"]).values()),
        "runs": K8sPipelineRunStore(folder / "runs.jsonl").recent,
        "plan": plan,
        "prune": lambda: (ledger.prune(3, now), history.prune(RetentionPolicy(), now), sessions.prune(3, now)),
    }


def damaged(path: Path, data: Any) -> bytes:
    whole = path.read_bytes()
    how = data.draw(st.sampled_from(["value", "value", "value", "bytes", "whole"]))
    if how == "whole":
        return data.draw(st.sampled_from(WHOLE))
    if how == "bytes":
        start = data.draw(st.integers(0, len(whole)))
        return whole[:start] + data.draw(st.binary(max_size=8)) + whole[start + data.draw(st.integers(0, 20)) :]
    lines = whole.splitlines() if path.suffix == ".jsonl" else [whole]
    at = data.draw(st.integers(0, len(lines) - 1))
    held = json.loads(lines[at])
    odd = changed(held, data.draw(st.sampled_from(list(places(held)))), data.draw(st.sampled_from(ODD)))
    lines[at] = json.dumps(odd, ensure_ascii=data.draw(st.booleans())).encode()
    return b"\n".join(lines) + b"\n"


@settings(max_examples=examples(40))
@given(data=st.data())
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_as_far_as_it_goes_or_named(kind: str, data: Any, recorded: Path) -> None:
    folder = recorded.with_name("copy")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(recorded, folder)
    path = folder / kind
    if path.is_dir():
        path = next(file for file in sorted(path.rglob("*.json")) if file.is_file())
    path.write_bytes(damaged(path, data))
    for name, read in readers(folder).items():
        said = str(folder)
        try:
            pydantic_core.to_json(plain_values.dump(read()))
        except TuningError as error:
            said = str(error)
        assert str(folder) in said, name
        assert "is being rewritten" not in said
        assert "\n" not in said


@settings(max_examples=examples(60))
@given(data=st.data())
def test_a_damaged_handover_is_refused_with_what_to_clear(data: Any, recorded: Path) -> None:
    job = K8sJobHealth("j", "n", "FAILED", 0, 1, 0, HealthLevel.ERROR, ["oom_killed"], {"a": "b"}, "cause", 137)
    path = recorded.with_name("handover.json")
    path.write_text(json.dumps(plain_values.dump(K8sHealthSnapshot("n", "a=b", [job], [], HealthLevel.ERROR, ago(1)))))
    path.write_bytes(damaged(path, data))
    with contextlib.suppress(InputError):
        from_xcom(K8sHealthSnapshot, {"file": str(path)})


@pytest.mark.parametrize(
    "given", [1, "x", [], [1], {"file": 3}, {"file": None}, {"file": "\0"}, {"x": 1}, True], ids=repr
)
def test_what_an_earlier_task_never_gave_is_refused(given: Any) -> None:
    with pytest.raises(InputError):
        from_xcom(K8sHealthSnapshot, given)


ARGUMENTS = ["\udcff", "한글 🚀", "", "-", "/dev/null", "/dev/full", "/", "a" * 5000, "\x1b[2J"]


@pytest.mark.parametrize("odd", ARGUMENTS, ids=[ascii(odd)[:12] for odd in ARGUMENTS])
@pytest.mark.parametrize(
    "command",
    [
        "history --history-file=ODD",
        "history --history-file=health.jsonl --namespace=ODD",
        "history --history-file=health.jsonl --output-json=ODD",
        "validate --jobs-dir=ODD",
        "validate --jobs-dir=. --output-plan=ODD",
        "generate --config=ODD --output-dir=jobs",
        "generate --config=SESSION --output-dir=ODD",
        "apply --jobs-dir=ODD --kubeconfig=none",
        "health --namespace=ODD --kubeconfig=none",
        "health --label-selector=ODD --kubeconfig=none",
        "health --kubeconfig=ODD",
        "health --kubeconfig=none --context=ODD",
        "health --kubeconfig=none --policy=ODD",
        "record --kubeconfig=none --history-file=ODD",
        "run --jobs-dir=ODD --history-file=health.jsonl --kubeconfig=none",
        "alert --history-file=ODD --events-limit=0",
        "alert --history-file=health.jsonl --events-limit=0 --config=ODD",
        "alert --history-file=health.jsonl --events-limit=0 --webhook-url=ODD --channel=slack_webhook",
        "metrics --history-file=ODD",
        "metrics --history-file=health.jsonl --listen=ODD:0",
        "doctor volume --history-dir=ODD",
        "doctor volume --history-dir=history --host=ODD",
        "doctor volume --history-dir=history --hold=ODD",
    ],
)
def test_an_odd_argument_is_refused_or_taken_for_what_it_is(
    command: str, odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    K8sHealthHistoryStore("health.jsonl").append(K8sHealthSnapshot("n", "a=b", [], [], HealthLevel.OK, ago(1)))
    session = str(Path(__file__).parents[1] / "include/configs/d29-k8s-demo-session.yaml")
    words = [word.replace("ODD", odd).replace("SESSION", session) for word in command.split()]
    with contextlib.suppress(SystemExit):
        assert main(words) in (0, 1, 2, 3)
    said = capsys.readouterr()
    assert "did not foresee" not in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("seconds", ["nan", "inf", "-inf", "-1", "1e300"])
def test_odd_numbers_of_seconds_are_refused(seconds: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="3"):
        main(["doctor", "volume", f"--history-dir={tmp_path}", f"--hold={seconds}"])


@settings(max_examples=examples(60))
@given(data=st.data())
def test_a_damaged_checkpoint_costs_no_more_than_reading_anew(data: Any, recorded: Path) -> None:
    folder = recorded.with_name("checkpoints")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(recorded, folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tail, "_WORTH_SAVING_BYTES", 0)
        Ledger(folder / "alerts-ledger.jsonl").state()
    path = folder / "alerts-ledger.jsonl.state"
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:start] + data.draw(st.binary(max_size=8)) + whole[start + data.draw(st.integers(0, 9)) :])
    for read in readers(folder).values():
        read()


@pytest.mark.parametrize("content", WHOLE, ids=[str(content[:12]) for content in WHOLE])
def test_a_volume_whose_own_files_are_damaged_is_checked_all_the_same(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    words = ["doctor", "volume", f"--history-dir={folder}", "--host=one"]
    assert main(words) in (0, 1)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.write_bytes(content)
    assert main(words) in (0, 1, 3)
    assert main(words) in (0, 1, 3)
