"""`make demo`, as a newcomer starts it: the first command of the README."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.airflow_runs import ROOT

pytestmark = pytest.mark.airflow


def test_the_demo_runs_dry_and_then_for_real_and_shows_the_incident() -> None:
    """On the sandbox, whatever cluster this machine has at hand."""
    env = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "APPLY")}
    demo = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py")],
        env=env, capture_output=True, encoding="utf-8", timeout=280, check=False,
    )  # fmt: skip
    assert demo.returncode == 0, demo.stdout + demo.stderr
    dry, real = demo.stdout.split("2. For real")
    assert "Applied Jobs:     0" in dry
    assert "Applied Jobs:     2" in real
    assert "Exit code:        2 (health is ERROR" in real
    assert "  | " in real.partition("as the console channel was sent it")[2]
    assert "Traceback" not in demo.stdout + demo.stderr
