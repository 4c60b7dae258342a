"""What Airflow mounts: cheap to import, and no way past the gate."""

import asyncio
import subprocess
import sys

from k8s_tuning.web.entry import app


def test_importing_it_costs_a_task_process_nothing():
    """Every task's process loads the plugin; only the API server is ever asked."""
    heavy = {"fastapi", "starlette", "jinja2", "numpy", "pydantic", "prometheus_client", "airflow"}
    code = "import sys, k8s_tuning.web.entry; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())


def test_a_websocket_is_closed():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(app({"type": "websocket", "path": "/k8s-tuning/", "root_path": "/k8s-tuning"}, None, send))
    assert sent == [{"type": "websocket.close"}]
