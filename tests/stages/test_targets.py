"""targets.yaml: what is taken, and what is refused with its place."""

import pytest
import yaml
from tests.airflow_runs import ROOT

from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.targets import is_stale, load_targets

ONE = {"name": "bots", "namespace": "trading-bots", "label_selector": "app=arbitrage-tuning"}


@pytest.fixture
def load(tmp_path):
    def write_and_load(data):
        path = tmp_path / "targets.yaml"
        path.write_text(yaml.safe_dump(data, allow_unicode=True))
        return load_targets(path)

    return write_and_load


def test_the_shipped_file_loads():
    assert load_targets(ROOT / "include/configs/targets.yaml").targets


def test_a_target_has_the_default_connection_and_goes_by_the_routes(load):
    config = load({"targets": [{**ONE, "name": "봇 🤖"}]})
    (target,) = config.targets
    assert (target.name, target.kubernetes_conn_id, target.channel_type) == ("봇 🤖", "kubernetes_default", "routes")
    assert (config.retention.max_age_days, config.retention.max_records, config.stale_after_minutes) == (
        90,
        100_000,
        30,
    )


@pytest.mark.parametrize(
    ("data", "place"),
    [
        pytest.param({}, "targets", id="empty"),
        pytest.param({"targets": []}, "targets", id="no target"),
        pytest.param({"targets": [ONE], "target": []}, "target", id="unknown key"),
        pytest.param({"targets": [{**ONE, "selector": "a=b"}]}, "targets.0.selector", id="unknown key of a target"),
        pytest.param({"targets": [ONE, {"name": "x"}]}, "targets.1.namespace", id="namespace missing"),
        pytest.param({"targets": [{**ONE, "namespace": 5}]}, "targets.0.namespace", id="namespace a number"),
        pytest.param({"targets": [ONE], "retention": {"max_records": 0}}, "retention.max_records", id="keeps nothing"),
        pytest.param({"targets": [ONE], "stale_after_minutes": -1}, "stale_after_minutes", id="stale at once"),
        pytest.param({"targets": [ONE, dict(ONE)]}, "two targets have the name 'bots'", id="a name twice"),
        pytest.param({"targets": [ONE, {**ONE, "name": "x"}]}, "namespace and label_selector", id="a selection twice"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_its_place(load, data, place):
    with pytest.raises(ConfigError, match=r"targets\.yaml") as refused:
        load(data)
    assert place in str(refused.value)


@pytest.mark.parametrize(
    ("age", "minutes", "stale"),
    [(1800, 30, False), (1801, 30, True), (-1801, 30, True), (-60, 30, False), (None, 30, True), (61, 1, True)],
    ids=["at the limit", "older", "dated ahead", "a clock a little ahead", "no record", "another limit"],
)
def test_a_target_is_stale_where_its_newest_record_says_nothing_of_now(age, minutes, stale):
    assert is_stale(age, minutes) is stale
