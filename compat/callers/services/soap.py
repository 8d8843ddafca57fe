"""A SOAP service with its description."""

from xml.etree import ElementTree as ET

from hyperlite.testing.server import Request, Response

from .answers import as_text, as_xml

WSDL = """<?xml version="1.0"?>
<definitions name="Sums" targetNamespace="urn:sums" xmlns="http://schemas.xmlsoap.org/wsdl/"
 xmlns:tns="urn:sums"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
<types><xsd:schema targetNamespace="urn:sums"><xsd:include schemaLocation="/types.xsd"/></xsd:schema></types>
<message name="AddIn"><part name="parameters" element="tns:Add"/></message>
<message name="AddOut"><part name="parameters" element="tns:AddResponse"/></message>
<portType name="Port"><operation name="Add"><input message="tns:AddIn"/><output message="tns:AddOut"/>
</operation></portType>
<binding name="Binding" type="tns:Port"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="Add"><soap:operation soapAction="urn:sums#Add"/><input><soap:body use="literal"/></input>
<output><soap:body use="literal"/></output></operation></binding>
<service name="Sums"><port name="Port" binding="tns:Binding"><soap:address location="https://{}/sums"/></port></service>
</definitions>"""
TYPES = """<xsd:schema targetNamespace="urn:sums" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
 elementFormDefault="qualified">
<xsd:element name="Add"><xsd:complexType><xsd:sequence><xsd:element name="a" type="xsd:int"/>
<xsd:element name="b" type="xsd:int"/>
</xsd:sequence></xsd:complexType></xsd:element><xsd:element name="AddResponse"><xsd:complexType><xsd:sequence>
<xsd:element name="sum" type="xsd:int"/></xsd:sequence></xsd:complexType></xsd:element></xsd:schema>"""
ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'
FAULT = "<s:Fault><faultcode>s:Server</faultcode><faultstring>{}</faultstring></s:Fault>"


def add(request: Request) -> Response:
    if request.header("authorization") != "Basic bWU6c2VjcmV0":
        return as_text("no", 401, [("www-authenticate", 'Basic realm="sums"')])
    assert request.header("soapaction") == '"urn:sums#Add"'
    numbers = [
        int(found.text or "")
        for found in ET.fromstring(request.body).iter()
        if found.tag in ("{urn:sums}a", "{urn:sums}b")
    ]
    if 0 in numbers:
        return as_xml(ENVELOPE.format(FAULT.format("no zeros here")), 500)
    return as_xml(
        ENVELOPE.format(f'<AddResponse xmlns="urn:sums"><sum>{sum(numbers)}</sum></AddResponse>'),
        headers=[("set-cookie", "s=1")],
    )


ROUTES = {
    "/sums.wsdl": lambda request: as_xml(WSDL.format(request.authority)),
    "/types.xsd": lambda _: as_xml(TYPES),
    "/sums": add,
}
