"""Kubernetes' answers to a request that is refused: a Status object, its code and its reason.

`Refusal` never leaves the sandbox: the HTTP layer turns it into the Status that a real API server would send.
Reasons: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from k8s_tuning_sandbox.resources import Resource

Body = dict[str, Any]


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong with an object: the field's path, a reason of the API's list, and the message."""

    field: str
    reason: str
    message: str

    def body(self) -> Body:
        """Its part of a Status's details."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


@dataclass
class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """A request that the API refuses, as the Status that says so."""

    code: int
    reason: str
    message: str
    details: Body | None = None
    continue_token: str = ""

    def body(self) -> Body:
        """The Status object."""
        status: Body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        if self.continue_token:
            status["metadata"]["continue"] = self.continue_token
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return {**status, "code": self.code}


def of(resource: Resource, name: str) -> Body:
    """The `details` that name an object."""
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in details.items() if value}


def not_found(resource: Resource, name: str) -> Refusal:
    """404: no such object."""
    return Refusal(404, "NotFound", f'{resource.qualified} "{name}" not found', of(resource, name))


def modified(resource: Resource, name: str) -> Refusal:
    """409 for a write that names an older resourceVersion."""
    text = "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {text}'
    return Refusal(409, "Conflict", message, of(resource, name))


def bad_request(message: str) -> Refusal:
    """400: the request itself cannot be read."""
    return Refusal(400, "BadRequest", message)


def expired(message: str, continue_token: str = "") -> Refusal:
    """410: a continue token or a resourceVersion that is too old."""
    return Refusal(410, "Expired", message, continue_token=continue_token)


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> Refusal:
    """422 with every cause."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details: Body = {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}
    details["causes"] = [cause.body() for cause in causes]
    qualified = f"{kind}.{group}" if group else kind
    return Refusal(422, "Invalid", f'{qualified} "{name}" is invalid: {said}', details)


def wrong(field: str, value: Any, why: str) -> Cause:
    """A value that breaks a rule."""
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Cause(field, "FieldValueInvalid", f"Invalid value: {shown}: {why}")


def required(field: str, why: str = "") -> Cause:
    """A value that must be there and is not."""
    return Cause(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def unsupported(field: str, value: str, supported: Sequence[str]) -> Cause:
    """A value that is none of those that there are."""
    listed = ", ".join(f'"{one}"' for one in supported)
    return Cause(field, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {listed}')
