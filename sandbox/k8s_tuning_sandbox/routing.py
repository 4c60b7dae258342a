"""A URL's path and query as a request to the API: which resource, which verb, and its options. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from k8s_tuning.cluster.selectors import parse
from k8s_tuning.errors import SelectorError
from k8s_tuning_sandbox.field_selectors import parse_fields
from k8s_tuning_sandbox.resources import NAMESPACES, POD_METRICS, REVIEWS, STORED, SUBRESOURCES
from k8s_tuning_sandbox.status import Cause, Refusal, bad_request, invalid, unsupported
from k8s_tuning_sandbox.store import Selection
from k8s_tuning_sandbox.target import Target

Query = Mapping[str, str]

_ON_ONE = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_VALIDATIONS = ("Ignore", "Strict", "Warn")
_ON_ALL = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


def route(method: str, path: str, query: Query, *, metrics: bool) -> Target | None:
    """What the request is to; None where the path is no resource's (discovery); Refusal 404 or 405."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    served = (*STORED, REVIEWS, *((POD_METRICS,) if metrics else ()))
    if not any((resource.group, resource.version) == (group, version) for resource in served):
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    wanted = group, version, rest[0]
    resource = next((one for one in served if (one.group, one.version, one.plural) == wanted), None)
    _, name, subresource = (*rest, "", "")[:3]
    if (
        resource is None
        or len(rest) > 3
        or (namespace and not resource.namespaced)
        or (subresource and subresource not in SUBRESOURCES.get(resource.plural, ()))
        or (name and resource.namespaced and not namespace)
    ):
        raise Refusal(404, "NotFound", "the server could not find the requested resource", {})
    verb = (_ON_ONE if name else _ON_ALL).get(method, "")
    if verb == "list" and is_true(query.get("watch", "")):
        verb = "watch"
    homeless = verb == "create" and resource.namespaced and not namespace
    if homeless or verb not in resource.verbs or (subresource == "log" and verb != "get"):
        text = "the server does not allow this method on the requested resource"
        raise Refusal(405, "MethodNotAllowed", text, {})
    if resource is NAMESPACES and name:
        namespace = ""
    return Target(resource, namespace, name, subresource, verb)


def selection(target: Target, query: Query) -> Selection:
    """What a list or a watch selects; Refusal 400 where a selector does not parse or asks for an unknown field."""
    try:
        labels, fields = parse(query.get("labelSelector", "")), parse_fields(query.get("fieldSelector", ""))
    except SelectorError as error:
        raise bad_request(f"unable to parse requirement: {error}") from error
    for field, _, _ in fields.terms:
        if field not in target.resource.selectable:
            raise bad_request(f"field label not supported: {field}")
    return Selection(target.resource, target.namespace, labels, fields)


def number(query: Query, name: str) -> int | None:
    """A whole number of the query, None where it is not there; Refusal 400."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def dry_run(query: Query, options: str, given: object = None) -> bool:
    """Whether the query, or the options in a body, ask for a dry run; Refusal 422 for anything but All."""
    values = [query["dryRun"]] if query.get("dryRun") else list(given) if isinstance(given, list) else []
    if any(value != "All" for value in values):
        listed = ", ".join(f'"{value}"' for value in values)
        text = f'Unsupported value: []string{{{listed}}}: supported values: "All"'
        raise invalid(options, "meta.k8s.io", "", [Cause("dryRun", "FieldValueNotSupported", text)])
    return bool(values)


def validation(query: Query, options: str) -> str:
    """What the query wants done about fields that there are not: Strict, Warn (the default) or Ignore; Refusal 422."""
    wanted = query.get("fieldValidation") or "Warn"
    if wanted not in _VALIDATIONS:
        cause = unsupported("fieldValidation", wanted, _VALIDATIONS)
        raise invalid(options, "meta.k8s.io", "", [cause])
    return wanted


def is_true(text: str) -> bool:
    """A boolean of the query, as Go's strconv reads it."""
    return text in ("1", "t", "T", "true", "TRUE", "True")
