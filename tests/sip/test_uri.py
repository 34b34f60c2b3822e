"""URIs: taken apart, written back, and compared by key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import SipRefused
from pchat.sip.uri import SipUri, address_key

USERS = st.text("abcXYZ019-_.!~*'()&=+$,;?/äß北", min_size=1, max_size=12)
HOSTS = st.sampled_from(["example.com", "EXAMPLE.com", "a", "192.0.2.7", "2001:db8::1", "::1", "a-b.c_d.e"])
NAMES = st.text("abcdefgh-", min_size=1, max_size=6)
VALUES = st.none() | st.text("abcXYZ019:/-%41", min_size=1, max_size=6).filter(lambda text: "%" not in text)
URIS = st.builds(
    SipUri,
    scheme=st.sampled_from(["sip", "sips"]),
    user=st.none() | USERS,
    host=HOSTS.map(str.lower),
    port=st.none() | st.integers(1, 65535),
    params=st.lists(st.tuples(NAMES, VALUES), max_size=3, unique_by=lambda pair: pair[0]).map(tuple),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=2).map(tuple),
)


class Parsing(SynchronousTestCase):
    """What is inside a URI."""

    def test_parts(self) -> None:
        """Every part at its place."""
        uri = SipUri.parse("sips:alice:secret@[2001:DB8::1]:5061;transport=tls;LR?Subject=x&y=")
        self.assertEqual(
            (uri.scheme, uri.user, uri.password, uri.host, uri.port),
            ("sips", "alice", "secret", "2001:db8::1", 5061),
        )
        self.assertEqual(uri.params, (("transport", "tls"), ("lr", None)))
        self.assertEqual(uri.headers, (("Subject", "x"), ("y", "")))
        self.assertEqual(
            (uri.param("transport"), uri.param("lr"), uri.param("maddr"), uri.param("x", "y")),
            ("tls", "", None, "y"),
        )

    def test_gruu(self) -> None:
        """Lync's GRUU, whose colons and flags are written back as they came."""
        text = "sip:alice@example.com;opaque=user:epid:cf0b98dadeb9;gruu"
        self.assertEqual(str(SipUri.parse(text)), text)

    def test_tel(self) -> None:
        """A telephone number."""
        uri = SipUri.parse("tel:+1-201-555.0123;phone-context=example.com")
        self.assertEqual((uri.scheme, uri.user, uri.host), ("tel", "+1-201-555.0123", ""))
        self.assertEqual(uri.aor, "tel:+12015550123")
        self.assertEqual(str(uri), "tel:+1-201-555.0123;phone-context=example.com")

    def test_refused(self) -> None:
        """What is no URI of ours, or could be read in two ways."""
        for text in (
            *(
                "",
                "alice",
                "sip:",
                "sip:@example.com",
                "sip:alice@",
                "http://example.com",
                "sip:a b@example.com",
            ),
            *(
                "sip:a@b@c",
                "sip:alice@exa mple.com",
                "sip:alice@example.com:0",
                "sip:alice@example.com:65536",
            ),
            *("sip:alice@[::g]", "sip:alice@[1:2]", "sip:alice@::1", "sip:alice@example.com;", "sip:a@b;;c"),
            *(
                "sip:a@b;c=1;C=2",
                "sip:a%zz@b",
                "sip:a%4@b",
                "sip:a@b?",
                "sip:a@b;x=<y>",
                "sip:a\x00@b",
                "tel:",
            ),
            *("sip:a@-b", "sip:a@b:٣", "sip:" + "a" * 3000 + "@b", "<sip:a@b>", "sip:a@ex\u00e4mple.com"),
        ):
            error = self.assertRaises(SipRefused, SipUri.parse, text)
            self.assertEqual(error.status, 400, text)

    @given(URIS)
    def test_round_trip(self, uri: SipUri) -> None:
        """What is written is read as the same."""
        self.assertEqual(SipUri.parse(str(uri)), uri)

    @given(st.text(max_size=60) | st.text('sip:@.[]%;=?&<>"ab1', max_size=60).map("sip:".__add__))
    def test_any_text(self, text: str) -> None:
        """Any text is read, or refused with 400; what is read keeps its key."""
        try:
            uri = SipUri.parse(text)
        except SipRefused as refused:
            self.assertEqual(refused.status, 400)
        else:
            self.assertEqual(address_key(str(uri)), uri.aor)


class Keys(SynchronousTestCase):
    """Which URIs are the same user."""

    def test_same(self) -> None:
        """Case, scheme, port, parameters, escapes and composition do not matter."""
        for text in (
            *("sip:alice@example.com", "SIP:Alice@EXAMPLE.com", "sips:alice@example.com:5061"),
            *(
                "sip:alice@example.com;transport=tls;gruu",
                "sip:%61lice@example.com",
                "sip:alice:x@example.com",
            ),
        ):
            self.assertEqual(address_key(text), "sip:alice@example.com", text)
        self.assertEqual(address_key("sip:ZOE\u0308@a"), address_key("sip:zo%C3%AB@A"))

    def test_different(self) -> None:
        """An escaped delimiter is not a delimiter, so nobody can pass for somebody else."""
        keys = [
            address_key(text)
            for text in (
                *("sip:alice@example.com", "sip:alice@example.org", "sip:example.com", "sip:bob@example.com"),
                *(
                    "sip:alice%40example.com@example.com",
                    "sip:alice%3Bx@example.com",
                    "sip:alice%00@example.com",
                ),
                *(
                    "sip:alice%3Ax@example.com",
                    "sip:alice%2540example.com@example.com",
                    "tel:1",
                    "sip:1@[::1]",
                ),
            )
        ]
        self.assertEqual(len(set(keys)), len(keys))

    @given(URIS)
    def test_key_of_a_key(self, uri: SipUri) -> None:
        """A key is its own key."""
        key = address_key(str(uri))
        self.assertEqual(address_key(key), key)
