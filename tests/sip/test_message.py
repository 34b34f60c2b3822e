"""Requests and responses: built, written, answered and checked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import OurError, SipRefused
from pchat.sip.headers import CSeq, Headers
from pchat.sip.message import REASONS, Request, Response, parse_head, refusal
from tests.sip.fixtures import INFO, OK, REGISTER, one_request, one_response, wire

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=8)
VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20).map(str.strip)
FIELDS = st.lists(st.tuples(TOKENS.filter(lambda name: len(name) > 1), VALUES), max_size=6)
MANDATORY = [
    ("Via", "SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK1"),
    ("From", "<sip:alice@example.com>;tag=1"),
    ("To", "<sip:chat@example.com>"),
    ("Call-ID", "c"),
]


class Reading(SynchronousTestCase):
    """What the properties tell."""

    def test_register(self) -> None:
        """The client's REGISTER."""
        request = one_request(REGISTER)
        self.assertEqual((request.method, request.uri), ("REGISTER", "sip:example.com"))
        self.assertEqual(request.call_id, "E476g323Aa9430iC726mA7CDtD67Db4D49x1649x")
        self.assertEqual(request.cseq, CSeq(1, "REGISTER"))
        self.assertEqual((request.from_.uri, request.from_.tag), ("sip:alice@example.com", "4278647422"))
        self.assertEqual((request.from_.params["epid"], request.to.tag), ("cf0b98dadeb9", None))
        self.assertEqual(request.vias[0].transport, "tls")
        (contact,) = request.contacts
        self.assertEqual(contact.params["proxy"], "replace")
        self.assertEqual(contact.params["+sip.instance"], "<urn:uuid:b7878522-d7fe-5c33-b30d-265f6618ae78>")
        self.assertEqual((request.content_type, request.expires), ("", None))

    def test_info(self) -> None:
        """A request inside a dialog: no branch; the type without its parameters."""
        request = one_request(INFO)
        self.assertIsNone(request.vias[0].branch)
        self.assertEqual(request.content_type, "text/plain")

    def test_expires(self) -> None:
        """Seconds; too large a number means for ever, no number is refused."""
        for text, expected in (("0", 0), ("7200", 7200), ("9" * 15, 2**32 - 1)):
            self.assertEqual(Response(200, "OK", Headers([("Expires", text)])).expires, expected)
        for text in ("", "-1", "1.5", "x"):
            response = Response(200, "OK", Headers([("Expires", text)]))
            self.assertRaises(SipRefused, getattr, response, "expires")

    def test_missing(self) -> None:
        """Asking for a header that is not there is refused with its name."""
        request = Request("INFO", "sip:a@b", Headers())
        for attribute, name in (("call_id", "Call-ID"), ("cseq", "CSeq"), ("from_", "From"), ("to", "To")):
            error = self.assertRaises(SipRefused, getattr, request, attribute)
            self.assertEqual((error.status, error.reason), (400, f"Missing {name}"))

    def test_contact_star(self) -> None:
        """The Contact that means all of them is no address."""
        self.assertEqual(Request("REGISTER", "sip:a", Headers([("Contact", "*")])).contacts, [])

    def test_parse_head(self) -> None:
        """A head is read with and without the blank line that ends it."""
        for end in (b"", b"\r\n", b"\r\n\r\n"):
            self.assertEqual(parse_head(b"SIP/2.0 200 OK\r\nTo: a" + end).headers.get("To"), "a")
        self.assertEqual(self.assertRaises(SipRefused, parse_head, b"SIP/3.0 200 OK").status, 505)
        self.assertIsInstance(parse_head(b"sip/2.0 200 OK"), Response)
        for head in (b"", b"\r\n", b"INVITE", b"SIP/2.0 700 x", b"SIP/2.0 20 x", b"SIP/2.0 200OK"):
            self.assertEqual(self.assertRaises(SipRefused, parse_head, head).status, 400)

    def test_folded(self) -> None:
        """A folded value is read with one blank in place of each fold; a folded empty line is nothing."""
        message = parse_head(wire("SIP/2.0 200 OK\nSubject: a\n  b  \n\tc\nX:\n \n y"))
        self.assertEqual(message.headers.get("Subject"), "a b c")
        self.assertEqual(message.headers.get("X"), "y")


class Checking(SynchronousTestCase):
    """What is refused before anybody reads it."""

    def refused(self, name: str, value: str, method: str = "INFO", uri: str = "sip:a@b") -> str:
        """Return why a request with one header changed is refused."""
        request = Request(method, uri, Headers([*MANDATORY, ("CSeq", "1 INFO")]))
        request.headers.set(name, value)
        return str(self.assertRaises(SipRefused, request.check).reason)

    def test_values(self) -> None:
        """Each refusal says what is wrong."""
        self.assertEqual(self.refused("Max-Forwards", "256"), "Max-Forwards out of range")
        self.assertEqual(self.refused("Max-Forwards", "-1"), "Malformed Max-Forwards")
        self.assertEqual(self.refused("Contact", "x"), "Malformed URI in Contact")
        self.assertEqual(self.refused("Expires", "x"), "Malformed Expires")
        self.assertEqual(self.refused("Call-ID", "a b"), "Malformed Call-ID")
        self.assertEqual(self.refused("Via", ""), "Missing Via")
        self.assertEqual(self.refused("X", "", method="BYE"), "CSeq method does not match")
        self.assertEqual(self.refused("X", "", uri="sip:"), "Malformed Request-URI")
        self.assertEqual(self.refused("X", "", uri="sip:a@b?x=y"), "Request-URI with header fields")
        self.assertEqual(self.refused("X", "", uri="sip:a@@b"), "Malformed user part of URI")

    def test_uris_taken(self) -> None:
        """Requests to a domain, a user, a GRUU, IPv6 and a number."""
        for uri in (
            "sip:example.com",
            "sips:a@b:5061",
            "sip:a@b;gruu;opaque=app:conf:1",
            "sip:[::1]",
            "tel:+1",
        ):
            Request("INFO", uri, Headers([*MANDATORY, ("CSeq", "1 INFO")])).check()


