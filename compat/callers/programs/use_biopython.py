"""Search and fetch by Entrez, whose host is fixed: an opener sends its requests to ours."""

import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from Bio import Entrez, SeqIO

here = urlsplit(sys.argv[1]).netloc


class ToUs(urllib.request.BaseHandler):
    """Sends every request to one host."""

    def https_request(self, request: urllib.request.Request) -> urllib.request.Request:
        request.host = here
        return request

    handler_order = 100  # before the Host field is made


urllib.request.install_opener(urllib.request.build_opener(ToUs))
Entrez.email, Entrez.tool, Entrez.api_key, Entrez.sleep_between_tries = "me@example.com", "tool", "key", 0
with Entrez.esearch(db="nucleotide", term="lamp") as stream:
    print(dict(Entrez.read(stream)))
with Entrez.efetch(db="nucleotide", id="11,12", rettype="fasta", retmode="text") as stream:
    print([(record.id, str(record.seq)) for record in SeqIO.parse(stream, "fasta")])
with Entrez.efetch(db="nucleotide", id=[str(n) for n in range(1000)], rettype="count") as stream:  # a POST
    print(stream.read(), stream.url)
with Entrez.epost("nucleotide", id="11,12") as stream:
    print(stream.read())
try:
    Entrez.einfo()
except urllib.error.HTTPError as error:
    print(error, error.headers["Content-Type"])
