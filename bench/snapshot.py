"""The D32 snapshot: beside bare concurrent HTTP requests for the same bytes, and as the Jobs become many.

The peer is the least that anybody could send: one aiohttp session, 32 requests at a time, the Jobs, the pods and every
log, nothing done with the bytes beyond taking the pods' names from their list. Both ask the same API server in turns.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml
from bench import measure

from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning_sandbox import Sandbox

JOBS, LIMIT, GOES = 300, 1.5, 9
AT_ONCE = 32
FEW, MANY = 1_000, 5_000
MOST_MEGABYTES = 400.0
# Nothing but linear growth is 1.0; the rest is for the noise of a shared machine.
GROWTH_LIMIT = 1.15
SELECTOR = "app=arbitrage-tuning"

# VmHWM: the peak of this process alone; getrusage would count what the parent had when it forked.
_CHILD = """
import json, re, sys, time
from k8s_tuning.cluster.monitor import K8sJobMonitor
start, used = time.perf_counter(), time.process_time()
snapshot = K8sJobMonitor(sys.argv[1], sys.argv[2], sys.argv[3]).load_snapshot()
print(json.dumps({
    "seconds": time.perf_counter() - start,
    "cpu": time.process_time() - used,
    "megabytes": int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024,
    "jobs": len(snapshot.jobs), "logs": len(snapshot.pods_logs), "errors": snapshot.errors,
}))
"""


def run(kubeconfig: str) -> list[dict[str, Any]]:
    """Rows of {name, ours_s, peer_s, ratio, limit}; `unit` says what the two figures are where not seconds.

    Makes a namespace of JOBS finished Jobs on the cluster that `kubeconfig` names, and removes it again.
    """
    return [asyncio.run(_beside_bare_requests(kubeconfig)), *_as_jobs_become_many()]


async def _beside_bare_requests(kubeconfig: str) -> dict[str, Any]:
    namespace = f"bench-snapshot-{int(time.time()):x}"
    ours, theirs = [], []
    async with _session(kubeconfig) as http:
        async with http.post("/api/v1/namespaces", json={"metadata": {"name": namespace}}) as answer:
            answer.raise_for_status()
        try:
            await _finished(http, namespace, range(JOBS))
            for _ in range(GOES):
                start = time.perf_counter()
                logs = await _bare(kubeconfig, namespace)
                theirs.append(time.perf_counter() - start)
                start = time.perf_counter()
                # In a thread: the snapshot brings its own event loop, as it does for the command line.
                snapshot = await asyncio.to_thread(K8sJobMonitor(namespace, SELECTOR, kubeconfig).load_snapshot)
                ours.append(time.perf_counter() - start)
                if snapshot.errors or len(snapshot.pods_logs) != len(logs) or len(logs) != JOBS:
                    raise RuntimeError(f"{len(snapshot.pods_logs)} of {len(logs)} logs, errors: {snapshot.errors[:3]}")
                same = sum(len(line.encode()) + 1 for log in snapshot.pods_logs for line in log.lines)
                if same != sum(map(len, logs)):
                    raise RuntimeError(f"not the same bytes: {same} and {sum(map(len, logs))}")
        finally:
            async with http.delete(f"/api/v1/namespaces/{namespace}"):
                pass
    name = f"snapshot of {JOBS} finished Jobs with all logs, beside aiohttp {AT_ONCE} at a time"
    # The first go of each warms the server up.
    return measure.row(name, statistics.median(ours[1:]), statistics.median(theirs[1:]), LIMIT)


async def _bare(kubeconfig: str, namespace: str) -> list[bytes]:
    gate = asyncio.Semaphore(AT_ONCE)
    async with _session(kubeconfig) as http:

        async def get(path: str) -> bytes:
            async with gate, http.get(path) as answer:
                return await answer.read()

        _, pods = await asyncio.gather(
            get(f"/apis/batch/v1/namespaces/{namespace}/jobs"), get(f"/api/v1/namespaces/{namespace}/pods")
        )
        names = [pod["metadata"]["name"] for pod in orjson.loads(pods)["items"]]
        path = f"/api/v1/namespaces/{namespace}/pods"
        return await asyncio.gather(*(get(f"{path}/{name}/log?tailLines=100") for name in names))


def _as_jobs_become_many() -> list[dict[str, Any]]:
    with Sandbox() as sandbox:
        kubeconfig = str(sandbox.kubeconfig)
        few = _measured(kubeconfig, range(FEW))
        many = _measured(kubeconfig, range(FEW, MANY))
    times = MANY // FEW
    cpu = f"snapshot of {MANY:,} Jobs, CPU time beside {times} times that of {FEW:,}"
    return [
        measure.row(cpu, many["cpu"], times * few["cpu"], GROWTH_LIMIT),
        {
            **measure.row(f"snapshot of {MANY:,} Jobs, peak memory", many["megabytes"], MOST_MEGABYTES, 1.0),
            "unit": "MB",
        },
    ]


def _measured(kubeconfig: str, numbers: range) -> dict[str, Any]:
    async def make() -> None:
        async with _session(kubeconfig) as http:
            await _finished(http, "default", numbers)

    asyncio.run(make())
    argv = [sys.executable, "-c", _CHILD, "default", SELECTOR, kubeconfig]
    goes = [json.loads(subprocess.run(argv, check=True, capture_output=True).stdout) for _ in range(3)]
    for go in goes:
        if go["errors"] or go["jobs"] != numbers.stop or go["logs"] != numbers.stop:
            raise RuntimeError(f"not a whole snapshot of {numbers.stop} Jobs: {go}")
    return sorted(goes, key=lambda go: float(go["cpu"]))[1]


async def _finished(http: aiohttp.ClientSession, namespace: str, numbers: range) -> None:
    """Make the Jobs, and wait until they all have ended."""
    gate, path = asyncio.Semaphore(AT_ONCE), f"/apis/batch/v1/namespaces/{namespace}/jobs"

    async def make(number: int) -> None:
        async with gate, http.post(path, json=_job(f"arb-tuning-bench-{number}")) as answer:
            answer.raise_for_status()

    await asyncio.gather(*(make(number) for number in numbers))
    end = time.monotonic() + 300
    while True:
        async with http.get(path) as answer:
            jobs = orjson.loads(await answer.read())["items"]
        if len(jobs) == numbers.stop and all(job["status"].get("succeeded") for job in jobs):
            return
        if time.monotonic() > end:
            raise RuntimeError(f"the {numbers.stop} Jobs have not finished within 5 minutes")
        await asyncio.sleep(0.5)


def _job(name: str) -> dict[str, Any]:
    labels = {"app": "arbitrage-tuning"}
    pod = {"restartPolicy": "Never", "containers": [{"name": "tuning", "image": "python:3.11"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {"backoffLimit": 0, "template": template},
    }


def _session(kubeconfig: str) -> aiohttp.ClientSession:
    path = Path(kubeconfig)
    config = yaml.safe_load(path.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    if "certificate-authority-data" in cluster:
        tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    else:
        tls = ssl.create_default_context(cafile=path.parent / cluster["certificate-authority"])
    return aiohttp.ClientSession(
        cluster["server"],
        headers={"Authorization": f"Bearer {user['token']}"},
        connector=aiohttp.TCPConnector(limit=AT_ONCE, ssl=tls),
    )


if __name__ == "__main__":
    for row in run(sys.argv[1]):
        print(json.dumps(row))
