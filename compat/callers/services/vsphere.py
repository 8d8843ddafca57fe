"""A vCenter: its versions, its content, a login, the time, a fault; packed where that is asked for."""

import gzip

from hyperlite.testing.server import Request, Response

from .answers import as_xml

VERSIONS = """<?xml version="1.0" encoding="UTF-8"?><namespaces version="1.0"><namespace>
<name>urn:vim25</name>
<version>8.0.1.0</version></namespace></namespaces>"""
ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{}</soapenv:Body></soapenv:Envelope>"""
CONTENT = """<RetrieveServiceContentResponse xmlns="urn:vim25"><returnval>
<rootFolder type="Folder">group-d1</rootFolder>
<propertyCollector type="PropertyCollector">propertyCollector</propertyCollector><about>
<name>vCenter</name><fullName>vCenter 8</fullName>
<vendor>V</vendor><version>8.0.1</version><build>1</build><osType>linux</osType><productLineId>vpx</productLineId>
<apiType>VirtualCenter</apiType><apiVersion>8.0.1.0</apiVersion></about>
<sessionManager type="SessionManager">SessionManager</sessionManager>
</returnval></RetrieveServiceContentResponse>"""
LOGIN = """<LoginResponse xmlns="urn:vim25"><returnval><key>k1</key><userName>me</userName>
<fullName>Me</fullName>
<loginTime>2026-01-01T00:00:00Z</loginTime><lastActiveTime>2026-01-01T00:00:00Z</lastActiveTime><locale>en</locale>
<messageLocale>en</messageLocale></returnval></LoginResponse>"""
TIME = (
    '<CurrentTimeResponse xmlns="urn:vim25"><returnval>2026-01-01T12:00:00Z</returnval></CurrentTimeResponse>'
)
FAULT = """<soapenv:Fault><faultcode>ServerFaultCode</faultcode>
<faultstring>Cannot complete login.</faultstring><detail>
<InvalidLoginFault xmlns="urn:vim25" xsi:type="InvalidLogin"/></detail></soapenv:Fault>"""


def sdk(request: Request) -> Response:
    body = request.body
    if b"RetrieveServiceContent" in body:
        return answer(
            request, CONTENT, headers=[("set-cookie", 'vmware_soap_session="s1"; Path=/; HttpOnly; Secure')]
        )
    if b"<Login" in body:
        return answer(request, LOGIN) if b"secret" in body else answer(request, FAULT, 500)
    assert request.header("cookie", "").startswith("vmware_soap_session")  # type: ignore[union-attr]
    return answer(request, TIME if b"CurrentTime" in body else '<LogoutResponse xmlns="urn:vim25"/>')


def answer(
    request: Request, text: str, status: int = 200, headers: list[tuple[str, str]] | None = None
) -> Response:
    made = as_xml(ENVELOPE.format(text), status, headers or [])
    if "gzip" not in (request.header("accept-encoding") or ""):
        return made
    return Response(
        status, [*made.headers, ("content-encoding", "gzip")], gzip.compress(bytes(made.body), mtime=0)
    )  # type: ignore[arg-type]


ROUTES = {"/sdk/vimServiceVersions.xml": lambda _: as_xml(VERSIONS), "/sdk": sdk}
