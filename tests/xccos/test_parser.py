"""What a well-meaning client sends is understood, in all the forms clients were seen or are free to use."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import SipRefused
from pchat.xccos.limits import XmlLimits
from pchat.xccos.parser import Command, Envelope, Post, parse_envelope
from tests.xccos.samples import ENVID, ROOM, command_body, post, post_body, wrap


class EnvelopeTests(SynchronousTestCase):
    """The document around commands and posts."""

    def test_command_of_pidgin_sipe(self) -> None:
        """A command as captured is read with its name, numbers and data."""
        envelope = parse_envelope(command_body("requri"))
        self.assertEqual(envelope, Envelope(ENVID, (Command("requri", "1", ENVID),)))
        item = envelope.items[0]
        assert isinstance(item, Command)
        self.assertIsNotNone(item.data)

    def test_post_of_pidgin_sipe(self) -> None:
        """A post as captured is read with room, text and the client's claims."""
        self.assertEqual(
            parse_envelope(post_body("<chat>hello &lt;world&gt;</chat>")),
            Envelope(
                ENVID,
                (
                    Post(
                        ROOM,
                        "sip:alice@example.com",
                        "2026-11-22T06:29:50Z",
                        "hello <world>",
                        None,
                        False,
                        "1",
                    ),
                ),
            ),
        )

    def test_indented_document(self) -> None:
        """Blanks between elements, as in the specification's samples, mean nothing."""
        body = wrap('\n  <cmd id="cmd:getfutok" seqid="1"><data>\n    <ftdb fileUrl="r.txt"/></data></cmd>\n')
        self.assertEqual(parse_envelope(body).items, (Command("getfutok", "1", ENVID),))

    def test_server_sample_root(self) -> None:
        """The genuine server's root, with its schema namespaces and 64-bit number, is read."""
        body = (
            b'<xccos xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
            b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            b'ver="1" envid="7962449779256945056" xmlns="urn:parlano:xml:ns:xccos"><rpl id="rpl:a"/></xccos>'
        )
        self.assertEqual(parse_envelope(body), Envelope("7962449779256945056", ()))

    def test_command_names_in_any_case(self) -> None:
        """Clients and filters compare command names without case, so do we."""
        for written in ("cmd:BJoin", "CMD:bjoin", "Cmd:BJOIN"):
            (item,) = parse_envelope(wrap(f'<cmd id="{written}" seqid="1"><data/></cmd>')).items
            assert isinstance(item, Command)
            self.assertEqual(item.name, "bjoin")

    def test_namespace_missing_or_prefixed(self) -> None:
        """A client may leave the namespace out or write it as a prefix."""
        for body in (
            b'<xccos envid="4"><cmd id="cmd:requri" seqid="2"><data/></cmd></xccos>',
            b'<q:xccos xmlns:q="urn:parlano:xml:ns:xccos" envid="4">'
            b'<q:cmd id="cmd:requri" seqid="2"><q:data/></q:cmd></q:xccos>',
        ):
            envelope = parse_envelope(body)
            self.assertEqual(envelope, Envelope("4", (Command("requri", "2", "4"),)))
            item = envelope.items[0]
            assert isinstance(item, Command)
            self.assertIsNotNone(item.data)

    def test_declaration_and_mark(self) -> None:
        """An XML declaration for UTF-8 and a byte order mark are fine, together and alone."""
        for start in (
            b"\xef\xbb\xbf",
            b'<?xml version="1.0"?>',
            b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n',
            b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>",
            b'<?xml version="1.0" encoding="us-ascii"?>',
            b"<!-- a remark -->",
        ):
            self.assertEqual(post(start + post_body("<chat>grüße €</chat>")).chat, "grüße €")

    def test_several_items_in_order(self) -> None:
        """Commands and posts of one envelope come in the order of the document; strangers are left out."""
        body = wrap(
            '<cmd id="cmd:getinv" seqid="1"/><unknown/><grpchat chanUri="ma-chan://d/g"><chat>x</chat></grpchat>'
            '<other:cmd xmlns:other="urn:other" id="cmd:part"/><cmd id="cmd:requri" seqid="2"/>'
        )
        self.assertEqual(
            parse_envelope(body).items,
            (Command("getinv", "1", ENVID), Post("ma-chan://d/g", chat="x"), Command("requri", "2", ENVID)),
        )

    def test_missing_numbers(self) -> None:
        """An envelope without a number and a command without one still get an answer."""
        self.assertEqual(
            parse_envelope(b'<xccos><cmd id="cmd:requri"/></xccos>'),
            Envelope("", (Command("requri", "1", ""),)),
        )

    def test_attribute_order_and_strangers(self) -> None:
        """The order of attributes and unknown ones mean nothing."""
        body = wrap('<cmd new="yes" seqid="7" id="cmd:requri"><later/><data x="1"/></cmd>')
        self.assertEqual(parse_envelope(body).items, (Command("requri", "7", ENVID),))


