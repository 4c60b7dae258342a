"""The wheels, and environments that they are installed in."""

from pathlib import Path

import pytest
from tests.packaging.environments import Environment, build_wheels, make_environment


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that has both."""
    return build_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Environment:
    """`pip install k8s-tuning`."""
    return make_environment(tmp_path_factory.mktemp("plain"), wheels, "k8s-tuning")


@pytest.fixture(scope="session")
def with_sandbox(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Environment:
    """`pip install k8s-tuning[sandbox]`."""
    return make_environment(tmp_path_factory.mktemp("with_sandbox"), wheels, "k8s-tuning[sandbox]")


@pytest.fixture(scope="session")
def with_airflow(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Environment:
    """`pip install k8s-tuning[airflow]`."""
    return make_environment(tmp_path_factory.mktemp("with_airflow"), wheels, "k8s-tuning[airflow]")
