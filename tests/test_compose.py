"""docker-compose.yaml is valid Compose, holds no secret, and names only files and services that are there."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROFILES = {
    None: {
        "postgres",
        "airflow-init",
        "airflow-apiserver",
        "airflow-scheduler",
        "airflow-dag-processor",
        "airflow-triggerer",
    },
    "celery": {"redis", "airflow-worker"},
    "monitoring": {"prometheus", "alertmanager"},
    "cluster": {"k3s", "k3s-kubeconfig"},
}
AIRFLOW = [name for name, service in SERVICES.items() if service.get("image", "").startswith("k8s-tuning-airflow")]


@cache
def _environment() -> dict[str, str]:
    """A complete .env, as make_env.py writes it."""
    spec = importlib.util.spec_from_file_location("make_env", ROOT / "include/compose/make_env.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(line.split("=", 1) for line in module.complete("MINE=kept\n").splitlines())


def test_it_is_valid_by_the_compose_specification() -> None:
    """The schema of compose-spec, as the check-jsonschema package carries it."""
    vendored = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(vendored.read_text()))


def test_docker_compose_reads_it_with_every_profile(tmp_path: Path) -> None:
    """The real parser, where it is installed."""
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is missing: docs.docker.com/compose/install")
    (env := tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in _environment().items()))
    command = ["docker", "compose", "--env-file", str(env), "--profile", "*", "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_each_profile_has_its_services() -> None:
    """Airflow and its database always; the rest on demand."""
    found: dict[str | None, set[str]] = {}
    for name, service in SERVICES.items():
        for profile in service.get("profiles", [None]):
            found.setdefault(profile, set()).add(name)
    assert found == PROFILES


def test_every_mounted_file_exists_and_every_volume_and_secret_is_declared() -> None:
    """A file that is not there would be made a folder by Docker, and the service would fail oddly."""
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-(\w+)\}", r"\1", volume).split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name} mounts {source}"
            else:
                assert source in COMPOSE["volumes"], f"{name} mounts {source}"
        for secret in service.get("secrets", []):
            assert (secret if isinstance(secret, str) else secret["source"]) in COMPOSE["secrets"]


def test_dependencies_exist_and_are_waited_for_as_they_can_be() -> None:
    """A service that is waited for to be healthy has a health check, and is in the profile of who waits."""
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert set(SERVICES[other].get("profiles", [])) <= set(service.get("profiles", [])), (
                f"{name} waits for {other}"
            )
            assert how["condition"] in ("service_healthy", "service_completed_successfully")
            assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]


def test_airflow_mounts_the_code_and_one_history_at_one_path() -> None:
    """dags/, plugins/, include/ and the history, the same in every Airflow service; the code is read-only."""
    assert len(AIRFLOW) == 6
    for name in AIRFLOW:
        volumes = SERVICES[name]["volumes"]
        for folder in ("dags", "plugins", "include"):
            assert f"./{folder}:/opt/airflow/{folder}:ro" in volumes
        assert "history:/opt/airflow/history" in volumes


def test_the_image_is_the_airflow_that_requirements_pin() -> None:
    """The tag and the pin move together; the image is built with the package's requirements."""
    pin = re.search(r"^apache-airflow==(.*)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pin
    build = SERVICES["airflow-scheduler"]["build"]["dockerfile_inline"]
    assert f"FROM apache/airflow:{pin[1]}-python3.11" in build
    assert "-r /requirements.txt" in build


def test_no_secret_stands_in_the_file() -> None:
    """Every secret is a variable without a default, which make_env.py fills in at random."""
    required = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert {"POSTGRES_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "K8S_TUNING_METRICS_TOKEN"} <= required
    for name in ("PASSWORD", "SECRET", "TOKEN", "KEY"):
        for value in re.findall(rf"{name}: (.+)", TEXT):
            assert value.startswith("${") or value == "K8S_TUNING_METRICS_TOKEN", value
    written = _environment()
    assert required | {secret["environment"] for secret in COMPOSE["secrets"].values()} <= set(written)
    assert written["MINE"] == "kept"


def test_ports_are_published_on_loopback_alone() -> None:
    """Nothing is open to the network that the machine is in."""
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} publishes {port}"


def test_make_env_writes_a_private_file_and_keeps_what_is_there(tmp_path: Path) -> None:
    """Run as the comment says: mode 0600, random values, and a second run changes nothing."""
    script = tmp_path / "include/compose/make_env.py"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / "include/compose/make_env.py", script)
    env = tmp_path / ".env"
    env.write_text("SLACK_ALERTS_URL=mine\n")
    subprocess.run([sys.executable, script], check=True, capture_output=True)
    first = env.read_text()
    assert first.startswith("SLACK_ALERTS_URL=mine\n")
    assert first.count("SLACK_ALERTS_URL=") == 1
    assert env.stat().st_mode & 0o777 == 0o600
    subprocess.run([sys.executable, script], check=True, capture_output=True)
    assert env.read_text() == first


@pytest.mark.servers
def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    """With the rules that it mounts, and the token file of the endpoint."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is missing: apt-get install prometheus")
    folder = ROOT / "include/compose/prometheus"
    (tmp_path / "token").write_text("x")
    text = (folder / "prometheus.yaml").read_text()
    text = text.replace("/etc/prometheus", str(folder)).replace("/run/secrets/metrics-token", str(tmp_path / "token"))
    (tmp_path / "prometheus.yaml").write_text(text)
    done = subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "rules found" in done.stdout


def test_prometheus_asks_for_the_path_and_token_that_the_plugin_serves() -> None:
    """The route of the plugin, the service's name and port, the metrics' own namespace kept."""
    config = yaml.safe_load((ROOT / "include/compose/prometheus/prometheus.yaml").read_text())
    job = next(job for job in config["scrape_configs"] if job["job_name"] == "k8s-tuning")
    assert (job["metrics_path"], job["honor_labels"]) == ("/k8s-tuning/metrics", True)
    assert job["static_configs"][0]["targets"] == ["airflow-apiserver:8080"]
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics-token"


def test_the_checkout_is_an_astro_project() -> None:
    """The files that the Astro CLI looks for."""
    for name in (
        "dags",
        "plugins",
        "include",
        "tests",
        "Dockerfile",
        "packages.txt",
        "requirements.txt",
        ".astro/config.yaml",
    ):
        assert (ROOT / name).exists(), name
    assert re.search(r"^FROM \S*runtime:3\.3-", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
