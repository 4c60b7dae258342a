"""Hand one notice to its channel: ask the ledger, send with retries, write down what became of it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

import tenacity

from k8s_tuning import timestamps, unforeseen
from k8s_tuning.alerts.channels import CHANNELS, ChannelConfig
from k8s_tuning.alerts.config import AlertingConfig
from k8s_tuning.alerts.credentials import ChannelSecret, Resolve
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.message import fitting, kept_message, show
from k8s_tuning.alerts.notice import Notice, Outcome, Sent, Status
from k8s_tuning.alerts.reason import DELIVERED, Result
from k8s_tuning.errors import ConfigError, DeliveryError, InputError, StoreError, UnforeseenError
from k8s_tuning.storage import jsonl

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 4
# A receiver that asks for a longer pause gets its notice with the next run.
LONGEST_RETRY_AFTER_SECONDS = 30.0
# No try begins later than this: with one more timeout, all is over before CLAIM_SECONDS are.
_BUDGET_SECONDS = 120.0
# How long what was sent is tried to be written down: the volume's server may be restarting.
_RECORD_SECONDS = 600.0
_RECORD_ATTEMPTS = 25
# A task that sends a test alert is not retried for longer than this: older lines need not be looked at.
_LONGEST_RETRY_SECONDS = 86_400.0
_OVERTAKES = (Result.PENDING, Result.SENT)
_BACKOFF = tenacity.wait_exponential_jitter(multiplier=0.5, max=8, jitter=1)


def deliver_notice(
    config: AlertingConfig,
    notice: Notice,
    resolve: Resolve,
    ledger: Ledger | None,
    *,
    dry_run: bool = True,
    now: Callable[[], str] = timestamps.now,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Send one notice, unless the ledger says that it was sent; what became of it is returned, and in the ledger.

    `resolve` returns a connection's secrets by its name (else InputError). A failure is an outcome, not an
    exception, so that one channel's never holds up another's; what failed stays pending. So is a fault that nobody
    foresaw; and of a process that is interrupted while it sends, the ledger has an attempt of which nobody knows
    whether it arrived. `ledger` may be None for a message that nothing needs to remember. StoreError where the ledger
    cannot be read or written, before anything is sent. Should it fail after that, writing is tried again for
    _RECORD_SECONDS, and the error is then not retryable: a task that is repeated would send the message once more.
    """
    if ledger is not None and (done := _no_longer_needed(notice, ledger, dry_run)):
        return _outcome(notice, done, 0, "", now())
    message = shown = ""
    if ledger is not None and not dry_run:
        ledger.check()

    def written(outcome: Outcome) -> Outcome:
        if ledger is not None:
            ledger.append(_lines(notice, outcome, {}, message, dry_run=dry_run))
        return outcome

    try:
        with unforeseen.net():
            channel = config.channel(notice.receiver, notice.channel)
            if channel is None:
                gone = f"no channel {notice.channel!r} of receiver {notice.receiver!r} any more"
                raise InputError(f"{config.name}: {gone}")
            kind = CHANNELS[channel.type]
            drafts = kind.render(notice, channel)
            message = kept_message(notice, channel, ChannelSecret())
            if dry_run:
                shown = show(notice, drafts)
            else:
                secret = resolve(channel.connection) if channel.connection else ChannelSecret()
                _check_type(channel, secret)
                message = kept_message(notice, channel, secret)
    except (InputError, DeliveryError, UnforeseenError) as error:
        return written(_outcome(notice, Result.FAILED, 0, str(error), now()))
    if dry_run:
        return written(_outcome(notice, Result.DRY_RUN, 0, "nothing was sent", now(), shown=shown))
    ended: tuple[Outcome, Sent] | None = None
    try:
        ended = _send(notice, lambda: kind.send(drafts, channel, secret), secret, now, sleep)
    finally:
        if ended is None:  # Ctrl-C, or Airflow's time-out of the task
            words = "interrupted while it was sent; it may have arrived"
            with contextlib.suppress(StoreError):
                written(_outcome(notice, Result.FAILED, 1, words, now()))
    if ledger is not None:
        _write_sent(ledger, notice, *ended, message, sleep)
    return ended[0]


