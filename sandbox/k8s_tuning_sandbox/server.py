"""The running sandbox: a thread with the API server on a loopback port, and the kubeconfig files that lead to it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from k8s_tuning.errors import InputError
from k8s_tuning.stages.manifests import to_yaml
from k8s_tuning_sandbox.access import ADMIN, NOBODY, READER, Tokens
from k8s_tuning_sandbox.credentials import write_certificate, write_kubeconfig
from k8s_tuning_sandbox.dialect import named
from k8s_tuning_sandbox.scenario import Scenario
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.store import Store

if TYPE_CHECKING:
    import uvicorn

    from k8s_tuning_sandbox.app import SandboxApp

T = TypeVar("T")

NAMESPACES = ("default", "kube-system", "trading-bots")
_START_SECONDS = 30


class Sandbox:
    """A Kubernetes API to try things on, in memory; use it as a context manager.

    `scenario`: a scenario file, or its `outcomes` as a list; None lets every pod succeed. `directory`: where kubeconfig
    files and certificate go, a temporary one by default. `dialect`: the Kubernetes version to speak, 1.36 or 1.20.
    `backoff_seconds`: the Job controller's first wait before a retry; each next one is twice as long.
    """

    def __init__(
        self,
        scenario: Path | str | Sequence[Mapping[str, Any]] | None = None,
        *,
        port: int = 0,
        directory: Path | None = None,
        kubeconfig: Path | None = None,
        namespaces: Iterable[str] = NAMESPACES,
        dialect: str = "1.36",
        backoff_seconds: float = 10.0,
    ) -> None:
        self.dialect = named(dialect)
        self._own_directory = directory is None
        self.directory = Path(tempfile.mkdtemp(prefix="k8s-tuning-sandbox-")) if directory is None else directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.kubeconfig = kubeconfig or self.directory / "kubeconfig"
        self.kubeconfig_readonly = self.directory / "kubeconfig-readonly"
        self.kubeconfig_nobody = self.directory / "kubeconfig-nobody"
        if isinstance(scenario, (str, Path)):
            self.scenario_file = Path(scenario)
            if not self.scenario_file.exists():
                raise InputError(f"{self.scenario_file}: no such scenario file; check the path")
        else:
            self.scenario_file = self.directory / "scenario.yaml"
            self.set_scenario(scenario or ())
        self._scenario = Scenario(self.scenario_file)
        self._scenario.refresh()
        self._namespaces = tuple(namespaces)
        self._backoff_seconds = backoff_seconds
        self._port = port
        self._tokens = Tokens()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="k8s-tuning-sandbox", daemon=True)
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._app: SandboxApp | None = None
        self._certificate: tuple[Path, Path] | None = None

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"https://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve; returns when the API answers and the kubeconfig files are written."""
        self._certificate = write_certificate(self.directory, _now())
        self._thread.start()
        self._run(self._make())
        self.resume()
        users = ((ADMIN, self.kubeconfig), (READER, self.kubeconfig_readonly), (NOBODY, self.kubeconfig_nobody))
        space = "trading-bots" if "trading-bots" in self._namespaces else "default"
        for user, path in users:
            write_kubeconfig(path, self.url, self._certificate[0], self._tokens.of(user), space)

    def stop(self) -> None:
        """Stop serving, forget everything, and remove the temporary directory."""
        if self._thread.is_alive():
            self.pause()
            self._run(_cancel_the_rest())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_START_SECONDS)
        if not self._loop.is_running():
            self._loop.close()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def pause(self) -> None:
        """Close the port and every connection, as an API server does that is restarted; the state stays."""
        if self._server is not None:
            self._run(self._finish())
            self._server = None

    def resume(self) -> None:
        """Open the same port again."""
        # asyncio sets TCP_NODELAY only on sockets that say they are TCP's; without it every answer waits 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self._port))
        except OSError as error:
            listener.close()
            raise InputError(f"port {self._port}: {error.strerror}; choose another, or 0 for any") from error
        self._port = listener.getsockname()[1]
        self._run(self._serve(listener))

    def set_scenario(
        self,
        outcomes: Iterable[Mapping[str, Any]] = (),
        faults: Iterable[Mapping[str, Any]] = (),
        *,
        metrics: bool = False,
    ) -> None:
        """Write the scenario file anew; it holds from the next pod and the next request on."""
        data = {"outcomes": [dict(rule) for rule in outcomes], "faults": [dict(rule) for rule in faults]}
        draft = self.scenario_file.with_name(f".{self.scenario_file.name}.draft")
        draft.write_text(to_yaml({**data, "metrics": metrics}), encoding="utf-8")
        draft.replace(self.scenario_file)

    def compact(self) -> None:
        """Forget the past: continue tokens and resourceVersions from before answer 410 Gone."""
        assert self._app is not None  # noqa: S101 - set by start
        self._loop.call_soon_threadsafe(self._app.store.compact)

    def __enter__(self) -> Sandbox:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECONDS)

    async def _make(self) -> None:
        from k8s_tuning_sandbox.app import SandboxApp

        def later(seconds: float, call: Callable[[], None]) -> object:
            return self._loop.call_later(seconds, call) if seconds > 0 else self._loop.call_soon(call)

        simulation = Simulation(Store(), self._scenario, _now, later, self.dialect)
        self._app = SandboxApp(simulation, self._tokens, self._backoff_seconds)
        for name in self._namespaces:
            self._app.create_namespace(name)

    async def _serve(self, listener: socket.socket) -> None:
        import uvicorn

        assert self._app is not None and self._certificate is not None  # noqa: S101, PT018 - set by start
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            loop="none",
            server_header=False,
            timeout_keep_alive=75,
            backlog=2048,
            ssl_certfile=str(self._certificate[0]),
            ssl_keyfile=str(self._certificate[1]),
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.ensure_future(self._server.serve(sockets=[listener]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise InputError(f"port {self._port}: the server stopped before it started")
            await asyncio.sleep(0.005)

    async def _finish(self) -> None:
        if self._server is not None and self._serving is not None:
            self._server.should_exit = self._server.force_exit = True
            # uvicorn would let answers in progress go on, and a watch is always in progress.
            for connection in tuple(self._server.server_state.connections):
                if (transport := getattr(connection, "transport", None)) is not None:
                    transport.abort()
            await asyncio.wait((self._serving,))


async def _cancel_the_rest() -> None:
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def _now() -> datetime:
    return datetime.now(UTC)
