"""From a stream of bytes to whole messages.

The end of a message is found by its Content-Length. When that is in doubt nothing after it can be
trusted: the stream raises `FramingLost`, and the connection has to be closed.

Source: RFC 3261 sections 18.3 and 20.14; RFC 5626 section 4.4.1; docs/spec/sip-sign-in.md section 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import define, frozen

from pchat.errors import FramingLost, SipRefused
from pchat.sip.answers import ANSWER_START, read_answer
from pchat.sip.grammar import read_number
from pchat.sip.headers import Headers
from pchat.sip.malformed import response_to, salvage
from pchat.sip.message import Request, Response, parse_head

_END: Final = b"\r\n\r\n"
#: Content-Length larger than this is not even compared, only refused.
_MAX_LENGTH: Final = 2**31 - 1


@frozen
class StreamLimits:
    """How much of a message is taken; the defaults are those of ``[sip.limits]`` (`pchat.config.sections`).

    Args:
        head_bytes: Bytes of start line and header fields; an NTLM sign-in needs 4 kB, Kerberos 12 kB.
        body_bytes: Bytes of a body; a story with its formatting is about half of this.
        header_count: Header lines; real messages have about 25, relayed ones 40.
        line_bytes: Bytes of one line before unfolding; Kerberos tokens are the longest values.
    """

    head_bytes: int = 16_384
    body_bytes: int = 1 << 20
    header_count: int = 128
    line_bytes: int = 12_288


@frozen
class KeepAlive:
    """A ping: CRLF CRLF between messages, answered by a single CRLF. Source: RFC 5626 section 4.4.1."""


@define
class Malformed:
    """A message that is not well formed.

    Args:
        error: What is wrong; ``error.close`` is set if `FramingLost` follows.
        response: What to answer, or None: responses and ACK are never answered.
    """

    error: SipRefused
    response: Response | None


@define
class _Awaited:
    """A message whose head is complete and whose body is not."""

    message: Request | Response | None
    error: SipRefused | None
    head: bytes
    length: int


Item = Request | Response | KeepAlive | Malformed


class MessageStream:
    """Cuts what a connection receives into messages, however it is chopped.

    Args:
        limits: How much of a message is taken; it also bounds what is held here.
    """

    def __init__(self, limits: StreamLimits | None = None) -> None:
        self._limits = limits or StreamLimits()
        #: The bound of bodies that is in force; it may be set lower for a peer who is not known yet.
        self.body_bytes = self._limits.body_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._half_ping = False
        self._awaited: _Awaited | None = None
        self._lost = ""

    def receive(self, data: bytes) -> Iterator[Item]:
        """Take bytes and yield every message that they complete.

        The bytes are taken at once; if iterating is given up half-way, the next call goes on there.

        Raises:
            FramingLost: After everything that came before: the end of a message is not known.
        """
        if not self._lost:
            self._buffer += data
        return self._items()

    def _items(self) -> Iterator[Item]:
        while not self._lost:
            if self._awaited is None:
                answer = self._take_answer()
                if answer is not None:
                    yield answer
                    continue
                if self._skip_line_ends():
                    yield KeepAlive()
                    continue
                if not self._take_head():
                    break
            item = self._take_body()
            if item is None:
                break
            yield item
        if self._lost:
            raise FramingLost(self._lost)

    def _take_answer(self) -> Response | None:
        """Take a plain answer off the buffer by the short way, if that is what comes next."""
        buffer = self._buffer
        if not buffer.startswith(ANSWER_START):
            return None
        end = buffer.find(_END, self._searched)
        if end < 0 or end > self._limits.head_bytes:
            return None
        answer = read_answer(bytes(buffer[:end]))
        if answer is not None:
            del buffer[: end + 4]
            self._searched = 0
            self._half_ping = False
        return answer

    def _lose(self, reason: str) -> None:
        self._lost = reason
        self._buffer.clear()
        self._awaited = None

    def _skip_line_ends(self) -> bool:
        """Drop one CRLF before a message; tell whether it completes a ping."""
        if not self._buffer.startswith(b"\r\n"):
            return False
        del self._buffer[:2]
        self._half_ping = not self._half_ping
        if self._half_ping:
            return self._skip_line_ends()
        return True

    def _take_head(self) -> bool:
        """Take a complete head off the buffer; False if there is none (yet)."""
        buffer = self._buffer
        limit = self._limits.head_bytes
        end = buffer.find(_END, self._searched)
        stop = end if end >= 0 else len(buffer)
        if buffer.find(b"\n\n", self._searched, stop) >= 0:
            self._lose("lines end in LF instead of CRLF")
            return False
        if stop > limit and (end >= 0 or stop - 3 > limit):
            self._lose(f"head longer than {limit} bytes")
            return False
        if end < 0:
            self._searched = max(0, stop - 3)
            return False
        head = bytes(buffer[:end])
        del buffer[: end + 4]
        self._searched = 0
        self._half_ping = False
        self._awaited = self._read_head(head)
        return self._awaited is not None

    def _read_head(self, head: bytes) -> _Awaited | None:
        """Parse a head and find the length of the body; None if this is no SIP at all."""
        message: Request | Response | None = None
        error: SipRefused | None = None
        headers: Headers | None = None
        try:
            self._check_lines(head)
            message = parse_head(head)
            headers = message.headers
            if len(headers) > self._limits.header_count:
                raise SipRefused(400, "Too many header fields")
        except SipRefused as refused:
            error = refused
            if b"SIP/" not in head[: head.find(b"\r\n") + 1 or len(head)].upper():
                self._lose("not SIP")
                return None
        length = 0
        try:
            if headers is None:
                headers = salvage(head)[1]
            length = self._body_length(headers)
        except SipRefused as refused:
            error = refused
        return _Awaited(message, error, head, length)

    def _check_lines(self, head: bytes) -> None:
        longest = self._limits.line_bytes
        if len(head) > longest and max(map(len, head.split(b"\r\n"))) > longest:
            raise SipRefused(400, "Header line too long")

    def _body_length(self, headers: Headers) -> int:
        """Return the length of the body; what leaves it in doubt is refused with ``close``."""
        text = headers.get("Content-Length")
        if text is None:
            if "Content-Type" in headers:
                raise SipRefused(400, "Missing Content-Length", close=True)
            return 0
        if text == "0":
            length = 0
        else:
            try:
                length = read_number(text, _MAX_LENGTH, "Content-Length")
            except SipRefused as refused:
                raise SipRefused(400, refused.reason, close=True) from None
        repeated = headers.repeated()
        if "content-length" in repeated and len(set(headers.get_all("Content-Length"))) > 1:
            raise SipRefused(400, "Two different Content-Length", close=True)
        if length > self.body_bytes:
            raise SipRefused(413, "Request Entity Too Large", close=True)
        return length

    def _take_body(self) -> Item | None:
        """Complete the awaited message; None if its body is not all there."""
        awaited = self._awaited
        if awaited is None:
            return None
        message, error, length = awaited.message, awaited.error, awaited.length
        if error is not None and error.close:
            self._lose(error.reason)
            return Malformed(error, response_to(awaited.head, error))
        if len(self._buffer) < length:
            return None
        self._awaited = None
        body = b""
        if length:
            body = bytes(self._buffer[:length])
            del self._buffer[:length]
        if message is not None and error is None:
            message.body = body
            try:
                message.check()
                return message
            except SipRefused as refused:
                error = refused
        if error is None:
            error = SipRefused(400, "Bad Request")
        return Malformed(error, response_to(awaited.head, error))
