"""Which proxy stands between, for the cluster and for every channel: Go's rule, which kubectl and Alertmanager follow.

HTTPS_PROXY for https, HTTP_PROXY for http, unless NO_PROXY lists the host; the names in capitals go first, then the
same in small letters. Loopback is always direct. Rules: golang.org/x/net/http/httpproxy
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from k8s_tuning.errors import ConfigError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_PORTS = {"http": 80, "https": 443}
# host:port, and [host]:port for an IPv6 address: net.SplitHostPort. An address with colons and no brackets has no port.
_WITH_PORT = re.compile(r"(?:\[([^\[\]]*)\]|([^\[\]:]*)):([^\[\]:]*)")


def proxy_for(url: str, given: str | None, where: str, environment: Mapping[str, str] | None = None) -> str | None:
    """The proxy's URL on the way to `url`; None for a direct connection.

    `given`: a proxy that a kubeconfig or a connection names; it goes before the environment, and NO_PROXY does not
    count for it. ConfigError, with `where` in it, for a proxy that cannot be used; it never quotes the proxy's address,
    which may hold a password.
    """
    if given:
        return _supported(given.strip(), where)
    environment = os.environ if environment is None else environment
    parts = urlsplit(url)
    name = f"{parts.scheme.upper()}_PROXY"
    proxy = _variable(environment, name)
    try:
        if not proxy or _is_direct(parts, _variable(environment, "NO_PROXY")):
            return None
    except ValueError:
        raise ConfigError(f"{where}: the port of its address is not a number up to 65535") from None
    if parts.scheme == "http" and environment.get("REQUEST_METHOD"):
        # A CGI server turns the request's header `Proxy` into HTTP_PROXY: golang.org/s/cgihttpproxy
        raise ConfigError(f"{where}: $HTTP_PROXY is not used where $REQUEST_METHOD is set (CGI); unset one of them")
    if not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", proxy):
        proxy = f"http://{proxy}"
    return _supported(proxy, f"{where}: ${name}")


def place_of(proxy: str) -> str:
    """A proxy's host and port, without the user and password that its URL may hold."""
    parts = urlsplit(proxy)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or _PORTS.get(parts.scheme, 80)}"


def _variable(environment: Mapping[str, str], name: str) -> str:
    return (environment.get(name) or environment.get(name.lower()) or "").strip()


def _supported(proxy: str, where: str) -> str:
    try:
        parts = urlsplit(proxy)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{where}: the proxy's address cannot be read; write it as http://HOST:PORT") from None
    if parts.scheme not in ("http", "https"):
        kind = parts.scheme if "://" in proxy else "an address without http://"
        raise ConfigError(f"{where}: only http and https proxies are supported, not {kind}")
    if not host:
        raise ConfigError(f"{where}: the proxy's address has no host; write it as http://HOST:PORT")
    return proxy


def _is_direct(parts: SplitResult, no_proxy: str) -> bool:
    host, port = _ascii(parts.hostname or ""), str(parts.port or _PORTS.get(parts.scheme) or "")
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_fits(entry.strip().lower(), host, port, address) for entry in no_proxy.split(","))


def _fits(entry: str, host: str, port: str, address: _Address | None) -> bool:
    if entry == "*":
        return True
    if re.fullmatch(r"[^/]+/[0-9]+", entry):
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
        return address is not None and address in network
    found = _WITH_PORT.fullmatch(entry)
    name, wanted_port = (found[1] or found[2] or "", found[3]) if found else (entry, "")
    if not name or wanted_port not in ("", port):
        return False
    if (listed := _address(name)) is not None:
        return address == listed
    if address is not None:
        return False
    # `domain` is the domain and all below it; `.domain` and `*.domain` only what is below.
    name = _ascii(name[1:] if name.startswith("*.") else name)
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _address(host: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host
