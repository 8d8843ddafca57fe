"""Use a hub of models: pages, downloads from it and from its store, uploads, ranges, a chat that streams."""

import os
import sys

url = sys.argv[1]
quiet = {f"HF_HUB_DISABLE_{what}": "1" for what in ("XET", "TELEMETRY", "PROGRESS_BARS")}
os.environ |= quiet | {"HF_ENDPOINT": url}

import requests  # noqa: E402 (what is above is read when it is imported)
from huggingface_hub import HfApi, HfFileSystem, InferenceClient, configure_http_backend  # noqa: E402
from huggingface_hub.utils import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError  # noqa: E402
from mounted import adapter  # noqa: E402

shared = adapter()


def backend() -> requests.Session:
    """Return a session: each thread asks for one of its own."""
    session = requests.Session()
    session.mount("https://", shared)
    return session


configure_http_backend(backend)
api = HfApi(endpoint=url, token="hf_1", library_name="ours")
print(api.whoami()["name"], [model.id for model in api.list_models(limit=3)])
about = api.model_info("me/model")
print(about.sha, [file.rfilename for file in about.siblings])
for name in ("config.json", "weights.bin"):
    path = api.hf_hub_download("me/model", name)
    print(name, os.path.getsize(path), os.path.basename(os.path.dirname(path)))
folder = api.snapshot_download("me/model", max_workers=4)
print(sorted(os.listdir(folder)))
print(api.upload_file(path_or_fileobj=b"{}", path_in_repo="a.json", repo_id="me/model").oid)
print(api.upload_file(path_or_fileobj=b"w" * 300_000, path_in_repo="b.bin", repo_id="me/model").oid)
with HfFileSystem(endpoint=url, token="hf_1").open("me/model/weights.bin", block_size=65536) as file:
    file.seek(100_000)
    print(file.size, file.read(10), len(file.read()))
with HfFileSystem(endpoint=url, token="hf_1").open("me/model/weights.bin", block_size=0) as file:
    print(len(file.read(1000)), len(file.read()))
for repository, name in (("me/model", "none"), ("me/none", "config.json"), ("me/gated", "config.json")):
    try:
        api.hf_hub_download(repository, name)
    except (EntryNotFoundError, RepositoryNotFoundError, HfHubHTTPError) as error:
        print(type(error).__name__, error.response.status_code, error.request_id)
    except Exception as error:
        print(type(error).__name__)
chat = InferenceClient(base_url=f"{url}/chat", token="hf_1")
pieces = chat.chat_completion([{"role": "user", "content": "hello"}], model="m", stream=True)
print([piece.choices[0].delta.content for piece in pieces])
shared.close()
