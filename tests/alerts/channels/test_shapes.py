"""What each channel makes of a notice, beyond what all have in common."""

from __future__ import annotations

import email.policy
import json
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from tests.alerts.channels.conftest import TOKEN, Rig, make_rig
from tests.alerts.observations import NAMESPACE, SELECTOR, START, at, incident, notice
from tests.authorities import Authority
from tests.servers import Call, mail_server, status

from k8s_tuning.alerts.channels import CHANNELS, ChannelConfig
from k8s_tuning.alerts.channels.generic_webhook import SIGNATURE, TIMESTAMP, sign
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.notice import Notice, Status
from k8s_tuning.stages.alert.incident import IncidentSeverity


def render(kind: str, planned: Notice, **options: Any) -> list[Any]:
    drafts = CHANNELS[kind].render(planned, ChannelConfig("channel", kind, "c", options=options))
    return [json.loads(draft.body) for draft in drafts]


def calls(rig: Rig) -> list[Call]:
    assert rig.server is not None
    return rig.server.calls


# --- Slack incoming webhook ---------------------------------------------------------------------------------------


def test_slack_webhook_has_the_guides_attachment() -> None:
    (body,) = render("slack_webhook", notice())
    (attachment,) = body["attachments"]
    assert body["text"] == "🚨 K8s Alert: CRITICAL – trading-bots"
    assert attachment["color"] == "danger"
    assert attachment["fields"] == [
        {"title": "Namespace", "value": NAMESPACE, "short": True},
        {"title": "Selector", "value": SELECTOR, "short": True},
        {"title": "Severity", "value": "CRITICAL", "short": True},
        {"title": "Health", "value": "ERROR", "short": True},
    ]
    assert "*Severity:* CRITICAL" in attachment["text"]
    assert "&lt;!channel&gt; &amp; 이모지" in attachment["text"]
    assert "*Causes:* 37 of 200: image_pull" in attachment["text"]


@pytest.mark.parametrize(
    ("severity", "state", "color"),
    [("CRITICAL", "firing", "danger"), ("WARN", "firing", "warning"), ("CRITICAL", "resolved", "good")],
)
def test_slack_colors_say_the_severity(severity: str, state: str, color: str) -> None:
    planned = notice(incident(severity=IncidentSeverity(severity)), status=Status(state))
    assert render("slack_webhook", planned)[0]["attachments"][0]["color"] == color
    assert render("slack_api", planned, channel="#a")[0]["attachments"][0]["color"] == color


@pytest.mark.parametrize("answer", ["invalid_payload", "no_service", "", "<html>ok</html>"])
def test_slack_webhook_takes_only_ok_for_an_answer(answer: str) -> None:
    """A 200 with `invalid_payload` is a failure, and trying again would not repair it."""
    with make_rig("slack_webhook") as rig:
        assert rig.server is not None
        rig.server.script(status(200, answer))
        outcome = rig.deliver(notice())
        assert (outcome.outcome, outcome.attempts, outcome.retryable) == ("failed", 1, False)
        assert (answer or "nothing") in outcome.answer


def test_a_group_of_many_is_cut_to_what_slack_shows() -> None:
    many = [incident(id=f"{number:012}", selector=f"app=a{number}", target=f"t{number}") for number in range(30)]
    (body,) = render("slack_webhook", notice(*many))
    assert len(body["attachments"]) == 20
    assert "and 11 more (cut)" in body["attachments"][-1]["footer"]
    assert body["attachments"][0]["text"].startswith("*Causes:* 1110 of 6000: image_pull")


# --- Slack Web API ------------------------------------------------------------------------------------------------


