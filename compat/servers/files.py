"""Servers of files: nginx, nghttpd, h2o; what files cannot do is done by an origin behind them."""

import os
from collections.abc import Iterator
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

        def command(ports: list[int]) -> list[str]:
            conf = place.write("h2o.conf", H2O_CONF, port=ports[0], clear=ports[1], user=user, origin=behind)
            return [name, "-m", "master", "-c", conf]

        with started(place, command, 2) as ((secure, clear), process):
            yield Running(secure, clear, signalled("HUP", process.pid))
