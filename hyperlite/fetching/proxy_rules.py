"""Chooses the proxy for a URL, by the caller's rules or by the environment.

Rule: `rules()` checks the caller's rules once, before any request.  A rule that can match nothing is an
    error: a request that is meant for a proxy must not go out directly.
"""

import functools
import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from http.client import InvalidURL
from typing import NamedTuple

from ..messages.hosts import split
from ..messages.urls import URL, parse
from ..net.proxy import Proxy

# What callers give: see `rules()`.
Proxies = str | Mapping[str, str | None] | bool | None

KEYS = '"http", "https", "all", "no_proxy", and with a host "http://…", "https://…", "all://…"'

_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_VARIABLES = (*_NAMES, *(name.upper() for name in _NAMES), "REQUEST_METHOD")
_HAS_SYSTEM_SETTINGS = sys.platform in {"darwin", "win32"}

_IN_BRACKETS = r"\[([^]]*)\](/\d+)?(?::(\d*))?"
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


_PORTS = {"http": 80, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


class NoProxy:
    """The hosts that are asked without a proxy: a list as in the variable NO_PROXY.

    Entries are separated by commas or spaces.  `*` is every host.  A name stands for itself and for all names
    below it, with or without a `.` or `*.` before it.  Addresses and networks (`10.0.0.0/8`, `::1`) stand for
    the addresses in URLs; names are not looked up.  A port behind an entry (`a.example:8443`, `[::1]:443`)
    makes it match that port alone.  Upper case, IDNA and a dot at the end make no difference.

    Args:
        text: the list.
    """

    __slots__ = ("_everything", "_names", "_networks")

    def __init__(self, text: str) -> None:
        self._everything = False
        self._names: list[tuple[str, int | None]] = []
        self._networks: list[tuple[_Network, int | None]] = []
        for entry in re.split(r"[\s,]+", text.lower()):
            if entry == "*":
                self._everything = True
            elif parted := _part(entry):
                self._add(*parted)

    def _add(self, name: str, port: int | None) -> None:
        try:
            self._networks.append((ipaddress.ip_network(name, strict=False), port))
        except ValueError:
            name = _as_in_urls(name.removeprefix("*").lstrip("."))
            if name:
                self._names.append((name, port))

    def covers(self, host: str, port: int) -> bool:
        """Tell whether a host, as in `URL.host`, is to be asked directly."""
        if self._everything:
            return True
        host = host.removesuffix(".")
        if addresses := _addresses(host):
            return any(
                only in (None, port) and any(address in network for address in addresses)
                for network, only in self._networks
            )
        return any(
            only in (None, port) and (host == name or host.endswith("." + name)) for name, only in self._names
        )


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return a host's address, and the IPv4 address that this stands for; nothing for a name."""
    if not (host[-1:].isdigit() or ":" in host):
        return []
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return []
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return [address] if mapped is None else [address, mapped]


def _part(entry: str) -> tuple[str, int | None] | None:
    """Return the host, or network, and the port of an entry of NO_PROXY; None if it is invalid."""
    if match := re.fullmatch(_IN_BRACKETS, entry):
        host, port = match[1] + (match[2] or ""), match[3] or ""
    elif entry.count(":") == 1:
        host, _, port = entry.partition(":")
    else:
        host, port = entry, ""
    if port and not (port.isascii() and port.isdigit()):
        return None
    host, slash, size = host.removesuffix(".").partition("/")
    return host.partition("%")[0] + slash + size, int(port) if port else None


def _as_in_urls(name: str) -> str:
    """Return a name in the form that `URL.host` has."""
    try:
        return name if name.isascii() else parse(f"http://{name}").host
    except InvalidURL:  # no URL has such a host
        return ""


@functools.lru_cache(64)
def _no_proxy(text: str) -> NoProxy:
    return NoProxy(text)


class Rules(NamedTuple):
    """The caller's checked rules: which proxy is for which URLs.

    Attributes:
        by_key: proxies, or None for none, by scheme and host, by scheme, by "all" and host, by "all".
        exempt: hosts to be asked directly, or None.
        names_hosts: some keys have a host.
    """

    by_key: Mapping[str, Proxy | None]
    exempt: NoProxy | None = None
    names_hosts: bool = False


NONE = Rules({})


def rules(proxies: Proxies) -> Rules | None:
    """Check a caller's proxies and return them as `Rules`; None: each request reads the environment.

    Args:
        proxies: None for what the environment says (http_proxy, https_proxy, all_proxy, no_proxy,
            and the system's settings where it has any); False, an empty mapping or "" for none; a
            proxy's URL; or a mapping.  Its keys are "https" and "http", for URLs of that scheme, and
            "all", for all other URLs; each also with "://host" behind it, without a port, for that host
            alone; the narrower key counts.  Its values are URLs, None or "" for no proxy.
            Its key "no_proxy" lists hosts to be asked directly; see `NoProxy`.

    Raises:
        ValueError: the mapping has another key, or one host twice. TypeError: `proxies` has another type.
        http.client.InvalidURL: a proxy's URL is invalid.
    """
    if proxies is None or proxies is True:
        return None
    if proxies is False:
        return NONE
    if isinstance(proxies, str):
        return Rules({"all": _parse(proxies)}) if proxies else NONE
    if not isinstance(proxies, Mapping):
        raise TypeError(f"proxies is None, False, a URL or a mapping, not {type(proxies).__name__}")
    by_key: dict[str, Proxy | None] = {}
    exempt = ""
    for key, value in proxies.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(f"proxies[{key!r}] is a str or None, not {type(value).__name__}")
        if key == "no_proxy":
            exempt = value or ""
            continue
        proxy, checked = _parse(value) if value else None, _checked_key(key)
        if by_key.setdefault(checked, proxy) != proxy:
            raise ValueError(f"proxies names {checked} more than once, with different proxies")
    return Rules(by_key, _no_proxy(exempt) if exempt else None, any("://" in key for key in by_key))


def _checked_key(key: object) -> str:
    """Return a key in the form in which `choose` looks it up."""
    if key in ("http", "https", "all"):
        return str(key)
    scheme, separator, host = key.partition("://") if isinstance(key, str) else ("", "", "")
    if separator and scheme in ("http", "https", "all"):
        if host.count(":") > 1 and "[" not in host:
            host = f"[{host}]"  # as in requests
        try:
            url = parse(f"http://{host}")
        except InvalidURL as error:
            raise ValueError(f"proxies has no key {key!r} ({error}); its keys are {KEYS}") from None
        if url == URL("http", url.host, 80, "/") and ":" not in host.rpartition("]")[2]:
            return f"{scheme}://{url.host.removesuffix('.')}"
    raise ValueError(f"proxies has no key {key!r}; its keys are {KEYS}")


def environment() -> Rules | None:
    """Return the argument of `choose` for many URLs: `NONE` if the environment names no proxy now."""
    return None if _HAS_SYSTEM_SETTINGS or any(map(os.environ.get, _VARIABLES)) else NONE


def choose(url: URL, rules: Rules | None) -> Proxy | None:
    """Return the proxy that a URL goes through, or None.

    Args:
        url: the one to fetch.
        rules: the result of `rules()`.

    Raises:
        http.client.InvalidURL: the environment names a proxy with an invalid URL.
    """
    if rules is None:
        settings = tuple(map(os.environ.get, _VARIABLES))
        if not any(settings) and not _HAS_SYSTEM_SETTINGS:
            return None
        found = _from_environment(url.scheme, url.host, url.port, settings)
        return _parse(found) if found else None
    by_key, exempt, names_hosts = rules
    if not by_key or (exempt is not None and exempt.covers(url.host, url.port)):
        return None
    if not names_hosts:
        return by_key[url.scheme] if url.scheme in by_key else by_key.get("all")
    host = url.host.removesuffix(".")
    for key in (f"{url.scheme}://{host}", url.scheme, f"all://{host}", "all"):
        if key in by_key:
            return by_key[key]
    return None


@functools.lru_cache(1024)
def _from_environment(scheme: str, host: str, port: int, settings: tuple[str | None, ...]) -> str | None:
    """Return the environment's rules; `settings` are its variables: another value is another cache key."""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  slow to import, and rarely needed

    proxies = getproxies()
    found = proxies.get(scheme) or proxies.get("all")
    if not found or _no_proxy(proxies.get("no", "")).covers(host, port):
        return None
    bracketed = f"[{host}]" if ":" in host else host
    return None if proxy_bypass(f"{bracketed}:{port}") or proxy_bypass(host) else found


@functools.lru_cache(64)
def _parse(url: str) -> Proxy:
    scheme, separator, rest = url.strip().partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("http", scheme)
    if scheme not in _PORTS:
        raise InvalidURL(f"a proxy is http://host:port or socks5://host:port, not {scheme}://…")
    try:
        found = parse(f"http://{rest}")
        port = split(re.split("[/?#]", rest, maxsplit=1)[0]).port
    except (InvalidURL, ValueError):  # without the error's text, which has the password
        raise InvalidURL(f"a proxy is {scheme}://host:port, which this {scheme}:// URL is not") from None
    return Proxy(scheme, found.host, _PORTS[scheme] if port is None else port, found.user)
