"""One HTTP request and its answer, bounded in time and size; faults become DeliveryError without the URL's secrets.

aiohttp rather than httpx2: it has a limit on the whole exchange (a receiver that sends a byte a second is cut off too),
and it logs no URL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from k8s_tuning import certificates, proxies, timestamps
from k8s_tuning.alerts.credentials import ChannelSecret, check_url, mask_answer, place_of
from k8s_tuning.errors import DeliveryError
from k8s_tuning.printable import one_line

_MOST_ANSWER_BYTES = 64 * 1024
_LONGEST_QUOTE = 200


@dataclass(frozen=True)
class Request:
    """One POST. Its URL, headers and proxy may hold secrets. `proxy`: what the connection names, if it does."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Answer:
    """A receiver's answer: the status, the header names in lower case, and the body's first 64 kB as text."""

    status: int
    headers: Mapping[str, str]
    text: str


def post(request: Request, timeout_seconds: float) -> Answer:
    """Send one POST, once; its answer, whatever its status. Redirects are not followed.

    DeliveryError, retryable, where no whole answer came within `timeout_seconds`.
    """
    check_url(request.url, "the connection's URL")
    return asyncio.run(_post(request, timeout_seconds))


async def _post(request: Request, timeout_seconds: float) -> Answer:
    import aiohttp

    place = place_of(request.url)
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    proxy = proxies.proxy_for(request.url, request.proxy, place)
    # Without trust_env aiohttp reads no ~/.netrc, which would send another system's credentials to the receiver.
    try:
        tls = certificates.trusting_system() if request.url.lower().startswith("https:") else True
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(
                request.url,
                data=request.body,
                headers=dict(request.headers),
                allow_redirects=False,
                proxy=proxy,
                ssl=tls,
            ) as response,
        ):
            body = b""
            async for chunk in response.content.iter_chunked(8192):
                body += chunk
                if len(body) >= _MOST_ANSWER_BYTES:
                    break
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, headers, body[:_MOST_ANSWER_BYTES].decode("utf-8", "replace"))
    # `from None`, all of them: aiohttp's errors may hold the whole URL, and a log shows the chain.
    except TimeoutError:
        raise DeliveryError(f"{place}: no answer within {timeout_seconds:g} s", retryable=True) from None
    except aiohttp.ClientConnectorCertificateError:
        raise DeliveryError(
            f"{place}: its certificate is not trusted here; add its CA to this machine's (SSL_CERT_FILE)",
            retryable=False,
        ) from None
    except aiohttp.ClientSSLError:
        raise DeliveryError(f"{place}: no TLS connection; is it an http address?", retryable=True) from None
    except aiohttp.ClientProxyConnectionError as error:
        cause = error.os_error.strerror or type(error.os_error).__name__
        raise DeliveryError(
            f"{place}: its proxy {proxies.place_of(proxy or '')} cannot be connected to: {one_line(cause)}",
            retryable=True,
        ) from None
    except aiohttp.ClientHttpProxyError as error:
        raise DeliveryError(
            f"{place}: its proxy {proxies.place_of(proxy or '')} answered {error.status}", retryable=error.status >= 500
        ) from None
    except aiohttp.ClientConnectorError as error:
        cause = error.os_error.strerror or type(error.os_error).__name__
        raise DeliveryError(f"{place}: cannot be connected to: {one_line(cause)}", retryable=True) from None
    except aiohttp.ServerDisconnectedError:
        raise DeliveryError(f"{place}: closed the connection without an answer", retryable=True) from None
    except aiohttp.InvalidURL:
        raise DeliveryError("the connection's URL cannot be used; copy it again", retryable=False) from None
    except (aiohttp.ClientError, OSError) as error:
        raise DeliveryError(f"{place}: the exchange broke off: {type(error).__name__}", retryable=True) from None
    except ValueError as error:  # a header with a line break in it
        raise DeliveryError(
            f"{place}: the request cannot be written: {type(error).__name__}", retryable=False
        ) from None


def check(answer: Answer, url: str, secret: ChannelSecret, now: datetime | None = None) -> Answer:
    """The answer where its status is 2xx; else DeliveryError: 429, 408 and 5xx may be tried again, nothing else."""
    if 200 <= answer.status < 300:
        return answer
    place = place_of(url)
    if 300 <= answer.status < 400:
        raise DeliveryError(
            f"{place}: answered {answer.status}, a redirect, which is not followed with secrets; "
            "put the final address into the connection",
            retryable=False,
        )
    retryable = answer.status in (408, 429) or answer.status >= 500
    raise DeliveryError(
        f"{place}: answered {answer.status}{quote(answer.text, secret)}{_cure(answer.status)}",
        retryable=retryable,
        retry_after=timestamps.retry_after(answer.headers.get("retry-after"), now) if retryable else None,
    )


def quote(text: str, secret: ChannelSecret) -> str:
    """A receiver's words, in one line and bounded, with a colon before them; nothing where it said nothing.

    Masked before they are cut: of a secret that the cut goes through, its beginning would be left.
    """
    line = one_line(mask_answer(text[:_MOST_ANSWER_BYTES], secret), _LONGEST_QUOTE)
    return f": {line}" if line else ""


def _cure(status: int) -> str:
    return {
        401: "; the token is missing, wrong or expired: renew it in the connection",
        403: "; the token lacks the right, or was revoked: renew it in the connection",
        404: "; no such webhook: it was deleted, or the address is wrong",
        410: "; the webhook was removed: make a new one and put it into the connection",
    }.get(status, "")
