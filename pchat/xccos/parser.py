"""Bytes of an INFO body to an envelope of commands and posts; all hostile XML ends here.

Only UTF-8 is read, with or without a byte order mark: that is the character set of a ``text/plain`` SIP body
without a charset (RFC 3261 section 7.4.1), and all that clients were seen to send. A declaration that names
another encoding is refused rather than guessed at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attrs import field, frozen
from lxml import etree

from pchat.errors import SipRefused
from pchat.xccos.limits import DEFAULT_XML_LIMITS, XmlLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

    Element = etree._Element

NAMESPACE: Final = "urn:parlano:xml:ns:xccos"
_BRACED: Final = "{" + NAMESPACE + "}"
_BOM: Final = b"\xef\xbb\xbf"

# Possessive throughout: one pass over the prolog, whatever it holds.
_DOCTYPE = re.compile(rb"(?:\xef\xbb\xbf)?(?>[ \t\r\n]+|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)
# XML 1.0 production 23 (XMLDecl); group 1 is the encoding's name.
_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml\s[^>]*?\bencoding\s*=\s*[\"']([^\"']*)[\"']")
_ENCODINGS: Final = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_COMMAND_ID = re.compile(r"[cC][mM][dD]:([A-Za-z0-9_.-]+)")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:{}-]*")


@frozen
class Command:
    """A ``cmd`` element.

    Args:
        name: Lower-case name without ``cmd:``.
        seqid: Number within the envelope, as received; ``1`` if absent.
        envid: The envelope's identifier, as received.
        data: The ``data`` element, if any; read by `pchat.xccos.commands`.

    Source: docs/spec/xccos.md section 2.2.
    """

    name: str
    seqid: str
    envid: str
    data: Element | None = field(default=None, eq=False, repr=False)


@frozen
class Post:
    """A ``grpchat`` element from a client; everything but room and text is the client's claim only.

    Args:
        chan_uri: URI of the room, as received, never empty.
        author: Claimed author's URI.
        ts: Claimed time.
        chat: Plain text with line ends LF; empty if absent.
        rtf: Formatted twin of the text with line ends LF.
        alert: Whether the message is of high importance.
        seqid: As received; ``1`` if absent.

    Source: docs/spec/xccos.md section 3.9.
    """

    chan_uri: str
    author: str = ""
    ts: str = ""
    chat: str = field(default="", repr=False)
    rtf: str | None = field(default=None, repr=False)
    alert: bool = False
    seqid: str = "1"


@frozen
class Envelope:
    """An ``xccos`` document.

    Args:
        envid: The sender's identifier, opaque; empty if absent.
        items: Commands and posts in the order of the document; empty if it held only unknown elements.

    Source: docs/spec/xccos.md section 2.1.
    """

    envid: str
    items: tuple[Command | Post, ...]


def parse_envelope(body: bytes, limits: XmlLimits = DEFAULT_XML_LIMITS) -> Envelope:
    """Read an INFO body.

    Elements of XCCOS are known by their local name, in the XCCOS namespace or in none; anything unknown is
    ignored.

    Args:
        body: The whole body.
        limits: Upper bounds.

    Returns:
        The envelope with its commands and posts.

    Raises:
        SipRefused: 413 for too much of something, 400 for all else that is wrong.

    Source: docs/spec/xccos.md chapter 2; docs/spec/sip-sign-in.md section 7.
    """
    root = _parse_document(body, limits)
    if local_name(root) != "xccos":
        raise SipRefused(400, "Body is not an xccos document")
    if not len(root):
        raise SipRefused(400, "Empty xccos document")
    # Every element costs a "<" and every attribute a "=", so most bodies prove at a glance that they fit.
    if body.count(b"<") > min(limits.depth, limits.elements) or body.count(b"=") > limits.attributes:
        _check_shape(root, limits)
    envid = _identifier(root, "envid", "", limits)
    items: list[Command | Post] = []
    for child in root:
        name = local_name(child)
        if name == "grpchat":
            items.append(_read_post(child, limits))
        elif name == "cmd":
            items.append(_read_command(child, envid, limits))
    if len(items) > limits.items:
        raise SipRefused(413, "Too many commands in one envelope")
    return Envelope(envid, tuple(items))


def local_name(element: Element) -> str:
    """Tell an XCCOS element's name; empty for elements of a foreign namespace."""
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    if tag.startswith(_BRACED):
        return tag[len(_BRACED) :]
    return "" if tag.startswith("{") else tag


