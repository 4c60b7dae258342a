"""A tuning session's configuration: its fields, their rules, and how its YAML file is read.

The rules are written once, as the types below; they hold for a file and for a config that Python code builds.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Strict, ValidationError
from typing_extensions import TypedDict

from k8s_tuning import kubernetes_names as names
from k8s_tuning import plain_values, yamlfile
from k8s_tuning.errors import ConfigError, InputError
from k8s_tuning.stages.generate.search import Parameter, SearchSpace, check_space, env_name
from k8s_tuning.stages.validate.resources import resource_findings

# A guard against a slipped digit: each worker is a file and a Job.
MOST_WORKERS = 10_000
_LARGEST = 2**31 - 1
GENERATED_ENV = ("SESSION_ID", "WORKER_ID", "MODE")

_Text = Annotated[str, Strict(), Field(min_length=1)]
_Count = Annotated[int, Strict(), Field(ge=1, le=_LARGEST)]
_Seconds = Annotated[int, Strict(), Field(ge=0, le=_LARGEST)]
_Quantity = Annotated[str, Strict()] | Annotated[int, Strict()] | Annotated[float, Strict()]


class Resources(TypedDict, total=False):
    """The container's resources, as Kubernetes writes them."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    requests: dict[str, _Quantity]
    limits: dict[str, _Quantity]


class Toleration(TypedDict, total=False):
    """A toleration, as Kubernetes writes it."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    key: str
    operator: Literal["Exists", "Equal"]
    value: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    tolerationSeconds: Annotated[int, Strict()]


@dataclass
class K8sOrchestratorConfig:
    """One tuning session. Times in seconds; None leaves a field to the cluster's default.

    `config_path` is a path inside the image. `security_context`: `restricted` is what the Pod Security Standard of
    that name asks for, and no service account token unless `service_account` is set; `none` leaves it to the image.
    `run_as_user`: needed with `restricted` where the image names no numeric user. `queue`: Kueue's LocalQueue.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    session_id: _Text
    k8s_namespace: _Text
    image: _Text
    mode: Literal["paper", "shadow", "live"]
    env: Literal["docker", "local", "stage", "prod"]
    total_iterations: _Count
    workers: Annotated[int, Strict(), Field(ge=1, le=MOST_WORKERS)]
    optimizer: Literal["grid", "random", "bayesian"]
    config_path: _Text = "configs/d23_tuning/advanced_baseline.yaml"
    extra_env: dict[str, Annotated[str, Strict()]] = field(default_factory=dict)
    resources: Resources | None = None
    search: SearchSpace | None = None
    ttl_seconds_after_finished: _Seconds | None = None
    active_deadline_seconds: _Count | None = None
    backoff_limit: _Seconds = 0
    service_account: _Text | None = None
    node_selector: dict[str, Annotated[str, Strict()]] = field(default_factory=dict)
    tolerations: list[Toleration] = field(default_factory=list)
    priority_class: _Text | None = None
    security_context: Literal["restricted", "none"] = "restricted"
    run_as_user: Annotated[int, Strict(), Field(ge=1, le=_LARGEST)] | None = None
    queue: _Text | None = None


def session_namespace(config: K8sOrchestratorConfig, asked: str | None, source: str, param: str) -> str:
    """The session's namespace; InputError where somebody asks for another: Jobs must not go where the file says not.

    `asked`: None or empty where nothing was asked. `source`, `param`: the file and the param or flag, for the error.
    """
    if asked and asked != config.k8s_namespace:
        raise InputError(
            f"{param} is {asked!r}, but {source} says k8s_namespace: {config.k8s_namespace}; "
            f"leave {param} out, or change the file"
        )
    return config.k8s_namespace


def load_session(path: str | Path) -> K8sOrchestratorConfig:
    """A session's YAML file; ConfigError names the file, the key, what is wrong and what would be right."""
    data = yamlfile.read_mapping(Path(path))
    return _validated(data, f"{path}: ")


def check(config: K8sOrchestratorConfig) -> K8sOrchestratorConfig:
    """The same config, found good; ConfigError names the key. For configs that Python code builds or changes."""
    return _validated(asdict(config), "")


