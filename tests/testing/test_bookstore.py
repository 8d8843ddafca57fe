"""The bookstore: the same books for ever, and a process that does not outlive its parent."""

import hashlib
import http.client
import json
import signal
import ssl
import subprocess
import sys

import pytest

from hyperlite.testing import bookstore
from hyperlite.testing.server import Server

from .rawclient import RawClient

ALL_BOOKS = "42f2046d7d790cadbd6ab0bf58d1c550388ce2808fda55599d0c61e7f66ba065"


def test_books_are_the_same_for_ever():
    books = bookstore.books()
    assert list(books) == list(range(3000))
    assert set(books[0]) == {"id", "title", "author", "year", "pages", "isbn", "summary"}
    assert hashlib.sha256(json.dumps(list(books.values())).encode()).hexdigest() == ALL_BOOKS


def test_site():
    with Server(bookstore.routes()) as server, RawClient(server) as client:
        index = client.get("/")
        assert index.headers["content-type"] == "application/json"
        assert json.loads(index.body) == list(range(3000))
        sizes = []
        for number in (*range(0, 3000, 17), 2999):
            page = client.get(f"/book?id={number}")
            assert json.loads(page.body) == bookstore.books()[number]
            sizes.append(len(page.body))
        assert 150 < min(sizes) < 300
        assert 3500 < max(sizes) < 4500
        assert json.loads(client.get("/book?lang=en&id=7").body) == bookstore.books()[7]


@pytest.mark.parametrize(
    "target", ["/book", "/book?id=", "/book?id=3000", "/book?id=-1", "/book?id=x", "/book?di=1"]
)
def test_no_such_book(target):
    with Server(bookstore.routes()) as server, RawClient(server) as client:
        page = client.get(target)
        assert (page.status, page.headers["content-type"]) == ("404", "application/json")
        assert "error" in json.loads(page.body)


@pytest.fixture
def run():
    processes = []

    def run(*options):
        process = subprocess.Popen(
            [sys.executable, "-m", "hyperlite.testing.bookstore", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        return process, json.loads(process.stdout.readline())

    yield run
    for process in processes:
        with process:
            process.kill()


def test_program_ends_with_its_standard_input(run):
    process, ready = run("--http1", "--latency", "0.002")
    context = ssl.create_default_context(cafile=ready["ca_file"])
    context.set_alpn_protocols(["h2", "http/1.1"])
    connection = http.client.HTTPSConnection("localhost", ready["port"], context=context)
    connection.request("GET", "/book?id=5")
    assert connection.sock.selected_alpn_protocol() == "http/1.1"
    assert json.load(connection.getresponse()) == bookstore.books()[5]
    connection.close()
    process.stdin.close()
    assert process.wait(5) == 0


def test_program_ends_when_terminated(run):
    process, ready = run("--cleartext")
    assert ready["ca_file"] is None
    connection = http.client.HTTPConnection("localhost", ready["port"])
    connection.request("GET", "/")
    assert json.load(connection.getresponse()) == list(range(3000))
    connection.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