def _send(
    notice: Notice,
    send: Callable[[], Sent],
    secret: ChannelSecret,
    now: Callable[[], str],
    sleep: Callable[[float], None],
) -> tuple[Outcome, Sent]:
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(MOST_ATTEMPTS) | tenacity.stop_before_delay(_BUDGET_SECONDS),
        wait=_pause,
        retry=tenacity.retry_if_exception(_worth_a_retry),
        sleep=sleep,
        reraise=True,
    )
    attempts = 0
    try:
        for attempt in retrying:
            with attempt, unforeseen.net():
                attempts += 1
                sent = send()
    except (DeliveryError, InputError, UnforeseenError) as error:
        answer = secret.masker.answer(str(error))
        log.warning("notice %s to %s/%s failed: %s", notice.id, notice.receiver, notice.channel, answer)
        return _outcome(notice, Result.FAILED, attempts, answer, now(), retryable=error.retryable), Sent("")
    return _outcome(notice, Result.SENT, attempts, secret.masker.answer(sent.answer), now()), sent


def _worth_a_retry(error: BaseException) -> bool:
    if not isinstance(error, DeliveryError) or not error.retryable:
        return False
    return error.retry_after is None or error.retry_after <= LONGEST_RETRY_AFTER_SECONDS


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, DeliveryError) else None
    return asked if asked is not None else float(_BACKOFF(state))


def _check_type(channel: ChannelConfig, secret: ChannelSecret) -> None:
    """A database's password is no webhook's: what the connection of another system holds is sent nowhere."""
    types = CHANNELS[channel.type].connection_types
    if secret.conn_type is not None and secret.conn_type not in types:
        raise ConfigError(
            f"connection {channel.connection!r} is of the type {secret.conn_type!r}; a channel of type {channel.type} "
            f"takes {' or '.join(types)}: make one of that type in Airflow, and name it"
        )


def _no_longer_needed(notice: Notice, ledger: Ledger, dry_run: bool) -> Result | None:
    """What the ledger says against sending; None where it is still to be sent.

    Read from its end to where the notice was planned, a moment ago, however long the ledger is.
    """
    was_planned = notice.status in (Status.FIRING, Status.RESOLVED)
    waiting = {item.incident_id for item in notice.items}
    overtaken: set[str] = set()
    for line in ledger.newest_first():
        if line.dry_run and not dry_run:
            continue
        if line.notice_id == notice.id:
            if line.outcome in DELIVERED:
                return Result.ALREADY_SENT
            if line.outcome == Result.PENDING:
                if line.incident_id not in overtaken:
                    return None
                waiting.discard(line.incident_id)
                if not waiting:
                    break
        elif (line.receiver, line.channel) == (notice.receiver, notice.channel) and line.outcome in _OVERTAKES:
            overtaken.add(line.incident_id)
        if not was_planned and timestamps.seconds_between(line.at, notice.planned_at) > _LONGEST_RETRY_SECONDS:
            break
    return Result.SUPERSEDED if was_planned else None


def _outcome(notice: Notice, outcome: Result, attempts: int, answer: str, at: str, **more: Any) -> Outcome:
    return Outcome(notice.id, notice.receiver, notice.channel, outcome, attempts, answer, at, **more)


def _write_sent(
    ledger: Ledger, notice: Notice, outcome: Outcome, sent: Sent, message: str, sleep: Callable[[float], None]
) -> None:
    """Write down what was sent, however long the ledger is held by others or its volume is away."""
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(_RECORD_SECONDS) | tenacity.stop_after_attempt(_RECORD_ATTEMPTS),
        wait=tenacity.wait_exponential(multiplier=1, max=30),
        retry=tenacity.retry_if_exception_type(StoreError),
        sleep=sleep,
        reraise=True,
    )
    try:
        for line in _lines(notice, outcome, sent.ref, message, dry_run=False):
            retrying(ledger.append, [line])
    except StoreError as error:
        if outcome.outcome is not Result.SENT:
            raise
        unwritten = StoreError(
            f"notice {notice.id} was sent to {notice.receiver}/{notice.channel}, but that cannot be written down: "
            f"{error}; until it can, the next run may send it again"
        )
        unwritten.retryable = False
        raise unwritten from error


def _lines(notice: Notice, outcome: Outcome, ref: dict[str, str], message: str, *, dry_run: bool) -> list[LedgerLine]:
    lines = [LedgerLine.attempted(notice, item, outcome, ref, dry_run=dry_run) for item in notice.items]
    # One message: the first incident's line has it.
    lines[0].message = fitting(message, jsonl.MAX_LINE_BYTES - len(jsonl.encode(lines[0].record())))
    return lines
