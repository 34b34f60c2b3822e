"""Signed messages: the vectors of a real run, all versions both ways, and every way to be refused."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.auth.ntlm import SigningKeys
from pchat.auth.signature import Association, Checksum, SignatureRefused
from pchat.errors import PeerError
from pchat.sip.message import Request, Response, parse_head

from . import vectors
from .peer import REALM, TARGET, Client

VERSIONS = (4, 3, 2, None)


def association(version: int | None = 4, opaque: str = "A57760B4") -> Association:
    """Make the server's side of the session of the vectors."""
    return Association.ntlm(
        vectors.SESSION_KEY,
        version=version,
        opaque=opaque,
        realm=REALM,
        target_name=TARGET,
        user="alice",
        random=lambda count: b"\x91\xc1\x5b\x91"[:count],
    )


def client(version: int | None = 4) -> Client:
    """Make the client's side of it."""
    peer = Client(version=version)
    peer.session_key = vectors.SESSION_KEY
    peer.opaque = "A57760B4"
    return peer


def message(*lines: str) -> Request | Response:
    """Read a message from its lines."""
    return parse_head("\r\n".join(lines).encode())


REGISTER_LINES = (
    "Via: SIP/2.0/tls 127.0.0.1:42834;branch=z9hG4bK7A50",
    "From: <sip:alice@example.com>;tag=3932752454;epid=cf0b98dadeb9",
    "Call-ID: E4A3gA21Fa5B33i1035m0D1Et63A2b8829xE008x",
    "CSeq: 3 REGISTER",
)
REAL_REGISTER = (
    "REGISTER sip:example.com SIP/2.0",
    *REGISTER_LINES,
    "To: <sip:alice@example.com>",
    'Authorization: NTLM qop="auth", opaque="A57760B4", realm="SIP Communications Service", '
    'targetname="frontend.example.com", crand="68f7ec32", cnum="1", '
    'response="0100000097304E35672F2C7864000000"',
)
REAL_OK = (
    "SIP/2.0 200 OK",
    *REGISTER_LINES,
    "To: <sip:alice@example.com>;tag=B0F8E839147D",
    "Expires: 7200",
)
REAL_SUBSCRIBE = (
    "SUBSCRIBE sip:alice@example.com SIP/2.0",
    "Via: SIP/2.0/tls 127.0.0.1:42834",
    "From: <sip:alice@example.com>;tag=4486034965;epid=cf0b98dadeb9",
    "To: <sip:alice@example.com>",
    "Call-ID: 5097gE034aE7B5iF116m0EFBt9C70bD703x706Dx",
    "CSeq: 1 SUBSCRIBE",
    "Expires: 0",
    'Authorization: NTLM qop="auth", opaque="A57760B4", realm="SIP Communications Service", '
    'targetname="frontend.example.com", crand="ca641103", cnum="3", '
    'response="0100000066C0BD29A5BFBA2764000000"',
)


class VectorTest(SynchronousTestCase):
    """The signatures of a real run."""

    def test_checksums(self) -> None:
        """All three texts give the signatures that were on the wire, in both directions."""
        keys = {
            "client": SigningKeys.to_server(vectors.SESSION_KEY),
            "server": SigningKeys.to_client(vectors.SESSION_KEY),
        }
        for direction, text, signature in vectors.SIGNED:
            self.assertEqual(Checksum(keys[direction]).of(text.encode()), signature)

    def test_messages_of_the_client(self) -> None:
        """The real REGISTER and the real SUBSCRIBE with its Expires are accepted, in this order."""
        server = association()
        server.verify(message(*REAL_REGISTER))
        server.verify(message(*REAL_SUBSCRIBE))

    def test_message_of_the_server(self) -> None:
        """Our 200 to the REGISTER carries the signature that the real client accepted."""
        value = association().authentication_info(message(*REAL_OK))
        self.assertEqual(
            value,
            'NTLM rspauth="01000000B280D883C6E48FA764000000", srand="91c15b91", snum="1", '
            'opaque="A57760B4", qop="auth", targetname="frontend.example.com", '
            'realm="SIP Communications Service"',
        )


