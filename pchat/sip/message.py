"""Requests and responses: parsed from a head, read lazily, written back as bytes.

Source: RFC 3261 sections 7, 8.1.1 and 8.2.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final

from attrs import define, field

from pchat.errors import OurError, SipRefused
from pchat.sip.grammar import (
    CALL_ID,
    MAX_DELTA_SECONDS,
    REQUEST_LINE,
    SCHEME,
    STATUS_LINE,
    quote,
    read_number,
)
from pchat.sip.headers import Address, CSeq, Headers, Via
from pchat.sip.reasons import REASONS as REASONS  # noqa: PLC0414  # readers look for it here
from pchat.sip.uri import SipUri, is_plain

VERSION: Final = "SIP/2.0"

#: Headers that a response takes over from its request. Source: RFC 3261 section 8.2.6.2.
COPIED: Final = frozenset({"via", "from", "to", "call-id", "cseq"})
#: Headers of which a second one would leave open which is meant.
_SINGLE: Final = frozenset(
    ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "expires")
)

# TEXT-UTF8char: a head holds visible characters, blanks and tabs; and CRLF between its lines.
_LEGAL_BYTES: Final = bytes(byte for byte in range(256) if byte == 9 or (byte >= 32 and byte != 127))
_CRLF: Final = b"\r\n"
# quoted-pair = "\" (%x00-09 / %x0B-0C / %x0E-7F): the one place where control characters may stand.
_QUOTED_CONTROL: Final = re.compile(rb"\\[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")
# LWS with a line fold counts as one blank.
_FOLD: Final = re.compile(r"[ \t]*+\r\n[ \t]++")


@define
class _Message:
    """What requests and responses share: header fields, a body and what is read from the fields.

    The parsed headers are computed once, when first asked for: complete the header fields before.
    """

    headers: Headers = field(factory=Headers)
    body: bytes = b""

    def _required(self, name: str) -> str:
        value = self.headers.get(name)
        if not value:
            raise SipRefused(400, f"Missing {name}")
        return value

    @cached_property
    def call_id(self) -> str:
        """The Call-ID. Raises `SipRefused` 400 if missing or malformed."""
        return self._read_call_id()

    @cached_property
    def cseq(self) -> CSeq:
        """The CSeq. Raises `SipRefused` 400 if missing or malformed."""
        return CSeq.parse(self._required("CSeq"))

    @cached_property
    def from_(self) -> Address:
        """The From header. Raises `SipRefused` 400 if missing or malformed."""
        return Address.parse(self._required("From"), "From")

    @cached_property
    def to(self) -> Address:
        """The To header. Raises `SipRefused` 400 if missing or malformed."""
        return Address.parse(self._required("To"), "To")

    @cached_property
    def vias(self) -> list[Via]:
        """All hops, the nearest first. Raises `SipRefused` 400 if one is malformed."""
        return self._read_vias()

    @cached_property
    def contacts(self) -> list[Address]:
        """The Contact addresses; none for ``*``. Raises `SipRefused` 400 if one is malformed."""
        return self._read_contacts()

    @property
    def content_type(self) -> str:
        """Type and subtype in lower case without parameters, or an empty text."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def expires(self) -> int | None:
        """The Expires header in seconds, or None. Raises `SipRefused` 400 if it is no number."""
        value = self.headers.get("Expires")
        return None if value is None else read_delta_seconds(value, "Expires")

    def _read_call_id(self) -> str:
        value = self._required("Call-ID")
        if CALL_ID.fullmatch(value) is None:
            raise SipRefused(400, "Malformed Call-ID")
        return value

    def _read_vias(self) -> list[Via]:
        return [via for value in self.headers.get_all("Via") for via in Via.parse_list(value)]

    def _read_contacts(self) -> list[Address]:
        values = self.headers.get_all("Contact")
        if values == ["*"]:
            return []
        return [contact for value in values for contact in Address.parse_list(value, "Contact")]

    def _write(self, start_line: str) -> bytes:
        lines = [start_line]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() != "content-length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        head = "\r\n".join(lines).encode()
        if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
            raise OurError(f"line end inside a header of {start_line!r}")
        return head + self.body


