"""Give commands to HTTPie, which learns of the adapter by a plugin, as its documentation has it."""

import io
import sys
from contextlib import redirect_stdout
from pathlib import Path

from httpie.context import Environment
from httpie.core import main
from httpie.plugins import TransportPlugin
from httpie.plugins.registry import plugin_manager
from mounted import adapter

url = sys.argv[1]


class Transport(TransportPlugin):
    """Puts the adapter in the place of HTTPie's own."""

    name, prefix = "mounted", "https://"

    def get_adapter(self):
        return adapter()


plugin_manager.register(Transport)


def http(*arguments: str) -> None:
    """Run a command."""
    out, error = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with redirect_stdout(out):
        environment = Environment(stdin=None, stdout=out, stderr=error, stdout_isatty=False)
        status = main(["http", "--ignore-stdin", "--pretty=none", *arguments], environment)
    out.seek(0)
    print(status, out.read().replace("HTTP/2.0", "HTTP/1.1"), error.getvalue())


Path("notes.txt").write_text("line\n" * 30_000)
http("--print=b", f"{url}/get", "q==a b", "X-Many:1")
http("--print=b", "POST", f"{url}/post", "name=å", "number:=1")
http("--print=b", "--form", "POST", f"{url}/post", "a=b", "file@notes.txt")
http("--print=b", "--form", "--compress", "POST", f"{url}/post", "a=" + "b" * 1000)
http("--print=b", "--chunked", "POST", f"{url}/post", "@notes.txt")
http("--follow", "--all", "--print=b", f"{url}/moved")
http("--print=b", "--auth=me:secret", f"{url}/private")
http("--print=b", "--auth-type=digest", "--auth=me:secret", f"{url}/digest")
http("--print=b", "--session=./one.json", f"{url}/cookies")
http("--print=b", "--session=./one.json", f"{url}/get")
http("--print=b", "--stream", f"{url}/lines")
http("--print=b", "--check-status", f"{url}/missing")
http("--download", "--output=large", f"{url}/large", "--quiet")
print(Path("large").stat().st_size)
http("--download", "--continue", "--output=large", f"{url}/large", "--quiet")
http("--print=hb", "HEAD", f"{url}/head")
http("--timeout=5", "--max-redirects=2", "--follow", f"{url}/loop")
http("--verify=no", "--print=b", f"{url}/get")
