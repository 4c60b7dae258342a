"""What the entry point `airflow.plugins` names: the plugin, but not beside a copy in Airflow's plugins folder."""

import sys
from types import ModuleType

import pytest

from k8s_tuning.web import plugin

pytestmark = pytest.mark.airflow


def test_the_entry_point_names_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "k8s_tuning_plugin", raising=False)
    assert plugin.installed is plugin.K8sTuningPlugin


def test_it_names_nothing_where_airflow_ran_its_plugins_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "k8s_tuning_plugin", ModuleType("k8s_tuning_plugin"))
    assert plugin.installed is None


def test_no_other_name_is_made_up() -> None:
    with pytest.raises(AttributeError, match="uninstalled"):
        _ = plugin.uninstalled
