"""What is trusted, by which proxy, on whose connections."""

import contextlib
import gc
import os
import pickle
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
import urllib3
from requests import Session
from urllib3.exceptions import InsecureRequestWarning

from hyperlite.adapters._urllib3 import pools
from hyperlite.adapters.requests import HTTP20Adapter, session
from hyperlite.net.trust import MAX_CONTEXTS
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Server
from tests.conftest import Serve
from tests.connect_proxy import Proxy
from tests.inside import origin_of, registry_of
from tests.socks_proxy import SocksProxy, drip

from .conftest import MakeSession


def adapter_of(session: Session) -> HTTP20Adapter:
    adapter = session.get_adapter("https://")
    assert isinstance(adapter, HTTP20Adapter)
    return adapter


def test_verify_false_does_not_leak(session: Session, h2: Server):
    url = h2.url("/")
    assert session.get(url).ok
    with pytest.warns(
        InsecureRequestWarning, match="Unverified HTTPS request is being made to host 'localhost'"
    ):
        assert session.get(url, verify=False).ok
    for _ in range(2):
        with pytest.raises(requests.exceptions.SSLError):
            session.get(url, verify=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert session.get(url).ok
    assert h2.connections == 2 + 2, "verified, unverified, and the two that were refused"


def test_verify_false_side_by_side(session: Session, h2: Server):
    """Not with many threads either, whatever the order."""

    def get(number: int) -> str:
        try:
            session.get(h2.url("/"), verify=number % 2 == 0)
        except requests.exceptions.SSLError:
            return "refused"
        return "answered"

    with warnings.catch_warnings(), ThreadPoolExecutor(8) as executor:
        warnings.simplefilter("ignore", InsecureRequestWarning)
        assert list(executor.map(get, range(40))) == ["refused", "answered"] * 20


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program names the file")
def test_a_directory_of_authorities(session: Session, h2: Server, tmp_path: Path):
    session.verify = str(tmp_path)
    with pytest.raises(requests.exceptions.SSLError):
        session.get(h2.url("/"))
    command = ["openssl", "x509", "-hash", "-noout", "-in", h2.ca_file]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    shutil.copy(h2.ca_file, tmp_path / f"{name}.0")
    assert session.get(h2.url("/")).ok


def test_an_absolute_name(session: Session, server: Server, monkeypatch: pytest.MonkeyPatch):
    """The dot at its end is for the resolver; certificates have none (RFC 6066 section 3)."""
    seen = []

    def resolve(host: str, *arguments: Any) -> Any:
        seen.append(host)
        return inner("localhost", *arguments)

    inner = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert session.get(server.url("/").replace("localhost", "localhost.")).ok
    assert seen == ["localhost."]


def test_a_client_certificate(session: Session, h2: Server):
    own = certificates()
    assert session.get(h2.url("/"), cert=(own.cert_file, own.key_file)).ok
    session.cert = (own.cert_file, own.key_file)
    assert session.get(h2.url("/")).ok
    assert session.get(h2.url("/"), cert=None).ok
    assert h2.connections == 1


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_server_that_wants_one(session: Session, serve: Serve, alpn: str):
    server = serve(alpn=(alpn,))
    own, tls = certificates(), server.tls
    assert tls is not None
    tls.load_verify_locations(own.ca_file)
    tls.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(requests.exceptions.ConnectionError):
        session.get(server.url("/"))
    assert session.get(server.url("/"), cert=(own.cert_file, own.key_file)).ok
    with pytest.raises(requests.exceptions.ConnectionError):
        session.get(server.url("/"))


def test_a_context_of_ones_own(make_session: MakeSession, h2: Server):
    """As requests' documents have it: a subclass that gives its pools a context."""
    context = ssl.create_default_context(cafile=h2.ca_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    class Adapter(HTTP20Adapter):
        def init_poolmanager(self, connections: int, maxsize: int, block: bool = False) -> None:
            self.poolmanager = urllib3.PoolManager(
                connections, maxsize=maxsize, block=block, ssl_context=context
            )

    session = make_session(Adapter())
    for verify in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("default" if verify else "ignore", InsecureRequestWarning)
            response = session.get(h2.url("/"), verify=verify, stream=True)
        assert response.raw.version == 20
        assert response.raw.connection.sock.version() == "TLSv1.2"
        response.close()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_context_that_becomes_stricter(make_session: MakeSession, h2: Server):
    """A connection whose certificate was not checked serves no caller that wants it checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    class Adapter(HTTP20Adapter):
        def init_poolmanager(self, *_: object, **__: object) -> None:
            self.poolmanager = urllib3.PoolManager(ssl_context=context)

    adapter = Adapter()
    session = make_session(adapter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureRequestWarning)
        for _ in range(2):
            session.get(h2.url("/"), verify=False)
        assert adapter.pool.stats()["dialled"] == 1
        context.verify_mode = ssl.CERT_REQUIRED
        with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            session.get(h2.url("/"), verify=False)


def test_a_file_of_authorities_that_changes(
    make_session: MakeSession, h2: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A connection that was made before is not used any more."""
    monkeypatch.setattr(pools, "LOOK", 0)
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(Path(h2.ca_file).read_bytes())
    adapter = HTTP20Adapter()
    session = make_session(adapter)
    session.verify = str(trusted)
    for _ in range(2):
        assert session.get(h2.url("/")).content == b"hello"
    assert adapter.pool.stats()["dialled"] == 1
    trustme.CA().cert_pem.write_to_path(str(trusted))
    os.utime(trusted, (1, 1))
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        session.get(h2.url("/"))


def test_a_file_of_authorities_that_is_replaced_by_one_as_old(
    make_session: MakeSession, h2: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pools, "LOOK", 0)
    trusted, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    trusted.write_bytes(Path(h2.ca_file).read_bytes())
    trustme.CA().cert_pem.write_to_path(str(other))
    os.utime(trusted, (1, 1))
    os.utime(other, (1, 1))
    session = make_session()
    session.verify = str(trusted)
    assert session.get(h2.url("/")).content == b"hello"
    other.replace(trusted)
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        session.get(h2.url("/"))


def test_contexts_do_not_add_up(session: Session, h2: Server, tmp_path: Path):
    """Where a program has a client certificate in a file of its own for each request."""
    made, own = adapter_of(session)._shared.contexts._made, certificates()
    for number in range(MAX_CONTEXTS + 3):
        path = tmp_path / f"{number}.pem"
        path.write_bytes(Path(own.cert_file).read_bytes() + Path(own.key_file).read_bytes())
        assert session.get(h2.url("/"), cert=str(path)).ok
    assert len(made) == MAX_CONTEXTS
    assert session.get(h2.url("/"), cert=str(tmp_path / "0.pem")).ok


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_alpn_of_a_context_of_ones_own_without_verification(make_session: MakeSession, serve: Serve):
    server = serve()
    context = ssl.create_default_context(cafile=server.ca_file)
    context.set_alpn_protocols(["http/1.1"])

    class Adapter(HTTP20Adapter):
        def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
            super().init_poolmanager(*arguments, ssl_context=context, **options)

    session = make_session(Adapter())
    for verify in (True, False):
        assert session.get(server.url("/"), verify=verify).raw.version == 11


@pytest.mark.parametrize("injected", [False, True])
def test_a_context_that_is_none_of_ssls(
    make_session: MakeSession, h2: Server, monkeypatch: pytest.MonkeyPatch, injected: bool
):
    """As pyOpenSSL's, which has not all that Python's has, and which urllib3 may use for every pool."""

    class Foreign:
        def __init__(self, *_: object) -> None:
            vars(self)["_own"] = h2.context()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._own, name)

        def __setattr__(self, name: str, value: Any) -> None:
            setattr(self._own, name, value)

        def wrap_socket(
            self, sock: socket.socket, server_side: bool = False, server_hostname: str | None = None
        ) -> "Socket":
            return Socket(self._own.wrap_socket(sock, server_side, server_hostname=server_hostname))

    class Socket:
        def __init__(self, sock: ssl.SSLSocket) -> None:
            self._sock = sock

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sock, name)

    class Adapter(HTTP20Adapter):
        def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
            super().init_poolmanager(*arguments, ssl_context=Foreign(), **options)

    if injected:
        monkeypatch.setattr(urllib3.util.ssl_, "SSLContext", Foreign)
    response = make_session(HTTP20Adapter() if injected else Adapter()).get(h2.url("/"))
    assert (response.text, response.raw.version) == ("hello", 11)


