"""The one face that can change a cluster, and all that it can: create a Job by server-side apply. Never deletes.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import json
import re
from io import BytesIO

from k8s_tuning.cluster.connection import Connection
from k8s_tuning.cluster.exchange import ApiAnswer, ApiRequest
from k8s_tuning.cluster.faults import Call
from k8s_tuning.cluster.pages import read_pages
from k8s_tuning.errors import BadAnswer, NotFound
from k8s_tuning.stages.api_values import Json, mapping
from k8s_tuning.stages.apply.plan import FIELD_MANAGER, as_sent

_GROUP = "batch"
# Metadata without specs and statuses; a server that does not know the form answers with the whole objects.
_NAMES_ONLY = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"}
# The server reads the body as YAML, to which these end a line within a text although JSON lets them stand as they are.
_LINE_ENDS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


class ClusterWriter:
    """Jobs of one cluster, to be looked up and to be applied. `connection` must be a writable one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def job(self, namespace: str, name: str) -> Json | None:
        """The Job as the cluster has it, None where there is none."""
        call = Call("get", "jobs", _GROUP, namespace, name)
        try:
            return self._job_in(await self._connection.request(ApiRequest("GET", call), BytesIO), call)
        except NotFound:
            return None

    async def names(self, namespace: str) -> set[str]:
        """The names of all Jobs in a namespace: one cheap question instead of one a Job."""
        call = Call("list", "jobs", _GROUP, namespace)
        return set((await read_pages(self._connection, call, _name, headers=_NAMES_ONLY)).kept)

    async def apply(self, job: Json, *, dry_run: bool) -> list[str]:
        """Apply one manifest as field manager `k8s-tuning`, never by force; what the server remarks about it.

        `dry_run`: the server does everything but keep it. Sent again after a broken connection: applying twice is
        applying once. Conflict where another manager owns a field; Invalid with the server's causes.
        """
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        call = Call("patch", "jobs", _GROUP, namespace, name)
        params: dict[str, str | int] = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        if dry_run:
            params["dryRun"] = "All"
        headers = {"Content-Type": "application/apply-patch+yaml"}
        asked = ApiRequest("PATCH", call, params, _body(as_sent(job)), headers)
        answer = await self._connection.request(asked, BytesIO)
        self._job_in(answer, call)
        return list(answer.warnings)

    def _job_in(self, answer: ApiAnswer[bytes], call: Call) -> Json:
        """BadAnswer for any other object: a gateway that says `200 {}` to everything has applied nothing."""
        found = self._connection.json(answer, call)
        if found.get("kind") != "Job":
            raise BadAnswer(
                f"{self._connection.server} answered '{call}' with something that is no Job; check the address "
                "and any proxy"
            )
        return found


def _body(job: Json) -> bytes:
    # Not ensure_ascii: the server's YAML refuses the pairs of escapes that JSON makes of an emoji.
    text = json.dumps(job, ensure_ascii=False)
    return _LINE_ENDS.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def _name(job: Json) -> str:
    return str(mapping(job, "metadata").get("name"))
