"""What urlopen() returns goes to functions that are annotated with http.client's classes."""

import http.cookiejar
import io
import json
import shutil
import urllib.request
from http import client
from typing import BinaryIO, cast


def text_of(response: client.HTTPResponse) -> str:
    return response.read().decode(response.headers.get_content_charset() or "utf-8")


def opened(url: str) -> client.HTTPResponse:
    response: client.HTTPResponse = urllib.request.urlopen(url)
    return response


def save(response: client.HTTPResponse, to: BinaryIO) -> None:
    shutil.copyfileobj(response, to)
    for line in io.TextIOWrapper(response, encoding="utf-8"):
        print(line.rstrip())
    print(json.load(response))
    print(response.info().get("A"), response.geturl(), response.getcode(), response.isclosed())


with urllib.request.urlopen("http://localhost") as found:
    print(text_of(found))
    request = urllib.request.Request("http://localhost")
    http.cookiejar.CookieJar().extract_cookies(cast(client.HTTPResponse, found), request)
http.cookiejar.CookieJar().extract_cookies(
    opened("http://localhost"), urllib.request.Request("http://localhost")
)
