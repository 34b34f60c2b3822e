"""Plain answers are read by a short way; it must never tell anything else than the long way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import SipRefused
from pchat.sip.answers import read_answer
from pchat.sip.message import Response, parse_head
from pchat.sip.stream import MessageStream

PLAIN = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bKabc.7\r\n"
    b"From: <sip:pool@example.com>;tag=abc\r\n"
    b"To: <sip:alice@example.com>;tag=def;epid=1\r\n"
    b"Call-ID: E476g323Aa9430iC726m\r\n"
    b"CSeq: 7 INFO\r\n"
    b"User-Agent: Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)\r\n"
    b"Content-Length: 0"
)

#: Ways to write a line of an answer, plain and odd.
LINES = {
    "call-id": [
        b"Call-ID: a1@h",
        b"call-id: a1@h",
        b"i: a1@h",
        b"Call-ID:a1@h",
        b"Call-ID : a1@h",
        b"Call-ID: \xff",
    ],
    "cseq": [b"CSeq: 7 INFO", b"CSEQ: 7 INFO", b"CSeq:  7  INFO", b"CSeq: 99999999999 INFO", b"CSeq: x INFO"],
    "length": [
        b"Content-Length: 0",
        b"content-length: 0",
        b"l: 0",
        b"Content-Length: 5",
        b"Content-Length: 00",
        b"Content-Length: 0 ",
        b"Content-Length:0",
        b"X-Other: 1",
    ],
    "extra": [
        b"Via: SIP/2.0/TLS h",
        b"X: y",
        b"L: 9",
        b"Content-Length: 3",
        b"no colon",
        b"X: a\nY: b",
        b"X: a\r\n b",
    ],
}


class ShortWay(SynchronousTestCase):
    """The short way is taken for what clients send all day, and agrees with the long way."""

    def test_a_plain_200_is_read(self) -> None:
        """The answer of a real client takes the short way; its header fields are there when asked for."""
        answer = read_answer(PLAIN)
        assert answer is not None
        self.assertEqual(
            (answer.status, answer.call_id, answer.cseq), (200, "E476g323Aa9430iC726m", (7, "INFO"))
        )
        self.assertEqual(answer.headers.get("To"), "<sip:alice@example.com>;tag=def;epid=1")
        self.assertEqual(len(list(answer.headers)), 7)

    def test_the_stream_takes_it_in_any_pieces(self) -> None:
        """Whole, byte by byte and with trailing bytes, two answers in a row are two answers."""
        data = (PLAIN + b"\r\n\r\n") * 2
        whole = list(MessageStream().receive(data + b"SIP/2.0 20"))
        stream = MessageStream()
        pieces = [item for byte in data for item in stream.receive(bytes([byte]))]
        for items in (whole, pieces):
            self.assertEqual([type(item) for item in items], [Response, Response])

    def test_malformed_fields_show_when_they_are_used(self) -> None:
        """What nobody looks at is not judged; who looks is told that it is malformed."""
        answer = read_answer(PLAIN.replace(b"User-Agent:", b"User Agent"))
        assert answer is not None
        self.assertRaises(SipRefused, answer.headers.get, "From")

    @given(
        st.fixed_dictionaries({name: st.sampled_from(lines) for name, lines in LINES.items()}),
        st.permutations(list(LINES)),
    )
    def test_it_agrees_with_the_long_way(self, chosen: dict[str, bytes], order: list[str]) -> None:
        """If the short way reads a head, the long way reads the same, or finds a fault of no importance."""
        head = b"\r\n".join([b"SIP/2.0 200 OK", *(chosen[name] for name in order)])
        answer = read_answer(head)
        if answer is None:
            return
        self.assertNotIn(chosen["extra"], (b"L: 9", b"Content-Length: 3", b"X: a\nY: b"))
        try:
            slow = parse_head(head)
            slow.check()
        except SipRefused:
            self.assertEqual(chosen["extra"], b"no colon")
            return
        self.assertEqual((slow.call_id, slow.cseq), (answer.call_id, answer.cseq))
        self.assertEqual(list(slow.headers), list(answer.headers))
        self.assertIn(slow.headers.get("Content-Length", "").strip(), ("0",))
