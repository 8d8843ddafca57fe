"""Download the parts of a project: one behind a redirect, one whose sum is wrong."""

import os
import sys
import tempfile
import urllib.request

from mesonbuild import mesonmain

url = sys.argv[1]
with urllib.request.urlopen(f"{url}/sums") as answer:
    sums = {name.decode(): digest.decode() for digest, name in (line.split() for line in answer)}
WRAP = """[wrap-file]
directory = {name}-1.0
source_url = {place}/{name}-1.0.tar.gz
source_filename = {name}-1.0.tar.gz
source_hash = {sum}
"""
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    os.mkdir("subprojects")
    with open("meson.build", "w") as project:
        project.write("project('whole')\n")
    for name, place in (("one", f"{url}/moved"), ("two", url), ("three", url)):
        with open(f"subprojects/{name}.wrap", "w") as wrap:
            digest = "0" * 64 if name == "three" else sums[f"/{name}-1.0.tar.gz"]
            wrap.write(WRAP.format(name=name, place=place, sum=digest))
        print(mesonmain.run(["subprojects", "download", name, "--num-processes", "1"], ""))
    print(
        sorted(
            os.path.relpath(os.path.join(where, name)) for where, _, names in os.walk(".") for name in names
        )
    )
    os.chdir("/")
