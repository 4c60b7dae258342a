"""How often a stage is tried: what a retry cannot cure fails at once (see StageOperator), the rest backs off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

# 20 s, 40 s, 80 s: with the clients' own retries inside each try, some five minutes of a cluster that is away.
STAGE_RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=5),
}
