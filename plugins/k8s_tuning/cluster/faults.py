"""What an API server's refusal, or its silence, means in this package's errors. No I/O: facts in, an exception out.

Sources: https://kubernetes.io/docs/reference/using-api/api-concepts/ and apimachinery's metav1.Status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from k8s_tuning.cluster import refusals
from k8s_tuning.cluster.listing import json_object
from k8s_tuning.errors import (
    BadAnswer,
    ClusterError,
    Conflict,
    Expired,
    Forbidden,
    InputError,
    Invalid,
    NotFound,
    Throttled,
    Unauthorized,
    Unreachable,
)
from k8s_tuning.http_client import Fault, Problem
from k8s_tuning.kubernetes_names import dns_label_problem, dns_subdomain_problem
from k8s_tuning.stages.api_values import Json, mapping, mappings

_EXCERPT = 500
_LONGEST_MESSAGE = 4_000


_ROOTS = {"": "/api/v1", "batch": "/apis/batch/v1", "metrics.k8s.io": "/apis/metrics.k8s.io/v1beta1"}


def check_namespace(namespace: str) -> None:
    """InputError where a namespace's name cannot be one."""
    if (problem := dns_label_problem(namespace)) is not None:
        raise InputError(f"namespace {namespace!r} {problem}")


@dataclass(frozen=True)
class Call:
    """What is being asked, in RBAC's words; as text, for messages: `list jobs in namespace trading-bots`."""

    verb: str
    resource: str
    group: str = ""
    namespace: str | None = None
    name: str | None = None

    @property
    def path(self) -> str:
        """Where the API has it. InputError for a name that cannot be one, and would change the path."""
        if self.namespace is not None:
            check_namespace(self.namespace)
        if self.name is not None and (problem := dns_subdomain_problem(self.name)) is not None:
            raise InputError(f"object name {self.name!r} {problem}")
        resource, _, sub_resource = self.resource.partition("/")
        where = [] if self.namespace is None or resource == "namespaces" else ["namespaces", self.namespace]
        return "/".join(filter(None, [_ROOTS[self.group], *where, resource, self.name, sub_resource]))

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        place = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{name}{place}"


def from_answer(status: int, headers: Mapping[str, str], body: bytes, call: Call, server: str) -> ClusterError:
    """The error for an answer other than 2xx. `server`: host and port, for the message."""
    said = _status_object(body)
    message = _message(said)
    html = said is None and ("html" in headers.get("content-type", "") or body[:200].lstrip().startswith(b"<"))
    if status == 401:
        return Unauthorized(
            f"expired or wrong token: {server} answered 401 to '{call}'; renew the credentials in the kubeconfig",
            status,
        )
    if html and status not in (403, 429):
        return BadAnswer(
            f"{server} answered '{call}' with a web page (HTTP {status}), not as the Kubernetes API; check the "
            "server's address and any proxy between",
            status,
        )
    if status == 403:
        if not message:
            return Forbidden(
                f"may not {call}: {server} answered 403, but not as the Kubernetes API: a proxy or gateway between "
                "refused; check HTTPS_PROXY, NO_PROXY and the server's address",
                status,
            )
        asked = refusals.grant(call.verb, call.group, call.resource, call.namespace)
        reading = call.verb in ("get", "list", "watch")
        refusal = refusals.forbidden(message, asked, reading=reading)
        return _refused(Forbidden, f"{'may not' if refusal.right else 'cannot'} {call}: {message}", refusal, status)
    if status == 404:
        return NotFound(f"cannot {call}: {message or 'this cluster has no such API'} (404)", status)
    if status == 409:
        what = f"cannot {call}: {message or 'conflict'}{_causes(said)} (409)"
        return _refused(Conflict, what, refusals.conflict(message), status)
    if status == 410:
        return Expired(f"cannot {call}: {message or 'the resource version is too old'} (410); list again", status)
    if status in (400, 405, 406, 413, 415, 422):
        return Invalid(f"cannot {call}: {message or _excerpt(body) or 'refused'}{_causes(said)} ({status})", status)
    if status == 429:
        return Throttled(f"cannot {call}: {server} is throttling (429){_after_colon(message)}; ask later", status)
    if 300 <= status < 400:
        return BadAnswer(f"{server} answered '{call}' with a redirect ({status}); check the address", status)
    if status >= 500 and (fault := refusals.manifest_fault(message)) is not None:
        return _refused(Invalid, f"cannot {call}: {message} ({status})", fault, status)
    return BadAnswer(f"cannot {call}: {server} answered {status}{_after_colon(message or _excerpt(body))}", status)


