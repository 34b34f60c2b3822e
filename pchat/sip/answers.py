"""Plain answers to our requests, read with as little work as possible.

Each delivery of a message is answered by such a response, so these are nearly all of what a busy server
receives. Only what finds the waiting request is read at once; the header fields are parsed when somebody
asks for them, which is when the answer is signed.

Source: docs/performance.md.
"""

from __future__ import annotations

from typing import Any, Final

from pchat.sip.headers import CSeq, Headers
from pchat.sip.message import Response, split_head

ANSWER_START: Final = b"SIP/2.0 200 "
_LENGTH: Final = b"\r\ncontent-length: 0"
_CALL_ID: Final = b"\r\ncall-id: "
_CSEQ: Final = b"\r\ncseq: "
#: RFC 3261 section 8.1.1.5: a CSeq number is below 2**31, which has ten digits.
_DIGITS: Final = 10


class LateHeaders(Headers):
    """Header fields that are parsed at first use; using them may raise `SipRefused` 400."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        # The slots of the base class stay empty until __getattr__ fills them.
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        if name not in {"_fields", "_first"}:
            raise AttributeError(name)
        parsed = Headers.parse(split_head(self._raw)[1:])
        self._fields = parsed._fields
        self._first = parsed._first
        return getattr(self, name)


def read_answer(head: bytes) -> Response | None:
    """Read a 200 without a body.

    Args:
        head: Everything up to the blank line, without the CRLFs before that.

    Returns:
        The response; None if the head is anything but plain, and must be read the long way.
    """
    if not head.startswith(ANSWER_START):
        return None
    low = head.lower()
    # One Content-Length in its usual form, or the length is not for us to decide.
    length = low.find(_LENGTH)
    if length < 0 or low.count(b"content-length") != 1 or b"\r\nl" in low:
        return None
    if low[length + len(_LENGTH) :][:2] not in {b"", b"\r\n"} or low.count(b"\n") != low.count(b"\r\n"):
        return None
    at = low.find(_CALL_ID) + len(_CALL_ID)
    cseq_at = low.find(_CSEQ) + len(_CSEQ)
    if at < len(_CALL_ID) or cseq_at < len(_CSEQ):
        return None
    number, _, method = _line(head, cseq_at).partition(b" ")
    if not number.isdigit() or len(number) > _DIGITS:
        return None
    try:
        reason = _line(head, len(ANSWER_START)).decode("ascii")
        response = Response(200, reason, LateHeaders(head))
        response.call_id = _line(head, at).decode("ascii")
        # The quick way to make a named tuple: its own constructor takes a microsecond.
        response.cseq = tuple.__new__(CSeq, (int(number), method.decode("ascii")))
    except UnicodeDecodeError:
        return None
    return response


def _line(head: bytes, start: int) -> bytes:
    end = head.find(b"\r\n", start)
    return head[start:] if end < 0 else head[start:end]
