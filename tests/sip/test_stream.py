"""Cutting a stream of bytes into messages: every way of chopping gives the same, and nothing grows."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import FramingLost
from pchat.sip.message import Request, Response
from pchat.sip.stream import Item, KeepAlive, Malformed, MessageStream, StreamLimits
from tests.sip.fixtures import INFO, OK, REGISTER, one_request, receive_all, single_bytes, wire

PING = b"\r\n\r\n"
#: Pieces of which hostile and friendly streams are made.
PIECES = st.sampled_from(
    [
        *(
            REGISTER,
            INFO,
            OK,
            PING,
            b"\r\n",
            b"\r",
            b"\n",
            b"\n\n",
            b"\x00",
            b"\xff",
            b":",
            b" ",
            b"A: b\r\n",
        ),
        *(
            b"INVITE sip:a@b SIP/2.0\r\n",
            b"ACK sip:a@b SIP/2.0\r\n",
            b"SIP/2.0 200\r\n",
            b"OPTIONS x SIP/3.0\r\n",
        ),
        *(
            b"Content-Length: 3\r\n",
            b"l: 9\r\n",
            b"l: -1\r\n",
            b"c: text/plain\r\n",
            b" fold\r\n",
            b"t: <sip:a@b\r\n",
        ),
        *(
            b"Via: SIP/2.0/TCP a\r\n",
            b"f: <sip:a@b>;tag=1\r\n",
            b"t: <sip:a@b>\r\n",
            b"i: 1\r\n",
            b"CSeq: 1 INVITE\r\n",
        ),
    ]
)
STREAMS = st.one_of(st.lists(PIECES, max_size=30).map(b"".join), st.binary(max_size=400))
SMALL = StreamLimits(head_bytes=600, body_bytes=20, header_count=12, line_bytes=200)


def chop(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut at the given places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def described(items: list[Item]) -> list[str]:
    """Tell items apart by all that they hold."""
    texts = []
    for item in items:
        if isinstance(item, Request | Response):
            texts.append(repr(item.to_bytes()))
        elif isinstance(item, Malformed):
            texts.append(f"{item.error} {item.error.close} {item.response and item.response.to_bytes()!r}")
        else:
            texts.append("ping")
    return texts


class FeedingCase(SynchronousTestCase):
    """Whole, byte by byte, and with bytes of the next message behind it."""

    def check_every_way(self, data: bytes, count: int) -> None:
        """Feed a message in three ways and compare."""
        whole, lost, stream = receive_all([data])
        self.assertIsNone(lost)
        self.assertEqual((len(whole), len(stream._buffer)), (count, 0))
        dripped, _, stream = receive_all(single_bytes(data))
        self.assertEqual(described(dripped), described(whole))
        self.assertEqual(len(stream._buffer), 0)
        trailing, _, stream = receive_all([data + OK[:40]])
        self.assertEqual(described(trailing), described(whole))
        self.assertEqual(len(stream._buffer), 40)
        (rest,) = stream.receive(OK[40:])
        self.assertIsInstance(rest, Response)

    def test_register(self) -> None:
        """A REGISTER without a body."""
        self.check_every_way(REGISTER, 1)

    def test_info(self) -> None:
        """A request with a body that is not ASCII."""
        self.check_every_way(INFO, 1)

    def test_response(self) -> None:
        """A 200."""
        self.check_every_way(OK, 1)

    def test_many(self) -> None:
        """Several messages and a ping in one segment."""
        self.check_every_way(REGISTER + INFO + PING + b"\r\n" + OK, 4)

    def test_malformed(self) -> None:
        """A message that is refused does not disturb the next one."""
        self.check_every_way(REGISTER.replace(b"CSeq: 1", b"CSeq: x") + OK, 2)

    def test_body_is_cut_by_length(self) -> None:
        """A body is as long as Content-Length says, in bytes and not in characters."""
        self.assertEqual(one_request(INFO).body, "Grüße!\n".encode())

    def test_iterating_may_be_given_up(self) -> None:
        """Bytes that were handed over are not lost when the iteration stops half-way."""
        stream = MessageStream()
        next(stream.receive(OK + INFO))
        stream.receive(REGISTER)
        rest = list(stream.receive(b""))
        self.assertEqual([type(item) for item in rest], [Request, Request])


class KeepAlives(SynchronousTestCase):
    """CRLF between messages."""

    def kinds(self, *chunks: bytes) -> list[str]:
        """Return the class names of what comes out."""
        items, lost, _ = receive_all(chunks)
        self.assertIsNone(lost)
        return [type(item).__name__ for item in items]

    def test_ping(self) -> None:
        """CRLF CRLF is a ping, also in two segments."""
        self.assertEqual(self.kinds(PING), ["KeepAlive"])
        self.assertEqual(self.kinds(b"\r\n", b"\r\n"), ["KeepAlive"])
        self.assertEqual(self.kinds(b"\r", b"\n\r", b"\n"), ["KeepAlive"])

    def test_single_line_end(self) -> None:
        """One CRLF before a message means nothing, and is forgotten with the message."""
        self.assertEqual(
            self.kinds(b"\r\n" + OK + b"\r\n" + OK + PING), ["Response", "Response", "KeepAlive"]
        )

    def test_many_line_ends(self) -> None:
        """A flood of line ends neither recurses nor is kept."""
        items, _, stream = receive_all([PING * 5000])
        self.assertEqual((len(items), len(stream._buffer)), (5000, 0))
        self.assertIsInstance(items[0], KeepAlive)


class FramingIsLost(SynchronousTestCase):
    """Where the next message begins is not known: close."""

    def lost(self, data: bytes, limits: StreamLimits | None = None) -> tuple[list[Item], str]:
        """Check that a stream is given up after a message; return what was yielded of it."""
        (ok, *items), lost, stream = receive_all([OK + data], limits)
        self.assertIsInstance(ok, Response)
        dripped, _, _ = receive_all(single_bytes(OK + data), limits)
        self.assertEqual(described(dripped), described([ok, *items]))
        assert lost is not None
        self.assertRaises(FramingLost, list, stream.receive(OK))
        self.assertEqual(len(stream._buffer), 0)
        return items, str(lost)

    def answer(self, data: bytes, limits: StreamLimits | None = None) -> tuple[int, str]:
        """The same, for what is answered."""
        (item,), _ = self.lost(data, limits)
        assert isinstance(item, Malformed)
        assert item.response is not None
        self.assertTrue(item.error.close)
        return item.response.status, item.response.reason

    def test_type_without_length(self) -> None:
        """A body is announced but not how long it is."""
        data = INFO.replace(b"Content-Length: 9\r\n", b"")
        self.assertEqual(self.answer(data), (400, "Missing Content-Length"))

    def test_no_body_at_all(self) -> None:
        """Without Content-Type there is no body, and no Content-Length is needed."""
        self.assertEqual(one_request(REGISTER.replace(b"Content-Length: 0\r\n", b"")).body, b"")

    def test_bad_lengths(self) -> None:
        """Lengths that could be read in two ways."""
        for text in (b"-9", b"+9", b"9, 9", b"9 9", b"0x9", b"", "９".encode(), b"1" * 40):
            status, _ = self.answer(INFO.replace(b"Length: 9", b"Length: " + text))
            self.assertEqual(status, 400, text)

    def test_two_lengths(self) -> None:
        """Two different ones; the same one twice is only refused."""
        twice = INFO.replace(b"Content-Length: 9\r\n", b"Content-Length: 9\r\nl: 8\r\n")
        self.assertEqual(self.answer(twice), (400, "Two different Content-Length"))
        items, lost, _ = receive_all([twice.replace(b"l: 8", b"l: 9") + OK])
        self.assertIsNone(lost)
        self.assertEqual([type(item) for item in items], [Malformed, Response])

    def test_too_long_a_body(self) -> None:
        """A body over the limit is refused before it is read."""
        data = INFO.replace(b"Length: 9", b"Length: 21")
        self.assertEqual(self.answer(data, SMALL), (413, "Request Entity Too Large"))

    def test_too_long_a_head(self) -> None:
        """A head over the limit, complete or not."""
        head = b"OPTIONS sip:a@b SIP/2.0\r\n" + b"A: b\r\n" * 200
        for data in (head, head + b"\r\n"):
            items, reason = self.lost(data, SMALL)
            self.assertEqual((items, reason), ([], "head longer than 600 bytes"))

    def test_line_feeds(self) -> None:
        """A client that ends lines with LF is told by a closed connection, not by silence."""
        items, reason = self.lost(REGISTER.replace(b"\r\n", b"\n"))
        self.assertEqual((items, reason), ([], "lines end in LF instead of CRLF"))

    def test_half_line_ends(self) -> None:
        """CR or LF alone, or control characters: no two parsers would agree on the lines."""
        for text in (b"a\nb", b"a\rb", b"a\rb\nc", b"a\x00b", b"\\\rb", b"a\x7f"):
            items, _ = self.lost(REGISTER.replace(b"registration", text))
            self.assertEqual(len(items), 1, text)

    def test_other_protocols(self) -> None:
        """What is not SIP is given up at its first lines, so nothing can be hidden in its body."""
        for data in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + OK, b"\x16\x03\x01\r\n\r\n", b"hello\r\n\r\n"):
            items, reason = self.lost(data)
            self.assertEqual((items, reason), ([], "not SIP"))


class Refused(SynchronousTestCase):
    """Messages that are refused while the stream goes on."""

    def refused(self, data: bytes, limits: StreamLimits | None = None) -> Malformed:
        """Return the refusal."""
        (item, ok), lost, _ = receive_all([data + OK], limits)
        self.assertIsNone(lost)
        self.assertIsInstance(ok, Response)
        assert isinstance(item, Malformed)
        return item

    def test_reasons_name_the_header(self) -> None:
        """Each mandatory header, missing or malformed, is named in the refusal."""
        for name in (b"Via", b"From", b"To", b"Call-ID", b"CSeq"):
            pattern = rb"\r\n" + name + rb": [^\r]*"
            for instead in (b"", b"\r\n" + name + b': ,; <"', b"\r\n" + name + b":"):
                item = self.refused(re.sub(pattern, instead, REGISTER))
                self.assertEqual(item.error.status, 400)
                self.assertIn(name.decode(), item.error.reason)

    def test_lines_without_sense(self) -> None:
        """No colon, no name, no UTF-8: 400, with what can be read of the message."""
        for line in (b"no colon", b": no name", b"na me: x", b"Subject: \xff"):
            item = self.refused(REGISTER.replace(b"Event: registration", line))
            assert item.response is not None
            self.assertEqual((item.error.status, item.response.cseq.number), (400, 1))

    def test_the_length_of_a_broken_message_counts(self) -> None:
        """The body of a refused message is skipped, also behind a line that makes no sense."""
        self.refused(INFO.replace(b"Max-Forwards", b"Max Forwards"))

    def test_limits(self) -> None:
        """Too many or too long lines."""
        many = REGISTER.replace(b"Event: registration\r\n", b"A: b\r\n" * 13)
        limits = StreamLimits(header_count=20, line_bytes=300)
        self.assertEqual(self.refused(many, limits).error.reason, "Too many header fields")
        long = REGISTER.replace(b"registration", b"x" * 300)
        self.assertEqual(self.refused(long, limits).error.reason, "Header line too long")

    def test_never_answered(self) -> None:
        """A broken ACK or response gets no answer."""
        self.assertIsNone(self.refused(INFO.replace(b"INFO", b"ACK").replace(b"2 ACK", b"x")).response)
        self.assertIsNone(self.refused(OK.replace(b"CSeq: 7", b"CSeq: x")).response)

    def test_the_answer_has_a_tag(self) -> None:
        """The refusal's To has a tag, the same one if the message comes again."""
        tags = {self.tag(REGISTER.replace(b"70", b"many")) for _ in range(2)}
        self.assertEqual(len(tags), 1)
        self.assertNotIn(None, tags)
        self.assertEqual(self.tag(INFO.replace(b"70", b"many")), "53038A8258FB")

    def tag(self, data: bytes) -> str | None:
        """Return the To tag of the refusal."""
        response = self.refused(data).response
        assert response is not None
        return response.to.tag


