"""The scheduler, and one node that plays pods out by the scenario: phases, events and logs; no container is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from k8s_tuning.sandbox.jobs import Later
from k8s_tuning.sandbox.occurrences import Recorder
from k8s_tuning.sandbox.resources import NODES, PODS
from k8s_tuning.sandbox.scenario import Scenario
from k8s_tuning.sandbox.store import Change, Key, Selection, Store
from k8s_tuning.stages.quantities import parse_quantity
from k8s_tuning.timestamps import to_text

Object = dict[str, Any]

NODE = "node-0"
CPU, MEMORY, PODS_LIMIT = 4000, "16000Gi", 20000
_LONGEST_BACKOFF = 60.0
_NO_FIT = "0/1 nodes are available: {}."


@dataclass
class Running:
    """A pod that the node has: its rule, its log, and how often its container was started again."""

    rule: Mapping[str, Any]
    lines: list[str] = field(default_factory=list)
    restarts: int = 0
    ended: bool = False


class Nodes:
    """Schedules every new pod and plays it; `later(seconds, call)` is how time passes."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        scenario: Scenario,
        clock: Callable[[], datetime],
        later: Later,
        seconds: float = 1.0,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._scenario = scenario
        self._clock = clock
        self._later = later
        self._seconds = seconds
        self._pods: dict[str, Running] = {}
        self._requests: dict[str, tuple[Decimal, Decimal]] = {}
        self._cpu = self._memory = Decimal(0)
        self._waiting: dict[str, Key] = {}
        store.put(NODES, _node(self._now()))
        store.listeners.append(self._changed)

    def log(self, uid: str) -> list[str] | None:
        """The lines that a pod's container wrote so far, None where the node has no such pod."""
        pod = self._pods.get(uid)
        return None if pod is None else pod.lines

    def usage(self, uid: str) -> tuple[str, str] | None:
        """CPU and memory that a running pod uses, by its rule; None where it does not run."""
        pod = self._pods.get(uid)
        if pod is None or pod.ended:
            return None
        return str(pod.rule.get("cpu", "100m")), str(pod.rule.get("memory", "64Mi"))

    def _now(self) -> str:
        return to_text(self._clock())

    def _changed(self, change: Change) -> None:
        if change.resource is not PODS:
            return
        record = change.record
        if change.kind == "ADDED":
            self._waiting[record.uid] = record.key
            self._later(0, lambda: self._schedule(record.uid))
        elif change.kind == "DELETED" or record.fields.get("status.phase") in ("Succeeded", "Failed"):
            self._waiting.pop(record.uid, None)
            if change.kind == "DELETED":
                self._pods.pop(record.uid, None)
            elif record.uid in self._pods:
                self._pods[record.uid].ended = True
            self._free(record.uid)

    def _free(self, uid: str) -> None:
        cpu, memory = self._requests.pop(uid, (Decimal(0), Decimal(0)))
        self._cpu -= cpu
        self._memory -= memory
        if self._waiting:
            self._later(0, self._schedule_waiting)

    def _schedule_waiting(self) -> None:
        for uid in tuple(self._waiting):
            self._schedule(uid)

    def _schedule(self, uid: str) -> None:
        key = self._waiting.get(uid)
        pod = self._load(key, uid) if key is not None else None
        if pod is None or pod["metadata"].get("deletionTimestamp"):
            return
        cpu, memory = _requests(pod["spec"])
        reasons = []
        if self._cpu + cpu > CPU:
            reasons.append("1 Insufficient cpu")
        if self._memory + memory > (parse_quantity(MEMORY) or 0):
            reasons.append("1 Insufficient memory")
        if len(self._requests) >= PODS_LIMIT:
            reasons.append("1 Too many pods")
        labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}
        if any(labels.get(name) != value for name, value in (pod["spec"].get("nodeSelector") or {}).items()):
            reasons = ["1 node(s) didn't match Pod's node affinity"]
        if reasons:
            self._refuse(pod, _NO_FIT.format(", ".join(reasons)))
            return
        self._requests[uid] = cpu, memory
        self._cpu += cpu
        self._memory += memory
        del self._waiting[uid]
        meta = pod["metadata"]
        pod["spec"]["nodeName"] = NODE
        pod["status"].pop("conditions", None)
        self._store.put(PODS, pod)
        text = f"Successfully assigned {meta['namespace']}/{meta['name']} to {NODE}"
        self._recorder.schedule(pod, "Normal", "Scheduled", text, "Binding")
        rule = self._scenario.outcome((meta.get("labels") or {}).get("job-name", ""), meta["name"])
        self._pods[uid] = Running(rule)
        self._start(key, uid, pod)

    def _refuse(self, pod: Object, message: str) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        known = pod["status"].get("conditions") or [{}]
        if known[0].get("message") == message:
            return
        pod["status"]["conditions"] = [{**condition, "lastProbeTime": None, "lastTransitionTime": self._now()}]
        self._store.put(PODS, pod)
        self._recorder.schedule(pod, "Warning", "FailedScheduling", message, "Scheduling")

    def _start(self, key: Key | None, uid: str, pod: Object) -> None:
        running, spec = self._pods[uid], pod["spec"]
        outcome, image = running.rule["outcome"], spec["containers"][0]["image"]
        seconds = float(running.rule.get("seconds", self._seconds))
        if outcome == "evicted":
            self._later(seconds, lambda: self._evict(key, uid))
            return
        if outcome in ("image-pull", "config-error"):
            reason, text = {
                "image-pull": ("ImagePullBackOff", f'Back-off pulling image "{image}"'),
                "config-error": ("CreateContainerConfigError", 'secret "tuning-keys" not found'),
            }[outcome]
            waiting = {"waiting": {"reason": reason, "message": text}}
            pod = self._status(pod, running, waiting, phase="Pending", startTime=self._now())
            first = f'Failed to pull image "{image}": not found' if outcome == "image-pull" else f"Error: {text}"
            self._note(pod, "Warning", "Failed", first)
            self._note(pod, "Warning", "BackOff" if outcome == "image-pull" else "Failed", text, 3)
            return
        started = self._now()
        self._note(pod, "Normal", "Pulled", f'Container image "{image}" already present on machine')
        self._note(pod, "Normal", "Started", f"Started container {spec['containers'][0]['name']}")
        ready = {"type": "Ready", "status": "True", "lastProbeTime": None, "lastTransitionTime": started}
        self._status(
            pod,
            running,
            {"running": {"startedAt": started}},
            phase="Running",
            startTime=started,
            podIP="127.0.0.1",
            podIPs=[{"ip": "127.0.0.1"}],
            conditions=[ready],
        )
        text = running.rule.get("log", "working")
        running.lines += [f"{started} iteration {i}: {text}" for i in range(int(running.rule.get("log_lines", 5)))]
        if outcome != "hang":
            self._later(seconds, lambda: self._end(key, uid, started, seconds))

    def _evict(self, key: Key | None, uid: str) -> None:
        pod = self._load(key, uid)
        if pod is None:
            return
        text = "The node was low on resource: memory."
        self._note(pod, "Warning", "Evicted", text)
        pod["status"] |= {"phase": "Failed", "reason": "Evicted", "message": text, "startTime": self._now()}
        pod["status"]["hostIP"] = "127.0.0.1"
        self._store.put(PODS, pod)

    def _end(self, key: Key | None, uid: str, started: str, seconds: float) -> None:
        pod, running = self._load(key, uid), self._pods.get(uid)
        if pod is None or running is None:
            return
        rule, now = running.rule, self._now()
        code, reason = {"succeed": (0, "Completed"), "oom": (137, "OOMKilled")}.get(
            rule["outcome"], (int(rule.get("exit_code", 1)), "Error")
        )
        ended = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now}
        last = "finished" if code == 0 else rule.get("last_log", f"fatal: {reason}, exit code {code}")
        running.lines.append(f"{now} {last}")
        if rule["outcome"] == "crashloop" and pod["spec"]["restartPolicy"] != "Never":
            running.restarts += 1
            text = "back-off restarting failed container"
            waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
            self._note(pod, "Warning", "BackOff", "Back-off restarting failed container", running.restarts)
            self._status(pod, running, waiting, {"terminated": ended}, phase="Running")
            wait = min(seconds * 2, _LONGEST_BACKOFF)
            self._later(wait, lambda: self._end(key, uid, started, wait))
            return
        running.ended = True
        self._status(pod, running, {"terminated": ended}, phase="Succeeded" if code == 0 else "Failed")

    def _status(
        self, pod: Object, running: Running, state: Object, last: Mapping[str, Any] | None = None, **fields: Any
    ) -> Object:
        pod["status"] |= {"hostIP": "127.0.0.1", **fields}
        pod["status"]["containerStatuses"] = [
            {
                "name": container["name"],
                "state": state,
                "lastState": last or {},
                "ready": "running" in state,
                "restartCount": running.restarts,
                "image": container["image"],
                "imageID": "",
            }
            for container in pod["spec"]["containers"]
        ]
        self._store.put(PODS, pod)
        return pod

    def _note(self, pod: Object, level: str, reason: str, message: str, count: int = 1) -> None:
        self._recorder.note(pod, "Pod", level, reason, message, "kubelet", count)

    def _load(self, key: Key | None, uid: str) -> Object | None:
        record = self._store.get(PODS, *key) if key is not None else None
        return record.load() if record is not None and record.uid == uid else None


