"""Why an API server refused, read from its message: a status code is shared by causes with different cures. Pure.

Sources: the messages of kubernetes/kubernetes (apiserver's authorization and admission plugins, structured-merge-diff).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """`cure`: what to do about it. `passing`: the same request may succeed later, without a change to it.

    `right`: the account lacks a permission.
    """

    cure: str
    passing: bool = False
    right: bool = False


_RBAC = re.compile(
    r'cannot (?P<verb>[\w-]+) (?:resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"|path "(?P<path>[^"]*)")'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_AUTHORIZER = re.compile(r'(?:.{0,400}? ?forbidden: )?User "')
_ANONYMOUS = 'User "system:anonymous" '
# A policy's message holds whatever its author wrote: it comes before all others.
_POLICY = {
    r"admission webhook \"[^\"]*\" denied|ValidatingAdmissionPolicy '[^']*'|denied (the )?request": Refusal(
        "a policy of this cluster refused it: change the manifest as it says, or ask whoever keeps the policy"
    ),
}
# Of each table the first that is found decides.
_FORBIDDEN = {
    r"requires one of \[": Refusal("the cloud's own rights are missing: have one of these granted to the account"),
    r"because it is being terminated": Refusal(
        "the namespace is being deleted: wait until it is gone and create it again, or use another", True
    ),
    r"exceeded quota:": Refusal(
        "wait for other Jobs to end, delete finished ones, ask for less, or have the ResourceQuota raised", True
    ),
    r"status unknown for quota:|quota evaluation timed out": Refusal(
        "the server has not counted the quota yet: try again in a moment", True
    ),
    r"failed quota:": Refusal(
        "the namespace's ResourceQuota wants these requests and limits in every container: add them"
    ),
    r"insufficient quota to match these scopes": Refusal(
        "no ResourceQuota of the namespace allows this priority class: use another class, or have one added"
    ),
    r"violates PodSecurity": Refusal(
        "set the securityContext fields that it names, or use a namespace with a lower Pod Security level"
    ),
    r"(PodSecurityPolicy|unable to validate against any (pod security policy|security context constraint))": Refusal(
        "set the securityContext as the cluster's policy wants it, or have the account allowed another policy"
    ),
    r"(maximum|minimum) [\w./-]+ usage per |limit to request ratio per ": Refusal(
        "the namespace's LimitRange bounds these: change the requests and limits to fit"
    ),
    r"error looking up service account|[Ss]ervice ?[Aa]ccount \"?[^\"]*\"? (was )?not found": Refusal(
        "create the service account, or correct serviceAccountName", True
    ),
    r"no PriorityClass with name": Refusal("create the PriorityClass, or correct priorityClassName"),
    r"RuntimeClass \"[^\"]*\" not found": Refusal("create the RuntimeClass, or correct runtimeClassName"),
}
_CONFLICTS = {
    r"uid mismatch|Precondition failed: UID": Refusal("remove metadata.uid from the manifest"),
    r"Apply failed with \d+ conflict": Refusal("another manager owns these fields: see who it is; nothing is forced"),
    r"object is being deleted": Refusal("apply again when it is gone", True),
    r"already exists": Refusal("somebody made it meanwhile: apply again to compare it", True),
    r"the object has been modified": Refusal("it was changed meanwhile: apply again", True),
}
# Bodies that the server cannot merge; it answers 500 for what no repetition changes.
_MANIFEST_FAULTS = {
    r"failed to create typed live object": Refusal(
        "the Job in the cluster cannot be merged with: use another session id, or delete that Job by hand"
    ),
    r"field not declared in schema": Refusal("this cluster is too old for the field; remove it"),
    r"duplicate entries for key": Refusal("the list has this entry twice; remove one"),
    r"expected string, got": Refusal("this cluster wants a text there; put the value in quotes"),
    r"failed to create typed patch object": Refusal("correct the manifest"),
}
_QUOTA_COLLISION = re.compile(r"Operation cannot be fulfilled on (?P<resource>[\w.]+) .*the object has been modified")


def forbidden(message: str, asked: str, *, reading: bool) -> Refusal:
    """The cause of a 403 of the API server, from `Status.message`: a right that is missing, or admission control.

    `asked`: the `grant` of what was asked for, where the message does not name the right. `reading`: admission control
    has no say in the request.
    """
    if (found := _first(_POLICY, message)) is not None:
        return found
    authorizer = _AUTHORIZER.match(message) is not None
    if authorizer and _ANONYMOUS in message:
        return Refusal("no credentials were sent or accepted: give the kubeconfig's user a token or a certificate")
    if authorizer and (right := _RBAC.search(message)) is not None:
        return Refusal(_granted(right), right=True)
    if (found := _first(_FORBIDDEN, message)) is not None:
        return found
    if authorizer or reading:
        return Refusal(asked, right=True)
    return Refusal("the cluster's admission control refused it: change the manifest as it says")


def conflict(message: str) -> Refusal:
    """The cause of a 409."""
    return _first(_CONFLICTS, message) or Refusal("see what the cluster has, and apply again")


def manifest_fault(message: str) -> Refusal | None:
    """The cause of a 500 that is the manifest's fault, None for a fault of the server."""
    return _first(_MANIFEST_FAULTS, message)


def is_collision(status: int, message: str, resource: str) -> bool:
    """Whether a 403 or 409 came from the server's own bookkeeping, so that the same request may succeed at once.

    A quota that several creations charge at a time is one; a conflict on the object itself (`resource`) is not.
    """
    if status == 403:
        return "status unknown for quota:" in message
    found = _QUOTA_COLLISION.search(message) if status == 409 else None
    return found is not None and found["resource"].partition(".")[0] != resource


def _first(table: Mapping[str, Refusal], message: str) -> Refusal | None:
    return next((refusal for pattern, refusal in table.items() if re.search(pattern, message)), None)


def grant(verb: str, group: str, resource: str, namespace: str | None) -> str:
    """The sentence for a right that is missing: the rule in RBAC's words, and where it belongs."""
    role = f"a Role in {namespace}" if namespace else "a ClusterRole"
    quoted = group or '""'
    return f"grant it with {role}: apiGroups [{quoted}], resources [{resource}], verbs [{verb}]"


def _granted(right: re.Match[str]) -> str:
    # The message's verb and resource need not be those asked for: an apply also creates, impersonation comes first.
    if right["path"] is not None:
        return f"grant it with a ClusterRole: nonResourceURLs [{right['path']}], verbs [{right['verb']}]"
    return grant(right["verb"], right["group"], right["resource"], right["namespace"])
