"""The scenario file (docs/sandbox.md): how pods end, and which requests go wrong. Re-read whenever it changes."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError

log = logging.getLogger(__name__)

_RUNS = ("succeed", "fail", "oom", "crashloop", "hang", "sidecar-left")
_WAITS = ("image-pull", "config-error", "mount-error", "pods-refused", "gated", "suspended")
_IS_TAKEN = ("evicted", "preempted", "node-lost")
OUTCOMES = frozenset((*_RUNS, *_WAITS, *_IS_TAKEN))
ANSWERS = frozenset(("status", "html", "hang", "drop", "torn"))
_CHOICES = {"outcome": OUTCOMES, "answer": ANSWERS}
_TEXT = (str,), "a text; put it in quotes"
_NUMBER = (int, float), "a number"
_WHOLE = (int,), "a whole number"
_QUANTITY = (str, int, float), "a quantity"
# The keys of a rule, and what each may be.
_Keys = Mapping[str, tuple[tuple[type, ...], str]]
_OUTCOME: _Keys = dict.fromkeys(("match", "outcome", "log", "last_log", "message"), _TEXT) | {
    "seconds": _NUMBER,
    "exit_code": _WHOLE,
    "log_lines": _WHOLE,
    "cpu": _QUANTITY,
    "memory": _QUANTITY,
}
_FAULT: _Keys = dict.fromkeys(("path", "method", "answer", "message"), _TEXT) | {
    "times": ((int, NoneType), "a whole number"),
    "status": _WHOLE,
    "retry_after": ((int, float, NoneType), "a number"),
}


@dataclass
class Fault:
    """One way in which requests go wrong. `path` is a glob on the path, or on path?query; `times` None has no end."""

    path: str = "*"
    method: str = "*"
    times: int | None = 1
    answer: str = "status"
    status: int = 500
    retry_after: float | None = None
    message: str = "the sandbox's scenario fails this request"

    def matches(self, method: str, path: str, query: str) -> bool:
        """Whether this request goes wrong by this rule; uses the rule up by one."""
        if self.times == 0 or not fnmatch.fnmatchcase(method, self.method):
            return False
        if not (fnmatch.fnmatchcase(path, self.path) or fnmatch.fnmatchcase(f"{path}?{query}", self.path)):
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Scenario:
    """What the file says now; an empty scenario where there is no file. A file that can't be read changes nothing."""

    path: Path | None = None
    outcomes: list[Mapping[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    metrics: bool = False
    default: Mapping[str, Any] = field(default_factory=dict)
    _stamp: tuple[int, int] | None = None

    def refresh(self) -> None:
        """Read the file again if it changed; ConfigError names the file and what is wrong with it."""
        if self.path is None:
            return
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(f"{self.path}: {error.strerror}; check its permissions") from error
        stamp = found.st_mtime_ns, found.st_size
        if stamp != self._stamp:
            self._stamp = stamp
            data = yamlfile.read(self.path)
            self._take({} if data is None else data)

    def refresh_quietly(self) -> None:
        """The same while the sandbox runs: what is wrong is logged, and the last good reading stays."""
        try:
            self.refresh()
        except ConfigError as error:
            log.warning("scenario not read: %s", error)

    def outcome(self, job: str, pod: str) -> Mapping[str, Any]:
        """The rule for a pod: its keys over the defaults."""
        self.refresh_quietly()
        globs = ((rule, rule.get("match", "*")) for rule in self.outcomes)
        found = (rule for rule, glob in globs if fnmatch.fnmatchcase(job, glob) or fnmatch.fnmatchcase(pod, glob))
        return {"outcome": "succeed", **self.default, **next(found, {})}

    def fault(self, method: str, path: str, query: str) -> Fault | None:
        """The fault that this request meets, None for none."""
        self.refresh_quietly()
        return next((fault for fault in self.faults if fault.matches(method, path, query)), None)

    def _take(self, data: Any) -> None:
        if not isinstance(data, dict):
            raise ConfigError(f"{self.path}: expected `outcomes:` and a list of rules")
        if not isinstance(metrics := data.get("metrics", False), bool):
            raise ConfigError(f"{self.path}: metrics: {metrics!r} is none of true, false")
        self.outcomes = self._rules(data, "outcomes", _OUTCOME)
        self.faults = [
            Fault(**{"status": 200 if rule.get("answer") == "html" else 500, **rule})
            for rule in self._rules(data, "faults", _FAULT)
        ]
        default = data.get("default") or {}
        if not isinstance(default, dict):
            raise ConfigError(f"{self.path}: default: expected an outcome such as {{seconds: 2}}")
        self.default = default
        self.metrics = metrics

    def _rules(self, data: Mapping[str, Any], name: str, known: _Keys) -> list[Mapping[str, Any]]:
        rules = data.get(name) or []
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise ConfigError(f"{self.path}: `{name}` must be a list of rules such as {{match: ..., outcome: ...}}")
        for rule in rules:
            if unknown := rule.keys() - known:
                listed = ", ".join(sorted(known))
                raise ConfigError(f"{self.path}: {name}: unknown key {min(unknown)!r}; known are {listed}")
            for key, value in rule.items():
                wanted, words = known[key]
                if isinstance(value, bool) or not isinstance(value, wanted):
                    raise ConfigError(f"{self.path}: {name}: {key}: {value!r} is not {words}")
                if key in _CHOICES and value not in _CHOICES[key]:
                    listed = ", ".join(sorted(_CHOICES[key]))
                    raise ConfigError(f"{self.path}: unknown {key} {value!r}; known are {listed}")
        return rules
