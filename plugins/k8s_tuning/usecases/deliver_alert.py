"""D35, second half: planned notices go to their channels, and what became of each is in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from k8s_tuning import timestamps
from k8s_tuning.alerts import AlertingConfig, Ledger, Notice, Observation, Outcome, deliver_notice, plan_notices
from k8s_tuning.alerts.credentials import Resolve

# Each waits for another machine; one that hangs must not hold up the others.
_AT_ONCE = 16


def deliver_all(
    config: AlertingConfig,
    notices: Sequence[Notice],
    resolve: Resolve,
    ledger: Ledger | None,
    *,
    dry_run: bool,
    now: Callable[[], str] = timestamps.now,
) -> list[Outcome]:
    """Deliver all of them, side by side (`deliver_notice`); the outcomes in the order of the notices."""
    if not notices:
        return []
    deliver = partial(deliver_notice, config, resolve=resolve, ledger=ledger, dry_run=dry_run, now=now)
    with ThreadPoolExecutor(min(_AT_ONCE, len(notices))) as pool:
        return list(pool.map(deliver, notices))


def announce(
    config: AlertingConfig, observation: Observation, ledger: Ledger, run_id: str, resolve: Resolve, *, dry_run: bool
) -> list[Outcome]:
    """Plan and deliver at once what one observation calls for, for a task or a callback that reports its own run."""
    notices = plan_notices(config, [observation], ledger, timestamps.now(), run_id, dry_run=dry_run)
    return [deliver_notice(config, notice, resolve, ledger, dry_run=dry_run) for notice in notices]