def test_what_hyperlite_cannot_do_is_left_to_urllib3(make_session: MakeSession, serve: Serve):
    server = serve()

    class Adapter(HTTP20Adapter):
        def init_poolmanager(self, *arguments: object, **options: object) -> None:
            super().init_poolmanager(*arguments, assert_fingerprint=fingerprint, **options)

    fingerprint = "00" * 32
    with pytest.raises(requests.exceptions.SSLError, match="Fingerprints did not match"):
        make_session(Adapter()).get(server.url("/"))


def test_a_tunnel(session: Session, server: Server):
    with Proxy() as proxy:
        session.proxies = dict.fromkeys(("https", "http"), proxy.url("user:secret"))
        secure = server.url("").startswith("https")
        for _ in range(2 if secure else 1):  # the small proxy takes one request for each connection
            seen = session.get(server.url("/report")).json()
            assert seen["authority"] == f"localhost:{server.port}"
        assert "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in proxy.seen[0]
        if secure:
            [lines] = proxy.seen
            assert lines[0].startswith(f"CONNECT localhost:{server.port} ")
        else:
            assert proxy.seen[0][0] == f"GET {server.url('/report')} HTTP/1.1"


def test_a_proxy_for_once(session: Session, h2: Server):
    """What is remembered of the direct way does not lead past it, nor the other way round."""
    for _ in range(2):
        with Proxy() as proxy:
            assert session.get(h2.url("/")).ok
            assert session.get(h2.url("/"), proxies={"https": proxy.url()}).ok
            assert len(proxy.seen) == 1
    assert h2.connections == 3


