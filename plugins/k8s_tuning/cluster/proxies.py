"""Which proxy stands between, as kubectl chooses it: proxy-url, else HTTPS_PROXY unless NO_PROXY says so."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from k8s_tuning.errors import ConfigError


def proxy_for(server: str, proxy_url: str | None, where: str) -> str | None:
    """The proxy's URL for this server, None for a direct connection. ConfigError for a kind that is not supported.

    Loopback is never proxied by the environment, and NO_PROXY may hold CIDR ranges, as in Go's net/http.
    """
    parts = urlsplit(server)
    chosen = proxy_url or (None if _direct(parts.hostname or "") else getproxies_environment().get(parts.scheme))
    if chosen and urlsplit(chosen).scheme not in ("http", "https"):
        kind = urlsplit(chosen).scheme or "this one"
        raise ConfigError(f"{where}: only http and https proxies are supported, not {kind}")
    return chosen


def _direct(host: str) -> bool:
    if host == "localhost" or proxy_bypass(host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in _no_proxy_networks())


def _no_proxy_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    networks = []
    for entry in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(","):
        try:
            networks.append(ipaddress.ip_network(entry.strip(), strict=False))
        except ValueError:
            continue  # a host name, which urllib has judged already
    return networks
