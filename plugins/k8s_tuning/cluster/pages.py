"""A whole list, page by page: bounded in pages, items and time, whatever continue tokens the server gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from k8s_tuning.cluster.connection import Connection
from k8s_tuning.cluster.faults import Call
from k8s_tuning.cluster.listing import MOST_ITEMS
from k8s_tuning.errors import BadAnswer, Expired, Unreachable

PAGE = 500
MOST_PAGES = 2_000
LIST_SECONDS = 600.0
T = TypeVar("T")


async def read_pages(
    connection: Connection,
    path: str,
    call: Call,
    keep: Callable[[dict[str, Any]], T],
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[list[T], str]:
    """`keep` of every item, and the list's resourceVersion.

    A continue token lives as long as etcd keeps the version (5 minutes): on 410 what was kept is forgotten and the list
    begins anew, once. BadAnswer where the list has no end, Unreachable where it takes longer than 10 minutes.
    """
    try:
        async with asyncio.timeout(LIST_SECONDS):
            try:
                return await _read(connection, path, call, keep, params or {}, headers)
            except _Outdated:
                return await _read(connection, path, call, keep, params or {}, headers)
    except TimeoutError as error:
        raise Unreachable(f"{connection.server}: '{call}' was not over within {LIST_SECONDS:.0f} s") from error
    except _Outdated as error:
        raise error.fault from None


class _Outdated(Exception):  # noqa: N818 - a signal inside this file, not an error
    """The version that the pages are of is no longer known."""

    def __init__(self, fault: Expired) -> None:
        super().__init__(str(fault))
        self.fault = fault


async def _read(
    connection: Connection,
    path: str,
    call: Call,
    keep: Callable[[dict[str, Any]], T],
    params: Mapping[str, str],
    headers: Mapping[str, str] | None,
) -> tuple[list[T], str]:
    kept: list[T] = []
    query: dict[str, str | int] = {**params, "limit": PAGE}
    seen: set[int] = set()
    while True:
        try:
            page = await connection.get_page(path, call, keep, params=query, headers=headers)
        except Expired as error:
            if not seen:
                raise
            raise _Outdated(error) from error
        kept += page.kept
        if not page.token:
            return kept, page.resource_version
        if hash(page.token) in seen:
            raise BadAnswer(f"{connection.server} gave a continue token of '{call}' twice; the list has no end")
        if len(seen) >= MOST_PAGES or len(kept) > MOST_ITEMS:
            raise BadAnswer(f"'{call}' has more than {len(seen)} pages or {MOST_ITEMS:,} items, which is too much")
        seen.add(hash(page.token))
        query["continue"] = page.token