@define
class Request(_Message):
    """A request.

    Args:
        method: As written; methods are case-sensitive.
        uri: Request-URI as written.
        headers: Header fields.
        body: Body, without any decoding.

    Source: RFC 3261 section 7.1.
    """

    method: str
    uri: str
    headers: Headers = field(factory=Headers)
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """Write the request, with Content-Length and without compact names."""
        return self._write(f"{self.method} {self.uri} {VERSION}")

    def response(
        self,
        status: int,
        reason: str | None = None,
        *,
        to_tag: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
        body: bytes = b"",
    ) -> Response:
        """Build the response: Via, From, To, Call-ID and CSeq are copied as they were received.

        Args:
            status: 100 to 699.
            reason: Reason phrase; the usual one if None.
            to_tag: Tag that To gets, unless it has one.
            headers: More header fields, after the copied ones.
            content_type: Content-Type of the body.
            body: The body.

        Source: RFC 3261 section 8.2.6.2.
        """
        copied = Headers()
        for name, value in self.headers:
            key = name.lower()
            if key in COPIED:
                if key == "to" and to_tag is not None and self.to.tag is None:
                    value = f"{value};tag={to_tag}"  # noqa: PLW2901  # the one header that is not taken as it is
                copied.add(name, value)
        for name, value in headers:
            copied.add(name, value)
        if content_type is not None:
            copied.add("Content-Type", content_type)
        if reason is None:
            reason = REASONS.get(status, "Unknown")
        return Response(status, reason, copied, body)

    def check(self) -> None:
        """Check what every reader of the request relies on; afterwards the properties do not raise.

        Raises:
            SipRefused: 400 or 416 with a text that names the header.

        Source: RFC 3261 sections 8.1.1 and 8.2.
        """
        check_single(self.headers)
        # Filling the cached properties directly spares their slow first access, five times a request.
        self.call_id = self._read_call_id()
        self.cseq = CSeq.parse(self._required("CSeq"))
        self.from_ = Address.parse(self._required("From"), "From")
        self.to = Address.parse(self._required("To"), "To")
        self.vias = self._read_vias()
        if self.cseq.method != self.method:
            raise SipRefused(400, "CSeq method does not match")
        if not self.vias:
            raise SipRefused(400, "Missing Via")
        if "Contact" in self.headers:
            self.contacts = self._read_contacts()
        if "Expires" in self.headers:
            self.expires  # noqa: B018  # reading it checks it
        max_forwards = self.headers.get("Max-Forwards")
        if max_forwards is not None:
            read_number(max_forwards, 255, "Max-Forwards")
        check_request_uri(self.uri)


@define
class Response(_Message):
    """A response.

    Args:
        status: 100 to 699.
        reason: Reason phrase, possibly empty.
        headers: Header fields.
        body: Body, without any decoding.

    Source: RFC 3261 section 7.2.
    """

    status: int
    reason: str
    headers: Headers = field(factory=Headers)
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """Write the response, with Content-Length and without compact names."""
        return self._write(f"{VERSION} {self.status} {self.reason}")

    def check(self) -> None:
        """Check what is needed to find the request that is answered.

        Raises:
            SipRefused: 400 with a text that names the header; a response is then dropped.

        Source: RFC 3261 section 17.1.3; docs/spec/sip-sign-in.md section 2.
        """
        check_single(self.headers)
        self.call_id = self._read_call_id()
        self.cseq = CSeq.parse(self._required("CSeq"))


