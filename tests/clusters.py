"""The clusters that tests run against: the sandbox in its dialects, and with the marker `cluster` $KUBECONFIG's.

A test that takes the fixture `cluster` runs on each. It has a namespace of its own there, and names for Jobs that no
other test has, so that it can say how they end: `cluster.scenario([{"match": cluster.job("a"), "outcome": "oom"}])`.
Where servers of different age answer differently, a test asks which one it has: `cluster.since(26)`.
"""

import base64
import contextlib
import json
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml
from filelock import FileLock

from k8s_tuning_sandbox import Sandbox

T = TypeVar("T")

# Two, because a pod's end is dated in whole seconds: one could be over before it began.
BACKOFF_SECONDS = 2.0


@dataclass
class Cluster:
    """One cluster and a namespace in it. `sandbox` is None on a real one."""

    name: str
    kubeconfig: Path
    namespace: str
    sandbox: Sandbox | None = None
    # Begins with a letter: YAML would read some hexadecimal digits as a number (12e34567).
    tag: str = field(default_factory=lambda: f"t{secrets.token_hex(4)[1:]}")
    rules: list[dict[str, Any]] = field(default_factory=list)

    def since(self, minor: int) -> bool:
        """Whether the server is Kubernetes 1.`minor` or newer."""
        return self.minor >= minor

    @cached_property
    def minor(self) -> int:
        """The server's minor version, as it says itself."""
        with self.client() as http:
            said = http.get("/version").json()["minor"]
        return int("".join(letter for letter in said if letter.isdigit()))

    @property
    def nobody_kubeconfig(self) -> Path:
        """The kubeconfig of an authenticated user without rights."""
        path = self.kubeconfig.with_name(f"{self.kubeconfig.name}-nobody")
        if not path.exists():
            pytest.skip(f"no {path.name} beside {self.kubeconfig}: this cluster has no user without rights to try")
        return path

    @property
    def scenario_file(self) -> Path:
        """Where this cluster reads how its pods end."""
        named = os.environ.get("REAL_CLUSTER_SCENARIO") if self.sandbox is None else None
        return Path(named) if named else self.kubeconfig.with_name("scenario.yaml")

    def job(self, name: str) -> str:
        """A Job name that only this test has."""
        return f"arb-tuning-{self.tag}-{name}"

    def scenario(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """Put rules before those that are there; they go when the test is over."""
        if self.sandbox is None and not self.scenario_file.exists():
            pytest.skip(f"no {self.scenario_file}: the pods of this cluster cannot be set to end in a given way")
        self.rules += [dict(rule) for rule in rules]
        self._rewrite(lambda known: [*self.rules, *(rule for rule in known if rule not in self.rules)])

    def forget_scenario(self) -> None:
        """Take this test's rules out again."""
        if self.rules:
            self._rewrite(lambda known: [rule for rule in known if rule not in self.rules])

    def _rewrite(self, change: Callable[[list[Any]], list[Any]]) -> None:
        with FileLock(f"{self.scenario_file}.lock"):
            data = yaml.safe_load(self.scenario_file.read_text()) or {}
            data["outcomes"] = change(data.get("outcomes") or [])
            draft = self.scenario_file.with_name(f".scenario.{self.tag}")
            draft.write_text(yaml.safe_dump(data, allow_unicode=True))
            draft.replace(self.scenario_file)

    def kubectl(
        self, *args: str, stdin: str | None = None, check: bool = True, kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Plain kubectl in this test's namespace; a failure shows what it said."""
        if shutil.which("kubectl") is None:
            pytest.skip("kubectl is not installed")
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(kubeconfig or self.kubeconfig), "-n", self.namespace, *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr}\n{done.stdout}"
        return done

    def client(self, kubeconfig: Path | None = None, token: str | None = None) -> httpx.Client:
        """A bare HTTP client with the kubeconfig's token (or another, '' for none)."""
        path = kubeconfig or self.kubeconfig
        config = yaml.safe_load(path.read_text())
        server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        if "certificate-authority-data" in server:
            trust = ssl.create_default_context(cadata=base64.b64decode(server["certificate-authority-data"]).decode())
        else:
            trust = ssl.create_default_context(cafile=path.parent / server["certificate-authority"])
        given: Any = user.get("token")
        if given is None and token is None:
            with tempfile.TemporaryDirectory() as directory:
                files = (_file(path, user, name, Path(directory)) for name in ("client-certificate", "client-key"))
                trust.load_cert_chain(*files)
        token = given if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=server["server"], verify=trust, headers=headers, timeout=30)

    def wait(self, look: Callable[[], T], seconds: float = 30) -> T:
        """What `look` gives as soon as it is true; the test fails where it never is."""
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, f"not so within {seconds} s; last seen: {found!r}"
            time.sleep(0.05)
        return found


def job_manifest(name: str, **spec: Any) -> dict[str, Any]:
    """The smallest Job there is; `spec` goes over its spec."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "tuning", "image": "python:3.11"}]}
    body = {"backoffLimit": 0, "template": {"metadata": {"labels": {"app": "arbitrage-tuning"}}, "spec": pod}, **spec}
    metadata = {"name": name, "labels": {"app": "arbitrage-tuning"}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": body}


def _file(kubeconfig: Path, user: Mapping[str, str], name: str, directory: Path) -> Path:
    if name in user:
        return kubeconfig.parent / user[name]
    data = user.get(f"{name}-data")
    if data is None:
        pytest.skip(f"{kubeconfig} has neither a token nor a client certificate; the bare HTTP client needs one")
    path = directory / name
    path.write_bytes(base64.b64decode(data))
    return path


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for all tests that only use a namespace of it. Its retries come sooner than Kubernetes' own."""
    with Sandbox(directory=tmp_path_factory.mktemp("sandbox"), backoff_seconds=BACKOFF_SECONDS) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def older_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The same in v1.20's dialect."""
    directory = tmp_path_factory.mktemp("sandbox-1.20")
    with Sandbox(directory=directory, dialect="1.20", backoff_seconds=BACKOFF_SECONDS) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of the test's own, to break as it likes."""
    with Sandbox() as own:
        yield own


@pytest.fixture(params=["sandbox", "sandbox-1.20", pytest.param("real", marks=pytest.mark.cluster)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster with a namespace of this test's own: the sandbox, as it is and as v1.20, and what $KUBECONFIG names."""
    namespace = f"k8s-tuning-test-{secrets.token_hex(4)}"
    if request.param != "real":
        own = request.getfixturevalue("shared_sandbox" if request.param == "sandbox" else "older_sandbox")
        found = Cluster(request.param, own.kubeconfig, namespace, own)
    else:
        named = os.environ.get("KUBECONFIG", "")
        if not named:
            pytest.fail("this test needs a Kubernetes API: set KUBECONFIG (`make test` leaves such tests out)")
        found = Cluster("real", Path(named), namespace)
    with found.client() as http:
        made = http.post("/api/v1/namespaces", json={"metadata": {"name": namespace}})
        assert made.status_code == 201, made.text
        try:
            yield found
        finally:
            found.forget_scenario()
            with contextlib.suppress(json.JSONDecodeError):
                http.delete(f"/api/v1/namespaces/{namespace}")
