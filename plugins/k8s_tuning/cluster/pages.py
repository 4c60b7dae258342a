"""A whole list, page by page: bounded in pages, items and time, whatever continue tokens the server sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from k8s_tuning.cluster.connection import Connection
from k8s_tuning.cluster.exchange import MOST_LIST_BYTES, ApiRequest
from k8s_tuning.cluster.faults import Call
from k8s_tuning.cluster.listing import MOST_ITEMS, ListReader, Page
from k8s_tuning.errors import BadAnswer, Expired, Unreachable
from k8s_tuning.stages.api_values import Json

PAGE = 500
MOST_PAGES = 2_000
LIST_SECONDS = 600.0
T = TypeVar("T")


async def read_pages(
    connection: Connection,
    call: Call,
    keep: Callable[[Json], T],
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Page[T]:
    """A whole list as one page: `keep` of every item, and the resourceVersion from which a watch goes on.

    A continue token lives as long as etcd keeps the version (5 minutes): on 410 what was kept is forgotten and the list
    begins anew, once. BadAnswer where the list has no end, Unreachable where it takes longer than 10 minutes.
    """
    kept: list[T] = []
    seen: set[int] = set()
    anew = False
    query: dict[str, str | int] = {**(params or {}), "limit": PAGE}
    try:
        async with asyncio.timeout(LIST_SECONDS):
            while True:
                asked = ApiRequest("GET", call, query, headers=headers or {}, most_bytes=MOST_LIST_BYTES)
                try:
                    page = (await connection.request(asked, lambda: ListReader(keep))).body
                except Expired:
                    if anew or not seen:
                        raise
                    anew, kept, seen = True, [], set()
                    query.pop("continue")
                    continue
                kept += page.kept
                if not page.token:
                    return replace(page, kept=kept)
                if hash(page.token) in seen:
                    raise BadAnswer(f"{connection.server} gave a continue token of '{call}' twice; the list has no end")
                if len(seen) >= MOST_PAGES or len(kept) > MOST_ITEMS:
                    raise BadAnswer(
                        f"'{call}' has more than {len(seen)} pages or {MOST_ITEMS:,} items, which is too much"
                    )
                seen.add(hash(page.token))
                query["continue"] = page.token
    except TimeoutError as error:
        raise Unreachable(f"{connection.server}: '{call}' was not over within {LIST_SECONDS:.0f} s") from error
