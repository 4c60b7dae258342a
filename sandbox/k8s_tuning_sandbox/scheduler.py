"""The scheduler: assigns every new pod to the one node, as soon as it has room and nothing holds the pod back."""

from __future__ import annotations

from decimal import Decimal

from k8s_tuning.stages.quantities import parse_quantity
from k8s_tuning_sandbox.occurrences import schedule
from k8s_tuning_sandbox.plans import ENDED
from k8s_tuning_sandbox.pods import set_condition
from k8s_tuning_sandbox.resources import NODES, PODS, Object
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.store import Change, Key

NODE = "node-0"
CPU, MEMORY, PODS_LIMIT = 4000, "16000Gi", 20000
_LABELS = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}
_NO_FIT = "0/1 nodes are available: {}."
_GATED = "Scheduling is blocked due to non-empty scheduling gates"


class Scheduler:
    """Watches the store for pods without a node."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._requests: dict[str, tuple[Decimal, Decimal]] = {}
        self._cpu = self._memory = Decimal(0)
        self._waiting: dict[str, Key] = {}
        simulation.store.put(NODES, _node(simulation.now()))
        simulation.store.listeners.append(self._changed)

    def _changed(self, change: Change) -> None:
        if change.resource is not PODS:
            return
        record = change.record
        if change.kind == "DELETED" or record.fields.get("status.phase") in ENDED:
            self._waiting.pop(record.uid, None)
            self._free(record.uid)
        elif change.kind == "ADDED" or record.uid in self._waiting:
            # It is new, or its gates may be gone.
            self._waiting[record.uid] = record.key
            self._sim.later(0, lambda: self._schedule(record.uid))

    def _free(self, uid: str) -> None:
        cpu, memory = self._requests.pop(uid, (Decimal(0), Decimal(0)))
        self._cpu -= cpu
        self._memory -= memory
        if self._waiting:
            self._sim.later(0, self._schedule_waiting)

    def _schedule_waiting(self) -> None:
        for uid in tuple(self._waiting):
            self._schedule(uid)

    def _schedule(self, uid: str) -> None:
        record = self._sim.store.get(PODS, *self._waiting[uid]) if uid in self._waiting else None
        if record is None or record.uid != uid:
            return
        pod = record.load()
        meta = pod["metadata"]
        if meta.get("deletionTimestamp"):
            return
        if pod["spec"].get("schedulingGates"):
            self._hold(pod, "SchedulingGated", _GATED)
            return
        cpu, memory = _requests(pod["spec"])
        if reasons := self._reasons(pod, cpu, memory):
            message = _NO_FIT.format(", ".join(reasons))
            if self._hold(pod, "Unschedulable", message):
                schedule(self._sim, pod, "Warning", "FailedScheduling", message, "Scheduling")
            return
        self._requests[uid] = cpu, memory
        self._cpu += cpu
        self._memory += memory
        del self._waiting[uid]
        pod["spec"]["nodeName"] = NODE
        set_condition(pod, "PodScheduled", "True", self._sim.now())
        self._sim.store.put(PODS, pod)
        text = f"Successfully assigned {meta['namespace']}/{meta['name']} to {NODE}"
        schedule(self._sim, pod, "Normal", "Scheduled", text, "Binding")

    def _reasons(self, pod: Object, cpu: Decimal, memory: Decimal) -> list[str]:
        if any(_LABELS.get(name) != value for name, value in (pod["spec"].get("nodeSelector") or {}).items()):
            return ["1 node(s) didn't match Pod's node affinity"]
        reasons = []
        if self._cpu + cpu > CPU:
            reasons.append("1 Insufficient cpu")
        if self._memory + memory > (parse_quantity(MEMORY) or 0):
            reasons.append("1 Insufficient memory")
        if len(self._requests) >= PODS_LIMIT:
            reasons.append("1 Too many pods")
        return reasons

    def _hold(self, pod: Object, reason: str, message: str) -> bool:
        """Say why the pod has no node; whether that is new."""
        if any(known.get("message") == message for known in pod["status"].get("conditions") or ()):
            return False
        set_condition(pod, "PodScheduled", "False", self._sim.now(), reason, message)
        self._sim.store.put(PODS, pod)
        return True


def _requests(spec: Object) -> tuple[Decimal, Decimal]:
    sides = [(container.get("resources") or {}).get("requests") or {} for container in spec["containers"]]
    cpu, memory = (
        sum((parse_quantity(side.get(name, "0")) or Decimal(0) for side in sides), Decimal(0))
        for name in ("cpu", "memory")
    )
    return cpu, memory


def _node(now: str) -> Object:
    size = {"cpu": str(CPU), "memory": MEMORY, "pods": str(PODS_LIMIT)}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    return {
        "metadata": {"name": NODE, "uid": f"{NODE}-uid", "creationTimestamp": now, "labels": _LABELS},
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
