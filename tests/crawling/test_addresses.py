"""Which addresses are inside, and the resolver that lets nothing lead there."""

import ipaddress
import pickle
import socket

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hyperlite.crawling import addresses
from hyperlite.crawling.addresses import Guard, Reach, by_system, reach_of
from hyperlite.testing.server import Request, Response
from tests.conftest import ROUTES, MakePool, Serve
from tests.connect_proxy import Proxy

PUBLIC, PRIVATE, HERE = Reach


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("93.184.216.34", PUBLIC),
        ("1.1.1.1", PUBLIC),
        ("172.15.255.255", PUBLIC),
        ("172.32.0.0", PUBLIC),
        ("100.63.255.255", PUBLIC),
        ("100.128.0.0", PUBLIC),
        ("223.255.255.255", PUBLIC),
        ("2606:2800:220:1::1", PUBLIC),
        ("2001:4860:4860::8888", PUBLIC),
        ("10.0.0.0", PRIVATE),
        ("10.255.255.255", PRIVATE),
        ("172.16.0.1", PRIVATE),
        ("172.31.255.255", PRIVATE),
        ("192.168.0.1", PRIVATE),
        ("100.64.0.1", PRIVATE),
        ("100.100.100.200", PRIVATE),
        ("192.0.0.192", PRIVATE),
        ("192.0.2.1", PRIVATE),
        ("192.88.99.1", PRIVATE),
        ("198.18.0.1", PRIVATE),
        ("198.19.255.255", PRIVATE),
        ("198.51.100.1", PRIVATE),
        ("203.0.113.1", PRIVATE),
        ("224.0.0.1", PRIVATE),
        ("239.255.255.250", PRIVATE),
        ("240.0.0.1", PRIVATE),
        ("255.255.255.255", PRIVATE),
        ("fc00::1", PRIVATE),
        ("fd00:ec2::254", PRIVATE),
        ("fec0::1", PRIVATE),
        ("ff02::1", PRIVATE),
        ("2001::1", PRIVATE),  # Teredo
        ("2001:20::1", PRIVATE),  # ORCHID
        ("2001:db8::1", PRIVATE),
        ("3fff::1", PRIVATE),
        ("100::1", PRIVATE),  # discard
        ("5f00::1", PRIVATE),  # SRv6
        ("4000::1", PRIVATE),
        ("64:ff9b:1::1", PRIVATE),  # local NAT64
        ("::7f00:1", PRIVATE),  # IPv4-compatible, which is given up
        ("0.0.0.0", HERE),
        ("0.1.2.3", HERE),
        ("127.0.0.1", HERE),
        ("127.255.255.254", HERE),
        ("169.254.169.254", HERE),
        ("::", HERE),
        ("::1", HERE),
        ("fe80::1", HERE),
        ("fe80::1%eth0", HERE),
        ("febf::1", HERE),
        # addresses in addresses
        ("::ffff:127.0.0.1", HERE),
        ("::ffff:10.1.2.3", PRIVATE),
        ("::ffff:1.1.1.1", PUBLIC),
        ("::ffff:0:127.0.0.1", HERE),
        ("64:ff9b::127.0.0.1", HERE),
        ("64:ff9b::10.0.0.1", PRIVATE),
        ("64:ff9b::1.1.1.1", PUBLIC),
        ("2002:7f00:1::", HERE),
        ("2002:a00:1::5", PRIVATE),
        ("2002:a9fe:a9fe::", HERE),
        ("2002:101:101::1", PRIVATE),
    ],
)
def test_the_reach_of_an_address(address: str, reach: Reach):
    assert reach_of(address) is reach


@settings(deadline=None)
@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
@example(ipaddress.ip_address("192.0.0.9"))
def test_what_python_calls_private_is_never_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address):
    if reach_of(str(address)) is PUBLIC:
        assert not address.is_private
        assert not address.is_multicast
        assert not address.is_link_local
        assert not address.is_unspecified


@pytest.mark.parametrize("text", ["localhost", "", "127.1", "1.2.3.4.5", "[::1]"])
def test_what_is_no_address(text: str):
    with pytest.raises(ValueError):
        reach_of(text)


# -- the resolver ---------------------------------------------------------------------------------


def guard(**names: list[str]) -> Guard:
    return Guard(lambda host, _: names[host.replace(".", "_")])


