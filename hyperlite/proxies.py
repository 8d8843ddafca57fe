"""Which proxy a URL goes through: as the caller says, or as the environment does."""

import base64
import functools
import ipaddress
import os
import sys
from collections.abc import Mapping
from http.client import InvalidURL
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from .urls import URL

# None: as the environment says; False or {}: none; a URL: that one; a mapping: by scheme, as requests has it.
Proxies = str | Mapping[str, str | None] | bool | None

_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_VARIABLES = (*_NAMES, *(name.upper() for name in _NAMES), "REQUEST_METHOD")
_HAS_SYSTEM_SETTINGS = sys.platform in {"darwin", "win32"}


class Proxy(NamedTuple):
    """A proxy: where it is, and what it wants to be told."""

    scheme: str  # http, or socks4, socks4a, socks5, socks5h
    host: str
    port: int
    user: bytes | None = None  # "name:password"
    headers: tuple[tuple[str, str], ...] = ()  # what else it is told when a tunnel is asked for

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization (RFC 7617), or None."""
        return None if self.user is None else f"Basic {base64.b64encode(self.user).decode()}"

    def __repr__(self) -> str:  # without the password
        return f"<Proxy {self.scheme}://{self.host}:{self.port}>"


_PORTS = {"http": 80, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


def environment() -> Proxies:
    """Return what to give `choose` for many URLs at once: False if the environment knows no proxy now."""
    return None if _HAS_SYSTEM_SETTINGS or any(map(os.environ.get, _VARIABLES)) else False


def choose(url: URL, proxies: Proxies) -> Proxy | None:
    """Return the proxy that a URL goes through, or None.

    Args:
        url: where to.
        proxies: None for what the environment says (http_proxy, https_proxy, all_proxy, no_proxy,
            and the system's settings where it has any); False or an empty mapping for none; a
            proxy's URL; or a mapping, whose keys are "https", "http" or "all", also with
            "://host" behind it, and whose key "no_proxy" lists hosts to be asked directly.

    Raises:
        http.client.InvalidURL: the proxy's URL is not understood.
    """
    if proxies is None or proxies is True:
        settings = tuple(map(os.environ.get, _VARIABLES))
        if not any(settings) and not _HAS_SYSTEM_SETTINGS:
            return None
        found = _from_environment(url.scheme, url.host, url.port, settings)
    elif not proxies:
        return None
    elif isinstance(proxies, str):
        found = proxies
    else:
        found = _from_mapping(url, proxies)
    return _parse(found) if found else None


def _from_mapping(url: URL, proxies: Mapping[str, str | None]) -> str | None:
    if _is_exempt(url.host, url.port, proxies.get("no_proxy") or ""):
        return None
    for key in (f"{url.scheme}://{url.host}", url.scheme, f"all://{url.host}", "all"):
        if key in proxies:
            return proxies[key]
    return None


@functools.lru_cache(1024)
def _from_environment(scheme: str, host: str, port: int, settings: tuple[str | None, ...]) -> str | None:
    """Return what the environment says; `settings` are its variables, so that a change is noticed."""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  slow to import, and rarely needed

    proxies = getproxies()
    found = proxies.get(scheme) or proxies.get("all")
    if not found or _is_exempt(host, port, proxies.get("no", "")):
        return None
    bracketed = f"[{host}]" if ":" in host else host
    return None if proxy_bypass(f"{bracketed}:{port}") or proxy_bypass(host) else found


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Tell whether a NO_PROXY list names a host: by itself, by its domain, its port or its network."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        address = None
    for item in no_proxy.replace(" ", ",").lower().split(","):
        entry = item.strip()
        if entry == "*":
            return True
        if address is not None and _is_in_network(address, entry):
            return True
        if entry.count(":") == 1:
            entry, _, number = entry.partition(":")
            if number != str(port):
                continue
        entry = entry.strip("[]").removeprefix("*").lstrip(".")
        if entry and (host == entry or host.endswith("." + entry)):
            return True
    return False


def _is_in_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except (ValueError, TypeError):
        return False


@functools.lru_cache(64)
def _parse(url: str) -> Proxy:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidURL(f"proxy {parts.hostname!r}: {error}") from None
    if parts.scheme not in _PORTS or not host:
        raise InvalidURL(f"a proxy is http://host:port or socks5://host:port, not {parts.scheme}://{host}")
    user = None
    if parts.username is not None:
        user = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
    return Proxy(parts.scheme, host, port or _PORTS[parts.scheme], user)