def test_slack_api_keeps_a_thread_an_incident() -> None:
    """First a message, whose place is kept; then its edit to the present state, and an answer in its thread."""
    with make_rig("slack_api") as rig:
        first = rig.deliver(notice())
        assert (first.outcome, first.answer) == ("sent", "ok")
        ref = {"channel": "C1", "ts": "1700000000.000100"}
        rig.deliver(notice(decision="resolved", status=Status.RESOLVED, ref=ref))
        asked = [(call.path, call.json().get("ts"), call.json().get("thread_ts")) for call in calls(rig)]
        assert asked == [
            ("/chat.postMessage", None, None),
            ("/chat.update", ref["ts"], None),
            ("/chat.postMessage", None, ref["ts"]),
        ]
        assert [call.json()["channel"] for call in calls(rig)] == ["#alerts", "C1", "C1"]
        assert calls(rig)[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert calls(rig)[1].json()["text"].startswith("✅")


def test_slack_api_begins_anew_where_the_first_message_was_deleted() -> None:
    with make_rig("slack_api") as rig:
        assert rig.server is not None
        rig.server.script(status(200, '{"ok": false, "error": "message_not_found"}'))
        assert rig.deliver(notice(ref={"channel": "C1", "ts": "1.2"})).outcome == "sent"
        assert [call.path for call in calls(rig)] == ["/chat.update", "/chat.postMessage"]
        assert "thread_ts" not in calls(rig)[1].json()


def test_slack_api_answers_in_the_thread_where_an_edit_is_too_late() -> None:
    with make_rig("slack_api") as rig:
        assert rig.server is not None
        rig.server.script(status(200, '{"ok": false, "error": "edit_window_closed"}'))
        assert rig.deliver(notice(ref={"channel": "C1", "ts": "1.2"})).outcome == "sent"
        assert calls(rig)[1].json()["thread_ts"] == "1.2"


@pytest.mark.parametrize(
    ("error", "tries", "cure"),
    [
        ("token_expired", 1, "renew it"),
        ("invalid_auth", 1, "bot token"),
        ("channel_not_found", 1, "`channel`"),
        ("something_new", 1, "something_new"),
        ("internal_error", 4, "internal_error"),
    ],
)
def test_slack_apis_refusals_come_with_their_cure(error: str, tries: int, cure: str) -> None:
    with make_rig("slack_api") as rig:
        assert rig.server is not None
        rig.server.otherwise = status(200, json.dumps({"ok": False, "error": error}))
        outcome = rig.deliver(notice())
        assert (outcome.outcome, outcome.attempts) == ("failed", tries)
        assert cure in outcome.answer


# --- generic webhook ----------------------------------------------------------------------------------------------


def test_generic_webhook_has_the_guides_body() -> None:
    (body,) = render("generic_webhook", notice())
    assert {
        key: body[key] for key in ("alert_type", "severity", "namespace", "selector", "current_health", "status")
    } == {
        "alert_type": "k8s_health",
        "severity": "CRITICAL",
        "namespace": NAMESPACE,
        "selector": SELECTOR,
        "current_health": "ERROR",
        "status": "firing",
    }
    assert (
        body["metadata"].items()
        >= {
            "incident_id": "0123456789ab",
            "started_at": START,
            "detected_at": at(1),
            "severity": "CRITICAL",
            "namespace": NAMESPACE,
            "selector": SELECTOR,
        }.items()
    )
    assert body["incident"]["recent_events"][0]["message"] == "한국어 <!channel> & 이모지 🚨👩‍🚀"
    assert "raw" not in body["incident"]["recent_events"][0]


def test_generic_webhook_is_signed_where_the_connection_has_a_secret() -> None:
    with make_rig("generic_webhook") as rig:
        rig.deliver(notice())
        (call,) = calls(rig)
        headers = call.headers
        assert headers[SIGNATURE.lower()] == sign(call.body, headers[TIMESTAMP.lower()], TOKEN)
        assert headers["idempotency-key"] == "fedcba9876543210"
        # As `printf '2025-11-16T10:00:00Z.{}' | openssl dgst -sha256 -hmac key` has it.
        expected = "4aa9c80ecf86f61cf59ba9fba19cd5d6219bf4b8c4eb147da710e27b906fa22b"
        assert sign(b"{}", "2025-11-16T10:00:00Z", "key") == f"sha256={expected}"
        unsigned = ChannelSecret(url=rig.secret.url, extra={"headers": {"X-Team": "bots"}})
        rig.deliver(notice(), resolve=lambda _: unsigned)
        assert SIGNATURE.lower() not in calls(rig)[1].headers
        assert calls(rig)[1].headers["x-team"] == "bots"


# --- PagerDuty ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (Status.FIRING, "trigger"),
        (Status.RESOLVED, "resolve"),
        (Status.ACKNOWLEDGED, "acknowledge"),
        (Status.TEST, "trigger"),
    ],
)
def test_pagerduty_holds_one_incident_by_its_id(state: Status, action: str) -> None:
    (body,) = render("pagerduty", notice(status=state))
    assert (body["event_action"], body["dedup_key"], body["routing_key"]) == (action, "0123456789ab", "***")
    assert ("payload" in body) is (action == "trigger")


