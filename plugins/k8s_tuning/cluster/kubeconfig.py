"""Which cluster, and as whom: kubeconfig files found, merged and read as kubectl does, with errors that name the file.

Rules: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from yarl import URL

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError
from k8s_tuning.printable import one_line

DEFAULT_PATH = "~/.kube/config"
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
MAX_BYTES = 5_000_000
# Of each section: the key of an entry's fields, and which of these are paths.
_SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "clusters": ("cluster", ("certificate-authority",)),
    "users": ("user", ("client-certificate", "client-key", "tokenFile")),
    "contexts": ("context", ()),
}


class ClusterEntry(msgspec.Struct, frozen=True, rename="kebab"):
    """A kubeconfig's `cluster`, as far as it is used."""

    server: str
    certificate_authority: str | None = None
    certificate_authority_data: str | None = None
    insecure_skip_tls_verify: bool = False
    tls_server_name: str | None = None
    proxy_url: str | None = None


class UserEntry(msgspec.Struct, frozen=True, rename="kebab"):
    """A kubeconfig's `user`, as far as it is used."""

    token: str | None = None
    token_file: str | None = msgspec.field(name="tokenFile", default=None)
    username: str | None = None
    password: str | None = None
    client_certificate: str | None = None
    client_certificate_data: str | None = None
    client_key: str | None = None
    client_key_data: str | None = None
    exec: Any = None


@dataclass(frozen=True)
class KubeContext:
    """One cluster and one user. Both may hold secrets: they are kept out of the repr, and must stay out of logs."""

    name: str
    source: str
    cluster: ClusterEntry = field(repr=False)
    user: UserEntry = field(default_factory=UserEntry, repr=False)
    impersonate: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Host and port of its API server, without a user, a password or a path, which may be secret."""
        url = URL(self.cluster.server)
        return f"{url.host}:{url.port}" if url.port and not url.is_default_port() else str(url.host)


def from_files(kubeconfig: str | None, context: str | None) -> KubeContext:
    """The context that a kubeconfig names; without one, what $KUBECONFIG, ~/.kube/config or the pod itself says.

    ConfigError where nothing is found or what is found cannot be used.
    """
    paths = _paths(kubeconfig)
    if paths is None:
        return in_cluster(context)
    return _chosen(_merge([_read(path) for path in paths]), context, " and ".join(str(path) for path in paths))


def from_content(content: Mapping[str, Any], context: str | None) -> KubeContext:
    """The context in a kubeconfig's content, as a connection's extra holds it. Relative paths in it are refused."""
    if not isinstance(content, Mapping):
        raise ConfigError("the kubeconfig content is not a mapping with clusters, users and contexts")
    return _chosen(_checked(content, "the kubeconfig content", None), context, "the kubeconfig content")


def in_cluster(context: str | None = None) -> KubeContext:
    """The API server that a pod sees, by its service account."""
    if context is not None:
        raise ConfigError(f"context {context!r} needs a kubeconfig: give one, or leave the context out inside a pod")
    account = Path(SERVICE_ACCOUNT)
    try:
        user = UserEntry(token=(account / "token").read_text(), token_file=str(account / "token"))
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    except (KeyError, OSError, UnicodeError) as error:
        raise ConfigError(
            "no cluster to talk to: $KUBECONFIG is not set, ~/.kube/config does not exist, and this is not a pod with "
            f"a service account ({SERVICE_ACCOUNT}); name a kubeconfig"
        ) from error
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    if not _is_address(server):
        raise ConfigError("$KUBERNETES_SERVICE_HOST and $KUBERNETES_SERVICE_PORT make no address; name a kubeconfig")
    cluster = ClusterEntry(server, certificate_authority=str(account / "ca.crt"))
    return KubeContext("in-cluster", "the pod's service account", cluster, user)


def is_inside_pod() -> bool:
    """Whether this is a pod with a service account, as the official client tells."""
    variables = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
    return all(os.environ.get(name) for name in variables) and Path(SERVICE_ACCOUNT, "token").is_file()


def _paths(kubeconfig: str | None) -> list[Path] | None:
    if kubeconfig:
        return [Path(kubeconfig).expanduser()]
    listed = [Path(entry).expanduser() for entry in os.environ.get("KUBECONFIG", "").split(os.pathsep) if entry]
    if listed:
        present = [path for path in listed if path.exists()]
        if not present:
            raise ConfigError(
                f"$KUBECONFIG names {', '.join(map(str, listed))}, which is not there; correct or unset it"
            )
        return present
    try:
        default = Path(DEFAULT_PATH).expanduser()
        return [default] if default.exists() else None
    except RuntimeError:
        return None  # a user without a home directory
    except OSError as error:
        raise ConfigError(f"{DEFAULT_PATH}: {error.strerror}; name a kubeconfig that can be read") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yamlfile.read_mapping(path, max_bytes=MAX_BYTES, dialect=yamlfile.Dialect.KUBECTL)
    except ConfigError as error:
        raise ConfigError(f"kubeconfig {error}") from error
    return _checked(data, f"kubeconfig {path}", path.absolute().parent)


def _checked(data: Mapping[str, Any], name: str, folder: Path | None) -> dict[str, Any]:
    """Each section's entries by name, the first of a name, with their relative paths made absolute."""
    checked: dict[str, Any] = {"current-context": data.get("current-context")}
    for section, (key, path_keys) in _SECTIONS.items():
        entries = data.get(section) or []
        if not isinstance(entries, list) or not all(
            isinstance(entry, Mapping)
            and isinstance(entry.get("name"), str)
            and isinstance(entry.get(key), Mapping | None)
            for entry in entries
        ):
            raise ConfigError(f"{name}: {section} must be a list of {{name, {key}}}")
        checked[section] = {}
        for entry in entries:
            fields = dict(entry.get(key) or {})
            for path_key in path_keys:
                value = fields.get(path_key)
                if isinstance(value, str) and value and not Path(value).is_absolute():
                    if folder is None:
                        raise ConfigError(f"{name}: {section} {entry['name']}: {path_key} {value!r} must be absolute")
                    fields[path_key] = str(folder / value)
            checked[section].setdefault(entry["name"], fields)
    for user in checked["users"].values():
        plugin = user.get("exec")
        command = plugin.get("command") if isinstance(plugin, Mapping) else None
        if folder and isinstance(command, str) and "/" in command and not Path(command).is_absolute():
            user["exec"] = {**plugin, "command": str(folder / command)}
    return checked


