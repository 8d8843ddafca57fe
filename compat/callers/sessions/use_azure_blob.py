"""Keep blobs in Azure Storage: signed requests, blocks, ranges by threads, pages, conditions, a torn body."""

import io
import itertools
import sys
from uuid import UUID

import azure.storage.blob._shared.uploads
import requests
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobServiceClient, ExponentialRetry
from mounted import adapter

url = sys.argv[1]
numbers = itertools.count()
# The names of blocks, which are drawn by lot.
azure.storage.blob._shared.uploads.uuid4 = lambda: UUID(int=next(numbers))
session = requests.Session()
session.mount("https://", adapter())
service = BlobServiceClient(
    f"{url}/account", {"account_name": "account", "account_key": "a2V5"},
    transport=RequestsTransport(session=session, session_owner=False),
    retry_policy=ExponentialRetry(initial_backoff=0, increment_base=0, random_jitter_range=0),
    max_single_put_size=100_000, max_block_size=100_000, max_single_get_size=100_000,
    max_chunk_get_size=50_000,
)  # fmt: skip
box = service.get_container_client("box")
print(sorted(box.create_container(metadata={"a": "b"})), service.get_account_information()["sku_name"])
print(box.upload_blob("small.txt", "å" * 100, overwrite=True).get_blob_properties().size)
blob = box.upload_blob("large.bin", io.BytesIO(b"l" * 450_000), overwrite=True, max_concurrency=1)
print(box.upload_blob("pieces.bin", (b"p" * 1000 for _ in range(200)), overwrite=True).blob_name)
taken = blob.download_blob(max_concurrency=4)
print(taken.size, len(taken.readall()), taken.properties.etag)
out = io.BytesIO()
print(blob.download_blob(offset=10, length=120_000).readinto(out), len(out.getvalue()))
print(sum(len(chunk) for chunk in blob.download_blob().chunks()))
print(len(box.download_blob("checked", validate_content=True).readall()))
print(box.download_blob("small.txt", encoding="utf-8").readall()[:2])
print(len(box.download_blob("packed").readall()))
print([found.name for found in box.list_blobs(name_starts_with="b", results_per_page=2)])
blob.set_blob_metadata({"Key": "v"})
lease = blob.acquire_lease(lease_id="11111111-1111-1111-1111-111111111111")
lease.release()
for call in (
    lambda: box.get_blob_client("none").get_blob_properties(),
    lambda: box.download_blob("none"),
    lambda: box.upload_blob("there", b"data"),
    lambda: box.download_blob("small.txt", etag='"x"', match_condition=MatchConditions.IfModified),
):
    try:
        print(call())
    except HttpResponseError as error:
        print(type(error).__name__, error.status_code, getattr(error, "error_code", None))
print(box.get_blob_client("busy").get_blob_properties().size, box.get_blob_client("none").exists())
print(len(box.download_blob("torn").readall()), box.delete_blob("small.txt"))
service.close()
session.close()
