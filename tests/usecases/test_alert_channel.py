"""Channels as params and targets.yaml name them."""

import pytest
from tests.airflow_runs import ROOT

from k8s_tuning.errors import ConfigError
from k8s_tuning.usecases.alert_channel import Channel, channel_of_params


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        pytest.param(Channel("pigeon"), "unknown channel 'pigeon'; known are console", id="unknown"),
        pytest.param(Channel("slack_webhook"), "needs channel_conn_id", id="no connection"),
        pytest.param(Channel("email", "smtp", "routes.yaml"), "give it a receiver in routes.yaml", id="mail"),
        pytest.param(Channel("routes", config_file="/none.yaml"), "/none.yaml", id="no such file"),
    ],
)  # fmt: skip
def test_a_channel_that_cannot_work_is_refused(channel, said):
    with pytest.raises(ConfigError) as refused:
        channel.alerting()
    assert said in str(refused.value)


def test_a_channel_stands_for_one_receiver_or_for_the_routes():
    assert list(Channel("console").alerting().receivers) == ["console"]
    assert Channel("routes", config_file=str(ROOT / "include/configs/alerting.yaml")).alerting().receivers


ALERTING = """
route: {receiver: team}
receivers:
  - name: team
    channels: [{type: slack_webhook, connection: slack_team}]
allowed_connections: [slack_tuning]
"""


@pytest.mark.parametrize("conn_id", ["slack_team", "slack_tuning"])
def test_a_param_may_name_a_connection_that_the_alerting_file_names(tmp_path, conn_id):
    (tmp_path / "alerting.yaml").write_text(ALERTING)
    channel = channel_of_params("slack_webhook", conn_id, str(tmp_path / "alerting.yaml"))
    assert channel == Channel("slack_webhook", conn_id, str(tmp_path / "alerting.yaml"))


@pytest.mark.parametrize("channel_type", ["slack_webhook", "generic_webhook", "pagerduty", "console"])
def test_a_param_that_names_any_other_connection_is_refused(tmp_path, channel_type):
    """Whoever may trigger the DAG could have its secret sent anywhere."""
    (tmp_path / "alerting.yaml").write_text(ALERTING)
    with pytest.raises(ConfigError, match=r"'warehouse' is no connection that .* names; name it there"):
        channel_of_params(channel_type, "warehouse", str(tmp_path / "alerting.yaml"))


def test_a_param_without_a_connection_needs_no_file(tmp_path):
    assert channel_of_params("console", "", str(tmp_path / "none.yaml")).type == "console"