def test_pagerduty_gets_what_it_sorts_by() -> None:
    (body,) = render("pagerduty", notice(incident(severity=IncidentSeverity.WARN)))
    payload = body["payload"]
    assert (payload["severity"], payload["group"], payload["class"], payload["source"], payload["timestamp"]) == (
        "warning",
        NAMESPACE,
        "image_pull",
        f"{NAMESPACE}/bots",
        START,
    )
    with make_rig("pagerduty") as rig:
        rig.deliver(notice())
        assert calls(rig)[0].path == "/v2/enqueue"
        assert calls(rig)[0].json()["routing_key"] == TOKEN


# --- Alertmanager -------------------------------------------------------------------------------------------------


def test_alertmanager_gets_labels_that_stay_the_same() -> None:
    (alerts,) = render("alertmanager", notice(incident(selector="app.kubernetes.io/name=x,1st=y")))
    (alert,) = alerts
    assert alert["labels"] == {
        "app_kubernetes_io_name": "x",
        "_1st": "y",
        "alertname": "K8sTuningIncident",
        "service": "k8s-tuning",
        "severity": "critical",
        "namespace": NAMESPACE,
        "selector": "app.kubernetes.io/name=x,1st=y",
        "incident_id": "0123456789ab",
        "target": "bots",
    }
    # Twice the repeat interval of two hours after it was planned: one missed repeat ends nothing.
    assert (alert["startsAt"], alert["endsAt"]) == (START, at(31 + 240))


def test_alertmanager_ends_the_alert_of_the_former_severity() -> None:
    (alerts,) = render("alertmanager", notice(decision="severity_changed", notified=IncidentSeverity.WARN))
    assert [(alert["labels"]["severity"], alert["endsAt"]) for alert in alerts] == [
        ("critical", at(271)),
        ("warning", at(31)),
    ]
    (resolved,) = render("alertmanager", notice(status=Status.RESOLVED, notified=IncidentSeverity.WARN))
    assert [(alert["labels"]["severity"], alert["endsAt"]) for alert in resolved] == [("warning", at(31))]


# --- e-mail -------------------------------------------------------------------------------------------------------


def test_email_is_one_thread_an_incident_and_the_same_bytes_each_time() -> None:
    options = {"from": "k8s@example.com", "to": ["a@example.com", "b@example.com"]}
    channel = ChannelConfig("channel", "email", "c", options=options)
    first, second = (
        CHANNELS["email"].render(planned, channel)[0].body
        for planned in (notice(), notice(decision="repeat_due", id="2"))
    )
    parse = BytesParser(policy=email.policy.default).parsebytes
    one, two = parse(first), parse(second)
    assert one["References"] == two["References"] == "<incident-0123456789ab@k8s-tuning.invalid>"
    assert one["Message-ID"] != two["Message-ID"]
    assert one["To"] == "a@example.com, b@example.com"
    assert one["Subject"] == "🚨 K8s Alert: CRITICAL – trading-bots"
    assert CHANNELS["email"].render(notice(), channel)[0].body == first
    assert b"&lt;!channel&gt;" in one.get_body(("html",)).get_payload(decode=True)  # type: ignore[union-attr, operator]


def test_a_title_with_a_line_break_makes_no_header() -> None:
    planned = notice()
    planned.title = "a\r\nBcc: evil@example.com"
    channel = ChannelConfig("channel", "email", "c", options={"from": "k@example.com", "to": ["a@example.com"]})
    body = CHANNELS["email"].render(planned, channel)[0].body
    assert BytesParser(policy=email.policy.default).parsebytes(body)["Bcc"] is None


def test_email_logs_in_where_the_connection_has_a_login() -> None:
    from aiosmtpd.smtp import AuthResult

    seen: list[tuple[bytes, bytes]] = []

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        seen.append((data.login, data.password))
        return AuthResult(success=data.password == TOKEN.encode(), handled=False)

    options = {"from": "k@example.com", "to": ["a@example.com"]}
    with mail_server(authenticator=authenticate, auth_require_tls=False) as mail:
        channel = ChannelConfig("channel", "email", "connection", options=options)
        extra = {"disable_ssl": True, "disable_tls": True}
        good = ChannelSecret(host="127.0.0.1", port=mail.port, login="robot", password=TOKEN, extra=extra)
        rig = Rig(channel, good, lambda: mail.raw, lambda _: None)
        assert rig.deliver(notice()).answer == "accepted for 1 recipient(s)"
        assert seen == [(b"robot", TOKEN.encode())]
        bad = ChannelSecret(host="127.0.0.1", port=mail.port, login="robot", password="wrong-pass", extra=extra)
        outcome = rig.deliver(notice(), resolve=lambda _: bad)
        assert (outcome.outcome, outcome.attempts) == ("failed", 1)
        assert "535" in outcome.answer
        assert "wrong-pass" not in outcome.answer


