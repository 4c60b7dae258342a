"""The sandbox's HTTP face: an ASGI application that speaks the Kubernetes API.

Each request passes: the scenario's faults, who is it, may they, what is asked; then verbs.py or reading.py answers.
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from k8s_tuning.errors import InputError
from k8s_tuning_sandbox import access
from k8s_tuning_sandbox.answers import JSON, Answer, go_wrong
from k8s_tuning_sandbox.bodies import raw_body, sent_object
from k8s_tuning_sandbox.deletes import Deletes
from k8s_tuning_sandbox.discovery import document
from k8s_tuning_sandbox.jobs import JobController
from k8s_tuning_sandbox.namespaces import NamespaceController
from k8s_tuning_sandbox.nodes import Nodes
from k8s_tuning_sandbox.reading import Reading, as_object, check_log
from k8s_tuning_sandbox.resources import NAMESPACES, POD_METRICS, REVIEWS
from k8s_tuning_sandbox.routing import Query, Route, dry_run, is_true, route, selection, validation
from k8s_tuning_sandbox.scheduler import Scheduler
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.status import Refusal
from k8s_tuning_sandbox.target import Target, live
from k8s_tuning_sandbox.verbs import Verbs

_DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"


class SandboxApp:
    """One cluster: its state, its controllers, its node, and the API in front of them."""

    def __init__(self, simulation: Simulation, tokens: access.Tokens, backoff_seconds: float = 10.0) -> None:
        self.store = simulation.store
        self._scenario = simulation.scenario
        self._tokens = tokens
        self._dialect = simulation.dialect
        NamespaceController(simulation)
        JobController(simulation, backoff_seconds)
        Scheduler(simulation)
        self._verbs = Verbs(simulation)
        self._deletes = Deletes(simulation)
        self._reading = Reading(simulation, Nodes(simulation))

    def create_namespace(self, name: str) -> None:
        """Make a namespace; InputError where there is one or the name is not one."""
        try:
            self._verbs.create(Target(NAMESPACES, manager="sandbox"), {"metadata": {"name": name}})
        except Refusal as refusal:
            raise InputError(refusal.message) from refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        answer = Answer(receive, send)
        request = Request(scope, receive)
        path, query_text = scope["path"], scope["query_string"].decode("latin-1")
        fault = self._scenario.fault(scope["method"], path, query_text)
        if fault is not None:
            await go_wrong(fault, answer)
            return
        try:
            await self._answer(request, answer)
        except Refusal as refusal:
            await answer.send(refusal.code, orjson.dumps(refusal.body()) + b"\n", headers=refusal.headers)
        except ClientDisconnect:
            return

    async def _answer(self, request: Request, answer: Answer) -> None:
        method, path, query = request.method, request.url.path, dict(request.query_params)
        user = self._tokens.user(request.headers.get("authorization"))
        found = route(method, path, query, metrics=self._scenario.metrics)
        if found is None:
            await self._discover(user, method, path, answer)
            return
        if found.resource is REVIEWS:
            await answer.send(201, as_object(access.review(user, await sent_object(request, REVIEWS.kind)), REVIEWS))
            return
        where = found.namespace or (found.name if found.resource is NAMESPACES else "")
        access.require(user, found.verb, found.resource, found.subresource, where, found.name)
        accept = request.headers.get("accept", "")
        if found.verb in ("get", "list", "watch"):
            await self._read(found, query, accept, answer)
        else:
            warnings: list[str] = []
            code, body = await self._write(found, query, request, warnings)
            await answer.send(code, body, warnings=warnings)

    async def _discover(self, user: str, method: str, path: str, answer: Answer) -> None:
        access.require_path(user, method, path)
        found = document(path, self._dialect, metrics=self._scenario.metrics)
        if found is None:
            await answer.send(404, b"404 page not found\n", "text/plain; charset=utf-8")
        elif isinstance(found, str):
            await answer.send(200, found.encode(), "text/plain; charset=utf-8")
        else:
            await answer.send(200, orjson.dumps(found) + b"\n")

    async def _read(self, found: Route, query: Query, accept: str, answer: Answer) -> None:
        if found.verb == "watch":
            selection(found, query)  # refused before the stream starts, as a server does
            await answer.stream(self._reading.watch(found, query, accept), JSON)
        elif found.verb == "list":
            await answer.send(200, self._reading.list(found, query, accept))
        elif found.resource is POD_METRICS:
            await answer.send(200, self._reading.pod_metrics(found.namespace, found.name))
        else:
            record = live(self.store, Target(found.resource, found.namespace, found.name))
            if found.subresource != "log":
                await answer.send(200, self._reading.one(found.resource, record, accept))
            elif not check_log(record, query):
                await answer.send(204, b"")
            elif is_true(query.get("follow", "")):
                await answer.stream(self._reading.log(record, query), "text/plain")
            else:
                lines = [line async for line in self._reading.log(record, query)]
                await answer.send(200, b"".join(lines), "text/plain")

    async def _write(self, found: Route, query: Query, request: Request, warnings: list[str]) -> tuple[int, bytes]:
        agent = request.headers.get("user-agent", "").partition("/")[0] or "unknown"
        deleting = found.verb.startswith("delete")
        body: Any = None
        if found.verb != "patch":
            body = await sent_object(request, found.resource.kind, optional=deleting)
        options: dict[str, Any] = {}
        if deleting:
            given, _ = self._dialect.schema.decode("DeleteOptions", "v1", _DELETE_OPTIONS, body)
            options = {**query, **given}
        kind = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}.get(
            found.verb, "DeleteOptions"
        )
        target = Target(
            found.resource,
            found.namespace,
            found.name,
            found.subresource,
            query.get("fieldManager", "") or agent,
            dry_run(query, kind, options.get("dryRun")),
            validation(query, kind),
            warnings,
        )
        if found.verb == "create":
            return 201, as_object(self._verbs.create(target, body), found.resource)
        if found.verb == "update":
            return 200, as_object(self._verbs.replace(target, body), found.resource)
        if found.verb == "delete":
            return 200, as_object(self._deletes.delete(target, options), found.resource)
        if found.verb == "deletecollection":
            records = self._deletes.delete_all(selection(found, query), target, options)
            head = {"kind": f"{found.resource.kind}List", "apiVersion": found.resource.api_version}
            listed = {**head, "metadata": {"resourceVersion": str(self.store.revision)}}
            return 200, orjson.dumps({**listed, "items": [record.load() for record in records]}) + b"\n"
        media = request.headers.get("content-type", "").partition(";")[0].strip()
        if media == "application/apply-patch+yaml":
            target = Target(**{**vars(target), "manager": query.get("fieldManager", "")})
        obj, created = self._verbs.patch(target, media, await raw_body(request), force=is_true(query.get("force", "")))
        return 201 if created else 200, as_object(obj, found.resource)