class Answering(SynchronousTestCase):
    """Responses to requests."""

    def test_copied(self) -> None:
        """Via, From, To, Call-ID and CSeq are taken over to the letter and in their order."""
        request = parse_head(
            wire(
                "INFO sip:a@b SIP/2.0\nv: SIP / 2.0/TCP a\nCSeq: 007  INFO\nX: y\n"
                "t: B<sip:b@b> ;x\nVia: b\ni: 1"
            )
        )
        assert isinstance(request, Request)
        response = request.response(200, to_tag="ours", headers=[("Server", "RTC/5.0")])
        self.assertEqual(
            list(response.headers),
            [
                ("Via", "SIP / 2.0/TCP a"),
                ("CSeq", "007  INFO"),
                ("To", "B<sip:b@b> ;x;tag=ours"),
                ("Via", "b"),
                ("Call-ID", "1"),
                ("Server", "RTC/5.0"),
            ],
        )

    def test_tag(self) -> None:
        """A tag that To has is kept."""
        self.assertEqual(one_request(INFO).response(200, to_tag="x").to.tag, "53038A8258FB")
        self.assertIsNone(one_request(REGISTER).response(200).to.tag)

    def test_reason(self) -> None:
        """The usual phrase, or the given one, which may be empty."""
        request = one_request(INFO)
        self.assertEqual(request.response(481).reason, REASONS[481])
        self.assertEqual((request.response(499).reason, request.response(200, "").reason), ("Unknown", ""))

    def test_body(self) -> None:
        """A body with its type."""
        response = request_with_body = one_request(INFO).response(
            200, content_type="text/plain", body=b"\xff\n"
        )
        again = one_response(response.to_bytes())
        self.assertEqual((again.body, again.content_type), (request_with_body.body, "text/plain"))

    def test_refusal(self) -> None:
        """What a client shows its user and what an administrator looks for."""
        error = SipRefused(503, "Busy", diagnostics=20000, warning='say "no"', retry_after=5)
        response = refusal(one_request(INFO), error, "chat.example.com")
        self.assertEqual((response.status, response.reason), (503, "Busy"))
        self.assertEqual(
            response.headers.get("ms-diagnostics"), '20000;reason="Busy";source="chat.example.com"'
        )
        self.assertEqual(response.headers.get("Warning"), '399 chat.example.com "say \\"no\\""')
        self.assertEqual(response.headers.get("Retry-After"), "5")
        plain = refusal(one_request(INFO), SipRefused(403, "No"), "chat.example.com")
        self.assertNotIn("Warning", plain.headers)


class Writing(SynchronousTestCase):
    """What leaves."""

    def test_length(self) -> None:
        """Content-Length is always there, once, last, and ours."""
        request = Request("INFO", "sip:a@b", Headers([("l", "7"), ("m", "<sip:c@d>")]), "ü".encode())
        self.assertEqual(
            request.to_bytes(),
            b"INFO sip:a@b SIP/2.0\r\nContact: <sip:c@d>\r\nContent-Length: 2\r\n\r\n\xc3\xbc",
        )
        self.assertTrue(Response(200, "OK").to_bytes().endswith(b"Content-Length: 0\r\n\r\n"))

    def test_lines_cannot_be_injected(self) -> None:
        """A line end in a value of ours is a bug, and never sent."""
        for text in ("a\r\nb", "a\nb", "a\rb"):
            self.assertRaises(OurError, Response(200, "OK", Headers([("X", text)])).to_bytes)
            self.assertRaises(OurError, Response(200, text).to_bytes)
            self.assertRaises(OurError, Request("INFO", f"sip:{text}", Headers()).to_bytes)

    def test_received_is_written_alike(self) -> None:
        """A message that was received is written with the same bytes where it was written our way."""
        self.assertEqual(one_response(OK).to_bytes(), OK)
        self.assertEqual(one_request(REGISTER).to_bytes(), REGISTER)

    @given(TOKENS, FIELDS, st.binary(max_size=40))
    def test_round_trip_of_requests(self, method: str, fields: list[tuple[str, str]], body: bytes) -> None:
        """What is written is read as the same."""
        known = {
            "content-length",
            "via",
            "from",
            "to",
            "call-id",
            "cseq",
            "expires",
            "contact",
            "max-forwards",
        }
        own = [pair for pair in fields if pair[0].lower() not in known]
        headers = Headers([*MANDATORY, ("CSeq", f"1 {method}"), *own])
        request = Request(method, "sip:a@b", headers, body)
        again = one_request(request.to_bytes())
        again.headers.remove("Content-Length")
        self.assertEqual(again, request)

    @given(st.integers(100, 699), VALUES, FIELDS, st.binary(max_size=40))
    def test_round_trip_of_responses(
        self, status: int, reason: str, fields: list[tuple[str, str]], body: bytes
    ) -> None:
        """What is written is read as the same."""
        response = Response(status, reason, Headers([("Call-ID", "c"), ("CSeq", "1 INFO"), *fields]), body)
        again = one_response(response.to_bytes())
        again.headers.remove("Content-Length")
        self.assertEqual(again, response)
