"""The pages over HTTP: `get` asks them, `queries` or `filled_queries` is what they ask."""

import json
import socket
import threading
import time
from types import SimpleNamespace

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.web.filled_models import FilledQueries
from tests.web.html_page import NAMESPACE, SELECTOR

from k8s_tuning.errors import InputError
from k8s_tuning.queries.overview import HealthQueries
from k8s_tuning.web import pages, rendering
from k8s_tuning.web.assets import Assets


@pytest.fixture(scope="module")
def server():
    """The pages below a base path, as Airflow mounts them; `server.queries` is what they ask."""
    inner = FastAPI()
    inner.include_router(pages.router)
    inner.mount("/static", Assets())
    inner.add_exception_handler(InputError, lambda request, error: rendering.problem(request, 422, str(error)))
    listener = socket.create_server(("127.0.0.1", 0))
    outer = Starlette(routes=[Mount("/base/k8s-tuning", inner)])
    running = uvicorn.Server(uvicorn.Config(outer, log_level="error"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield SimpleNamespace(address=f"http://127.0.0.1:{listener.getsockname()[1]}/base/k8s-tuning/", state=inner.state)
    running.should_exit = True
    thread.join()


@pytest.fixture
def queries(server, tmp_path):
    """The real queries over an empty folder, and a targets.yaml with one target."""
    targets = tmp_path / "targets.yaml"
    one = {"name": "arbitrage", "namespace": NAMESPACE, "label_selector": SELECTOR}
    targets.write_text(json.dumps({"targets": [one]}), encoding="utf-8")
    server.state.queries = HealthQueries(tmp_path / "history", targets)
    return server.state.queries


@pytest.fixture
def filled_queries(server):
    server.state.queries = FilledQueries()


@pytest.fixture
def get(server):
    def get(path, language="en", status=200):
        answer = httpx.get(server.address + path, headers={"Accept-Language": language})
        assert answer.status_code == status, answer.text
        return answer

    return get
