"""XML of the presence documents: hardened reading, escaped writing, payloads that survive both.

Source: docs/spec/presence.md sections 1 and 7.
"""

from __future__ import annotations

import re

from lxml import etree

from pchat.errors import SipRefused
from pchat.ticks import to_iso

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
#: What XML 1.0 allows, negated (XML 1.0, production 2).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Declared namespaces around and on one payload: each is copied into it. Clients use about eight.
MAX_NAMESPACES = 64
_START = re.compile(rb"(<[^\s/>]+)(.*)", re.DOTALL)
_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "\t": "&#9;",
        "\n": "&#10;",
        "\r": "&#13;",
    }
)


def escape(text: str) -> str:
    """Make text fit for content and for attributes in double quotes; what XML forbids becomes U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text).translate(_ESCAPES)


def wire_time(ticks: int) -> str:
    """Write a publishTime: ISO 8601, UTC, milliseconds, no zone letter."""
    return to_iso(ticks)[:23]


def read_document(body: bytes, limit: int) -> etree._Element:
    """Parse the body of a request, keeping comments, CDATA and processing instructions.

    Args:
        body: The whole body.
        limit: Greatest length in bytes.

    Returns:
        The root element.

    Raises:
        SipRefused: 413 too long; 400 not well-formed, or with a document type.
    """
    if len(body) > limit:
        raise SipRefused(413, "Request Entity Too Large")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, strip_cdata=False
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SipRefused(400, "body is not well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise SipRefused(400, "document type is not allowed")
    return root


def local_name(element: etree._Element) -> str:
    """Tell the name of an element without its namespace; '' for comments and the like."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def children(element: etree._Element, name: str) -> list[etree._Element]:
    """List the child elements of a local name; clients differ in namespaces, so those are not compared."""
    return list(element.iterchildren(f"{{*}}{name}"))


def payload_of(element: etree._Element) -> bytes:
    """Cut an element out so that it means the same inside any other document.

    Namespaces declared further out are declared on it, and where no default namespace was in force
    that is said too, since the documents it is put into have one.

    Returns:
        UTF-8 text of the element, equal to it in canonical XML.

    Raises:
        SipRefused: 400, more namespaces than anybody needs; copying them costs their number squared.
    """
    if len(element.nsmap) > MAX_NAMESPACES:
        raise SipRefused(400, "too many namespaces")
    text = bytes(etree.tostring(element, encoding="UTF-8", xml_declaration=False, with_tail=False))
    if None in element.nsmap:
        return text
    name, rest = _START.match(text).groups()  # type: ignore[union-attr]  # a serialised element starts so
    return name + b' xmlns=""' + bytes(rest)


def parse_payload(payload: bytes) -> etree._Element | None:
    """Parse a stored payload for a best-effort look inside; None if there is nothing to see."""
    if not payload:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(payload, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def schema_type(element: etree._Element) -> str:
    """Tell the xsi:type of an element without its prefix, '' if it has none."""
    return (element.get(f"{{{_XSI}}}type") or "").rpartition(":")[2]