def children(element: Element, name: str) -> Iterator[Element]:
    """Go through an element's XCCOS children of one name."""
    return (child for child in element if local_name(child) == name)


def _parse_document(body: bytes, limits: XmlLimits) -> Element:
    """Make a tree of well-formed UTF-8 XML without any DTD."""
    if len(body) > limits.body_bytes:
        raise SipRefused(413, "Body too large")
    if b"<!DOCTYPE" in body and _DOCTYPE.match(body):
        # Before libxml2 sees a single declaration of it.
        raise SipRefused(400, "DOCTYPE is not allowed")
    if body.startswith((b"<?xml", _BOM)):
        _check_encoding(body)
    # A parser each time: one shared keeps dictionaries of names that peers chose. The encoding is forced, so
    # that no declaration or mark makes libxml2 read other characters than the checks above did.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise SipRefused(400, f"Not well-formed XML (line {error.lineno})") from None
    except (ValueError, LookupError):
        raise SipRefused(400, "Not well-formed XML") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise SipRefused(400, "DOCTYPE is not allowed")
    return root


def _check_encoding(body: bytes) -> None:
    declared = _DECLARATION.match(body)
    if declared and declared[1].lower() not in _ENCODINGS:
        raise SipRefused(400, "XML must be in UTF-8")


def _check_shape(root: Element, limits: XmlLimits) -> None:
    """Refuse trees too deep or too wide for what follows; breadth first, no recursion."""
    level = [root]
    depth = elements = 0
    while level:
        depth += 1
        elements += len(level)
        if depth > limits.depth:
            raise SipRefused(400, "XML too deep")
        if elements > limits.elements:
            raise SipRefused(413, "Too many XML elements")
        deeper: list[Element] = []
        for element in level:
            if len(element.attrib) > limits.attributes:
                raise SipRefused(400, "Too many XML attributes")
            if len(element):
                deeper.extend(element)
        level = deeper


def _identifier(element: Element, attribute: str, default: str, limits: XmlLimits) -> str:
    value = element.get(attribute, default)
    if len(value) > limits.identifier_chars or not _IDENTIFIER.fullmatch(value):
        raise SipRefused(400, f"Bad {attribute}")
    return value


def _read_command(element: Element, envid: str, limits: XmlLimits) -> Command:
    found = _COMMAND_ID.fullmatch(element.get("id", ""))
    if found is None or len(found[1]) > limits.name_chars:
        raise SipRefused(400, "Command without a name")
    data = [*children(element, "data")]
    if len(data) > 1:
        raise SipRefused(400, "Command with more than one data element")
    return Command(
        found[1].lower(), _identifier(element, "seqid", "1", limits), envid, data[0] if data else None
    )


def _read_post(element: Element, limits: XmlLimits) -> Post:
    chan_uri = element.get("chanUri", "")
    if not chan_uri or len(chan_uri) > limits.uri_chars:
        raise SipRefused(400, "Post without a room URI")
    chat = rtf = None
    for child in element:
        name = local_name(child)
        if name == "chat":
            if chat is not None:
                raise SipRefused(400, "Post with more than one chat element")
            chat = _text(child)
        elif name == "rtf":
            if rtf is not None:
                raise SipRefused(400, "Post with more than one rtf element")
            rtf = _text(child)
    return Post(
        chan_uri=chan_uri,
        author=element.get("author", ""),
        ts=element.get("ts", ""),
        chat=chat or "",
        rtf=rtf or None,
        alert=element.get("alert", "").strip().lower() in ("true", "1"),
        seqid=_identifier(element, "seqid", "1", limits),
    )


def _text(element: Element) -> str:
    """Take an element's text; markup inside, which nobody is known to send, loses its tags, not its words."""
    text = "".join(map(str, element.itertext())) if len(element) else element.text or ""
    # The XML parser made LF of raw CRs; this is for those that came as &#13;.
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
