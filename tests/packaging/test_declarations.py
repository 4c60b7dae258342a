"""What pyproject.toml says is true of the code, of the pins, and of what is deployed."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SANDBOX = tomllib.loads((ROOT / "sandbox/pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
NEED_AIRFLOW = {"operators", "hooks", "triggers", "notifications", "web", "queries"}
# They bring types of connections and the storage of XComs; no module of theirs is imported.
PROVIDERS = ("cncf-kubernetes", "common-io", "pagerduty", "slack", "smtp", "standard")
CONNECTIONS = {f"apache-airflow-providers-{name}" for name in PROVIDERS}
# Airflow's API server is built of them.
OF_AIRFLOW = {"fastapi", "starlette"}


def named(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def pins(file: str) -> dict[str, str]:
    lines = (line.partition("==") for line in (ROOT / file).read_text().splitlines())
    return {canonicalize_name(name): version for name, _, version in lines if version}


def imported(files: Iterable[Path]) -> set[str]:
    """The distributions that these modules import from, those of this project apart."""
    found: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    homes = metadata.packages_distributions() | {"airflow": ["apache-airflow"]}
    others = found - sys.stdlib_module_names - {"k8s_tuning", "k8s_tuning_sandbox", "__future__"}
    return {canonicalize_name(min(homes[name], key=len)) for name in others}


def modules(*, airflows: bool) -> list[Path]:
    package = ROOT / "plugins/k8s_tuning"
    return [path for path in package.rglob("*.py") if (path.relative_to(package).parts[0] in NEED_AIRFLOW) == airflows]


def test_the_dependencies_are_what_the_command_imports() -> None:
    assert imported(modules(airflows=False)) == named(PROJECT["dependencies"])


def test_the_extra_airflow_is_what_its_rooms_import_beside_them() -> None:
    needed = imported(modules(airflows=True)) - named(PROJECT["dependencies"]) - OF_AIRFLOW
    assert needed | CONNECTIONS == named(EXTRAS["airflow"])


def test_the_sandboxs_dependencies_are_what_it_imports() -> None:
    # It reads the schemas of kubernetes-validate as files.
    needed = imported((ROOT / "sandbox/k8s_tuning_sandbox").glob("*.py")) | {"k8s-tuning", "kubernetes-validate"}
    assert needed == named(SANDBOX["dependencies"])


def test_there_is_one_version() -> None:
    version = PROJECT["version"]
    assert SANDBOX["version"] == version
    assert EXTRAS["sandbox"] == [f"k8s-tuning-sandbox=={version}"]
    assert f"k8s-tuning=={version}" in SANDBOX["dependencies"]


def test_the_pins_lie_in_the_ranges() -> None:
    locked = pins("constraints.txt")
    declared = [*PROJECT["dependencies"], *EXTRAS["airflow"], *SANDBOX["dependencies"]]
    outside = [
        f"{line} (pinned: {locked.get(canonicalize_name(Requirement(line).name))})"
        for line in declared
        if not line.startswith("k8s-tuning")
        and not Requirement(line).specifier.contains(locked.get(canonicalize_name(Requirement(line).name), "0"))
    ]
    assert outside == []


def test_the_same_packages_are_pinned_for_deployments_and_for_development() -> None:
    deployed = named([*PROJECT["dependencies"], *EXTRAS["airflow"]])
    assert set(pins("requirements.txt")) <= deployed
    assert deployed - set(pins("requirements.txt")) <= set(pins("constraints.txt"))
    assert set(pins("requirements-dev.txt")) == named(EXTRAS["dev"]) - {"k8s-tuning"}


@pytest.mark.parametrize("extra", ["airflow", "tuning", "sandbox", "postgres", "celery", "dev"])
def test_every_promised_extra_is_there(extra: str) -> None:
    assert extra in EXTRAS


def test_nothing_of_the_sandbox_is_deployed() -> None:
    assert [path for path in (ROOT / "plugins").iterdir() if "sandbox" in path.name] == []
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    mounted = {line.split(":")[0] for line in compose["x-airflow"]["volumes"] if line.startswith("./")}
    assert mounted == {"./dags", "./plugins", "./include"}
    assert "sandbox" in (ROOT / ".dockerignore").read_text().splitlines()


def test_every_vendored_folder_has_its_licence_and_is_named_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text()
    vendored = list((ROOT / "plugins/k8s_tuning/web/static/vendor").iterdir())
    assert vendored
    for folder in vendored:
        assert (folder / "LICENSE").is_file()
        assert str(folder.relative_to(ROOT)) in notice
