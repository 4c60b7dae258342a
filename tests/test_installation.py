"""Where the project is: around a checkout's plugins/; of an installed wheel in Airflow's home."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from k8s_tuning import installation
from k8s_tuning.installation import project_dir, shipped_folders

ROOT = Path(__file__).parents[1]


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package's folder in a site-packages of its own."""
    (tmp_path / "k8s_tuning-0.2.0.dist-info").mkdir()
    monkeypatch.setattr(installation, "_PACKAGE", tmp_path / "k8s_tuning")
    installation.is_installed.cache_clear()
    yield tmp_path / "k8s_tuning"
    installation.is_installed.cache_clear()


def test_a_checkout_is_its_own_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/opt/airflow")
    assert project_dir() == ROOT
    assert list(shipped_folders().values()) == [ROOT / "dags", ROOT / "include/configs"]


def test_an_installed_wheels_project_is_airflows_home(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/opt/airflow")
    assert project_dir() == Path("/opt/airflow")
    monkeypatch.setenv("AIRFLOW_HOME", "~/mine")
    assert project_dir() == Path.home() / "mine"
    monkeypatch.delenv("AIRFLOW_HOME")
    assert project_dir() == Path.home() / "airflow"


def test_an_installed_wheel_lays_out_its_own_data(wheel: Path) -> None:
    assert list(shipped_folders().items()) == [
        (Path("dags"), wheel / "project/dags"),
        (Path("include/configs"), wheel / "project/configs"),
    ]
