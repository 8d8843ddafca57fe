"""Reads server-sent events, and reconnects when the stream ends or breaks: python sse_reader.py URL [CA]."""

import sys
import time
from collections.abc import Iterator

import hyperlite

# Seconds before another try, until the stream says how long; and the longest wait that it may ask for.
PAUSE = 3.0
LONGEST = 60.0
# Seconds of silence, comments included, after which the connection counts as dead.
SILENCE = 90.0


def events(pool: hyperlite.ConnectionPool, url: str) -> Iterator[hyperlite.ServerSentEvent]:
    """Yield the events of a stream, for as long as the server has any.

    A status of 204 (No Content) means that there are no more, as in browsers.

    Raises:
        hyperlite.HTTPStatusError: the status is 400 or more.
    """
    last_id, pause = "", PAUSE
    while True:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        try:
            with pool.fetch(url, headers=headers, stream=True, timeout=SILENCE) as response:
                if response.raise_for_status().status == 204:
                    return
                for event in response.iter_events():
                    last_id = event.id
                    if event.retry is not None:
                        pause = min(event.retry / 1000, LONGEST)
                    yield event
        except hyperlite.HTTPStatusError:
            raise
        except hyperlite.FetchError as error:
            print(f"{error}; another try in {pause:g} s", file=sys.stderr)
        time.sleep(pause)


def main() -> None:
    """Print the events of the stream at a URL; a second argument is the file of an authority to trust."""
    with hyperlite.ConnectionPool(verify=sys.argv[2] if len(sys.argv) > 2 else True) as pool:
        for event in events(pool, sys.argv[1]):
            print(f"{event.event}: {event.data}", flush=True)


if __name__ == "__main__":
    main()