def is_collision(status: int, body: bytes, call: Call) -> bool:
    """Whether the server's own bookkeeping was in the way, and the same request may succeed at once."""
    return status in (403, 409) and refusals.is_collision(status, _message(_status_object(body)), call.resource)


def from_silence(fault: Fault, call: Call, server: str) -> ClusterError:
    """The error for a request that got no whole answer."""
    not_trusted = getattr(fault.cause, "verify_message", "") or "not trusted"
    not_tls = getattr(fault.cause, "reason", None) or "no TLS spoken there"
    proxy = "the proxy refused the connection; check proxy-url or HTTPS_PROXY"
    broken = f"the connection broke during '{call}'"
    said = {
        Problem.CERTIFICATE: f"the server's certificate is not accepted: {not_trusted}; the kubeconfig's "
        "certificate-authority must be the one that signed it, and the address one that it names",
        Problem.TLS: f"TLS failed ({not_tls}); is it an https port, and the client certificate right?",
        Problem.NO_CONNECTION_IN_TIME: "no connection within the time limit; is there a route (VPN, firewall)?",
        Problem.NO_ANSWER_IN_TIME: f"connected, but no answer to '{call}' in time; the API server hangs",
        Problem.NO_CONNECTION: f"cannot connect: {fault.reason or 'no route'}; is it up, and the address right?",
        Problem.PROXY_AWAY: proxy,
        Problem.PROXY_REFUSED: proxy,
        Problem.CLOSED: broken,
        Problem.BROKEN: broken,
    }.get(fault.problem)
    if said is None:
        return BadAnswer(f"{server}: '{call}' got an answer that is not HTTP as the Kubernetes API speaks it")
    return Unreachable(f"{server}: {said}")


def may_pass(fault: Fault) -> bool:
    """Whether a silence may be a passing one. TLS never repairs itself, and a server that hangs has had its time."""
    return fault.problem not in (
        Problem.CERTIFICATE,
        Problem.TLS,
        Problem.NO_ANSWER_IN_TIME,
        Problem.NOT_UNPACKED,
        Problem.BAD_URL,
        Problem.BAD_REQUEST,
    )


def not_json(call: Call, server: str, body: bytes, status: int) -> BadAnswer:
    """The error for a 2xx whose body is not a JSON object."""
    kind = "a web page" if body[:200].lstrip().startswith(b"<") else "something that is not a JSON object"
    return BadAnswer(
        f"{server} answered '{call}' with {kind}, not as the Kubernetes API; check the address and any proxy",
        status,
    )


def not_a_list(call: Call, server: str, why: Exception) -> BadAnswer:
    """The error for a 2xx whose body is not a list, or one without an end."""
    said = f"the answer to '{call}' is not a Kubernetes list ({why})"
    return BadAnswer(f"{server}: {said}; check the address and any proxy", retryable=False)


def too_large(call: Call, server: str, most_bytes: int | None) -> BadAnswer:
    """The error for a 2xx that goes on and on."""
    said = f"{server} answered '{call}' with more than {(most_bytes or 0) / 1024**2:.0f} MiB"
    return BadAnswer(f"{said}, which no such answer needs; it was not read on", retryable=False)


def _status_object(body: bytes) -> Json | None:
    data = json_object(body)
    return data if data is not None and data.get("kind") == "Status" else None


def _message(said: Json | None) -> str:
    message = str(said.get("message") or "") if said else ""
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"


def _refused(kind: type[ClusterError], what: str, refusal: refusals.Refusal, status: int) -> ClusterError:
    return kind(f"{what}; {refusal.cure}", status, retryable=refusal.passing)


def _causes(said: Json | None) -> str:
    causes_said = [
        f"{cause.get('field') or '?'}: {cause.get('message') or cause.get('reason') or '?'}"
        for cause in mappings(mapping(said or {}, "details"), "causes")
    ]
    return f" [{'; '.join(causes_said[:20])}]" if causes_said else ""


def _excerpt(body: bytes) -> str:
    return " ".join(body[:_EXCERPT].decode(errors="replace").split())


def _after_colon(text: str) -> str:
    return f": {text}" if text else ""