class BothWaysTest(SynchronousTestCase):
    """Server and an independent client understand each other in every version."""

    def test_requests_and_responses_of_the_client(self) -> None:
        """INFO, ACK, OPTIONS with Expires and a 200 are accepted one after the other."""
        for version in VERSIONS:
            server, peer = association(version), client(version)
            for request in (
                peer.request("INFO", sign=True),
                peer.request("ACK", sign=True),
                peer.request("OPTIONS", "Expires: 300", sign=True),
            ):
                server.verify(request)
            server.verify(peer.response(200))
            server.verify(peer.response(487))

    def test_identities(self) -> None:
        """An asserted or preferred identity is signed, as sip and tel, from version 3 on."""
        identities = (
            'P-Asserted-Identity: "Alice" <sip:alice@example.com>, <tel:+4912345>',
            "P-Preferred-Identity: <tel:+4912345>",
            "P-Preferred-Identity: <sip:alice@example.com>",
        )
        for version in VERSIONS:
            server, peer = association(version), client(version)
            for identity in identities:
                server.verify(peer.request("INVITE", identity, sign=True))

    def test_what_the_server_sends(self) -> None:
        """Its requests and responses carry signatures that the client accepts; the counter grows."""
        for version in VERSIONS:
            server, peer = association(version), client(version)
            invite = peer.request("INVITE", sign=True)
            for number, answer in enumerate((invite.response(200, to_tag="9"), invite.response(404)), 1):
                answer.headers.add("Expires", "600")
                answer.headers.set("Authentication-Info", server.authentication_info(answer))
                self.assertTrue(peer.accepts(answer))
                self.assertIn(f'snum="{number}"', answer.headers.get("Authentication-Info", ""))

    def test_prepared_signer(self) -> None:
        """What the fan-out's signer writes is what the slow way would have written."""
        for version in VERSIONS:
            server, peer = association(version), client(version)
            signer = server.request_signer(
                method="INFO",
                call_id="call-1",
                from_uri="sip:chat@example.com",
                from_tag="ab12",
                to_uri="sip:alice@example.com",
                to_tag="77",
            )
            for cseq in (1, 2, 2**31 - 1):
                line = signer.header_line(cseq).decode()
                self.assertTrue(line.endswith("\r\n"))
                request = message(
                    "INFO sip:alice@example.com SIP/2.0",
                    "Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKq",
                    "From: <sip:chat@example.com>;tag=ab12",
                    "To: <sip:alice@example.com>;tag=77",
                    "Call-ID: call-1",
                    f"CSeq: {cseq} INFO",
                    line.rstrip("\r\n"),
                )
                self.assertTrue(peer.accepts(request))
        self.assertNotEqual(signer.header_line(5), signer.header_line(5))

    def test_other_ways_to_write_the_header(self) -> None:
        """Order, case of names and hex, blanks, unquoted values and folding make no difference."""

        def written(values: dict[str, str]) -> str:
            return ",  ".join(f"{name}={value}" for name, value in values.items())

        peer = client()
        server = association()
        for number in (1, 2):
            bare = peer.request("INFO")
            signature = dict(pair.split("=") for pair in peer.signature(bare).split(", "))
            response = signature["response"].lower()
            values = {
                "response": response,
                "Cnum": str(number),
                "crand": signature["crand"],
                "TargetName": f'"{TARGET}"',
                "realm": f'"{REALM}"',
                "opaque": '"A57760B4"',
            }
            bare.headers.add("Authorization", f"NTLM {written(values)}")
            server.verify(bare)

    def test_addresses_with_names_and_parameters(self) -> None:
        """URI and tag are found whatever stands around them, also where a name looks like a tag."""
        for raw in (
            '"Alice; <sip:bob@example.com>;tag=1" <sip:alice@example.com>;epid=1;tag=4278647422',
            "Alice Example <sip:alice@example.com>;TAG=4278647422;epid=1",
            "sip:alice@example.com;epid=1;tag=4278647422",
        ):
            request = client().request("INFO", sign=True)
            request.headers.set("From", raw)
            association().verify(request)


