"""SIP and XCCOS as bytes, as little of it as a client of our own needs."""

from __future__ import annotations

import re

from attrs import frozen

_PARAMETER = re.compile(r'([\w-]+)=(?:"([^"]*)"|([^\s,]+))')
_BETWEEN_BRACKETS = re.compile(r"<([^>]*)>")
_TAG = re.compile(r";tag=([^;]*)")

NAMESPACE = "urn:parlano:xml:ns:xccos"


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
        return int(self.first_line.split(" ", 2)[1]) if self.first_line.startswith("SIP/2.0 ") else 0

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


def split_party(value: str) -> tuple[str, str]:
    """Return URI and tag of a From or To header; no tag is an empty one."""
    uri, tag = _BETWEEN_BRACKETS.search(value), _TAG.search(value)
    if not uri:
        raise ValueError(f"no <uri> in {value!r}")
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
