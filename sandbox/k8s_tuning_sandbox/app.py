"""The sandbox's HTTP face: an ASGI application that speaks the Kubernetes API.

Each request passes: the scenario's faults, who is it, may they, what is asked; then verbs.py or reading.py answers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from k8s_tuning.errors import InputError
from k8s_tuning_sandbox import access
from k8s_tuning_sandbox.answers import JSON, answer, go_wrong, head, refused
from k8s_tuning_sandbox.bodies import raw_body, sent_object
from k8s_tuning_sandbox.deletes import Deletes
from k8s_tuning_sandbox.discovery import document
from k8s_tuning_sandbox.jobs import JobController
from k8s_tuning_sandbox.nodes import Nodes
from k8s_tuning_sandbox.reading import Reading, as_object, check_log
from k8s_tuning_sandbox.resources import NAMESPACES, POD_METRICS, REVIEWS
from k8s_tuning_sandbox.routing import Query, dry_run, is_true, route, selection, validation
from k8s_tuning_sandbox.scheduler import Scheduler
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.status import Refusal
from k8s_tuning_sandbox.target import Target, live
from k8s_tuning_sandbox.verbs import APPLY, Verbs

_DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"


class SandboxApp:
    """One cluster: its state, its controllers, its node, and the API in front of them."""

    def __init__(self, simulation: Simulation, tokens: access.Tokens, backoff_seconds: float = 10.0) -> None:
        self.store = simulation.store
        self._scenario = simulation.scenario
        self._tokens = tokens
        self._dialect = simulation.dialect
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
        query_text = scope["query_string"].decode("latin-1")
        fault = self._scenario.fault(scope["method"], scope["path"], query_text)
        if fault is not None:
            await go_wrong(fault, scope, receive, send)
            return
        try:
            response = await self._answer(Request(scope, receive))
        except Refusal as refusal:
            response = refused(refusal)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        method, path, query = request.method, request.url.path, dict(request.query_params)
        user = self._tokens.user(request.headers.get("authorization"))
        target = route(method, path, query, metrics=self._scenario.metrics)
        if target is None:
            return self._discover(user, method, path)
        if target.resource is REVIEWS:
            return answer(as_object(access.review(user, await sent_object(request, REVIEWS.kind)), REVIEWS), 201)
        access.require(user, target)
        if target.verb in ("get", "list", "watch"):
            return await self._read(target, query, request.headers.get("accept", ""))
        return await self._write(target, query, request)

    def _discover(self, user: str, method: str, path: str) -> Response:
        access.require_path(user, method, path)
        found = document(path, self._dialect, metrics=self._scenario.metrics)
        if found is None:
            return answer(b"404 page not found\n", 404, "text/plain; charset=utf-8")
        if isinstance(found, str):
            return answer(found.encode(), 200, "text/plain; charset=utf-8")
        return answer(orjson.dumps(found) + b"\n")

    async def _read(self, target: Target, query: Query, accept: str) -> Response:
        if target.verb == "watch":
            return StreamingResponse(self._reading.watch(target, query, accept), headers=head(JSON))
        if target.verb == "list":
            return answer(self._reading.list(target, query, accept))
        if target.resource is POD_METRICS:
            return answer(self._reading.pod_metrics(target))
        record = live(self.store, target)
        if target.subresource != "log":
            return answer(self._reading.one(target.resource, record, accept))
        if not check_log(record, query):
            return answer(b"", 204)
        lines = self._reading.log(record, query)
        if is_true(query.get("follow", "")):
            return StreamingResponse(lines, headers=head("text/plain"))
        return answer(b"".join([line async for line in lines]), media="text/plain")

    async def _write(self, target: Target, query: Query, request: Request) -> Response:
        media = request.headers.get("content-type", "").partition(";")[0].strip()
        manager = query.get("fieldManager", "")
        if media != APPLY or target.verb != "patch":
            manager = manager or request.headers.get("user-agent", "").partition("/")[0] or "unknown"
        deleting = target.verb.startswith("delete")
        body: Any = None
        if target.verb != "patch":
            body = await sent_object(request, target.resource.kind, optional=deleting)
        options: dict[str, Any] = {}
        if deleting:
            given, _ = self._dialect.schema.decode("DeleteOptions", "v1", _DELETE_OPTIONS, body)
            options = {**query, **given}
        kind = f"{target.verb.removesuffix('collection').title()}Options"
        dry, checks = dry_run(query, kind, options.get("dryRun")), validation(query, kind)
        target = replace(target, manager=manager, dry_run=dry, validation=checks)
        code = 200
        if target.verb == "create":
            obj, code = self._verbs.create(target, body), 201
        elif target.verb == "update":
            obj = self._verbs.replace(target, body)
        elif target.verb == "delete":
            obj = self._deletes.delete(target, options)
        elif target.verb == "deletecollection":
            records = self._deletes.delete_all(selection(target, query), target, options)
            listed = {"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version}
            metadata = {"resourceVersion": str(self.store.revision)}
            obj = {**listed, "metadata": metadata, "items": [record.load() for record in records]}
        else:
            force = is_true(query.get("force", ""))
            obj, created = self._verbs.patch(target, media, await raw_body(request), force=force)
            code = 201 if created else 200
        response = answer(as_object(obj, target.resource), code)
        for text in target.warnings:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            response.raw_headers.append((b"warning", f'299 - "{quoted}"'.encode()))
        return response
