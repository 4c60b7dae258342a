"""Credential plugins: a command that prints a token, as EKS, GKE and AKS kubeconfigs have it.

Rules: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from k8s_tuning.cluster.listing import json_object
from k8s_tuning.errors import ConfigError, Unauthorized
from k8s_tuning.stages.api_values import mapping
from k8s_tuning.tokens import clean_token

API_VERSIONS = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
TIMEOUT_SECONDS = 60.0
MOST_OUTPUT_BYTES = 1024 * 1024
_PIECE = 64 * 1024
# What a plugin says on standard error is the cure ("run aws sso login"); what may be a token in it is not for logs.
_SECRET = re.compile(r"[A-Za-z0-9_\-+/=.]{40,}")


class ExecPlugin:
    """Bearer tokens from a kubeconfig's `exec` entry.

    ConfigError where the plugin cannot be used, Unauthorized where it ran and gave no token.
    """

    def __init__(self, plugin: Mapping[str, Any], where: str) -> None:
        if not isinstance(plugin, Mapping) or not isinstance(plugin.get("command"), str) or not plugin["command"]:
            raise ConfigError(f"{where}: exec needs a command")
        version = plugin.get("apiVersion")
        if version not in API_VERSIONS:
            raise ConfigError(f"{where}: exec apiVersion {version!r} is not one of {', '.join(API_VERSIONS)}")
        if plugin.get("interactiveMode") == "Always":
            raise ConfigError(f"{where}: exec interactiveMode Always needs a terminal, which no task has; use a token")
        arguments, variables = plugin.get("args") or [], plugin.get("env") or []
        if not isinstance(arguments, list) or not isinstance(variables, list):
            raise ConfigError(f"{where}: exec args and env must be lists")
        # spec.cluster (provideClusterInfo) is left out: none of the common plugins reads it.
        info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
        self._environment = dict(_variable(variable, where) for variable in variables)
        self._environment["KUBERNETES_EXEC_INFO"] = orjson.dumps(info).decode()
        self._argv = [plugin["command"], *map(str, arguments)]
        self._hint = plugin.get("installHint")
        self._api_version = version
        self._plugin = f"{where}: the exec plugin"
        self._which = f"{self._plugin} {plugin['command']!r}"

    async def token(self) -> tuple[str, datetime | None]:
        """Run the plugin: its token, and when that expires, where it says so."""
        answer = json_object(await self._run()) or {}
        if answer.get("kind") != "ExecCredential":
            raise Unauthorized(f"{self._plugin} printed no ExecCredential; run it by hand and look")
        if answer.get("apiVersion") != self._api_version:
            raise ConfigError(
                f"{self._plugin} speaks {answer.get('apiVersion')!r}, the kubeconfig asks for {self._api_version!r}; "
                "make them agree"
            )
        status = mapping(answer, "status")
        token = status.get("token")
        if not isinstance(token, str) or not token.strip():
            certificate = "a client certificate, which is not supported here"
            found = certificate if status.get("clientCertificateData") else "no token"
            raise Unauthorized(f"{self._plugin} gave {found}; log in again, or use a user with a token")
        token = clean_token(token, f"{self._plugin}'s token")
        try:
            expires = datetime.fromisoformat(status["expirationTimestamp"])
        except (KeyError, TypeError, ValueError):
            expires = None
        return token, expires if expires is not None and expires.tzinfo else None

    async def _run(self) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                env={**os.environ, **self._environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # a group of its own, to be ended with all that it started
            )
        except OSError as error:
            reason = (
                "is not on the PATH" if isinstance(error, FileNotFoundError) else f"cannot be run: {error.strerror}"
            )
            hint = self._hint.strip() if isinstance(self._hint, str) else None
            cure = hint or "install it, or use another user in the kubeconfig"
            raise ConfigError(f"{self._which} {reason}; {cure}") from error
        ended = False
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                output, complaint = await asyncio.gather(_bounded(process.stdout), _bounded(process.stderr))
                await process.wait()
            ended = True
        except TimeoutError as error:
            raise Unauthorized(
                f"{self._which} gave no token within {TIMEOUT_SECONDS:.0f} s; does it wait for a login? Run it once by "
                "hand"
            ) from error
        finally:
            if not ended:  # the plugin may have, and a child that holds its output not
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await asyncio.gather(_bounded(process.stdout), _bounded(process.stderr), process.wait())
        if process.returncode:
            said = _SECRET.sub("…", complaint.decode(errors="replace").strip()[-400:]) or "it said nothing"
            raise Unauthorized(f"{self._which} ended with {process.returncode}: {said}")
        if len(output) > MOST_OUTPUT_BYTES:
            raise Unauthorized(f"{self._which} printed more than a credential can be")
        return output


async def _bounded(stream: asyncio.StreamReader | None) -> bytes:
    """What a plugin prints, one piece behind the bound; the rest is taken and dropped, so that the plugin can end."""
    kept = b""
    while stream is not None and (piece := await stream.read(_PIECE)):
        if len(kept) <= MOST_OUTPUT_BYTES:
            kept += piece
    return kept


def _variable(variable: Any, where: str) -> tuple[str, str]:
    """One environment variable; without a value, or with a null one, it is empty, as in Go."""
    name = variable.get("name") if isinstance(variable, Mapping) else None
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{where}: exec env must be a list of {{name, value}}")
    value = variable.get("value")
    if not isinstance(value, str | None):
        raise ConfigError(f"{where}: exec env {name!r}: its value is not a text; put it in quotes")
    return name, value or ""
