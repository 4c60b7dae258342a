"""What the wheels hold, and what a person has who installs them into an empty environment."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.packaging.environments import ROOT, Environment, metadata_of

pytestmark = pytest.mark.slow

IMPORT_ALL = """
import importlib.util, pathlib, sys
site = pathlib.Path(importlib.util.find_spec("k8s_tuning").origin).parents[1]
failed = []
for path in sorted(site.glob("k8s_tuning*/**/*.py")):
    parts = path.relative_to(site).with_suffix("").parts
    if parts[1] in sys.argv[1:]:
        continue
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed.append(f"{name}: {error}")
print("\\n".join(failed))
"""
NEED_AIRFLOW = ("operators", "hooks", "triggers", "notifications", "web", "queries", "project")


def names(wheels: Path, start: str) -> list[str]:
    with ZipFile(next(wheels.glob(f"{start}-*.whl"))) as archive:
        return archive.namelist()


def test_each_wheel_has_its_own_packages_alone(wheels: Path) -> None:
    assert {name.split("/")[0].split("-")[0] for name in names(wheels, "k8s_tuning")} == {"k8s_tuning"}
    assert {name.split("/")[0].split("-")[0] for name in names(wheels, "k8s_tuning_sandbox")} == {"k8s_tuning_sandbox"}


def test_the_wheel_has_every_file_of_the_package(wheels: Path) -> None:
    listed = subprocess.check_output(["git", "ls-files", "plugins/k8s_tuning"], cwd=ROOT, text=True).splitlines()
    assert set(names(wheels, "k8s_tuning")) >= {path.removeprefix("plugins/") for path in listed}


def test_the_licences_are_in_the_wheels(wheels: Path) -> None:
    main, sandbox = (metadata_of(next(wheels.glob(f"{name}-*.whl"))) for name in ("k8s_tuning", "k8s_tuning_sandbox"))
    assert main["License-Expression"] == sandbox["License-Expression"] == "Apache-2.0"
    assert {"LICENSE", "NOTICE"} <= set(main.get_all("License-File", []))
    assert sandbox.get_all("License-File") == ["LICENSE"]


def test_every_module_that_needs_no_airflow_is_imported_with_what_is_declared(plain: Environment) -> None:
    done = plain.run("python", "-c", IMPORT_ALL, *NEED_AIRFLOW)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_command_generates_and_validates_what_init_laid_out(plain: Environment) -> None:
    for command, said in (
        ("init project", "dags/k8s_tuning_pipeline.py: created"),
        ("generate --config project/include/configs/d29-k8s-demo-session.yaml --output-dir jobs", "worker-2"),
        ("validate --jobs-dir jobs", "arb-tuning-d29-k8s-demo-session-worker-1-0"),
    ):
        done = plain.run("k8s-tuning", *command.split())
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    laid = plain.home / "project"
    assert (laid / "dags/k8s_health_monitor.py").read_bytes() == (ROOT / "dags/k8s_health_monitor.py").read_bytes()


def test_without_the_sandbox_it_says_what_to_install(plain: Environment) -> None:
    done = plain.run("k8s-tuning", "sandbox")
    assert done.returncode == 3
    assert "pip install 'k8s-tuning[sandbox]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_history_is_in_airflows_home_unless_it_is_named(plain: Environment) -> None:
    done = plain.run("k8s-tuning", "doctor", "volume", AIRFLOW_HOME=str(plain.home / "airflow"))
    assert str(plain.home / "airflow/history") in done.stdout, done.stderr


def test_with_the_sandbox_the_command_does_its_work(with_sandbox: Environment) -> None:
    """From a manifest to the dry run of an alert, on Jobs of which one fails."""
    home = with_sandbox.home

    def command(words: str) -> subprocess.CompletedProcess[str]:
        return with_sandbox.run("k8s-tuning", *words.split(), KUBECONFIG=str(home / "kubeconfig"))

    (home / "scenario.yaml").write_text("outcomes: [{match: '*worker-2*', outcome: fail, seconds: 0.1}]")
    serve = ["sandbox", "--scenario", "scenario.yaml", "--kubeconfig", "kubeconfig"]
    process = subprocess.Popen([with_sandbox.folder / "bin/k8s-tuning", *serve], cwd=home, stdout=subprocess.PIPE)
    try:
        until = time.monotonic() + 60
        while not (home / "kubeconfig").exists() and time.monotonic() < until:
            time.sleep(0.1)
        assert command("init .").returncode == 0
        session = command("generate --config include/configs/d29-k8s-demo-session.yaml --output-dir jobs")
        assert session.returncode == 0, session.stderr
        applied = command("apply --jobs-dir jobs --apply --config include/configs/apply.yaml")
        assert applied.returncode == 0, applied.stderr
        while command("health -n trading-bots").returncode != 2 and time.monotonic() < until:
            time.sleep(0.1)
        record = command("record -n trading-bots --history-file history.jsonl")
        assert record.returncode == 2, record.stderr
        alert = command("alert --history-file history.jsonl --ledger-file ledger.jsonl")
        assert alert.returncode == 0, alert.stderr
        assert "CRITICAL" in alert.stdout
        metrics = command("metrics --history-file history.jsonl --ledger-file ledger.jsonl")
        assert "k8s_tuning_" in metrics.stdout, metrics.stderr
    finally:
        process.terminate()
        process.communicate(timeout=20)
