"""Hostile XML is refused with 400 or 413, quickly, without reading files and without growing."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import SipRefused
from pchat.xccos.limits import XmlLimits
from pchat.xccos.parser import parse_envelope
from tests.xccos.samples import post, post_body, wrap

#: Far above what any document within the limits needs, far below what an attack takes when it works.
CPU_SECONDS = 2.0


class HostileTests(SynchronousTestCase):
    """One attack a test."""

    def assert_refused(self, body: bytes, status: int = 400, limits: XmlLimits | None = None) -> None:
        """Expect a refusal within bounded processor time."""
        started = time.process_time()
        error = self.assertRaises(SipRefused, parse_envelope, body, limits or XmlLimits())
        self.assertLess(time.process_time() - started, CPU_SECONDS)
        self.assertEqual(error.status, status)
        self.assertFalse(error.close)

    def test_not_well_formed(self) -> None:
        """Broken XML in all its usual kinds."""
        good = post_body()
        for body in (
            b"",
            b" ",
            b"hello",
            b"\x00",
            good[:-1],
            good + b"<x/>",
            good + b"x",
            b"\n" + b'<?xml version="1.0"?>' + good,
            good.replace(b"</chat>", b"</chat >>").replace(b"<chat>", b"<chat"),
            good.replace(b'seqid="1"', b'seqid="1" seqid="1"'),
            good.replace(b"hello", b"a & b"),
            good.replace(b"hello", b"a ]]> b"),
            good.replace(b"hello", b"&unknown;"),
            good.replace(b"<chat>", b"<q:chat>").replace(b"</chat>", b"</q:chat>"),
        ):
            self.assert_refused(body)

    def test_every_cut(self) -> None:
        """A document cut at any byte is refused, never half executed."""
        good = post_body("<chat>grüße</chat>")
        for length in range(len(good)):
            self.assert_refused(good[:length])

    def test_control_characters(self) -> None:
        """Control characters (pidgin-sipe sends ``&#x1;``), surrogates and non-characters are refused."""
        for text in (
            "&#x1;",
            "&#0;",
            "&#x1F;",
            "&#xD800;",
            "&#xFFFE;",
            "&#x110000;",
            "&#99999999999;",
            "\x01",
            "\x00",
        ):
            self.assert_refused(post_body(f"<chat>a{text}b</chat>"))
        self.assert_refused(post_body(attributes=' alert="&#x1;"'))
        self.assert_refused(b'<?xml version="1.1"?>' + post_body("<chat>&#x1;</chat>"))

    def test_bytes_that_are_no_utf8(self) -> None:
        """Bytes that are not UTF-8 are refused, not guessed: Latin-1, surrogates, overlong and cut forms."""
        for junk in (b"\xe9", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2\x82"):
            self.assert_refused(post_body().replace(b"hello", junk))

    def test_other_encodings(self) -> None:
        """Other encodings are refused, declared or not, lies included: nothing is read but UTF-8."""
        text = post_body().decode()
        for name in ("iso-8859-1", "windows-1252", "utf-16", "utf-7", "cp037", "utf-32", "x-none", ""):
            self.assert_refused(f'<?xml version="1.0" encoding="{name}"?>{text}'.encode())
        self.assert_refused(f"\ufeff<?xml version='1.0' encoding='UTF-16'?>{text}".encode())
        for codec in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037"):
            self.assert_refused(text.encode(codec))
            self.assert_refused(f'<?xml version="1.0" encoding="{codec}"?>{text}'.encode(codec))
        self.assert_refused(b"\xef\xbb\xbf\xef\xbb\xbf" + post_body())

    def test_doctype(self) -> None:
        """Any DOCTYPE is refused, wherever a prolog can hide it."""
        good = post_body()
        for start in (
            b"<!DOCTYPE xccos>",
            b"<!DOCTYPE xccos []>",
            b'<!DOCTYPE xccos SYSTEM "http://192.0.2.1/x.dtd">',
            b'<!DOCTYPE xccos PUBLIC "-//X//Y" "x.dtd">',
            b"\xef\xbb\xbf<!DOCTYPE xccos>",
            b'<?xml version="1.0"?><!DOCTYPE xccos>',
            b'<?xml version="1.0"?>\r\n<!-- <xccos> --><?pi <xccos ?>\t<!DOCTYPE xccos>',
            b"<!-- - -- -><!DOCTYPE xccos>",
            b"<!DOCTYPE",
        ):
            self.assert_refused(start + good)
        self.assert_refused(good.replace(b"hello", b"<!DOCTYPE x>"))
        self.assert_refused(b"<!doctype xccos>" + good)

    def test_entity_bombs(self) -> None:
        """Billion laughs and quadratic blow-up, general and parameter entities, never expand."""
        laughs = b"".join(
            b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 10)
        )
        use = post_body().replace(b"hello", b"&l9;")
        self.assert_refused(b'<!DOCTYPE xccos [<!ENTITY l0 "lol">' + laughs + b"]>" + use)
        blow = b'<!DOCTYPE xccos [<!ENTITY l9 "' + b"x" * 50_000 + b'">]>'
        self.assert_refused(blow + post_body().replace(b"hello", b"&l9;" * 1000))
        self.assert_refused(b"<!DOCTYPE xccos [<!ENTITY % p \"<!ENTITY l9 'x'>\"> %p;]>" + use)
        self.assert_refused(b'<!DOCTYPE xccos [<!ENTITY l9 "&l9;">]>' + use)

    def test_external_entities_and_inclusion(self) -> None:
        """Files of the server are never read: neither by entities nor by XInclude."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        secret = Path(folder.name, "secret")
        secret.write_text("the secret")
        uri = secret.as_uri().encode()
        body = post_body().replace(b"hello", b"&e;")
        self.assert_refused(b'<!DOCTYPE xccos [<!ENTITY e SYSTEM "' + uri + b'">]>' + body)
        include = (
            f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{uri.decode()}" parse="text"/>'
        )
        self.assertEqual(post(post_body(f"<chat>a{include}b</chat>")).chat, "ab")

    def test_depth(self) -> None:
        """Nesting is refused above the limit, at any depth, and accepted at it."""
        for levels in (17, 100, 255, 256, 300, 10_000):
            self.assert_refused(b"<xccos>" + b"<a>" * (levels - 1) + b"</a>" * (levels - 1) + b"</xccos>")
        fits = b"<xccos>" + b"<a>" * 15 + b"</a>" * 15 + b"</xccos>"
        self.assertEqual(parse_envelope(fits).items, ())
        self.assert_refused(fits, limits=XmlLimits(depth=15))

    def test_size(self) -> None:
        """A body above the limit is refused with 413 before it is read; at the limit it is read."""
        body = post_body(f"<chat>{'x' * 10_000}</chat>")
        self.assertEqual(len(parse_envelope(body, XmlLimits(body_bytes=len(body))).items), 1)
        self.assert_refused(body, 413, XmlLimits(body_bytes=len(body) - 1))
        self.assert_refused(b"\x00" * (XmlLimits().body_bytes + 1), 413)

    def test_elements(self) -> None:
        """A document of very many elements is refused with 413."""
        self.assert_refused(b"<xccos>" + b"<a/>" * 60_000 + b"</xccos>", 413)
        fits = XmlLimits(elements=40)
        self.assertEqual(parse_envelope(b"<xccos>" + b"<a/>" * 39 + b"</xccos>", fits).items, ())
        self.assert_refused(b"<xccos>" + b"<a/>" * 40 + b"</xccos>", 413, fits)
        self.assert_refused(b"<xccos><a/><b/><c/></xccos>", 413, XmlLimits(elements=3))

    def test_attributes(self) -> None:
        """Very many attributes on one element are refused, also when their number is just over the limit."""
        for number in (65, 1_000, 20_000):
            attributes = " ".join(f'a{n:x}=""' for n in range(number))
            self.assert_refused(wrap(f"<a {attributes}/>"))
        exactly = " ".join(f'a{n:x}=""' for n in range(64))
        self.assertEqual(parse_envelope(wrap(f"<a {exactly}/>")).items, ())

    def test_namespaces(self) -> None:
        """Thousands of namespace declarations, and long names, end in bounded time."""
        started = time.process_time()
        declarations = "".join(f'<a xmlns="u:{n}"/>' for n in range(4_000))
        self.assertEqual(parse_envelope(wrap(declarations)).items, ())
        many = " ".join(f'xmlns:n{n}="u:{n}"' for n in range(8_000))
        self.assertEqual(parse_envelope(wrap(f"<a {many}/>")).items, ())
        self.assertLess(time.process_time() - started, CPU_SECONDS)
        self.assert_refused(b"<xccos><" + b"a" * 200_000 + b"/></xccos>")

    def test_prolog_that_never_ends(self) -> None:
        """Long prologs, closed and unclosed, cost linear time."""
        doctype = b"<!DOCTYPE a><xccos><cmd/></xccos>"
        for part in (
            b"<!---->",
            b"<!--",
            b"<?a?>",
            b"<?",
            b" ",
            b"<!-- --",
            b"<?xml encoding",
            b"encoding= ",
        ):
            self.assert_refused(part * (200_000 // len(part)) + doctype)
            self.assert_refused(b"<?xml " + part * (200_000 // len(part)) + doctype)

    def test_namespace_tricks(self) -> None:
        """Elements of a foreign namespace are no commands, whatever their local name."""
        foreign = '<cmd xmlns="urn:other" id="cmd:requri"/>'
        self.assertEqual(parse_envelope(wrap(foreign)).items, ())
        self.assertEqual(parse_envelope(wrap('<cmd xmlns="urn:parlano:xml:ns:XCCOS" id="cmd:a"/>')).items, ())
        chat = '<chat xmlns="urn:other">forged</chat><chat>true</chat>'
        self.assertEqual(post(post_body(chat)).chat, "true")
        prefixed = '<grpchat xmlns:q="urn:q" q:chanUri="ma-chan://d/g"><chat>x</chat></grpchat>'
        self.assert_refused(wrap(prefixed))
