"""What can still be done with a message whose head is not well formed: find its end, and answer it.

Source: RFC 3261 sections 8.2.6 and 21.4.1; RFC 4475 section 3.3.1.
"""

from __future__ import annotations

import zlib
from typing import Final

from pchat.errors import SipRefused
from pchat.sip.grammar import TOKEN
from pchat.sip.headers import Address, Headers
from pchat.sip.message import COPIED, Request, Response, refusal, split_head

#: Why: a broken message may hold as many lines as it likes; an answer needs few of them.
MAX_COPIED: Final = 64


def salvage(head: bytes) -> tuple[str, Headers]:
    """Take the start line and those header lines that are well formed each by itself.

    Raises:
        SipRefused: 400, control characters or bare line ends make the lines themselves doubtful.
    """
    start, *lines = split_head(head, errors="replace")
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if colon and TOKEN.fullmatch(name):
            headers.add(name, value.strip(" \t"))
    return start, headers


def response_to(head: bytes, error: SipRefused, source: str = "") -> Response | None:
    """Build the answer to a message that is not well formed, of what it holds.

    Args:
        head: The head as received.
        error: What is wrong with it.
        source: Name of this server for diagnostics.

    Returns:
        The response; None for a response, an ACK, and for what shows no method.
    """
    try:
        start, headers = salvage(head)
    except SipRefused:
        return None
    method, blank, uri = start.partition(" ")
    if not blank or method == "ACK" or TOKEN.fullmatch(method) is None:
        return None
    copied = [(name, value) for name, value in headers if name.lower() in COPIED]
    response = refusal(Request(method, uri, Headers(copied[:MAX_COPIED])), error, source)
    _add_tag(response, head)
    return response


def _add_tag(response: Response, head: bytes) -> None:
    """Give To a tag that only depends on the message, as a server does that keeps no state of it."""
    to = response.headers.get("To", "")
    try:
        tag = Address.parse(to).tag
    except SipRefused:
        return  # To is what is broken
    if tag is None:
        response.headers.set("To", f"{to};tag={zlib.crc32(head):08x}")
