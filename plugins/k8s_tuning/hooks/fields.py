"""What an Airflow connection holds, read as the providers read it: extra fields by their plain name, then prefixed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError, ErrorType

from k8s_tuning.errors import ConfigError


def find_connection(conn_id: str) -> Connection | None:
    """The connection; None where Airflow says that nobody defined it: no other fault may be taken for that."""
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
    except AirflowRuntimeError as error:
        if error.error.error is not ErrorType.CONNECTION_NOT_FOUND:
            raise
        return None


def extra_of(connection: Connection) -> dict[str, Any]:
    """The extra's fields; ConfigError where it is no JSON object, which Airflow itself would take for an empty one."""
    extra: Any = connection.extra_dejson
    if connection.extra and connection.extra.strip() and not extra:
        try:
            extra = json.loads(connection.extra)
        except ValueError:
            extra = None
        if extra is None and connection.extra.strip() != "null":
            raise ConfigError(f"connection {connection.conn_id!r}: its extra is not JSON")
    if extra and not isinstance(extra, dict):
        raise ConfigError(f"connection {connection.conn_id!r}: its extra is not a JSON object")
    return extra or {}


def field_of(extra: Mapping[str, Any], conn_type: str, name: str) -> Any:
    """One field, None where it is absent or empty. Older Airflows wrote `extra__TYPE__NAME`, for empty fields too."""
    for key in (name, f"extra__{conn_type}__{name}"):
        if extra.get(key) not in (None, ""):
            return extra[key]
    return None


def text_of(extra: Mapping[str, Any], conn_type: str, name: str, conn_id: str) -> str | None:
    """The same, a text; ConfigError where it is something else."""
    value = field_of(extra, conn_type, name)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"connection {conn_id!r}: {name} is not a text")
    return value
