"""The little protobuf that kubectl speaks: `kubectl create job`, `create namespace` and `auth can-i` send no JSON.

Field numbers are those of Kubernetes' generated.proto files. A field that is not here is refused, not dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from k8s_tuning_sandbox.status import Refusal, bad_request

MAGIC = b"k8s\x00"

# By message its fields as `number name type`. A type in capitals is a message of this table; `[…]` repeats; `map` is
# from text to text; what is to be skipped has no name.
_FIELDS: Mapping[str, str] = {
    "Unknown": "1 typeMeta TypeMeta, 2 raw bytes, 3 skip, 4 skip",
    "TypeMeta": "1 apiVersion text, 2 kind text",
    "ObjectMeta": (
        "1 name text, 2 generateName text, 3 namespace text, 4 skip, 5 uid text, 6 resourceVersion text, 7 skip, "
        "8 skip, 11 labels map, 12 annotations map, 14 finalizers [text], 15 skip, 17 skip"
    ),
    "Namespace": "1 metadata ObjectMeta, 2 skip, 3 skip",
    "Job": "1 metadata ObjectMeta, 2 spec JobSpec, 3 skip",
    "JobSpec": (
        "1 parallelism int, 2 completions int, 3 activeDeadlineSeconds int, 6 template PodTemplateSpec, "
        "7 backoffLimit int, 8 ttlSecondsAfterFinished int"
    ),
    "Pod": "1 metadata ObjectMeta, 2 spec PodSpec, 3 skip",
    "PodTemplateSpec": "1 metadata ObjectMeta, 2 spec PodSpec",
    "PodSpec": (
        "2 containers [Container], 3 restartPolicy text, 4 terminationGracePeriodSeconds int, "
        "5 activeDeadlineSeconds int, 6 dnsPolicy text, 7 nodeSelector map, 8 serviceAccountName text, "
        "9 serviceAccount text, 10 nodeName text, 11 skip, 12 skip, 13 skip, 16 hostname text, "
        "17 subdomain text, 19 schedulerName text, 24 priorityClassName text"
    ),
    "Container": (
        "1 name text, 2 image text, 3 command [text], 4 args [text], 5 workingDir text, 7 env [EnvVar], "
        "8 resources Nothing, 13 terminationMessagePath text, 14 imagePullPolicy text, 16 skip, 17 skip, "
        "18 skip, 20 terminationMessagePolicy text"
    ),
    "EnvVar": "1 name text, 2 value text",
    "Nothing": "",
    "SelfSubjectAccessReview": "1 skip, 2 spec ReviewSpec, 3 skip",
    "ReviewSpec": "1 resourceAttributes ResourceAttributes",
    "ResourceAttributes": (
        "1 namespace text, 2 verb text, 3 group text, 4 version text, 5 resource text, 6 subresource text, 7 name text"
    ),
}


def _parsed(fields: str) -> dict[int, tuple[str, str]]:
    parts = (field.split() for field in fields.split(", ") if field)
    return {int(part[0]): (part[1] if part[2:] else "", part[-1]) for part in parts}


_MESSAGES = {name: _parsed(fields) for name, fields in _FIELDS.items()}


def decode(body: bytes) -> dict[str, Any]:
    """An object in Kubernetes' protobuf envelope as plain data; Refusal 400, or 415 for an unknown field."""
    if not body.startswith(MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        envelope = _message(body[len(MAGIC) :], "Unknown")
        kind = envelope["typeMeta"]
        return {**kind, **_message(envelope["raw"], kind["kind"])}
    except (AttributeError, IndexError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise bad_request(f"the protobuf message cannot be read: {error!r}") from error


def _message(data: bytes, name: str) -> dict[str, Any]:
    fields, found = _MESSAGES[name], dict[str, Any]()
    for number, value in _fields(data):
        if number not in fields:
            text = f"the sandbox cannot read field {number} of {name} in protobuf; send it as JSON: kubectl apply -f"
            raise Refusal(415, "UnsupportedMediaType", text)
        field, kind = fields[number]
        if kind == "skip":
            continue
        if kind == "map":
            pair = {key: item.decode() for key, item in _fields(value)}
            found.setdefault(field, {})[pair[1]] = pair.get(2, "")
        elif kind.startswith("["):
            found.setdefault(field, []).append(_value(value, kind[1:-1]))
        else:
            found[field] = _value(value, kind)
    return found


def _value(value: Any, kind: str) -> Any:
    if kind == "text":
        return value.decode()
    return value if kind in ("bytes", "int") else _message(value, kind)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        if tag & 7 == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value - 2**64 if value >= 2**63 else value
        elif tag & 7 == 2:
            length, position = _varint(data, position)
            if position + length > len(data):
                raise IndexError("cut off")
            yield tag >> 3, data[position : position + length]
            position += length
        else:
            raise IndexError(f"wire type {tag & 7}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise IndexError("a number too long")
