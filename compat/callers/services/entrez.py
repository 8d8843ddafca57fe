"""NCBI's E-utilities."""

from hyperlite.testing.server import Request, Response

from .answers import as_text, as_xml, form

BASE = "/entrez/eutils"
FOUND = """<?xml version="1.0" encoding="UTF-8" ?>
<!DOCTYPE eSearchResult PUBLIC "-//NLM//DTD esearch 20060628//EN"
 "https://eutils.ncbi.nlm.nih.gov/eutils/dtd/20060628/esearch.dtd">
<eSearchResult><Count>2</Count><RetMax>2</RetMax><RetStart>0</RetStart><IdList><Id>11</Id><Id>12</Id></IdList>
<TranslationSet/><QueryTranslation>{}</QueryTranslation></eSearchResult>"""
FASTA = ">s1 first\nACGTACGT\nACG\n>s2 second\nTTTT\n"

failed: set[str] = set()
"""The protocols over which the first call of efetch has failed."""


def search(request: Request) -> Response:
    return as_xml(FOUND.format(request.query["term"][0]))


def fetch(request: Request) -> Response:
    if request.protocol not in failed:
        failed.add(request.protocol)
        return as_text("try again", 502)
    fields = form(request) or {name: values[0] for name, values in request.query.items()}
    return as_text(FASTA if fields["rettype"] == "fasta" else str(len(fields["id"])))


ROUTES = {
    f"{BASE}/esearch.fcgi": search,
    f"{BASE}/efetch.fcgi": fetch,
    f"{BASE}/epost.fcgi": lambda request: as_xml(
        f"<ePostResult><QueryKey>{len(request.body)}</QueryKey></ePostResult>"
    ),
    f"{BASE}/einfo.fcgi": lambda _: as_text("no", 400),
}
