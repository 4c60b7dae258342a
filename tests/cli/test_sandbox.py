"""`k8s-tuning sandbox`: starts, says what to type, serves, and stops on a signal."""

import os
import shlex
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clusters import Cluster

from k8s_tuning.cli import main

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "import sys; from k8s_tuning.cli import main; sys.exit(main())", "sandbox"]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_and_leaves_nothing_behind(tmp_path: Path, sign: signal.Signals) -> None:
    kubeconfig, scenario = tmp_path / "deep er" / "kubeconfig", tmp_path / "scenario.yaml"
    scenario.write_text("outcomes: [{match: '*', outcome: oom}]")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "--kubeconfig", str(kubeconfig), "--scenario", str(scenario), "--namespace", "mine"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        assert process.stdout is not None
        said = "".join(process.stdout.readline() for _ in range(7))
        assert f"export KUBECONFIG={shlex.quote(str(kubeconfig))}" in said
        assert "kubectl get jobs -A" in said
        assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
        with Cluster("sandbox", kubeconfig, "trading-bots").client() as http:
            names = {item["metadata"]["name"] for item in http.get("/api/v1/namespaces").json()["items"]}
        assert names == {"default", "kube-system", "trading-bots", "mine"}
    finally:
        process.send_signal(sign)
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("flags", "minor"), [([], "36"), (["--dialect", "1.20"], "20")], ids=["default", "1.20"])
def test_it_speaks_todays_dialect_unless_asked_for_the_older(tmp_path: Path, flags: list[str], minor: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    command = [*COMMAND, "--kubeconfig", str(kubeconfig), "--backoff-seconds", "1", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert f"sandbox v1.{minor}." in process.stdout.readline()
        for _ in range(6):
            process.stdout.readline()
        with Cluster("sandbox", kubeconfig, "trading-bots").client() as http:
            assert http.get("/version").json()["minor"] == minor
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--port", "x"], "'x' is not a port"),
        (["--port", "70000"], "'70000' is not a port"),
        (["--scenario", "/nothing/here.yaml"], "no such scenario file"),
        (["--namespace", "Bad_Name"], "Bad_Name"),
        (["--dialect", "1.19"], "unknown dialect '1.19'; known are 1.20, 1.36"),
        (["--backoff-seconds", "-1"], "'-1' is no time; give seconds from 0 to 3600"),
        (["--backoff-seconds", "nan"], "'nan' is no time"),
    ],
)
def test_bad_flags_end_with_code_3_and_one_line(flags: list[str], says: str) -> None:
    done = subprocess.run([*COMMAND, *flags], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "k8s_tuning_sandbox", None)
    assert main(["sandbox"]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "k8s-tuning sandbox: the sandbox is not installed" in said
    assert "pip install 'k8s-tuning[sandbox]'" in said
