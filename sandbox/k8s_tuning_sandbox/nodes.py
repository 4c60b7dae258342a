"""One node that plays pods out by the scenario: phases, conditions, events and logs; no container is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from k8s_tuning.timestamps import to_text
from k8s_tuning_sandbox.occurrences import note, schedule
from k8s_tuning_sandbox.plans import ENDED, phase
from k8s_tuning_sandbox.pods import set_condition, set_containers, set_ready
from k8s_tuning_sandbox.resources import PODS, Object
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.store import Change, Key, Record, Selection

_LONGEST_BACKOFF = 60.0
_STOP_SECONDS = 0.2
_NO_MEMORY = "The node was low on resource: memory."
_PREEMPTED = "default-scheduler: preempting to accommodate a higher priority pod"
_TAINTED = "Taint manager: deleting due to NoExecute taint"
# What keeps a pod from starting: the container's state, and the events as (reason, message).
_HINDRANCES: Mapping[str, tuple[str, str, tuple[tuple[str, str, int], ...]]] = {
    "image-pull": (
        "ImagePullBackOff",
        'Back-off pulling image "{image}"',
        (
            ("Failed", 'Failed to pull image "{image}": not found', 1),
            ("BackOff", 'Back-off pulling image "{image}"', 3),
        ),
    ),
    "config-error": (
        "CreateContainerConfigError",
        'secret "tuning-keys" not found',
        (("Failed", 'Error: secret "tuning-keys" not found', 1), ("Failed", 'secret "tuning-keys" not found', 3)),
    ),
    "mount-error": (
        "ContainerCreating",
        "",
        (("FailedMount", 'MountVolume.SetUp failed for volume "keys" : secret "tuning-keys" not found', 5),),
    ),
}


@dataclass
class Running:
    """A pod that the node has: its rule, its log, and how often its container was started again."""

    key: Key
    uid: str
    rule: Mapping[str, Any]
    lines: list[str] = field(default_factory=list)
    restarts: int = 0
    ended: bool = False
    stopping: bool = False


class Nodes:
    """Plays every pod that is given to the node."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._pods: dict[str, Running] = {}
        simulation.store.listeners.append(self._changed)

    def log(self, uid: str) -> list[str]:
        """The lines that a pod's container wrote so far; none where the node has no such pod."""
        return self._pods[uid].lines if uid in self._pods else []

    def metrics(self, selection: Selection) -> list[Object]:
        """metrics.k8s.io's PodMetrics of the running pods that are selected."""
        found = []
        for record in self._sim.store.records(selection):
            pod, now = self._pods.get(record.uid), self._sim.now()
            if pod is None or pod.ended or record.fields.get("status.phase") != "Running":
                continue
            meta: Object = {"name": record.name, "namespace": record.namespace, "creationTimestamp": now}
            if record.labels:
                meta["labels"] = record.labels
            usage = {"cpu": str(pod.rule.get("cpu", "100m")), "memory": str(pod.rule.get("memory", "64Mi"))}
            used_by = [{"name": one["name"], "usage": usage} for one in record.load()["spec"]["containers"]]
            found.append({"metadata": meta, "timestamp": now, "window": "30s", "containers": used_by})
        return found

    def _changed(self, change: Change) -> None:
        record = change.record
        if change.resource is not PODS or change.kind == "ADDED":
            return
        running = self._pods.get(record.uid)
        if change.kind == "DELETED":
            self._pods.pop(record.uid, None)
        elif running is None:
            if record.fields.get("spec.nodeName"):
                job = record.labels.get("job-name", "")
                rule = self._sim.scenario.outcome(job, record.name)
                self._pods[record.uid] = Running(record.key, record.uid, rule)
                self._after(0, self._pods[record.uid], self._start)
        elif record.fields.get("status.phase") in ENDED:
            running.ended = True
        elif not running.stopping and _is_deleted(record) and running.rule["outcome"] != "node-lost":
            running.stopping = True
            self._after(_STOP_SECONDS, running, self._stop)

    def _after(self, seconds: float, running: Running, act: Callable[[Object, Running], None]) -> None:
        """Call `act` with the pod as it is then, unless it is gone."""

        def call() -> None:
            record = self._sim.store.get(PODS, *running.key)
            if record is not None and record.uid == running.uid and running.uid in self._pods:
                act(record.load(), running)

        self._sim.later(seconds, call)

    def _start(self, pod: Object, running: Running) -> None:
        spec, outcome, started = pod["spec"], running.rule["outcome"], self._sim.now()
        seconds = float(running.rule.get("seconds", 1.0))
        if outcome == "evicted":
            self._after(seconds, running, self._evict)
            return
        if outcome in _HINDRANCES:
            self._hinder(pod, running, started)
            return
        self._note(
            pod, "Normal", "Pulled", f'Container image "{spec["containers"][0]["image"]}" already present on machine'
        )
        self._note(pod, "Normal", "Started", f"Started container {spec['containers'][0]['name']}")
        pod["status"] |= {"startTime": started, "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
        set_ready(pod, "True", started)
        self._put(pod, running, {"running": {"startedAt": started}}, phase="Running")
        text = running.rule.get("log", "working")
        running.lines += [f"{started} iteration {i}: {text}" for i in range(int(running.rule.get("log_lines", 5)))]
        if outcome != "hang":
            ends = {"node-lost": self._lose, "preempted": self._preempt}
            self._after(seconds, running, ends.get(outcome, partial(self._end, started=started, seconds=seconds)))

    def _hinder(self, pod: Object, running: Running, started: str) -> None:
        reason, message, events = _HINDRANCES[running.rule["outcome"]]
        image = pod["spec"]["containers"][0]["image"]
        waiting = {"reason": reason} | ({"message": message.format(image=image)} if message else {})
        pod["status"]["startTime"] = started
        self._put(pod, running, {"waiting": waiting}, phase="Pending")
        for why, text, count in events:
            self._note(pod, "Warning", why, text.format(image=image), count)

    def _evict(self, pod: Object, _: Running) -> None:
        self._note(pod, "Warning", "Evicted", _NO_MEMORY)
        pod["status"] |= {"phase": "Failed", "reason": "Evicted", "message": _NO_MEMORY, "startTime": self._sim.now()}
        pod["status"]["hostIP"] = "127.0.0.1"
        self._disrupt(pod, "TerminationByKubelet", _NO_MEMORY)
        self._sim.store.put(PODS, pod)

    def _preempt(self, pod: Object, _: Running) -> None:
        self._disrupt(pod, "PreemptionByScheduler", _PREEMPTED)
        schedule(self._sim, pod, "Normal", "Preempted", "Preempted by a pod of higher priority", "Preempting")
        self._delete(pod)

    def _lose(self, pod: Object, _: Running) -> None:
        """The node is gone: what it last said of the pod stays, and nobody confirms that the pod stopped."""
        self._disrupt(pod, "DeletionByTaintManager", _TAINTED)
        set_condition(pod, "Ready", "False", self._sim.now())
        note(self._sim, pod, "Pod", "Warning", "NodeNotReady", "Node is not ready", "node-controller")
        self._delete(pod)

    def _delete(self, pod: Object) -> None:
        seconds = pod["spec"]["terminationGracePeriodSeconds"]
        pod["metadata"]["deletionTimestamp"] = to_text(self._sim.clock() + timedelta(seconds=seconds))
        pod["metadata"]["deletionGracePeriodSeconds"] = seconds
        self._sim.store.put(PODS, pod)

    def _disrupt(self, pod: Object, reason: str, message: str) -> None:
        if self._sim.dialect.since(26):
            set_condition(pod, "DisruptionTarget", "True", self._sim.now(), reason, message)

    def _stop(self, pod: Object, running: Running) -> None:
        """What a kubelet does with a pod that is being deleted: stop it, say how it ended, then let it go."""
        if phase(pod) not in ENDED:
            started = pod["status"].get("startTime")
            code = 143 if running.rule["outcome"] == "preempted" else 137
            ended = {"exitCode": code, "reason": "Error", "startedAt": started, "finishedAt": self._sim.now()}
            if self._sim.dialect.tracks_pods and started:
                set_ready(pod, "False", self._sim.now(), "PodFailed")
                self._put(pod, running, {"terminated": ended}, phase="Failed")
        pod["metadata"]["deletionGracePeriodSeconds"] = 0
        self._sim.store.put(PODS, pod)

    def _end(self, pod: Object, running: Running, started: str, seconds: float) -> None:
        if running.stopping:
            return
        rule, now = running.rule, self._sim.now()
        code, reason = {"succeed": (0, "Completed"), "oom": (137, "OOMKilled")}.get(
            rule["outcome"], (int(rule.get("exit_code", 0 if rule["outcome"] == "sidecar-left" else 1)), "Error")
        )
        ended = {"exitCode": code, "reason": reason if code else "Completed", "startedAt": started, "finishedAt": now}
        last = "finished" if code == 0 else rule.get("last_log", f"fatal: {reason}, exit code {code}")
        running.lines.append(f"{now} {last}")
        if rule["outcome"] == "crashloop" and pod["spec"]["restartPolicy"] != "Never":
            running.restarts += 1
            text = "back-off restarting failed container"
            waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
            self._note(pod, "Warning", "BackOff", "Back-off restarting failed container", running.restarts)
            set_ready(pod, "False", now, "ContainersNotReady")
            self._put(pod, running, waiting, {"terminated": ended}, phase="Running")
            wait = min(seconds * 2, _LONGEST_BACKOFF)
            self._after(wait, running, partial(self._end, started=started, seconds=wait))
            return
        if rule["outcome"] == "sidecar-left" and len(pod["spec"]["containers"]) > 1:
            set_ready(pod, "False", now, "ContainersNotReady")
            self._put(pod, running, {"terminated": ended}, others={"running": {"startedAt": started}}, phase="Running")
            return
        running.ended = True
        set_ready(pod, "False", now, "PodFailed" if code else "PodCompleted")
        self._put(pod, running, {"terminated": ended}, phase="Failed" if code else "Succeeded")

    def _put(
        self,
        pod: Object,
        running: Running,
        state: Object,
        last: Mapping[str, Any] | None = None,
        *,
        phase: str,
        others: Object | None = None,
    ) -> None:
        """Store the pod with its containers' states. `others`: of the containers beside the first, if they differ."""
        pod["status"] |= {"hostIP": "127.0.0.1", "phase": phase}
        set_containers(pod, state, last, running.restarts, others)
        self._sim.store.put(PODS, pod)

    def _note(self, pod: Object, level: str, reason: str, message: str, count: int = 1) -> None:
        note(self._sim, pod, "Pod", level, reason, message, "kubelet", count)


def _is_deleted(record: Record) -> bool:
    # Most changes are of pods that nobody deletes, and loading each takes time.
    return b'"deletionTimestamp"' in record.raw and "deletionTimestamp" in record.load()["metadata"]
