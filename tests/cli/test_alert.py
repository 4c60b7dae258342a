"""`k8s-tuning alert` and the commands below it, as a person or a cron job runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.alerts.observations import record
from tests.servers import RecordingServer, recording_server, status

from k8s_tuning.cli import main
from k8s_tuning.storage.append_log import AppendLog

CONFIG = """
hold: 10m
route:
  receiver: team
  routes:
    - {matchers: [severity=CRITICAL], receiver: pager, continue: true}
    - {matchers: [namespace=~".+"], receiver: team}
receivers:
  - name: team
    channels: [{type: slack_webhook, connection: team-slack}]
  - name: pager
    channels: [{type: pagerduty, connection: pd}, {type: console}]
"""
TOKEN = "/services/T0KEN"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with recording_server() as recording:
        monkeypatch.setenv("K8S_TUNING_WEBHOOK_URL", recording.url + TOKEN)
        monkeypatch.setenv("K8S_TUNING_CONNECTION_TEAM_SLACK", recording.url + TOKEN)
        secret = {"url": recording.url, "password": "routing-key-0123"}
        monkeypatch.setenv("K8S_TUNING_CONNECTION_PD", json.dumps(secret))
        yield recording


def history(tmp_path: Path, *levels: str) -> str:
    """A history of these checks, "level minute" each; its path."""
    path = tmp_path / "history.jsonl"
    path.unlink(missing_ok=True)
    for step in levels:
        AppendLog(path).append(record(step[0], float(step[1:]), {"image_pull": 37}).__dict__)
    return str(path)


def alert(*argv: str) -> int:
    return main(["alert", *argv])


def test_a_dry_run_shows_what_would_go_and_sends_nothing(
    tmp_path: Path, server: RecordingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = alert("--history-file", history(tmp_path, "O0", "E5"), "--events-limit", "0", "--channel", "slack_webhook")
    shown = capsys.readouterr()
    assert code == 0
    assert '"color":"danger"' in shown.out
    assert TOKEN not in shown.out + shown.err
    assert server.calls == []


@pytest.mark.parametrize("channel", ["slack_webhook", "generic_webhook"])
def test_send_sends_to_the_url_from_the_environment(
    tmp_path: Path, server: RecordingServer, capsys: pytest.CaptureFixture[str], channel: str
) -> None:
    path = history(tmp_path, "O0", "E5")
    assert alert("--history-file", path, "--events-limit", "0", "--channel", channel, "--send") == 0
    (call,) = server.calls
    assert call.path == TOKEN
    assert TOKEN not in capsys.readouterr().out
    server.script(status(400, "invalid_payload"))
    assert alert("--history-file", path, "--events-limit", "0", "--channel", channel, "--send") == 1
    assert "answered 400: invalid_payload" in capsys.readouterr().out


def test_another_variable_may_hold_the_url(
    tmp_path: Path, server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", server.url + "/other")
    path = history(tmp_path, "E5")
    flags = ["--events-limit", "0", "--channel", "generic_webhook", "--webhook-url-env", "OTHER", "--send"]
    assert alert("--history-file", path, *flags) == 0
    assert server.calls[0].path == "/other"


def test_nothing_to_say_is_exit_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert alert("--history-file", history(tmp_path, "E0", "O5"), "--events-limit", "0") == 0
    assert "nothing to send" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "--history-file is missing"),
        (["--history-file", "{empty}"], "no record of namespace 'trading-bots'"),
        (["--history-file", "{history}", "--channel", "pager"], "invalid choice"),
        (["--history-file", "{history}", "--channel", "slack_webhook", "--send", "--webhook-url-env", "X"], "$X is"),
        (["--history-file", "{history}", "--config", "{empty}"], "No such file"),
        (["--history-file", "{history}", "--config", "{history}", "--channel", "console"], "exclude each other"),
        (["--history-file", "{history}", "--timeout", "0"], "timeout"),
        (["--history-file", "{history}", "--events-limit", "-1"], "--events-limit"),
        (["--history-file", "{history}", "--history-limit", "0"], "--history-limit"),
        (["-n", "Bad_Name", "--history-file", "{history}"], "no record"),
        (["routes", "--config", "{config}", "--labels", "severity"], "not NAME=VALUE"),
        (["routes", "--config", "{config}", "--labels", "severity=fatal"], "no alert ever has that"),
        (["routes", "--config", "{config}", "--labels", "reason=oom"], "no alert ever has that"),
        (["history"], "--ledger-file"),
        (["replay", "--history-file", "{history}", "--since", "yesterday", "--config", "{config}"], "duration"),
        (["replay", "--history-file", "{empty}", "--since", "7d", "--config", "{config}"], "no records"),
        (["smoke", "--config", "{config}", "--receiver", "nobody"], "unknown receiver 'nobody'"),
        (["ack", "x", "--config", "{config}", "--ledger-file", "{empty}"], "no open incident 'x'"),
    ],
)  # fmt: skip
def test_bad_input_is_exit_3_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    (tmp_path / "alerting.yaml").write_text(CONFIG)
    names = {
        "{history}": history(tmp_path, "E5"),
        "{config}": str(tmp_path / "alerting.yaml"),
        "{empty}": str(tmp_path / "missing.jsonl"),
    }
    with_files = [names.get(part, part) for part in argv]
    try:
        code = alert(*with_files)
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    error = capsys.readouterr().err
    assert code == 3
    assert words in error
    assert "Traceback" not in error


def test_a_configuration_tells_once_repeats_nothing_and_resolves(
    tmp_path: Path, server: RecordingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alerting.yaml").write_text(CONFIG)
    flags = ["--config", str(tmp_path / "alerting.yaml"), "--events-limit", "0", "--send"]
    path = history(tmp_path, "O0", "E5")
    assert alert("--history-file", path, *flags) == 0
    assert sorted(call.path for call in server.calls) == [TOKEN, "/v2/enqueue"]
    assert "🚨 K8s Alert" in capsys.readouterr().out
    assert alert("--history-file", path, *flags) == 0
    assert len(server.calls) == 2
    assert "nothing is to be sent now" in capsys.readouterr().out
    AppendLog(path).append(record("O", 60).__dict__)
    assert alert("--history-file", path, *flags) == 0
    actions = [call.json()["event_action"] for call in server.calls if call.path == "/v2/enqueue"]
    assert actions == ["trigger", "resolve"]

    capsys.readouterr()
    ledger = ["--ledger-file", str(tmp_path / "alerts-ledger.jsonl")]
    assert alert("history", *ledger, "--attempts", "--receiver", "pager") == 0
    shown = capsys.readouterr().out
    assert shown.count("pager/pagerduty") == 2
    assert "resolved: OK since" in shown
    assert "routing-key" not in Path(ledger[1]).read_text() + shown
    assert alert("history", *ledger, "--decision", "still_firing", "--json") == 0
    lines = json.loads(capsys.readouterr().out)
    assert {(line["decision"], line["outcome"]) for line in lines} == {("still_firing", "not_sent")}
    assert alert("history", *ledger, "--severity", "WARN") == 0
    assert "No lines" in capsys.readouterr().out
    assert alert("history", *ledger, "--since", "1h", "--limit", "3", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_one_channels_failure_holds_up_no_other_and_is_pending(
    tmp_path: Path, server: RecordingServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alerting.yaml").write_text(CONFIG)
    monkeypatch.delenv("K8S_TUNING_CONNECTION_TEAM_SLACK")
    flags = ["--config", str(tmp_path / "alerting.yaml"), "--events-limit", "0", "--send"]
    path = history(tmp_path, "E5")
    assert alert("--history-file", path, *flags) == 1
    assert [call.path for call in server.calls] == ["/v2/enqueue"]
    assert "K8S_TUNING_CONNECTION_TEAM_SLACK is not set" in capsys.readouterr().out
    monkeypatch.setenv("K8S_TUNING_CONNECTION_TEAM_SLACK", server.url + TOKEN)
    assert alert("--history-file", path, *flags) == 0
    assert [call.path for call in server.calls] == ["/v2/enqueue", TOKEN]
    assert "owed" in capsys.readouterr().out


def test_json_is_json_even_with_the_console_channel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert alert("--history-file", history(tmp_path, "E5"), "--events-limit", "0", "--send", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["outcomes"][0]["outcome"] == "sent"
    assert "🚨" in shown.err


def test_an_alert_goes_out_without_events_where_the_cluster_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = alert("--history-file", history(tmp_path, "E5"), "--kubeconfig", str(tmp_path / "none"))
    shown = capsys.readouterr()
    assert code == 0
    assert "🚨 K8s Alert" in shown.out
    assert "events: " in shown.err


def test_routes_says_which_receiver_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "alerting.yaml").write_text(CONFIG)
    flags = ["routes", "--config", str(tmp_path / "alerting.yaml")]
    assert alert(*flags, "--labels", "severity=critical", "namespace=trading-bots") == 0
    shown = capsys.readouterr().out
    assert "Receiver: pager  (route.routes[0], line 6)" in shown
    assert "Receiver: team  (route.routes[1], line 7)" in shown
    assert alert(*flags, "--labels", "severity=WARN", "reason=oom_killed", "reason=evicted", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert [reached["receiver"] for reached in result["receivers"]] == ["team"]
    assert result["labels"]["reason"] == ["oom_killed", "evicted"]


def test_replay_shows_what_would_have_been_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "alerting.yaml").write_text(CONFIG)
    path = history(tmp_path, "O0", "E5", "E10", "O60")
    flags = ["replay", "--history-file", path, "--config", str(tmp_path / "alerting.yaml")]
    assert alert(*flags, "--since", "2025-11-16T00:00:00Z") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("4 records since 2025-11-16T00:00:00Z: 6 messages would have been sent.")
    assert "Decisions: first 3, still_firing 3, resolved 3" in shown
    assert alert(*flags, "--since", "2025-11-17T00:00:00Z", "--json") == 0
    assert json.loads(capsys.readouterr().out)["notices"] == []


def test_smoke_tries_every_channel_of_a_receiver(
    tmp_path: Path, server: RecordingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alerting.yaml").write_text(CONFIG)
    flags = ["smoke", "--config", str(tmp_path / "alerting.yaml"), "--receiver", "team", "--message", "여보세요 🧪"]
    assert alert(*flags) == 0
    assert server.calls == []
    assert alert(*flags, "--send") == 0
    assert "여보세요 🧪" in server.calls[0].json()["attachments"][0]["text"]
    assert "sent" in capsys.readouterr().out


def test_ack_takes_an_incident_and_tells_pagerduty(
    tmp_path: Path, server: RecordingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alerting.yaml").write_text(CONFIG)
    config = ["--config", str(tmp_path / "alerting.yaml")]
    alert("--history-file", history(tmp_path, "E5"), *config, "--events-limit", "0", "--send", "--json")
    incident_id = json.loads(capsys.readouterr().out)["notices"][0]["items"][0]["incident_id"]
    server.calls.clear()
    ledger = ["--ledger-file", str(tmp_path / "alerts-ledger.jsonl")]
    assert alert("ack", incident_id, *ledger, *config, "--by", "Ada") == 0
    (call,) = server.calls
    assert (call.json()["event_action"], call.json()["dedup_key"]) == ("acknowledge", incident_id)
    assert f"Incident {incident_id} is taken by Ada." in capsys.readouterr().out