class PostTests(SynchronousTestCase):
    """The text of a post arrives as it was typed."""

    def test_line_ends(self) -> None:
        """All line ends become LF: raw ones, escaped ones, single CRs."""
        chat = "<chat>a\r\nb\rc\nd&#13;\ne&#13;&#10;f&#xD;g</chat>"
        self.assertEqual(post(post_body(chat)).chat, "a\nb\nc\nd\ne\nf\ng")

    def test_rtf_beside_text(self) -> None:
        """The formatted twin of a text is kept, with its line ends as LF."""
        found = post(post_body("<chat>bold</chat><rtf>{\\rtf1 \\b bold}\r\n</rtf>"))
        self.assertEqual((found.chat, found.rtf), ("bold", "{\\rtf1 \\b bold}\n"))

    def test_importance(self) -> None:
        """A message of high importance is known by ``alert``, in the usual ways to write a boolean."""
        for value, alert in (("true", True), ("True", True), ("1", True), ("false", False), ("", False)):
            self.assertIs(post(post_body(attributes=f' alert="{value}"')).alert, alert)
        self.assertIs(post(post_body()).alert, False)

    def test_without_time(self) -> None:
        """A post without author and time is read: both are ours to say."""
        found = post(wrap(f'<grpchat chanUri="{ROOM}"><chat>x</chat></grpchat>'))
        self.assertEqual((found.author, found.ts, found.chat), ("", "", "x"))

    def test_without_text(self) -> None:
        """A post with an empty text or none is read as empty; the room refuses it."""
        for chat in ("<chat></chat>", "<chat/>", "", "<rtf/>"):
            found = post(post_body(chat))
            self.assertEqual((found.chat, found.rtf), ("", None))

    def test_cdata_comments_instructions(self) -> None:
        """CDATA is text, even if it looks like markup; comments and processing instructions vanish."""
        chat = "<chat><![CDATA[<!DOCTYPE html>&amp;]]> a<!-- hidden -->b<?php echo 1 ?>c</chat>"
        self.assertEqual(post(post_body(chat)).chat, "<!DOCTYPE html>&amp; abc")

    def test_markup_loses_tags_not_words(self) -> None:
        """Unescaped markup in a text loses its tags only."""
        self.assertEqual(
            post(post_body("<chat>a <b>bold <i>word</i></b> here</chat>")).chat, "a bold word here"
        )

    def test_blanks_kept(self) -> None:
        """Leading and trailing blanks of a text are the author's."""
        self.assertEqual(post(post_body("<chat>  a\t b \n</chat>")).chat, "  a\t b \n")

    def test_seventy_thousand_characters(self) -> None:
        """What pidgin-sipe was seen to send in one message is read whole, in four-byte characters too."""
        self.assertEqual(len(post(post_body(f"<chat>{'x' * 70_000}</chat>")).chat), 70_000)
        self.assertEqual(post(post_body(f"<chat>{'😀' * 50_000}</chat>")).chat, "😀" * 50_000)

    def test_no_text_in_representation(self) -> None:
        """A post that gets into a log or a traceback does not show what was said."""
        shown = repr(post(post_body("<chat>my secret</chat><rtf>my secret</rtf>")))
        self.assertNotIn("secret", shown)


class RefusedFormTests(SynchronousTestCase):
    """Well-formed documents that are no XCCOS."""

    def assert_refused(self, body: bytes, status: int = 400, limits: XmlLimits | None = None) -> None:
        """Expect a refusal of the INFO."""
        error = self.assertRaises(SipRefused, parse_envelope, body, limits or XmlLimits())
        self.assertEqual(error.status, status)
        self.assertTrue(error.reason.isascii())

    def test_wrong_root(self) -> None:
        """Another document, another case, another namespace: not XCCOS."""
        for body in (
            b"<other><cmd/></other>",
            b'<XCCOS><cmd id="cmd:requri"/></XCCOS>',
            b'<xccos xmlns="urn:other"><cmd id="cmd:requri"/></xccos>',
            b'<cmd id="cmd:requri"/>',
        ):
            self.assert_refused(body)

    def test_no_children(self) -> None:
        """An envelope with nothing in it, or with text only, asks for nothing."""
        for body in (wrap(""), wrap("just text"), b"<xccos/>", wrap("<!-- only this -->")):
            self.assert_refused(body)

    def test_command_without_name(self) -> None:
        """A command that cannot be answered by name is refused."""
        for attributes in (
            "",
            'id=""',
            'id="cmd:"',
            'id="requri"',
            'id="rpl:join"',
            'id="cmd:a b"',
            'id="cmd:é"',
        ):
            self.assert_refused(wrap(f'<cmd {attributes} seqid="1"><data/></cmd>'))
        self.assert_refused(wrap(f'<cmd id="cmd:{"a" * 65}" seqid="1"><data/></cmd>'))

    def test_numbers_that_are_none(self) -> None:
        """Numbers are echoed in our answers, so they cannot be anything."""
        self.assert_refused(b'<xccos envid="&lt;x>"><cmd id="cmd:requri"/></xccos>')
        self.assert_refused(b'<xccos envid="%s"><cmd id="cmd:requri"/></xccos>' % (b"1" * 65))
        self.assert_refused(wrap('<cmd id="cmd:requri" seqid="a&#10;b"/>'))

    def test_doubled_parts(self) -> None:
        """Two texts, two formatted twins or two sets of arguments contradict each other."""
        self.assert_refused(post_body("<chat>a</chat><chat>b</chat>"))
        self.assert_refused(post_body("<chat/><chat>b</chat>"))
        self.assert_refused(post_body("<chat>a</chat><rtf/><rtf>b</rtf>"))
        self.assert_refused(wrap('<cmd id="cmd:requri" seqid="1"><data/><data/></cmd>'))

    def test_post_without_room(self) -> None:
        """A post to nowhere, or to a URI longer than any, is refused."""
        self.assert_refused(wrap("<grpchat><chat>x</chat></grpchat>"))
        self.assert_refused(wrap('<grpchat chanUri=""><chat>x</chat></grpchat>'))
        self.assert_refused(wrap(f'<grpchat chanUri="ma-chan://d/{"g" * 1100}"><chat>x</chat></grpchat>'))

    def test_too_many_commands(self) -> None:
        """An envelope may hold some commands, not hundreds."""
        one = '<cmd id="cmd:requri" seqid="1"/>'
        self.assertEqual(len(parse_envelope(wrap(one * 32)).items), 32)
        self.assert_refused(wrap(one * 33), 413)
