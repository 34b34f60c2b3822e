"""Messages and small steps that several test modules of this package share."""

from __future__ import annotations

from collections.abc import Iterable

from pchat.errors import FramingLost
from pchat.sip.message import Request, Response
from pchat.sip.stream import Item, MessageStream, StreamLimits


def wire(text: str) -> bytes:
    """Turn typed text into what is sent: CRLF and UTF-8."""
    return text.replace("\n", "\r\n").encode()


REGISTER = wire(
    """\
REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/tls 127.0.0.1:42834;branch=z9hG4bK7A509542895863329535
From: <sip:alice@example.com>;tag=4278647422;epid=cf0b98dadeb9
To: <sip:alice@example.com>
Max-Forwards: 70
CSeq: 1 REGISTER
User-Agent: Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)
Call-ID: E476g323Aa9430iC726mA7CDtD67Db4D49x1649x
Contact: <sip:127.0.0.1:42834;transport=tls;ms-opaque=d3470f2e1d>;methods="INVITE, MESSAGE, INFO, BYE"\
;proxy=replace;+sip.instance="<urn:uuid:b7878522-d7fe-5c33-b30d-265f6618ae78>"
Supported: gruu-10, adhoclist, msrtc-event-categories, com.microsoft.msrtc.presence
Event: registration
Allow-Events: presence
ms-keep-alive: UAC;hop-hop=yes
Content-Length: 0

"""
)
# In a dialog the client's Via has no branch.
INFO = (
    wire(
        """\
INFO sip:chat@example.com SIP/2.0
Via: SIP/2.0/tls 127.0.0.1:42834
From: <sip:alice@example.com>;tag=4278647422;epid=cf0b98dadeb9
To: <sip:chat@example.com>;tag=53038A8258FB
Max-Forwards: 70
CSeq: 2 INFO
Call-ID: E476g323
Content-Type: text/plain; charset=UTF-8
Content-Length: 9

"""
    )
    + "Grüße…"[:5].encode()
    + b"!\n"
)
OK = wire(
    """\
SIP/2.0 200 OK
Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK1.2
From: <sip:chat@example.com>;tag=53038A8258FB
To: <sip:alice@example.com>;tag=4278647422
CSeq: 7 INFO
Call-ID: E476g323
Content-Length: 0

"""
)


def receive_all(
    chunks: Iterable[bytes], limits: StreamLimits | None = None
) -> tuple[list[Item], FramingLost | None, MessageStream]:
    """Feed a new stream; return what came out, how framing was lost if it was, and the stream."""
    stream = MessageStream(limits)
    items: list[Item] = []
    for chunk in chunks:
        try:
            for item in stream.receive(chunk):
                items.append(item)  # what came before a loss of framing is to be kept
        except FramingLost as lost:
            return items, lost, stream
    return items, None, stream


def single_bytes(data: bytes) -> list[bytes]:
    """Chop into single bytes."""
    return [data[index : index + 1] for index in range(len(data))]


def one_request(data: bytes) -> Request:
    """Read the one request that the bytes are."""
    items, lost, _ = receive_all([data])
    if lost is not None or len(items) != 1 or not isinstance(items[0], Request):
        raise AssertionError(f"not one request: {items} {lost}")
    return items[0]


def one_response(data: bytes) -> Response:
    """Read the one response that the bytes are."""
    items, lost, _ = receive_all([data])
    if lost is not None or len(items) != 1 or not isinstance(items[0], Response):
        raise AssertionError(f"not one response: {items} {lost}")
    return items[0]
