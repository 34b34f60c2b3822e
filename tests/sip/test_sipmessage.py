"""The same text, read by the independent parser ``sipmessage`` where that one is right.

It loses raw texts, cannot unfold, and re-quotes what Lync writes; so parsed values are compared, of texts
without folds, escapes and Lync's own parameters.
"""

from __future__ import annotations

import sipmessage
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.sip.headers import Address, CSeq, Via
from pchat.sip.message import Request, Response, parse_head
from pchat.sip.uri import SipUri
from tests.sip import torture_invalid as bad
from tests.sip import torture_valid as good
from tests.sip.fixtures import INFO, OK, one_request, wire

WORDS = st.text("abcdefghXYZ0189", min_size=1, max_size=8)
# Letters only: the other parser stumbles over digits at either end of a label.
HOSTS = st.one_of(
    st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=1, max_size=3).map(".".join),
    st.sampled_from(["192.0.2.7", "[2001:db8::1]"]),
)
PORTS = st.none() | st.integers(1, 65535)
PARAMS = st.dictionaries(
    WORDS.map(str.lower).filter(lambda name: name not in ("tag", "branch", "q")),
    st.none() | WORDS,
    max_size=3,
)


def tail(params: dict[str, str | None]) -> str:
    """Write parameters."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params.items())


def hostport(host: str, port: int | None) -> str:
    """Write host and port."""
    return host if port is None else f"{host}:{port}"


class Values(SynchronousTestCase):
    """One value at a time."""

    @given(st.sampled_from(["sip", "sips"]), st.none() | WORDS, HOSTS, PORTS, PARAMS)
    def test_uris(
        self, scheme: str, user: str | None, host: str, port: int | None, params: dict[str, str | None]
    ) -> None:
        """User, host, port and parameters of a URI."""
        text = f"{scheme}:{user + '@' if user else ''}{hostport(host, port)}{tail(params)}"
        ours, theirs = SipUri.parse(text), sipmessage.URI.parse(text)
        self.assertEqual(
            (ours.scheme, ours.user or "", ours.host, ours.port),
            (theirs.scheme, theirs.user or "", theirs.host.strip("[]"), theirs.port),
        )
        self.assertEqual(dict(ours.params), dict(theirs.parameters))
        self.assertEqual(str(ours), str(theirs))

    @given(st.text("abc XYZ,;<>@äß", max_size=10).filter(lambda name: "  " not in name), WORDS, HOSTS, PARAMS)
    def test_addresses(self, name: str, user: str, host: str, params: dict[str, str | None]) -> None:
        """Display name, URI and parameters of an address."""
        text = f'"{name}" <sip:{user}@{host}>;tag=1{tail(params)}'
        ours, theirs = Address.parse(text), sipmessage.Address.parse(text)
        self.assertEqual((ours.display_name, ours.uri), (theirs.name, str(theirs.uri)))
        self.assertEqual(ours.params, dict(theirs.parameters))

    @given(st.sampled_from(["TLS", "TCP", "UDP"]), HOSTS, PORTS, PARAMS)
    def test_vias(self, transport: str, host: str, port: int | None, params: dict[str, str | None]) -> None:
        """Transport, address and parameters of a hop."""
        text = f"SIP/2.0/{transport} {hostport(host, port)};branch=z9hG4bK1{tail(params)}"
        ours, theirs = Via.parse(text), sipmessage.Via.parse(text)
        self.assertEqual((ours.transport, ours.host, ours.port), (theirs.transport, theirs.host, theirs.port))
        self.assertEqual(ours.params, dict(theirs.parameters))

    @given(st.integers(0, 2**31 - 1), st.text("ABCXYZ", min_size=1, max_size=8))
    def test_cseqs(self, number: int, method: str) -> None:
        """Number and method."""
        theirs = sipmessage.CSeq.parse(f"{number} {method}")
        self.assertEqual(CSeq.parse(f"{number} {method}"), (theirs.sequence, theirs.method))


class Messages(SynchronousTestCase):
    """Whole messages."""

    def compare(self, data: bytes) -> None:
        """Read a message with both parsers."""
        head, _, body = data.partition(b"\r\n\r\n")
        ours, theirs = parse_head(head), sipmessage.Message.parse(data)
        if isinstance(ours, Request):
            assert isinstance(theirs, sipmessage.Request)
            self.assertEqual((ours.method, ours.uri), (theirs.method, str(theirs.uri)))
        else:
            assert isinstance(theirs, sipmessage.Response)
            self.assertEqual((ours.status, ours.reason), (theirs.code, theirs.phrase))
        self.assertEqual(body, theirs.body)
        self.assertEqual(ours.call_id, theirs.call_id)
        assert theirs.cseq is not None
        self.assertEqual(ours.cseq, (theirs.cseq.sequence, theirs.cseq.method))
        for mine, other in ((ours.from_, theirs.from_address), (ours.to, theirs.to_address)):
            assert other is not None
            self.assertEqual((mine.uri, mine.display_name), (str(other.uri), other.name))
            self.assertEqual(mine.params, dict(other.parameters))
        self.assertEqual([via.host for via in ours.vias], [via.host for via in theirs.via])

    def test_ours(self) -> None:
        """A client's request, and an answer of ours."""
        self.compare(INFO)
        self.compare(OK)
        self.compare(one_request(INFO).response(404, to_tag="x").to_bytes())

    def test_torture(self) -> None:
        """Torture messages that both take."""
        for text in (good.LWSDISP, good.TRANSPORTS, good.UNREASON, good.BADBRANCH, bad.BCAST, bad.ZEROMF):
            self.compare(wire(text))

    def test_both_kinds_were_compared(self) -> None:
        """The texts above hold requests and responses."""
        self.assertIsInstance(parse_head(INFO.partition(b"\r\n\r\n")[0]), Request)
        self.assertIsInstance(parse_head(OK.partition(b"\r\n\r\n")[0]), Response)
