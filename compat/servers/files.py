"""Servers of files; what files cannot do is done by an origin behind them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hyperlite.testing.certificates import certificates
from tests.real.servers import Block, Nginx

from .running import Place, Running, origin, program, signalled, started

NGINX_BLOCK = """
    location /echo {{ proxy_pass http://127.0.0.1:{origin}; client_max_body_size 64m; }}
    location /trailers {{ proxy_pass http://127.0.0.1:{origin}; proxy_http_version 1.1; }}
    location /refuse {{ proxy_pass http://127.0.0.1:{origin}; client_max_body_size 1k; }}
    location = /text {{ gzip on; gzip_types application/json; }}
"""


@contextmanager
def nginx(place: Place) -> Iterator[Running]:
    program("nginx")
    with origin(place) as port:
        text = NGINX_BLOCK.format(origin=port)
        blocks = {"h2": Block(text), "clear": Block(text, secure=False)}
        with Nginx(place.directory, place.root, blocks) as server:
            yield Running(server.sites["h2"].port, server.sites["clear"].port, signalled("HUP", server.pid))


@contextmanager
def nghttpd(place: Place) -> Iterator[Running]:
    name, pair = program("nghttpd"), [certificates().key_file, certificates().cert_file]
    common = [
        name,
        "--address=127.0.0.1",
        f"--htdocs={place.root}",
        "--echo-upload",
        "--trailer=checksum: abc",
    ]
    with (
        started(place, lambda ports: [*common, str(ports[0]), *pair], 1) as ((secure,), _),
        started(place, lambda ports: [*common, "--no-tls", str(ports[0])], 1, name="log.clear") as (
            (clear,),
            _,
        ),
    ):
        yield Running(secure, clear)


H2O_CONF = """\
num-threads: 1
pid-file: {directory}/h2o.pid
{user}
limit-request-body: 33554432
listen:
  host: 127.0.0.1
  port: {port}
  ssl: {{ certificate-file: {certificate}, key-file: {key} }}
listen:
  host: 127.0.0.1
  port: {clear}
hosts:
  default:
    paths:
      /echo: {{ proxy.reverse.url: "http://127.0.0.1:{origin}/echo" }}
      /trailers: {{ proxy.reverse.url: "http://127.0.0.1:{origin}/trailers" }}
      /text: {{ file.file: {root}/text.txt, compress: ON }}
      /: {{ file.dir: {root} }}
"""


@contextmanager
def h2o(place: Place) -> Iterator[Running]:
    """Run h2o with a master, which starts another worker when it is told to reload."""
    name, user = program("h2o"), "" if os.geteuid() else "user: root"
    with origin(place) as behind:

        def command(ports: Sequence[int]) -> list[str]:
            conf = place.write("h2o.conf", H2O_CONF, port=ports[0], clear=ports[1], user=user, origin=behind)
            return [name, "-m", "master", "-c", conf]

        with started(place, command, 2) as ((secure, clear), process):
            yield Running(secure, clear, signalled("HUP", process.pid))


APACHE_CONF = """\
ServerRoot {directory}
ServerName localhost
PidFile {directory}/apache.pid
Mutex file:{directory}
ErrorLog /dev/stderr
{user}
{modules}
Listen 127.0.0.1:{port}
Listen 127.0.0.1:{clear}
MaxKeepAliveRequests 0
LimitRequestBody 33554432
Protocols h2 h2c http/1.1
TypesConfig /etc/mime.types
DocumentRoot {root}
ProxyPass /echo http://127.0.0.1:{origin}/echo
RedirectMatch 413 ^/refuse$
ProxyPass /trailers http://127.0.0.1:{origin}/trailers
<Location /text>
  SetOutputFilter DEFLATE
</Location>
<VirtualHost 127.0.0.1:{port}>
  SSLEngine on
  SSLCertificateFile {certificate}
  SSLCertificateKeyFile {key}
</VirtualHost>
"""
APACHE_MODULES = (
    "mpm_event alias authz_core ssl socache_shmcb http2 mime proxy proxy_http filter deflate".split()  # noqa: SIM905
)


@contextmanager
def apache(place: Place) -> Iterator[Running]:
    name = program("apache2")
    loaded = [f"LoadModule {one}_module /usr/lib/apache2/modules/mod_{one}.so" for one in APACHE_MODULES]
    user = "" if os.geteuid() else "User www-data\nGroup www-data"
    with origin(place) as behind:

        def command(ports: Sequence[int]) -> list[str]:
            values = {"modules": "\n".join(loaded), "user": user, "origin": behind}
            conf = place.write("apache.conf", APACHE_CONF, port=ports[0], clear=ports[1], **values)
            return [name, "-f", conf, "-D", "FOREGROUND"]

        with started(place, command, 2) as ((secure, clear), process):
            yield Running(secure, clear, signalled("USR1", process.pid))


CADDYFILE = """\
{{
    admin localhost:{admin}
    auto_https off
    servers {{
        protocols h1 h2 h2c
    }}
}}
(site) {{
    bind 127.0.0.1
    root * {root}
    @behind path /echo /trailers /refuse
    @text path /text
    encode @text gzip
    header @text content-type text/plain
    request_body /refuse {{
        max_size 1KB
    }}
    reverse_proxy @behind 127.0.0.1:{origin}
    file_server
}}
https://localhost:{port} {{
    tls {certificate} {key}
    import site
}}
http://localhost:{clear} {{
    import site
}}
"""


@contextmanager
def caddy(place: Place) -> Iterator[Running]:
    name = program("caddy")
    home = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(place.directory))
    with origin(place) as behind:

        def command(ports: Sequence[int]) -> list[str]:
            values = {"clear": ports[1], "admin": ports[2], "origin": behind}
            conf = place.write("Caddyfile", CADDYFILE, port=ports[0], **values)
            return [name, "run", "--config", conf, "--adapter", "caddyfile"]

        with started(place, command, 3, environment=home) as ((secure, clear, admin), _):
            again = ["--config", f"{place.directory}/Caddyfile", "--adapter", "caddyfile", "--force"]
            yield Running(secure, clear, [name, "reload", *again, "--address", f"localhost:{admin}"])


LIGHTTPD_CONF = """\
server.modules = ("mod_openssl", "mod_deflate", "mod_proxy")
server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {clear}
server.pid-file = "{directory}/lighttpd.pid"
server.errorlog = "{directory}/errors"
server.upload-dirs = ("{directory}")
server.max-request-size = 32768
server.stream-request-body = 1
server.feature-flags += ("server.h2proto" => "enable", "server.h2c" => "enable")
mimetype.assign = ("" => "text/plain")
$SERVER["socket"] == "127.0.0.1:{port}" {{
    ssl.engine = "enable"
    ssl.pemfile = "{certificate}"
    ssl.privkey = "{key}"
}}
$HTTP["url"] =~ "^/(echo|trailers|refuse)$" {{
    proxy.server = ("" => (("host" => "127.0.0.1", "port" => {origin})))
}}
$HTTP["url"] == "/text" {{
    deflate.mimetypes = ("text/plain")
    deflate.allowed-encodings = ("gzip")
}}
"""


@contextmanager
def lighttpd(place: Place) -> Iterator[Running]:
    name = program("lighttpd")
    with origin(place) as behind:

        def command(ports: Sequence[int]) -> list[str]:
            conf = place.write("lighttpd.conf", LIGHTTPD_CONF, port=ports[0], clear=ports[1], origin=behind)
            return [name, "-D", "-f", conf]

        with started(place, command, 2) as ((secure, clear), process):
            yield Running(secure, clear, signalled("USR1", process.pid))
