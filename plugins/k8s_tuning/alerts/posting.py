"""One POST to a receiver, bounded in time and size; faults become DeliveryError, without the URL's secrets."""

from __future__ import annotations

from collections.abc import Mapping

from k8s_tuning import http_client, proxies, timestamps
from k8s_tuning.alerts.credentials import ChannelSecret, check_url, place_of
from k8s_tuning.errors import DeliveryError
from k8s_tuning.http_client import Answer, Fault, Problem
from k8s_tuning.printable import one_line

_MOST_ANSWER_BYTES = 64 * 1024
_LONGEST_QUOTE = 200
_CURES = {
    401: "; the token is missing, wrong or expired: renew it in the connection",
    403: "; the token lacks the right, or was revoked: renew it in the connection",
    404: "; no such webhook: it was deleted, or the address is wrong",
    410: "; the webhook was removed: make a new one and put it into the connection",
}
_ADD_CA = "add its CA to this machine's (SSL_CERT_FILE)"


def post(url: str, body: bytes, headers: Mapping[str, str], secret: ChannelSecret, timeout_seconds: float) -> Answer:
    """Send one POST, once, through the proxy that `secret` names; its answer where its status is 2xx.

    Else DeliveryError: no whole answer within `timeout_seconds`, 429, 408 and 5xx may be tried again, nothing else.
    Redirects are not followed.
    """
    check_url(url, "the connection's URL")
    place = place_of(url)
    proxy = proxies.proxy_for(url, secret.proxy, place)
    try:
        answer = http_client.exchange(
            http_client.Request("POST", url, headers, body, proxy), timeout_seconds, _MOST_ANSWER_BYTES
        )
    except Fault as fault:
        raise _undelivered(fault, place, proxies.place_of(proxy or ""), timeout_seconds) from None
    if 200 <= answer.status < 300:
        return answer
    if 300 <= answer.status < 400:
        raise DeliveryError(
            f"{place}: answered {answer.status}, a redirect, which is not followed with secrets; "
            "put the final address into the connection",
            retryable=False,
        )
    retryable = answer.status in (408, 429) or answer.status >= 500
    raise DeliveryError(
        f"{place}: answered {said(answer, secret)}{_CURES.get(answer.status, '')}",
        retryable=retryable,
        retry_after=timestamps.retry_after(answer.headers.get("retry-after")) if retryable else None,
    )


def said(answer: Answer, secret: ChannelSecret) -> str:
    """The status, and what the receiver said to it."""
    return f"{answer.status}{quote(answer.text, secret)}"


def _undelivered(fault: Fault, place: str, proxy: str, timeout_seconds: float) -> DeliveryError:
    if fault.problem is Problem.BAD_URL:
        return DeliveryError("the connection's URL cannot be used; copy it again", retryable=False)
    kind = type(fault.cause).__name__
    reason = one_line(fault.reason or kind)
    status = int(getattr(fault.cause, "status", 0) or 0)
    no_answer = f"no answer within {timeout_seconds:g} s", True
    known = {
        Problem.NO_CONNECTION_IN_TIME: no_answer,
        Problem.NO_ANSWER_IN_TIME: no_answer,
        Problem.CERTIFICATE: (f"its certificate is not trusted here; {_ADD_CA}", False),
        Problem.TLS: ("no TLS connection; is it an http address?", True),
        Problem.PROXY_AWAY: (f"its proxy {proxy} cannot be connected to: {reason}", True),
        Problem.PROXY_REFUSED: (f"its proxy {proxy} answered {status}", status >= 500),
        Problem.NO_CONNECTION: (f"cannot be connected to: {reason}", True),
        Problem.CLOSED: ("closed the connection without an answer", True),
        Problem.BAD_REQUEST: (f"the request cannot be written: {kind}", False),  # a header with a line break in it
    }
    words, retryable = known.get(fault.problem, (f"the exchange broke off: {kind}", True))
    return DeliveryError(f"{place}: {words}", retryable=retryable)


def quote(text: str, secret: ChannelSecret) -> str:
    """A receiver's words, in one line and bounded, with a colon before them; nothing where it said nothing.

    Masked before they are cut: of a secret that the cut goes through, its beginning would be left.
    """
    line = one_line(secret.masker.answer(text[:_MOST_ANSWER_BYTES]), _LONGEST_QUOTE)
    return f": {line}" if line else ""