def test_arguments_that_change(session: Session, h2: Server):
    """As they go, some programs change what a manager gives its pools."""
    adapter = adapter_of(session)
    prepared = session.prepare_request(requests.Request("GET", h2.url("/")))
    before = adapter.get_connection_with_tls_context(prepared, True)
    assert adapter.get_connection_with_tls_context(prepared, True) is before
    adapter.poolmanager.connection_pool_kw["ssl_minimum_version"] = ssl.TLSVersion.TLSv1_3
    after = adapter.get_connection_with_tls_context(prepared, True)
    assert (before.ssl_minimum_version, after.ssl_minimum_version) == (None, ssl.TLSVersion.TLSv1_3)


def test_what_a_proxy_is_told(make_session: MakeSession, h2: Server):
    class Adapter(HTTP20Adapter):
        def proxy_headers(self, proxy: str) -> dict[str, str]:
            return super().proxy_headers(proxy) | {"X-Told": "this"}

    with Proxy() as proxy:
        response = make_session(Adapter()).get(h2.url("/report"), proxies={"https": proxy.url()})
        assert "x-told" not in dict(response.json()["headers"])
        assert "X-Told: this" in proxy.seen[0]


def test_one_connection_for_many_threads(session: Session, h2: Server):
    with ThreadPoolExecutor(50) as executor:
        answers = list(
            executor.map(lambda n: session.get(h2.url(f"/report?{n}")).json()["target"], range(500))
        )
    assert answers == [f"/report?{n}" for n in range(500)]
    assert h2.connections == 1
    stats = adapter_of(session).pool.stats()
    assert (stats["dialled"], stats["requests"]) == (1, 500)


def test_http1_opens_as_many_as_there_are_requests(session: Session, serve: Serve):
    """Though unread responses hold more of them than pool_maxsize."""
    server = serve(alpn=("http/1.1",))
    responses = [session.get(server.url("/sized?n=1000000"), stream=True) for _ in range(15)]
    assert server.connections == 15
    assert {len(response.content) for response in responses} == {1_000_000}


def test_pool_block(make_session: MakeSession, serve: Serve):
    server = serve(alpn=("http/1.1",))
    session = make_session(HTTP20Adapter(pool_maxsize=2, pool_block=True))
    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(lambda _: session.get(server.url("/late")).ok, range(16)))
    assert server.connections == 2


def test_closing_and_going_on(session: Session, h2: Server):
    response = session.get(h2.url("/sized?n=100000"), stream=True)
    session.close()
    assert len(response.content) == 100_000
    assert session.get(h2.url("/")).ok
    assert h2.connections == 2


