"""The metrics route, over real HTTP."""

import socket
import threading
import time

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from k8s_tuning import timestamps
from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.web.metrics import app


@pytest.fixture
def address(tmp_path, monkeypatch):
    """The route under the prefix that the plugin gives it, on a free port."""
    monkeypatch.setenv("K8S_TUNING_METRICS_TOKEN", "let-prometheus-in")
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[Mount("/k8s-tuning", app)]), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/k8s-tuning"
    server.should_exit = True
    thread.join()


TOKEN = {"Authorization": "Bearer let-prometheus-in"}


def test_prometheus_reads_the_history_with_its_token(address, tmp_path):
    snapshot = K8sHealthSnapshot("trading-bots", "app=튜닝", [], [], HealthLevel.OK, timestamps.now())
    K8sHealthHistoryStore(tmp_path / "health.jsonl").append(snapshot)
    answer = httpx.get(f"{address}/metrics", headers=TOKEN)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'selector="app=튜닝"' in answer.text


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "let-prometheus-in"}, {"Cookie": "_token=x"}],
    ids=["none", "wrong", "no scheme", "a cookie"],
)
def test_nobody_reads_them_without_the_token(address, headers):
    assert httpx.get(f"{address}/metrics", headers=headers).status_code == 401


def test_nobody_reads_them_while_no_token_is_set(address, monkeypatch):
    monkeypatch.delenv("K8S_TUNING_METRICS_TOKEN")
    assert httpx.get(f"{address}/metrics", headers={"Authorization": "Bearer x"}).status_code == 401


def test_they_are_only_read(address):
    assert httpx.post(f"{address}/metrics", headers=TOKEN).status_code == 405


def test_an_empty_history_is_metrics_without_targets(address):
    answer = httpx.get(f"{address}/metrics", headers=TOKEN)
    assert answer.status_code == 200
    assert "k8s_tuning_target_health{" not in answer.text