def pod_metrics(store: Store, nodes: Nodes, selection: Selection, now: str) -> list[Object]:
    """metrics.k8s.io's PodMetrics of the running pods that are selected."""
    found = []
    for record in store.records(selection):
        if (used := nodes.usage(record.uid)) is None or record.fields.get("status.phase") != "Running":
            continue
        names = [container["name"] for container in record.load()["spec"]["containers"]]
        meta = {"name": record.name, "namespace": record.namespace, "creationTimestamp": now}
        usage = {"cpu": used[0], "memory": used[1]}
        containers = [{"name": name, "usage": usage} for name in names]
        if record.labels:
            meta["labels"] = dict(record.labels)  # type: ignore[assignment]
        found.append({"metadata": meta, "timestamp": now, "window": "30s", "containers": containers})
    return found


def _requests(spec: Object) -> tuple[Decimal, Decimal]:
    sides = [(container.get("resources") or {}).get("requests") or {} for container in spec["containers"]]
    cpu, memory = (
        sum((parse_quantity(side.get(name, "0")) or Decimal(0) for side in sides), Decimal(0))
        for name in ("cpu", "memory")
    )
    return cpu, memory


def _node(now: str) -> Object:
    size = {"cpu": str(CPU), "memory": MEMORY, "pods": str(PODS_LIMIT)}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "stand-in"}
    return {
        "metadata": {
            "name": NODE,
            "uid": f"{NODE}-uid",
            "creationTimestamp": now,
            "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"},
        },
        "spec": {},
        "status": {
            "capacity": size,
            "allocatable": size,
            "conditions": [{**ready, "lastHeartbeatTime": now, "lastTransitionTime": now}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE}],
            "nodeInfo": {
                "kubeletVersion": "sandbox",
                "osImage": "",
                "kernelVersion": "",
                "containerRuntimeVersion": "",
            },
        },
    }
