"""How a crawl treats hosts, of the arguments of `crawl()`."""

import dataclasses
import importlib.util
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..fetching.arguments import retries
from ..fetching.checks import kind, seconds, truth, whole
from ..fetching.headers import pairs
from ..origins.limits import Limits
from .addresses import Guard
from .robots import product_token
from .rules import Policy
from .scope import CrawlScope
from .state import State


class Manners(NamedTuple):
    """How a crawl treats hosts.

    Attributes:
        policy: what its rules go by.
        guard: the pool's resolver; None: anything may lead anywhere.
        pool: the arguments of the pool.
        noted: what the state keeps of each run.
        stop_after, stop_after_bytes: what ends a run.
    """

    policy: Policy
    guard: Guard | None
    pool: dict[str, Any]
    noted: dict[str, Any]
    stop_after: float | None
    stop_after_bytes: int | None


def manners(options: Mapping[str, Any]) -> Manners:
    """Return what the arguments of `crawl()` say, checked; for these see `CrawlArguments`.

    Raises:
        TypeError, ValueError: one of them is wrong. ImportError: robots.txt cannot be read.
    """
    given = dict(options)
    rate, delay, contact, follow = (given.pop(name, None) for name in ("rate", "delay", "contact", "follow"))
    stop_after = seconds(given.pop("stop_after", None), "stop_after")
    stop_after_bytes = given.pop("stop_after_bytes", None)
    ignores = truth(given.pop("ignore_robots", False), "ignore_robots")
    private = truth(given.pop("allow_private", False), "allow_private")
    if not (ignores or importlib.util.find_spec("protego")):
        raise ImportError(
            "robots.txt is read by protego, the extra hyperlite-http[crawl] (ignore_robots=True?)"
        )
    if not (follow is None or callable(follow) or isinstance(follow, CrawlScope)):
        raise TypeError(f"follow is a CrawlScope, or a function of a response, not {kind(follow)}")
    agent = _with_agent(given, contact)
    guard = None
    if not private and (given.get("handler") is None or given.get("resolver") is not None):
        given["resolver"] = guard = Guard(given.get("resolver"))
    tries = retries(given.get("retries", 2))
    if tries.statuses is None:  # the rules ask again, at the host's pace
        given["retries"] = dataclasses.replace(tries, statuses=())
    try:
        limits = Limits(per_second=rate, delay=delay)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("per_second", "rate")) from None
    if limits != Limits():
        given["origin_limits"] = limits
    policy = Policy(
        product_token(agent),
        limits,
        obeys_robots=not ignores,
        allow_downgrade=given.get("allow_downgrade", False),
        scope=follow if isinstance(follow, CrawlScope) else None,
        follow=None if isinstance(follow, CrawlScope) else follow,
    )
    noted = {"user_agent": agent, "rate": rate, "delay": delay}
    noted |= {"ignore_robots": ignores, "allow_private": private}
    return Manners(
        policy,
        guard,
        given,
        noted,
        stop_after,
        None if stop_after_bytes is None else whole(stop_after_bytes, "stop_after_bytes"),
    )


def bound(policy: Policy, state: State) -> Policy:
    """Keep the bounds of a crawl in its state; return the policy with the hosts of the input."""
    scope = policy.scope
    if scope is None:
        return policy
    if scope.max_urls is not None or scope.max_urls_per_host is not None:
        state.bound(scope.max_urls, scope.max_urls_per_host)
    return dataclasses.replace(policy, domains=state.domains() if scope.hosts == "domain" else frozenset())


def _with_agent(given: dict[str, Any], contact: object) -> str:
    """Return the User-Agent that is sent, and put it among the header fields."""
    if not (contact is None or isinstance(contact, str)):
        raise TypeError(f"contact is a URL or a mail address, not {kind(contact)}")
    headers = pairs(given.get("headers"))
    agent = next((value for name, value in headers if name.lower() == "user-agent" and value), None)
    shown = agent.decode("latin-1") if isinstance(agent, bytes) else str(agent or _own_name())
    if contact:
        shown = f"{shown} (+{contact})"
    others = [field for field in headers if field[0].lower() != "user-agent"]
    given["headers"] = [("User-Agent", shown), *others]
    return shown


def _own_name() -> str:
    package = __package__.partition(".")[0]
    return f"{package}/{sys.modules[package].__version__}"