def test_email_asks_for_tls_unless_set_otherwise() -> None:
    """A server without it is refused, with the setting to change, rather than sent a password in the clear."""
    options = {"from": "k@example.com", "to": ["a@example.com"]}
    with mail_server() as mail:
        channel = ChannelConfig("channel", "email", "connection", options=options, timeout_seconds=1)
        secret = ChannelSecret(host="127.0.0.1", port=mail.port, extra={"disable_ssl": True})
        rig = Rig(channel, secret, lambda: mail.raw, lambda _: None)
        outcome = rig.deliver(notice())
        assert (outcome.outcome, outcome.attempts) == ("failed", 1)
        assert "disable_tls" in outcome.answer
        assert mail.messages == []


def test_email_goes_to_every_address_of_a_text_by_its_name() -> None:
    """As Alertmanager's own files have `to`; the envelope has the bare addresses, each once."""
    everybody = '"Team, Ops" <a@example.com>, 김 철수 <b@bücher.example>, a@example.com'
    options = {"from": "K8s 튜닝 <k@example.com>", "to": everybody}
    with mail_server() as mail:
        channel = ChannelConfig("channel", "email", "connection", options=options)
        secret = ChannelSecret(host="127.0.0.1", port=mail.port, extra={"disable_ssl": True, "disable_tls": True})
        rig = Rig(channel, secret, lambda: mail.raw, lambda _: None)
        assert rig.deliver(notice()).answer == "accepted for 2 recipient(s)"
        assert mail.recipients == [["a@example.com", "b@xn--bcher-kva.example"]]
        assert [one.display_name for one in mail.messages[0]["To"].addresses] == ["Team, Ops", "김 철수", ""]
        assert mail.messages[0]["From"].addresses[0].display_name == "K8s 튜닝"
        mail.raw[0].decode("ascii")


@pytest.mark.parametrize(("able", "outcome"), [(True, "sent"), (False, "failed")])
def test_an_address_in_korean_needs_a_server_that_takes_it(able: bool, outcome: str) -> None:
    options = {"from": "k@example.com", "to": ["김@example.com"]}
    with mail_server(enable_SMTPUTF8=able) as mail:
        channel = ChannelConfig("channel", "email", "connection", options=options)
        secret = ChannelSecret(host="127.0.0.1", port=mail.port, extra={"disable_ssl": True, "disable_tls": True})
        found = Rig(channel, secret, lambda: mail.raw, lambda _: None).deliver(notice())
        assert found.outcome == outcome
        assert mail.recipients == ([["김@example.com"]] if able else [])
        assert able or "no SMTPUTF8" in found.answer


@pytest.mark.parametrize(
    ("ssl_context", "outcome", "words"),
    [(None, "failed", "no TLS connection"), ("none", "sent", "accepted"), ("never", "failed", "default or none")],
)
def test_email_checks_the_servers_certificate_unless_the_connection_says_none(
    ssl_context: str | None, outcome: str, words: str, tmp_path: Path
) -> None:
    tls = Authority.make("mail").server(["127.0.0.1"]).context(tmp_path)
    with mail_server(tls_context=tls) as mail:
        options = {"from": "k@example.com", "to": ["a@example.com"]}
        channel = ChannelConfig("channel", "email", "connection", options=options)
        secret = ChannelSecret(
            host="127.0.0.1", port=mail.port, extra={"disable_ssl": True, "ssl_context": ssl_context}
        )
        found = Rig(channel, secret, lambda: mail.raw, lambda _: None).deliver(notice())
        assert found.outcome == outcome
        assert words in found.answer


# --- console ------------------------------------------------------------------------------------------------------


def test_console_prints_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    rig = Rig(ChannelConfig("channel", "console"), ChannelSecret(), list, lambda _: None)
    assert rig.deliver(notice()).outcome == "sent"
    out = capsys.readouterr().out
    assert out.startswith("🚨 K8s Alert: CRITICAL – trading-bots\n\nNamespace: trading-bots\n")
    assert "**" not in out