class Properties(SynchronousTestCase):
    """What holds for every stream of bytes."""

    @given(STREAMS, st.lists(st.integers(0, 3000), max_size=12))
    @example(b"\n\n\r\n\r\n", [2])
    @example(b"\r\n\r\n\n\n", [1])
    def test_chopping_changes_nothing(self, data: bytes, cuts: list[int]) -> None:
        """However a stream is cut, the same comes out, and it is given up at the same place or not."""
        whole, lost, _ = receive_all([data], SMALL)
        chopped, also_lost, _ = receive_all(chop(data, cuts), SMALL)
        self.assertEqual(described(chopped), described(whole))
        self.assertEqual(lost is None, also_lost is None)

    @given(STREAMS)
    def test_nothing_else_is_raised_and_nothing_grows(self, data: bytes) -> None:
        """Any bytes: no other exception than `FramingLost`, and no more is held than the limits allow."""
        stream = MessageStream(SMALL)
        most = 0
        try:
            for chunk in single_bytes(data):
                list(stream.receive(chunk))
                most = max(most, len(stream._buffer))
        except FramingLost:
            self.assertEqual(len(stream._buffer), 0)
        self.assertLessEqual(most, SMALL.head_bytes + 4)

    @given(STREAMS)
    def test_what_is_answered_is_well_formed(self, data: bytes) -> None:
        """No refusal holds anything that would break the stream of answers."""
        items, _, _ = receive_all([data], SMALL)
        for item in items:
            if isinstance(item, Malformed) and item.response is not None:
                answer = item.response.to_bytes()
                self.assertEqual(answer.count(b"\r\n\r\n"), 1)
                answered, lost, _ = receive_all([answer])
                self.assertIsNone(lost)
                self.assertEqual(len(answered), 1)

    def test_a_slow_drip_costs_no_more_than_its_length(self) -> None:
        """A long body in single bytes: the head is parsed once, not once a byte."""
        head = wire("OPTIONS sip:a@b SIP/2.0\nContent-Length: 100000\n\n")
        stream = MessageStream()
        heads = 0
        read_head = stream._read_head

        def counted(data: bytes) -> object:
            nonlocal heads
            heads += 1
            return read_head(data)

        self.patch(stream, "_read_head", counted)
        items: list[Item] = []
        for chunk in single_bytes(head + b"\r\n" * 50000):
            items.extend(stream.receive(chunk))
        self.assertEqual((len(items), heads), (1, 1))
