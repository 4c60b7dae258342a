"""A manifest as it is shown."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.stages.validate.secrets import masked, shown_text, shown_value, shown_words

VALUES = {
    ("DB_PASSWORD", "pw"): "***",
    ("API_KEY", "k"): "***",
    ("apikey", "k"): "***",
    ("SLACK_WEBHOOK", "https://x/y"): "***",
    ("SENTRY_DSN", "https://k@sentry/1"): "***",
    ("KEYBOARD", "us"): "us",
    ("REDIS_HOST", "arbitrage-redis"): "arbitrage-redis",
    ("REDIS_URL", "redis://:pw@redis:6379/0"): "redis://***@redis:6379/0",
    ("DATABASE_URL", "postgresql+psycopg://bot:p@ss@db/x"): "postgresql+psycopg://***@db/x",
    ("BROKER", "amqp://bot:pw@a:1/,amqp://bot:pw@b:1/"): "amqp://***@a:1/,amqp://***@b:1/",
    ("PROXY", "HTTP://bot@proxy:8080"): "HTTP://***@proxy:8080",
    ("DOCS", "see https://example.org/a@b"): "see https://example.org/a@b",
    ("MAIL", "ops@example.org"): "ops@example.org",
    ("JDBC", "jdbc:mysql://db/x?user=bot&password=pw&ssl=true"): "jdbc:mysql://db/x?user=bot&password=***&ssl=true",
    ("LIBPQ", "host=db password='p w' user=bot"): "host=db password=*** user=bot",
    ("HOOK", "https://example.org/hook?access_token=abc"): "https://example.org/hook?access_token=***",
    ("KOREAN", "한국어 🚀"): "한국어 🚀",
}


@pytest.mark.parametrize(("variable", "shown"), VALUES.items(), ids=[name for name, _ in VALUES])
def test_a_variable_is_shown_without_its_secrets(variable: tuple[str, str], shown: str) -> None:
    assert shown_value(*variable) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["run.py", "--password", "pw", "--n", "3"], ["run.py", "--password", "***", "--n", "3"]),
        (["--api-key=k", "--token", "--n", "3"], ["--api-key=***", "--token", "--n", "3"]),
        (["--db", "postgresql://a:b@c/d"], ["--db", "postgresql://***@c/d"]),
        (["--worker-id", "worker-1", 3, None], ["--worker-id", "worker-1", 3, None]),
    ],
)
def test_a_command_line_is_shown_without_its_secrets(words: list[object], shown: list[object]) -> None:
    assert shown_words(words) == shown


def test_a_manifest_keeps_its_secrets_and_its_copy_has_none() -> None:
    """Init containers and commands, too."""
    container = {
        "name": "a",
        "command": ["sh", "-c", "curl https://bot:s3cr3t@x/"],
        "args": ["--token=s3cr3t"],
        "env": [{"name": "URL", "value": "redis://:s3cr3t@r"}, {"name": "FROM", "valueFrom": {}}, {"name": "EMPTY"}],
    }
    job = {"spec": {"template": {"spec": {"containers": [container], "initContainers": [copy.deepcopy(container)]}}}}
    before = copy.deepcopy(job)
    assert "s3cr3t" not in str(masked(job))
    assert job == before


@given(st.text(), st.from_regex(r"[a-z]{2,8}://[a-z]{1,8}:[!-.0->A-~]{1,12}@[a-z]{1,8}/", fullmatch=True))
def test_no_password_of_an_address_is_ever_shown(around: str, address: str) -> None:
    password = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
    shown = shown_text(f"{around} {address}")
    assert f":{password}@" not in shown
    assert shown_text(shown) == shown
