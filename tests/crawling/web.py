"""Hosts to crawl that know what they were asked for."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hyperlite
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve

Answer = Callable[[Request], Response]
HTML = [("content-type", "text/html; charset=utf-8")]


class Web:
    """Hosts below .test, all on one server in cleartext; what each was asked for, and by which User-Agent.

    Args:
        serve: starts the server.
        folder: for the output.
        pages: the answers, by host and path ("a/page"); a str is a page of HTML. "a/*" is for all others.
    """

    def __init__(self, serve: Serve, folder: Path, pages: dict[str, str | Response | Answer]) -> None:
        self.pages = pages
        self.server: Server = serve(routes=self._answer, secure=False)
        self.output = folder / "out.jsonl"
        self.asked: list[str] = []
        self.agents: Counter[str] = Counter()

    def _answer(self, request: Request) -> Response:
        host = request.authority.partition(":")[0].removesuffix(".test")
        self.asked.append(f"{host}{request.target}")
        self.agents[dict(request.headers).get("user-agent", "")] += 1
        answer = self.pages.get(f"{host}{request.path}", self.pages.get(f"{host}/*", Response(404)))
        if isinstance(answer, str):
            answer = Response(headers=HTML, body=answer.encode())
        return answer if isinstance(answer, Response) else answer(request)

    def url(self, place: str) -> str:
        host, _, path = place.partition("/")
        return f"http://{host}.test:{self.server.port}/{path}"

    def crawl(self, *places: str, **options: Any) -> dict[str, dict[str, Any]]:
        """Crawl these, and return the records by place."""
        given = {"resolver": lambda *_: ["127.0.0.1"], "proxies": False} | options
        self.summary = hyperlite.crawl([self.url(place) for place in places], output=self.output, **given)
        records = [json.loads(line) for line in self.output.read_text().splitlines()]
        return {self.place(record["url"]): record for record in records}

    def place(self, url: str) -> str:
        return url.removeprefix("http://").replace(f".test:{self.server.port}", "")


MakeWeb = Callable[..., Web]


def robots(*lines: str) -> Response:
    return Response(
        headers=[("content-type", "text/plain")], body="\n".join(["User-agent: *", *lines]).encode()
    )


def moved(to: str, status: int = 302) -> Response:
    return Response(status, headers=[("location", to)])