def _merge(files: list[dict[str, Any]]) -> dict[str, Any]:
    """Several kubeconfigs as one: the first file that names a thing wins."""
    merged: dict[str, Any] = {"current-context": next(filter(None, (file["current-context"] for file in files)), None)}
    for section in _SECTIONS:
        merged[section] = {name: entry for file in reversed(files) for name, entry in file[section].items()}
    return merged


def _chosen(content: dict[str, Any], context: str | None, source: str) -> KubeContext:
    contexts, clusters, users = content["contexts"], content["clusters"], content["users"]
    known = one_line(", ".join(sorted(contexts)), 1000) or "none"
    chosen = context or content.get("current-context")
    if not chosen:
        raise ConfigError(f"{source}: no current-context; name a context (known: {known})")
    _refuse_other_than_text(source, "current-context", chosen)
    if chosen not in contexts:
        raise ConfigError(f"{source}: no context {chosen!r}; known contexts: {known}")
    cluster_name, user_name = contexts[chosen].get("cluster"), contexts[chosen].get("user")
    _refuse_other_than_text(source, f"context {chosen!r}: cluster", cluster_name)
    _refuse_other_than_text(source, f"context {chosen!r}: user", user_name)
    if cluster_name not in clusters:
        raise ConfigError(f"{source}: context {chosen!r} names cluster {cluster_name!r}, which is not in it")
    if user_name and user_name not in users:
        raise ConfigError(f"{source}: context {chosen!r} names user {user_name!r}, which is not in it")
    cluster, user = clusters[cluster_name], users.get(user_name, {}) if user_name else {}
    server = cluster.get("server")
    if not isinstance(server, str) or not _is_address(server):
        raise ConfigError(f"{source}: cluster {cluster_name!r} needs server: https://HOST:PORT")
    if cluster.get("insecure-skip-tls-verify") and (
        cluster.get("certificate-authority") or cluster.get("certificate-authority-data")
    ):
        raise ConfigError(
            f"{source}: cluster {cluster_name!r} has a certificate-authority and insecure-skip-tls-verify; drop one"
        )
    if user.get("auth-provider"):
        raise ConfigError(
            f"{source}: user {user_name!r} uses auth-provider, removed in 1.26; use an exec plugin or a token"
        )
    try:
        return KubeContext(
            chosen,
            source,
            msgspec.convert(cluster, ClusterEntry),
            msgspec.convert(user, UserEntry),
            _impersonation(user, f"{source}: user {user_name!r}"),
        )
    except msgspec.ValidationError as error:  # it names the field and the type it found, never the value
        raise ConfigError(f"{source}: context {chosen!r} cannot be used: {error}") from error


def _is_address(server: str) -> bool:
    try:
        return server.startswith(("http://", "https://")) and bool(URL(server).host)
    except ValueError:  # a port that is none
        return False


def _refuse_other_than_text(source: str, what: str, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{source}: {what} is {yamlfile.kind(value)}; write a text, in quotes")


def _impersonation(user: Mapping[str, Any], where: str) -> dict[str, str]:
    if user.get("as-groups") or user.get("as-uid") or user.get("as-user-extra"):
        raise ConfigError(f"{where} impersonates with more than `as`, which is not supported; use `as` alone")
    return {"Impersonate-User": str(user["as"])} if user.get("as") else {}