def parse_head(head: bytes) -> Request | Response:
    """Parse a start line and header fields.

    Args:
        head: Everything up to the blank line, with or without that blank line's CRLFs.

    Returns:
        The message, with an empty body.

    Raises:
        SipRefused: 400 for a malformed head, 505 for another version of SIP.

    Source: RFC 3261 sections 7.1 to 7.3 and 25.1.
    """
    lines = split_head(head)
    start = lines.pop(0)
    match = STATUS_LINE.fullmatch(start)
    if match is not None:
        version, status, reason = match.groups()
        message: Request | Response = Response(int(status), reason or "", Headers.parse(lines))
    else:
        match = REQUEST_LINE.fullmatch(start)
        if match is None:
            raise SipRefused(400, "Malformed start line")
        method, uri, version = match.groups()
        message = Request(method, uri, Headers.parse(lines))
    if version != VERSION and version.upper() != VERSION:
        raise SipRefused(505, REASONS[505])
    return message


def split_head(head: bytes, errors: str = "strict") -> list[str]:
    """Split a head into unfolded lines, the start line first.

    Args:
        head: Everything up to the blank line.
        errors: What to do with bytes that are not UTF-8, as `bytes.decode` names it.

    Raises:
        SipRefused: 400, control characters, a line end that is not CRLF, or not UTF-8; ``close`` is
            set where the lines themselves are in doubt.
    """
    head = head.removesuffix(_CRLF).removesuffix(_CRLF)
    # Each CRLF leaves two bytes; any other byte that is left is a control character or half a line end.
    ends = 2 * head.count(_CRLF)
    if len(head.translate(None, _LEGAL_BYTES)) != ends:
        unescaped = _QUOTED_CONTROL.sub(b"??", head)
        if len(unescaped.translate(None, _LEGAL_BYTES)) != ends:
            raise SipRefused(400, "Control character or bare line end in head", close=True)
    try:
        text = head.decode(errors=errors)
    except UnicodeDecodeError:
        raise SipRefused(400, "Head is not UTF-8") from None
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    return text.split("\r\n")


def check_single(headers: Headers) -> None:
    """Refuse a message that gives twice what may be there once.

    Raises:
        SipRefused: 400, naming the header.
    """
    for key in headers.repeated():
        if key in _SINGLE:
            raise SipRefused(400, f"More than one {key}")


def check_request_uri(uri: str) -> None:
    """Refuse a Request-URI that we could not serve or that smuggles header fields.

    Raises:
        SipRefused: 400 malformed, 416 another scheme than sip, sips or tel.

    Source: RFC 3261 sections 8.2.2.1 and 19.1.1 (no headers in a Request-URI).
    """
    if is_plain(uri):
        return
    match = SCHEME.match(uri)
    if match is None:
        raise SipRefused(400, "Malformed Request-URI")
    if match[1].lower() not in ("sip", "sips", "tel"):
        raise SipRefused(416, REASONS[416])
    if SipUri.parse(uri).headers:
        raise SipRefused(400, "Request-URI with header fields")


def read_delta_seconds(text: str, name: str) -> int:
    """Read a time in seconds; what is larger than 32 bits counts as the largest value.

    Raises:
        SipRefused: 400, it is no number.

    Source: RFC 3261 section 25.1, delta-seconds.
    """
    return min(read_number(text, 10**20, name), MAX_DELTA_SECONDS)


def refusal(request: Request, error: SipRefused, source: str) -> Response:
    """Build the response that tells a peer why its request is refused.

    Args:
        request: The refused request.
        error: Status, reason and what else is told.
        source: Name of this server, as diagnostics and warnings show it.

    Source: RFC 3261 sections 20.33 and 20.43; docs/spec/sip-sign-in.md section 3.
    """
    headers = list(error.headers)
    if error.diagnostics is not None:
        text = f"{error.diagnostics};reason={quote(error.reason)};source={quote(source)}"
        headers.append(("Ms-diagnostics", text))
    if error.warning is not None:
        headers.append(("Warning", f"399 {source} {quote(error.warning)}"))
    if error.retry_after is not None:
        headers.append(("Retry-After", str(error.retry_after)))
    return request.response(error.status, error.reason, headers=headers)
