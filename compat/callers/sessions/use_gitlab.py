"""Use GitLab by python-gitlab: pages, uploads, files, a trace and an archive that stream, limits, errors."""

import sys

import gitlab
import requests
from mounted import adapter

url = sys.argv[1]
session = requests.Session()
session.mount("https://", adapter())
lab = gitlab.Gitlab(url, private_token="glpat-1", session=session, retry_transient_errors=True, per_page=2)
lab.auth()
print(lab.user.username, lab.version())
print([project.path for project in lab.projects.list(iterator=True)], len(lab.projects.list(page=1)))
found = lab.projects.list(iterator=True)
print(found.total, found.per_page, found.next_page)
project = lab.projects.get("group/one")
print(project.name, project.issues.create({"title": "broken å", "labels": ["a", "b"]}).title)
issue = project.issues.get(1)
issue.title = "mended"
issue.save()
print(issue.title, issue.state)
print(project.upload("notes.txt", filedata=b"line\n" * 30_000)["size"])
file = project.files.get("src/main.py", ref="main")
print(file.decode()[:5], project.files.raw("src/main.py", ref="main")[:5])
taken: list[bytes] = []
project.repository_archive(streamed=True, action=taken.append, chunk_size=10_000)
print(sum(map(len, taken)))
job = project.jobs.get(1)
print(job.trace()[:6], sum(len(piece) for piece in job.artifacts(iterator=True)))
with lab.http_get("/projects/1/jobs/1/trace", streamed=True, raw=True) as response:
    print(list(response.iter_lines()))
package = project.generic_packages
with open("one.bin", "wb") as out:
    out.write(b"p" * 200_000)
print(package.upload("one", "1.0", "one.bin", path="one.bin").message)
print(len(package.download("one", "1.0", "one.bin")))
print(project.variables.create({"key": "K", "value": "v"}).value, project.variables.delete("K"))
print(lab.http_head("/projects")["X-Total"])
print(lab.http_get("/busy"), lab.http_get("/limited"))
for path in ("/none", "/forbidden", "/moved"):
    try:
        print(lab.http_get(path))
    except gitlab.GitlabError as error:
        print(type(error).__name__, error.response_code, error.error_message)
    except gitlab.exceptions.RedirectError as error:
        print(type(error).__name__, str(error)[:20])
try:
    gitlab.Gitlab(url, private_token="wrong", session=session).auth()
except gitlab.GitlabAuthenticationError as error:
    print(error.response_code, error.error_message)
session.close()