def _validated(data: dict[str, Any], place: str) -> K8sOrchestratorConfig:
    try:
        config: K8sOrchestratorConfig = plain_values.adapter(K8sOrchestratorConfig).validate_python(data)
    except ValidationError as error:
        # A value that fits no member of a union is reported once a member; the first says enough.
        first = dict(reversed([_explain(item) for item in error.errors(include_url=False)]))
        raise ConfigError(place + "; ".join(f"{key}: {first[key]}" for key in reversed(first))) from None
    problems = [f"{key}: {problem}" for key, problem in _rule_problems(config)]
    if problems:
        raise ConfigError(place + "; ".join(problems))
    return config


def _rule_problems(config: K8sOrchestratorConfig) -> Iterable[tuple[str, str]]:
    """What Kubernetes would refuse, by key. Labels are checked here and named by the key that fills them."""
    yield from _bad("session_id", config.session_id, names.label_value_problem, "is used as a label; it ")
    yield from _bad("k8s_namespace", config.k8s_namespace, names.dns_label_problem)
    if config.image != config.image.strip() or any(character.isspace() for character in config.image):
        yield "image", f"{config.image!r} has white space in it; write it as registry/name:tag"
    yield from _bad("service_account", config.service_account, names.dns_subdomain_problem)
    yield from _bad("priority_class", config.priority_class, names.dns_subdomain_problem)
    yield from _bad("queue", config.queue, names.label_value_problem, "is used as a label; it ")
    for key, value in config.node_selector.items():
        yield from _bad(f"node_selector.{key}", key, names.label_key_problem)
        yield from _bad(f"node_selector.{key}", value, names.label_value_problem)
    if config.search is not None:
        try:
            check_space(config.search)
        except ConfigError as error:
            key, _, problem = str(error).partition(": ")
            yield key, problem
    yield from _env_problems(config)
    for found in resource_findings(config.resources or {}):
        if found.error:
            yield f"resources.{found.path}", found.message


def session_warnings(config: K8sOrchestratorConfig) -> list[str]:
    """What Kubernetes takes and nobody can have meant, each with its key and cure: `memory: 512m` is half a byte."""
    found = resource_findings(config.resources or {})
    return [f"resources.{one.path}: {one.message}" for one in found if not one.error]


def _env_problems(config: K8sOrchestratorConfig) -> Iterable[tuple[str, str]]:
    parameters = {env_name(name): name for name in config.search.parameters} if config.search else {}
    for key, value in config.extra_env.items():
        yield from _bad(f"extra_env.{key}", key, names.env_name_problem)
        if "\0" in value:
            yield f"extra_env.{key}", "holds a NUL, which no process can receive; remove it"
        if key in GENERATED_ENV:
            yield f"extra_env.{key}", "is set by the generator itself; remove it or rename it"
        if key in parameters:
            yield f"extra_env.{key}", f"is where the search parameter {parameters[key]!r} goes; rename one of them"


def _bad(key: str, text: str | None, rule: Any, lead: str = "") -> Iterable[tuple[str, str]]:
    if text is not None and (problem := rule(text)) is not None:
        yield key, f"{text!r} {lead}{problem}"


# The keys of each mapping, by the first step of the path that leads to it; () is the top level.
_KNOWN: dict[str, tuple[str, ...]] = {
    "": tuple(item.name for item in fields(K8sOrchestratorConfig)),
    "search": tuple(item.name for item in fields(SearchSpace)),
    "parameters": tuple(item.name for item in fields(Parameter)),
    "resources": tuple(Resources.__annotations__),
    "tolerations": tuple(Toleration.__annotations__),
}


_UNION_STEPS = {"bool", "int", "float", "str", "constrained-str", "constrained-int", "constrained-float"}


def _explain(item: Any) -> tuple[str, str]:
    path = [str(step) for step in item["loc"]]
    if item["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = _KNOWN[next((step for step in reversed(path[:-1]) if step in _KNOWN), "")]
        near = difflib.get_close_matches(path[-1], known, n=1)
        return ".".join(path), "unknown key; " + (
            f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        )
    while len(path) > 1 and path[-1] in _UNION_STEPS:
        path.pop()
    key, value = ".".join(path), item["input"]
    if item["type"] == "missing":
        return key, "is missing"
    # An environment variable may be a password: its value is never repeated.
    shown = "its value" if path[0] == "extra_env" else repr(value)[:80]
    if item["type"] == "string_type" and isinstance(value, (int, float, bool)):
        return key, f"{shown} is not a text; put it in quotes"
    return key, f"{shown} {item['msg'].replace('Input should be', 'must be')}"