def test_nothing_leads_inside_unless_it_may():
    made = guard(a=["10.0.0.1"], b=["127.0.0.1"], c=["1.1.1.1"])
    assert made("c", 80) == ["1.1.1.1"]
    with pytest.raises(PermissionError, match=r"leads to a: its address 10\.0\.0\.1 is inside") as caught:
        made("a", 80)
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args
    made.permit("a", PRIVATE)
    made.permit("b", PRIVATE)
    assert made("a", 80) == ["10.0.0.1"]
    with pytest.raises(PermissionError, match=r"127\.0\.0\.1"):
        made("b", 80)
    made.permit("b", HERE)
    assert made("b", 80) == ["127.0.0.1"]
    assert [made.reach(host) for host in "abcd"] == [PRIVATE, HERE, PUBLIC, None]


def test_a_name_with_an_address_inside_is_inside():
    made = guard(a=["1.1.1.1", "10.0.0.1"])
    with pytest.raises(PermissionError):
        made("a", 80)
    assert made.reach("a") is PRIVATE, "no link may lead there"
    made = guard(a=["10.0.0.1", "1.1.1.1", "fd00::1"])
    made.permit("a", HERE)
    assert made("a", 80) == ["1.1.1.1"]
    assert made.reach("a") is PUBLIC, "what is there may lead nowhere inside"


@pytest.mark.parametrize("turn", [(["1.1.1.1"], ["127.0.0.1"]), (["10.0.0.1"], ["1.1.1.1"])])
def test_a_name_may_not_move(turn: tuple[list[str], list[str]]):
    """Otherwise a page on the Internet would be taken for one inside, or the other way round (rebinding)."""
    answers = [*turn, turn[0]]
    made = Guard(lambda *_: answers.pop(0))
    made.permit("a", HERE)
    assert made("a", 80) == turn[0]
    with pytest.raises(PermissionError, match=r"has changed from (public|private) addresses to"):
        made("a", 80)
    assert made("a", 80) == turn[0]


def test_hosts_that_were_asked_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(addresses, "MAX_HOSTS", 3)
    made = Guard(lambda *_: ["10.0.0.1"])
    for host in "abacd":
        made.permit(host, HERE)
        made(host, 80)
    assert [made.reach(host) for host in "abcd"] == [PRIVATE, None, PRIVATE, PRIVATE]


def test_the_system_answers_without_a_resolver():
    made = Guard()
    made.permit("localhost", HERE)
    assert set(made("localhost", 80)) <= {"127.0.0.1", "::1"}
    assert Guard(lambda *_: None)("1.1.1.1", 80) == ["1.1.1.1"]
    assert by_system("127.0.0.1", 1) == ["127.0.0.1"]
    assert guard(a=[])("a", 80) == []
    with pytest.raises(socket.gaierror):
        Guard(_unknown)("a", 80)


def _unknown(*_: object) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "unknown")


def _moved(request: Request) -> Response:
    return Response(302, headers=[("location", request.query["to"][0])])


def test_a_redirect_of_a_pool_is_refused(make_pool: MakePool, serve: Serve):
    server = serve(routes=ROUTES | {"/moved": _moved}, secure=False)
    made = Guard(lambda host, _: ["127.0.0.1"] if host == "named.test" else [host])
    made.permit("named.test", HERE)
    pool = make_pool(resolver=made)
    there = f"http://named.test:{server.port}"
    assert pool.fetch(f"{there}/moved?to=/").body == b"hello"
    for host in ("127.0.0.1", "[::1]", "[::ffff:7f00:1]", "169.254.169.254", "10.0.0.1"):
        with pytest.raises(PermissionError, match="is inside"):
            pool.fetch(f"{there}/moved?to=http://{host}:{server.port}/")
    assert len(server.log) == 7


def test_through_a_proxy_the_name_is_resolved_here_for_the_check(make_pool: MakePool, serve: Serve):
    server = serve(secure=False)
    url = f"http://localhost:{server.port}/"
    with Proxy() as proxy:
        with pytest.raises(PermissionError, match=r"leads to localhost: its address .* is inside"):
            make_pool(proxies=proxy.url(), resolver=Guard()).fetch(url)
        assert proxy.seen == []
        assert make_pool(proxies=proxy.url(), resolver=Guard(_unknown)).fetch(url).body == b"hello"
