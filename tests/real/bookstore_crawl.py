"""The client of the article on Twisted's HTTP/2: it reads a whole bookstore, a hundred books at a time.

    python tests/real/bookstore_crawl.py HOST PORT CA_FILE

It is as its author wrote it for hyper, but for the import, `get_response`, and the place where the
connection is made.
"""

import json
import sys

import hyperlite


def crawl(conn, book_path="/book?id={}"):
    conn.request("GET", "/")
    resp = conn.getresponse()

    # process initial page with book ids
    index_data = json.loads(resp.read().decode("utf8"))

    responses = []
    chunk_size = 100

    # split initial set of urls into chunks of 100 items
    for i in range(0, len(index_data), chunk_size):
        request_ids = []

        # make requests
        for _id in index_data[i : i + chunk_size]:
            book_details_path = book_path.format(_id)
            request_id = conn.request("GET", book_details_path)
            request_ids.append(request_id)

        # get responses
        for req_id in request_ids:
            response = conn.getresponse(req_id)
            body = json.loads(response.read().decode("utf8"))
            responses.append(body)

    assert len(responses) == 3000
    return responses


if __name__ == "__main__":
    host, port, ca_file = sys.argv[1:]
    with hyperlite.HTTP20Connection(
        host, int(port), context=hyperlite.create_context(cafile=ca_file)
    ) as connection:
        print(f"{len(crawl(connection))} books")
