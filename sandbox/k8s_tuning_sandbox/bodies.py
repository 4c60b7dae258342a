"""What a client sent: read within a bound, as JSON, YAML or protobuf."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError
from k8s_tuning_sandbox import protobuf
from k8s_tuning_sandbox.status import Refusal, bad_request

_LIMIT = 3 * 1024 * 1024
_JSON, _YAML, _PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"


async def raw_body(request: Request) -> bytes:
    """The body; Refusal 413 where it is larger than a server accepts."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LIMIT:
            raise Refusal(413, "RequestEntityTooLarge", f"Request entity too large: limit is {_LIMIT}", {})
    return bytes(body)


async def sent_object(request: Request, kind: str, *, optional: bool = False) -> Any:
    """The body as plain data, by its Content-Type; Refusal 400 or 415. An optional one may be empty: {}."""
    media = request.headers.get("content-type", "").partition(";")[0].strip() or _JSON
    body = await raw_body(request)
    if optional and not body.strip():
        return {}
    if media == _PROTOBUF:
        return protobuf.decode(body)
    if media == _YAML:
        return read_yaml(body, kind)
    if media != _JSON:
        text = "the body of the request was in an unknown format - accepted media types include: "
        raise Refusal(415, "UnsupportedMediaType", text + ", ".join((_JSON, _YAML, _PROTOBUF)))
    try:
        return orjson.loads(body)
    except ValueError as error:
        text = f"couldn't get version/kind; json parse error: {error}"
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {text}") from error


def read_yaml(body: bytes, kind: str) -> Any:
    """YAML, or the JSON that is part of it, as plain data; Refusal 400."""
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        return yamlfile.parse(body.decode(), "body", yamlfile.Dialect.KUBECTL)
    except (ConfigError, UnicodeDecodeError) as error:
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {error}") from error
