"""Writes .env beside docker-compose.yaml: a random value for every secret. What is there already stays.

    python3 include/compose/make_env.py

The two Slack URLs are left as addresses that do not exist: alerts then fail visibly (docs/alerting.md) until real
webhooks stand there.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIRFLOW_API_SECRET_KEY", "AIRFLOW_JWT_SECRET", "K3S_TOKEN")
SLACK = ("SLACK_ALERTS_URL", "SLACK_LOW_URL")


def complete(text: str) -> str:
    """The text of an .env file with a line for every variable that it lacks."""
    values = {name: secrets.token_hex(24) for name in (*SECRETS, "K8S_TUNING_METRICS_TOKEN")}
    # Fernet wants 32 bytes in URL-safe base64.
    values["AIRFLOW_FERNET_KEY"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    values |= dict.fromkeys(SLACK, "http://slack-webhook-not-set.invalid/")
    there = {line.split("=", 1)[0].strip() for line in text.splitlines() if "=" in line}
    lines = [f"{name}={value}" for name, value in values.items() if name not in there]
    return "\n".join([*text.splitlines(), *lines]) + "\n"


def main(path: Path) -> int:
    """Complete the file, readable by its owner alone."""
    text = path.read_text() if path.exists() else ""
    draft = path.with_name(f"{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(complete(text))
    draft.replace(path)
    print(f"{path}: complete")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[2] / ".env"))