class RefusedTest(SynchronousTestCase):
    """A message that is not what the client signed in this session is refused."""

    def refused(self, server: Association, bad: Request | Response, words: str) -> None:
        """Expect a refusal for this reason."""
        error = self.assertRaises(SignatureRefused, server.verify, bad)
        self.assertIsInstance(error, PeerError)
        self.assertIn(words, str(error))

    def test_unsigned(self) -> None:
        """Requests, ACKs and responses without a signature are refused."""
        peer = client()
        for bad in (peer.request("INFO"), peer.request("ACK"), peer.response(sign=False)):
            self.refused(association(), bad, "not signed")

    def test_everything_signed_counts(self) -> None:
        """Changing any signed part of the message, or taking it away, is found."""
        changes: list[Callable[[Request], None]] = [
            lambda r: r.headers.set("Call-ID", "other"),
            lambda r: r.headers.set("CSeq", "99 INFO"),
            lambda r: r.headers.set("CSeq", "1 INVITE"),
            lambda r: r.headers.set("From", "<sip:bob@example.com>;tag=4278647422"),
            lambda r: r.headers.set("From", "<sip:alice@example.com>;tag=1"),
            lambda r: r.headers.set("From", "<sip:alice@example.com>"),
            lambda r: r.headers.set("To", "<sip:bob@example.com>"),
            lambda r: r.headers.set("To", "<sip:alice@example.com>;tag=1"),
            lambda r: r.headers.set("Expires", "0"),
            lambda r: r.headers.set("P-Asserted-Identity", "<sip:bob@example.com>"),
            lambda r: r.headers.set("P-Asserted-Identity", "<tel:+1>"),
        ]
        for change in changes:
            bad = client().request("INFO", sign=True)
            change(bad)
            self.refused(association(), bad, "wrong signature")

    def test_missing_or_broken_signed_headers(self) -> None:
        """A message without From, To, Call-ID or CSeq cannot be signed."""
        for name in ("From", "To", "Call-ID", "CSeq"):
            bad = client().request("INFO", sign=True)
            bad.headers.remove(name)
            self.assertRaises(SignatureRefused, association().verify, bad)
            bad.headers.set(name, ";;;")
            self.assertRaises(SignatureRefused, association().verify, bad)

    def test_status_is_signed(self) -> None:
        """A 200 made of another answer is found; so is a response made of a request."""
        bad = client().response(487)
        bad.status = 200
        self.refused(association(), bad, "wrong signature")

    def test_another_session(self) -> None:
        """Opaque, realm, target or scheme of another session are refused, and so are its keys."""
        for old, new in (
            ("A57760B4", "A57760B5"),
            (REALM, "Other"),
            (TARGET, "other.example.com"),
            ("NTLM", "Kerberos"),
        ):
            bad = client().request("INFO", sign=True)
            value = bad.headers.get("Authorization", "").replace(old, new)
            bad.headers.set("Authorization", value)
            self.refused(association(), bad, "another s")
        peer = client()
        peer.session_key = bytes(16)
        self.refused(association(), peer.request("INFO", sign=True), "wrong signature")

    def test_repeated_message(self) -> None:
        """A message sent again as it was, or an older one, is refused; skipping numbers is allowed."""
        server, peer = association(), client()
        first, second = peer.request("INFO", sign=True), peer.request("INFO", sign=True)
        peer.cnum = 10
        later = peer.request("INFO", sign=True)
        server.verify(first)
        self.refused(server, first, "repeated")
        server.verify(second)
        server.verify(later)
        for old in (first, second, later):
            self.refused(server, old, "repeated")

    def test_forged_number_does_not_block_the_client(self) -> None:
        """A huge cnum under a wrong signature leaves the counter where it was."""
        server, peer = association(), client()
        bad = peer.request("INFO", sign=True)
        bad.headers.set(
            "Authorization", bad.headers.get("Authorization", "").replace('cnum="1"', 'cnum="999"')
        )
        self.refused(server, bad, "wrong signature")
        server.verify(peer.request("INFO", sign=True))

    def test_malformed_header(self) -> None:
        """Missing, doubled, endless or strange parameters are refused."""
        peer = client()
        value = peer.request("INFO", sign=True).headers.get("Authorization", "")
        for bad_value in (
            "",
            "NTLM",
            "NTLM ,,,",
            value.replace('crand="68f7ec32", ', ""),
            value.replace('cnum="1"', 'cnum="-1"'),
            value.replace('cnum="1"', 'cnum="٣"'),
            value.replace('cnum="1"', f'cnum="{"1" * 400}"'),
            value.replace('cnum="1"', 'cnum="1", cnum="2"'),
            value.replace('crand="68f7ec32"', 'crand="><"'),
            value.replace('response="0', 'response="é'),
            value.replace('response="01', 'response="'),
            value + ", ",
            value + "x",
        ):
            bad = peer.request("INFO")
            bad.headers.set("Authorization", bad_value)
            self.assertRaises(SignatureRefused, association().verify, bad)

    def test_borders_between_fields_cannot_be_moved(self) -> None:
        """A Call-ID that holds the text of other fields is refused although the checksum fits."""
        peer, server = client(), association()
        bare = peer.request("INFO")
        bare.headers.set("Call-ID", "a><1")
        request = Request("INFO", bare.uri, bare.headers.copy())
        request.headers.set("Authorization", peer.authorization(request))
        self.refused(server, request, "angle brackets")

    def test_memory_is_bounded(self) -> None:
        """A client that changes its tags for ever makes the server remember only a few."""
        server, peer = association(), client()
        for number in range(100):
            request = peer.request("INFO")
            request.headers.set("From", f"<sip:alice@example.com>;tag={number}")
            request.headers.set("Authorization", peer.authorization(request))
            server.verify(Request("INFO", request.uri, request.headers))
        self.assertLessEqual(len(server._from_ends), 16)

    def test_no_keys_in_representations(self) -> None:
        """The representation of an association holds neither keys nor counters."""
        text = repr(association())
        self.assertNotIn("Checksum", text)
        self.assertNotIn(vectors.SESSION_KEY.hex(), text.lower())

    @given(st.text(max_size=60))
    def test_any_header(self, value: str) -> None:
        """Any text in Authorization is refused by our own error."""
        bad = client().request("INFO")
        bad.headers.set("Authorization", value)
        self.assertRaises(SignatureRefused, association().verify, bad)
