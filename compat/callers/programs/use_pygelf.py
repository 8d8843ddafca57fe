"""Log to Graylog, as a program that logs."""

import logging
import os
import sys
import urllib.request
from urllib.parse import urlsplit

from pygelf import GelfHttpsHandler

url = urlsplit(sys.argv[1])
log = logging.getLogger("nightly")
log.setLevel(logging.INFO)
for compress in (True, False):
    handler = GelfHttpsHandler(
        host=url.hostname,
        port=url.port,
        validate=True,
        ca_certs=os.environ["SSL_CERT_FILE"],
        compress=compress,
        _job="nightly",
    )
    log.addHandler(handler)
    for n in range(5):
        log.info("step %d ✓", n)
    try:
        raise ValueError("wrong")
    except ValueError:
        log.exception("it failed")
    log.warning("long " * 50_000)
    log.removeHandler(handler)
    handler.close()
with urllib.request.urlopen(sys.argv[1] + "/told") as answer:
    print(answer.read().decode())
