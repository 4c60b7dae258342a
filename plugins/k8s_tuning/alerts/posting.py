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
    kind = type(fault.cause).__name__
    reason = one_line(fault.reason or kind)
    match fault.problem:
        case Problem.NO_CONNECTION_IN_TIME | Problem.NO_ANSWER_IN_TIME:
            return DeliveryError(f"{place}: no answer within {timeout_seconds:g} s", retryable=True)
        case Problem.CERTIFICATE:
            cure = "add its CA to this machine's (SSL_CERT_FILE)"
            return DeliveryError(f"{place}: its certificate is not trusted here; {cure}", retryable=False)
        case Problem.TLS:
            return DeliveryError(f"{place}: no TLS connection; is it an http address?", retryable=True)
        case Problem.PROXY_AWAY:
            return DeliveryError(f"{place}: its proxy {proxy} cannot be connected to: {reason}", retryable=True)
        case Problem.PROXY_REFUSED:
            status = int(getattr(fault.cause, "status", 0))
            return DeliveryError(f"{place}: its proxy {proxy} answered {status}", retryable=status >= 500)
        case Problem.NO_CONNECTION:
            return DeliveryError(f"{place}: cannot be connected to: {reason}", retryable=True)
        case Problem.CLOSED:
            return DeliveryError(f"{place}: closed the connection without an answer", retryable=True)
        case Problem.BAD_URL:
            return DeliveryError("the connection's URL cannot be used; copy it again", retryable=False)
        case Problem.BAD_REQUEST:  # a header with a line break in it
            return DeliveryError(f"{place}: the request cannot be written: {kind}", retryable=False)
    return DeliveryError(f"{place}: the exchange broke off: {kind}", retryable=True)


def quote(text: str, secret: ChannelSecret) -> str:
    """A receiver's words, in one line and bounded, with a colon before them; nothing where it said nothing.

    Masked before they are cut: of a secret that the cut goes through, its beginning would be left.
    """
    line = one_line(secret.masker.answer(text[:_MOST_ANSWER_BYTES]), _LONGEST_QUOTE)
    return f": {line}" if line else ""
