"""Any text survives writer and parser, and any bytes are read or refused, nothing else."""

from __future__ import annotations

import re
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import CommandRefused, SipRefused
from pchat.xccos import writer
from pchat.xccos.parser import Command, Envelope, Post, parse_envelope
from pchat.xccos.reading import READERS, read_command
from pchat.xccos.writer import MessageBlock, RoomBlock, UserBlock
from tests.xccos.samples import ROOM, command_body, post, post_body, wrap

EXAMPLES = settings(deadline=None, max_examples=200)
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Surrogates and control characters included: chat comes from anywhere, above all from converted RTF.
ANY_TEXT = st.text(st.characters(categories=None), max_size=200) | st.text(
    st.sampled_from("\x00\x01\t\n\r <>&\"']!-[;#x\ud800\udc00\ufffe\uffff\ufeff\x85\u2028é😀"), max_size=40
)
# "|" stands for a blank inside a piece.
PIECES = st.sampled_from(
    [
        *rb"""
        <xccos> </xccos> <xccos|envid="1"|xmlns="urn:parlano:xml:ns:xccos"> <cmd |id="cmd:join" > />
        |id="cmd:bccontext" </cmd> <data> <data/> </data> <chanid|key="0"|domain="d"|value="g"/> </grpchat>
        <chanib|uri="ma-chan://d/g"/> <grpchat |chanUri="x" <chat> </chat> <rtf> </rtf> text &lt; &#x1;
        <!DOCTYPE|x> <!ENTITY|a|"b"> <![CDATA[ ]]> <!-- --> <?xml|version="1.0"?> <?p|?> |xmlns:q="u" <q:cmd/>
        |encoding="utf-16" |seqid="1" &#13; &x;
        """.split(),
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\x00",
        b"\xc3\xa9",
        b"\xe9",
    ]
).map(lambda piece: piece.replace(b"|", b" "))


def as_received(text: str) -> str:
    """Say what must come out of writer and parser for a text: forbidden characters replaced, line ends LF."""
    return re.sub("\r\n?", "\n", FORBIDDEN.sub("\ufffd", text))


def mutated(body: bytes) -> st.SearchStrategy[bytes]:
    """Cut, doubled and overwritten variants of a good body."""
    places = st.integers(0, len(body))
    return st.builds(
        lambda a, b, junk: body[:a] + junk + body[b:], places, places, st.binary(max_size=8) | PIECES
    )


class RoundTripTests(SynchronousTestCase):
    """The parser reads back what the writer wrote."""

    @EXAMPLES
    @given(ANY_TEXT, st.none() | ANY_TEXT, st.booleans())
    def test_message(self, chat: str, rtf: str | None, alert: bool) -> None:
        """A message of any text is delivered as that text."""
        block = MessageBlock(ROOM, "sip:alice@example.com", "Alice", "2013Z", 1, alert, chat, rtf)
        self.assertEqual(
            post(writer.grpchat("1", block)),
            Post(
                ROOM,
                "sip:alice@example.com",
                "2013Z",
                as_received(chat),
                as_received(rtf or "") or None,
                alert,
                "1",
            ),
        )

    @EXAMPLES
    @given(ANY_TEXT)
    def test_text_once_cleaned_is_stable(self, chat: str) -> None:
        """What was received once is stored, sent and received again without any further change."""
        once = as_received(chat)
        again = post(writer.grpchat("1", MessageBlock(ROOM, "", "", "", 1, False, once)))
        self.assertEqual(again.chat, once)

    @EXAMPLES
    @given(ANY_TEXT, ANY_TEXT)
    def test_attributes(self, name: str, other: str) -> None:
        """Names of any text come back from attributes, line breaks and tabs included."""
        rendered = writer.room_block(RoomBlock(ROOM, name, other, "p", "NORMAL", "OPEN"))
        found = etree.fromstring(rendered + "\n")
        self.assertEqual(found.get("name"), FORBIDDEN.sub("\ufffd", name))
        self.assertEqual(found.get("description"), FORBIDDEN.sub("\ufffd", other))
        user = etree.fromstring(writer.user_block(UserBlock(name, other, 5, name, other, name)))
        self.assertEqual(user.get("email"), FORBIDDEN.sub("\ufffd", name))


class FuzzTests(SynchronousTestCase):
    """Any bytes end as an envelope or as a refusal with 400 or 413, in bounded time."""

    def check(self, body: bytes) -> None:
        """Feed one body, and each command of it to its reader."""
        started = time.process_time()
        try:
            envelope = parse_envelope(body)
        except SipRefused as error:
            self.assertIn(error.status, (400, 413))
        else:
            self.assertIsInstance(envelope, Envelope)
            for item in envelope.items:
                self.check_item(item)
        self.assertLess(time.process_time() - started, 1.0)

    def check_item(self, item: Command | Post) -> None:
        """A command is read or refused by name, a post holds text that can be sent again."""
        if isinstance(item, Post):
            self.assertNotIn("\r", item.chat)
            self.assertIsNone(FORBIDDEN.search(item.chat + (item.rtf or "")))
            return
        try:
            read_command(item)
        except CommandRefused as error:
            self.assertIn(error.code.number, (400, 405, 413))

    @EXAMPLES
    @given(st.binary(max_size=400))
    def test_any_bytes(self, body: bytes) -> None:
        """Bytes without any plan."""
        self.check(body)

    @EXAMPLES
    @given(st.lists(PIECES, max_size=30).map(b"".join))
    def test_pieces(self, body: bytes) -> None:
        """Pieces of envelopes in any order."""
        self.check(body)

    @EXAMPLES
    @given(mutated(post_body("<chat>grüße &amp; &#13; <![CDATA[x]]></chat><rtf>r</rtf>")))
    def test_mutated_post(self, body: bytes) -> None:
        """A good post with one wound."""
        self.check(body)

    @EXAMPLES
    @given(
        mutated(command_body("bccontext", f'<data><chanib uri="{ROOM}"/><bcq><last cnt="25"/></bcq></data>'))
    )
    def test_mutated_command(self, body: bytes) -> None:
        """A good command with one wound."""
        self.check(body)

    @EXAMPLES
    @given(
        st.sampled_from(sorted(READERS)),
        st.sampled_from(["chanid", "chanib", "inv", "qib", "sib", "bcq"]),
        st.dictionaries(
            st.sampled_from(["key", "domain", "value", "uri", "inviteId", "qtype", "criteria", "maxResults"]),
            ANY_TEXT,
        ),
    )
    def test_arguments(self, name: str, element: str, attributes: dict[str, str]) -> None:
        """Known commands with any text in any argument."""
        written = "".join(f' {key}="{writer.attribute(value)}"' for key, value in attributes.items())
        self.check(wrap(f'<cmd id="cmd:{name}" seqid="1"><data><{element}{written}/></data></cmd>'))

    @EXAMPLES
    @given(st.integers(0, 60), st.integers(0, 60), st.sampled_from(["a", "chat", "data", "q:a"]))
    def test_shapes(self, depth: int, width: int, name: str) -> None:
        """Trees of any depth and width."""
        inner = f"<{name}>" * depth + f"<{name}/>" * width + f"</{name}>" * depth
        self.check(wrap(f'<grpchat chanUri="x">{inner}</grpchat>'))
