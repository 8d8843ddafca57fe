"""Send WSGI requests on: GET, POST of fields, bytes, files and unknown length; every answer."""

import io
import sys

from webob import Request
from webob.client import send_request_app

url = sys.argv[1]


def show(request: Request) -> None:
    """Send a request and print the response."""
    answer = request.get_response(send_request_app)
    headers = sorted((name, value) for name, value in answer.headerlist if name != "Date")
    print(answer.status, headers, answer.content_type, len(answer.body), answer.body[:400])


show(
    Request.blank(
        f"{url}/mirror?a=b%20c",
        headers={"X-Mark": "mine", "Accept": "application/json", "User-Agent": "webob"},
    )
)
show(Request.blank(f"{url}/mirror", POST={"a": "1", "b": "Å"}))
show(
    Request.blank(f"{url}/mirror", method="PUT", body=b"x" * 200_000, content_type="application/octet-stream")
)
streamed = Request.blank(f"{url}/mirror", method="POST", headers={"Cookie": "c=3; d=4"})
streamed.body_file = io.BytesIO(b"read until its end")
show(streamed)
for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
    for path in ("/mirror", "/cookies", "/moved", "/nothing", "/pieces", "/broken", "/missing"):
        print(method, path)
        show(Request.blank(url + path, method=method))
show(Request.blank("https://localhost:9/"))
