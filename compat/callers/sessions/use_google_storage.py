"""Keep objects in Google Cloud Storage: a token, uploads in parts, checked downloads, pages, a batch."""

import io
import logging
import sys

import requests
from google.api_core.exceptions import Forbidden, NotFound
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY
from google.oauth2.credentials import Credentials
from mounted import adapter

url = sys.argv[1]
logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
tokens, soon = requests.Session(), DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.01)
credentials = Credentials(
    None, refresh_token="r", token_uri=f"{url}/token", client_id="me", client_secret="s"
)
session = AuthorizedSession(credentials, auth_request=Request(tokens))
for one in (tokens, session):
    one.mount("https://", adapter())
client = storage.Client("p", credentials, _http=session, client_options={"api_endpoint": url})
client._bucket_metadata_cache = None  # which threads of its own fill, sooner or later
bucket = client.create_bucket("mine", location="EU")
print(bucket.name, bucket.location, [found.name for found in client.list_buckets()])
small = bucket.blob("small.txt")
small.metadata = {"a": "b"}
small.upload_from_string("å" * 1000, content_type="text/plain", checksum="md5")
print(small.size, small.generation, small.md5_hash)
large = bucket.blob("large.bin", chunk_size=256 * 1024)
large.upload_from_file(io.BytesIO(b"l" * 700_000), checksum="crc32c")
print(large.size, large.crc32c)
for checksum in ("md5", "crc32c", None):
    print(len(small.download_as_bytes(checksum=checksum)), end=" ")
print(*(len(bucket.blob("packed.txt").download_as_bytes(raw_download=raw)) for raw in (False, True)))
print(len(bucket.blob("large.bin").download_as_bytes()), large.download_as_bytes(start=5, end=9))
print(len(large.download_as_bytes()))
with bucket.blob("large.bin").open("rb", chunk_size=300_000) as file:
    print(len(file.read(10)), len(file.read()))
with bucket.blob("written").open("w", chunk_size=256 * 1024) as file:
    file.write("line\n" * 100_000)
print([blob.name for blob in client.list_blobs("mine", prefix="a", page_size=2)])
print(bucket.get_blob("busy", retry=soon).size, bucket.get_blob("none"), bucket.blob("none").exists())
with client.batch():
    bucket.delete_blobs([bucket.blob("one"), bucket.blob("two")])
none, forbidden = bucket.blob("none"), bucket.blob("forbidden")
for call in (none.download_as_bytes, forbidden.reload, none.delete):
    try:
        call()
    except (NotFound, Forbidden) as error:
        print(type(error).__name__, error.code, error.message.replace(url, ""), error.errors)
try:
    bucket.blob("damaged").download_as_bytes()
except Exception as error:
    print(type(error).__name__, str(error).replace(url, "").split(":")[0])
for one in (client, session, tokens):
    one.close()