def test_a_session_that_is_not_closed(h2: Server):
    """Its connections are closed with it, as urllib3's are: no ResourceWarning."""
    made = session()
    made.verify, made.trust_env = h2.ca_file, False
    response = made.get(h2.url("/sized?n=5"))
    unread = made.get(h2.url("/sized?n=10000000"), stream=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del made, response
        gc.collect()
        assert len(unread.content) == 10_000_000, "a response that is held keeps its connection"
        del unread
        gc.collect()
    assert not caught


def test_a_program_that_ends_without_closing(h2: Server):
    program = f"""
import requests
import trustme
from hyperlite.adapters.requests import session
made = session()
made.trust_env = False
print(made.get({h2.url("/")!r}, verify={h2.ca_file!r}).text)
"""
    command = [sys.executable, "-X", "dev", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("hello\n", "")


def test_a_program_that_has_patched_requests_before_sees_all(h2: Server):
    """A tracer that was there before us is as good as one that comes later."""
    program = f"""
import requests
from requests.adapters import HTTPAdapter
inner = HTTPAdapter.build_response
def traced(self, req, resp):
    print(isinstance(resp, requests.packages.urllib3.HTTPResponse), resp.version)
    return inner(self, req, resp)
HTTPAdapter.build_response = traced
attributes = HTTPAdapter.build_connection_pool_key_attributes
def told(self, *arguments, **options):
    print("asked")
    return attributes(self, *arguments, **options)
HTTPAdapter.build_connection_pool_key_attributes = told
from hyperlite.adapters.requests import session
with session() as made:
    made.trust_env = False
    for _ in range(2):
        print(made.get({h2.url("/")!r}, verify={h2.ca_file!r}).text)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("asked\nTrue 20\nhello\n" * 2, "")


def test_pickled(session: Session, h2: Server):
    adapter = HTTP20Adapter(pool_maxsize=3, max_retries=2)
    copy = pickle.loads(pickle.dumps(adapter))
    assert isinstance(copy, HTTP20Adapter)
    assert (copy._pool_maxsize, copy.max_retries.total) == (3, 2)
    other = pickle.loads(pickle.dumps(session))
    with other:
        assert other.get(h2.url("/")).raw.version == 20


def test_session(h2: Server):
    with session(max_retries=1) as made:
        made.verify, made.trust_env = h2.ca_file, False
        assert made.get(h2.url("/")).raw.version == 20
        assert made.get_adapter("http://") is made.get_adapter("https://")


def test_another_thread_reads_on(session: Session, h2: Server):
    """A response goes from hand to hand."""
    response = session.get(h2.url("/sized?n=3000000"), stream=True)
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(len(response.content)))
    thread.start()
    thread.join()
    assert got == [3_000_000]


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
def test_by_socks(session: Session, server: Server, scheme: str):
    pytest.importorskip("socks")  # requests asks for it
    with SocksProxy() as proxy:
        session.proxies = dict.fromkeys(("https", "http"), proxy.url(scheme))
        for _ in range(2):
            assert session.get(server.url("/")).content == b"hello"
        assert server.connections == 1


def test_a_socks_proxy_whose_answer_drips(session: Session, server: Server):
    pytest.importorskip("socks")
    with SocksProxy(send=drip) as proxy, pytest.raises(requests.ConnectTimeout):
        session.get(server.url("/"), proxies={"all": proxy.url("socks5h")}, timeout=0.3)
    assert not server.log


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_has_connections_of_its_own(session: Session, h2: Server):
    """Though another thread of its parent was about to make a pool, a context or a manager."""
    assert session.get(h2.url("/")).ok
    shared = adapter_of(session)._shared
    registry, origin = registry_of(shared.pool), origin_of(shared.pool)
    locks = [shared._lock, shared.making, shared.contexts._lock, registry._lock, origin._lock]
    with contextlib.ExitStack() as stack, warnings.catch_warnings():
        for lock in locks:
            stack.enter_context(lock)
        warnings.simplefilter("ignore", DeprecationWarning)  # threads are running
        child = os.fork()
        if not child:
            status = 1
            try:
                session.get_adapter("https://").close()
                status = 0 if session.get(h2.url("/"), timeout=10).content == b"hello" else 2
            finally:
                os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert session.get(h2.url("/")).ok
    assert h2.connections == 2
