"""Drive a Docker daemon: images that are pulled and built, containers, their logs, files and events."""

import io
import json
import sys
import tarfile

import docker
from docker.tls import TLSConfig
from mounted import adapter

client = docker.DockerClient(base_url=sys.argv[1], version="1.47", tls=TLSConfig(verify=True))
client.api.mount("https://", adapter())
print(client.version()["Version"], client.ping())
print([(box.name, box.status) for box in client.containers.list(all=True)])
for line in client.api.pull("tiny", tag="1", stream=True, decode=True):
    print(line)
print(client.images.get("tiny:1").tags)
context = io.BytesIO(b"FROM tiny:1\n")
image, log = client.images.build(fileobj=context, tag="mine")
print(image.id, [entry["stream"] for entry in log])
box = client.containers.create("tiny:1", "true", name="box", environment={"A": "b"})
box.start()
print(box.logs(), list(box.logs(stream=True)))
packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w") as archive:
    archive.addfile(tarfile.TarInfo("empty"))
print(box.put_archive("/tmp", packed.getvalue()))
pieces, about = box.get_archive("/tmp/big", chunk_size=65536)
print(about, len(b"".join(pieces)))
print(sum(len(piece) for piece in client.images.get("tiny:1").save()))
events = client.events(decode=True)
print([event["Action"] for event in events])
events = client.events()
print(json.loads(next(events).splitlines()[0]))
events.close()
print(len(list(events)) <= 2)
for stats in client.api.stats("c1", decode=True):
    print(stats["read"])
print(box.wait(), box.remove(force=True))
try:
    client.containers.get("gone")
except docker.errors.NotFound as error:
    print(error.explanation, error.response.status_code)
try:
    list(client.api.pull("broken", stream=True, decode=True))
except docker.errors.APIError as error:
    print(error.explanation, error.is_server_error())
client.close()
