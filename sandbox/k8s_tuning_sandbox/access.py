"""Who a bearer token belongs to, and what that user may do."""

from __future__ import annotations

import secrets
from typing import Any

from k8s_tuning_sandbox.resources import NAMESPACES
from k8s_tuning_sandbox.status import Refusal, bad_request, of
from k8s_tuning_sandbox.target import Target

ADMIN, READER, NOBODY = "admin", "reader", "nobody"
ANONYMOUS = "system:anonymous"
_READING = frozenset(("get", "list", "watch"))


class Tokens:
    """One secret a user: an administrator, a reader (get, list and watch everything), and one who may do nothing."""

    def __init__(self) -> None:
        self._users = {secrets.token_urlsafe(24): user for user in (ADMIN, READER, NOBODY)}

    def of(self, user: str) -> str:
        """The user's token."""
        return next(token for token, name in self._users.items() if name == user)

    def user(self, authorization: str | None) -> str:
        """Whose request it is by its Authorization header; Refusal 401 where nobody has that token."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        user = self._users.get(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        return user


def may(user: str, verb: str) -> bool:
    """Whether the user may do that to any resource."""
    return user == ADMIN or (user == READER and verb in _READING)


def review(user: str, asked: Any) -> dict[str, Any]:
    """A SelfSubjectAccessReview answered; Refusal 400 where it asks nothing. Anybody may ask."""
    spec = asked.get("spec") if isinstance(asked, dict) else None
    attributes = spec.get("resourceAttributes") if isinstance(spec, dict) else None
    if user == ANONYMOUS or not isinstance(attributes, dict):
        raise bad_request("a review needs a known user and spec.resourceAttributes")
    allowed = may(user, str(attributes.get("verb", "")))
    return {"metadata": {}, "spec": spec, "status": {"allowed": allowed}}


def require(user: str, target: Target) -> None:
    """Refusal 403 where the user may not."""
    if may(user, target.verb):
        return
    resource, name = target.resource, target.name
    what = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
    named = f'{resource.qualified} "{name}"' if name else resource.qualified
    space = target.namespace or (name if resource is NAMESPACES else "")
    where = f'in the namespace "{space}"' if space else "at the cluster scope"
    group = f'in API group "{resource.group}" {where}'
    message = f'{named} is forbidden: User "{user}" cannot {target.verb} resource "{what}" {group}'
    raise Refusal(403, "Forbidden", message, of(resource, name))


def require_path(user: str, method: str, path: str) -> None:
    """Refusal 403 for what is no resource: discovery is for every known user, versions and health for all."""
    public = path.startswith(("/version", "/healthz", "/livez", "/readyz"))
    known = path.startswith(("/api", "/apis", "/openapi"))
    if public or (known and user != ANONYMOUS):
        return
    message = f'forbidden: User "{user}" cannot {method.lower()} path "{path}"'
    if user != ADMIN:
        raise Refusal(403, "Forbidden", message, {})
