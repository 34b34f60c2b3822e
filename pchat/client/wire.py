"""SIP and XCCOS as bytes, as little of it as a client of our own needs."""

from __future__ import annotations

import re

from attrs import frozen

_PARAMETER = re.compile(r'([\w-]+)=(?:"([^"]*)"|([^\s,]+))')
_BETWEEN_BRACKETS = re.compile(r"<([^>]*)>")
_TAG = re.compile(r";tag=([^;]*)")
_STATUS_LINE = re.compile(r"SIP/2\.0 [1-6][0-9]{2}(?: |$)")
_CSEQ = re.compile(r"[0-9]{1,10} +[A-Za-z]+")
#: Headers that every message has (RFC 3261 section 8.1.1), as far as a client of ours reads or returns them.
_NEEDED = ("via", "from", "to", "call-id", "cseq")

NAMESPACE = "urn:parlano:xml:ns:xccos"


class Malformed(Exception):
    """What the server sent is not what it should be; one line that says what."""


@frozen
class Message:
    """A request or response outside the hot path: first line, headers by lower-case name, body."""

    first_line: str
    headers: dict[str, str]
    body: str

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Read a whole message; of a repeated header the first counts."""
        head, _, body = data.partition(b"\r\n\r\n")
        first_line, *lines = head.decode().split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), value.strip())
        return cls(first_line, headers, body.decode())

    @property
    def status(self) -> int:
        """Status of a response; 0 for a request."""
        return int(self.first_line[8:11]) if self.first_line.startswith("SIP/2.0 ") else 0

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of the CSeq header."""
        number, _, method = self.headers["cseq"].partition(" ")
        return int(number), method.strip()

    @property
    def parties(self) -> tuple[str, str, str, str]:
        """From URI, From tag, To URI, To tag, as they are signed."""
        return (*split_party(self.headers["from"]), *split_party(self.headers["to"]))

    @property
    def expires(self) -> str:
        """The Expires header, or nothing."""
        return self.headers.get("expires", "")


def received(data: bytes) -> Message:
    """Read a whole message of a server that may send anything; all properties of it can be read afterwards.

    Raises:
        Malformed: It is not UTF-8, or what every message must have is missing or no SIP.
    """
    try:
        message = Message.parse(data)
    except UnicodeDecodeError:
        raise Malformed("a message that is not UTF-8") from None
    if message.first_line.startswith("SIP/2.0 ") and not _STATUS_LINE.match(message.first_line):
        raise Malformed(f"no status in {message.first_line[:80]!r}")
    missing = [name for name in _NEEDED if name not in message.headers]
    if missing:
        raise Malformed(f"a message without {missing[0]}")
    if not _CSEQ.fullmatch(message.headers["cseq"]):
        raise Malformed(f"no CSeq in {message.headers['cseq'][:80]!r}")
    try:
        _ = message.parties
    except ValueError as error:
        raise Malformed(str(error)) from None
    return message


def split_party(value: str) -> tuple[str, str]:
    """Return URI and tag of a From or To header; no tag is an empty one."""
    uri, tag = _BETWEEN_BRACKETS.search(value), _TAG.search(value)
    if not uri:
        raise ValueError(f"no <uri> in {value[:80]!r}")
    return uri[1], tag[1] if tag else ""


def parameters(value: str) -> dict[str, str]:
    """Return the parameters of a challenge by lower-case name, without their quotes."""
    return {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(value)}


def request(method: str, uri: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Render a request; an empty header is left out."""
    lines = [f"{method} {uri} SIP/2.0"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value]
    if body:
        lines.append("Content-Type: text/plain")
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    return "\r\n".join(lines).encode() + body


def command(number: int, name: str, data: str) -> bytes:
    """Render an envelope with one command."""
    return (
        f'<xccos ver="1" envid="{number}" xmlns="{NAMESPACE}">'
        f'<cmd id="cmd:{name}" seqid="1"><data>{data}</data></cmd></xccos>'
    ).encode()
