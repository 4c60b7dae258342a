"""`make up`, as somebody starts it who sits before a screen."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from tests.airflow_runs import ROOT

pytestmark = pytest.mark.airflow
START_SECONDS = 240


def test_it_opens_a_browser_on_the_health_page_and_stops_all_of_it_on_ctrl_c(tmp_path: Path) -> None:
    opened, said = tmp_path / "opened", bytearray()
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" >{opened}.part && mv {opened}.part {opened}\n', encoding="utf-8")
    browser.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "CI")}
    env |= {"PORT": str(port), "BROWSER": f"{browser} %s", "DISPLAY": ":none", "PYTHONUNBUFFERED": "1"}
    ours, theirs = pty.openpty()

    def read() -> None:
        # A terminal whose other end is closed answers with an error on Linux.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 4096):
                said.extend(part)

    up = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "up.py")], env=env, stdout=theirs, stderr=theirs,
        # A shell that starts the tests in the background has them ignore Ctrl-C, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    os.close(theirs)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not opened.exists() and up.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        page = f"http://127.0.0.1:{port}/plugin/k8s-tuning"
        assert opened.exists(), said.decode()
        assert opened.read_text() == page
        assert httpx.get(page).status_code == 200
        assert httpx.get(f"http://127.0.0.1:{port}/k8s-tuning/").status_code == 401
    finally:
        up.send_signal(signal.SIGINT)
        try:
            code = up.wait(60)
        except subprocess.TimeoutExpired:
            up.terminate()
            raise
        reader.join(10)
        os.close(ours)
    text = said.decode()
    assert (code, "Traceback" in text) == (0, False), text
    assert text.index("Health page") < text.index("Logins")
    assert "Stopped." in text
    with pytest.raises(httpx.ConnectError):
        httpx.get(page)
