"""Downloads a file, and goes on where an earlier run was cut off: python downloader.py URL FILE [CA]."""

import sys
import time

import hyperlite

# How often a download that breaks goes on before the program gives up, and the first pause, in seconds.
TRIES = 5
PAUSE = 0.2


def download(pool: hyperlite.ConnectionPool, url: str, path: str) -> hyperlite.SavedFile:
    """Download a URL to a file. After an error the next call goes on, also in another run of the program.

    Raises:
        hyperlite.HTTPStatusError: the server refuses it.
        hyperlite.FetchError: it has failed several times.
    """
    tries_left, pause = TRIES - 1, PAUSE
    while True:
        try:
            with pool.fetch(url, stream=True, headers={"Accept-Encoding": "identity"}) as response:
                return response.save(path, resume=True)
        except hyperlite.HTTPStatusError:
            raise
        except hyperlite.FetchError as error:
            if tries_left == 0:
                raise
            print(error, file=sys.stderr)
            time.sleep(pause)
            tries_left, pause = tries_left - 1, 2 * pause


def main(url: str, path: str, authorities: str = "") -> None:
    """Download a URL, and say what was done."""
    with hyperlite.ConnectionPool(timeout=30, verify=authorities or True) as pool:
        saved = download(pool, url, path)
    print(f"{saved.path}: {saved.size} bytes, {saved.resumed_at} of them from before")


if __name__ == "__main__":
    main(*sys.argv[1:])
