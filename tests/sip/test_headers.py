"""Header fields, addresses, Via, CSeq and credentials."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import SipRefused
from pchat.sip.headers import Address, AuthParams, CSeq, Headers, Via, parse_parameters, split_list
from pchat.sip.names import COMPACT

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=8)
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
PARAMS = st.dictionaries(TOKENS.map(str.lower), st.none() | TEXTS, max_size=4)
#: Texts made of what means something in a header.
HOSTILE = st.text('ab1 \t;,=<>"\\:@/*?[]äß\x7f', max_size=60)


class Fields(SynchronousTestCase):
    """The list of header fields."""

    def setUp(self) -> None:
        """Start with a few fields, one of them compact."""
        self.headers = Headers([("Via", "a"), ("v", "b"), ("subject", ""), ("X-Own", "1")])

    def test_lookup(self) -> None:
        """Case and compact form make no difference, neither on input nor in lookups."""
        for name in ("Via", "VIA", "vIa", "v", "V"):
            self.assertEqual(self.headers.get(name), "a")
            self.assertEqual(self.headers.get_all(name), ["a", "b"])
            self.assertIn(name, self.headers)
        self.assertEqual(self.headers.get("Subject"), "")
        self.assertIsNone(self.headers.get("To"))
        self.assertEqual((self.headers.get("To", "x"), self.headers.get_all("To")), ("x", []))
        self.assertEqual(list(self.headers)[1], ("Via", "b"))

    def test_every_compact_form(self) -> None:
        """Each compact name is read as its long name."""
        for short, long_name in COMPACT.items():
            headers = Headers.parse([f"{short}: 1", f"{short.upper()}: 2"])
            self.assertEqual(list(headers), [(long_name, "1"), (long_name, "2")])
            self.assertEqual(headers.get_all(long_name), ["1", "2"])

    def test_changes(self) -> None:
        """Setting replaces every line, removing what is not there is no error, a copy is its own."""
        copy = self.headers.copy()
        self.headers.set("VIA", "c")
        self.headers.remove("x-own")
        self.headers.remove("x-own")
        self.headers.add("m", "<sip:a@b>")
        self.assertEqual(list(self.headers), [("subject", ""), ("VIA", "c"), ("Contact", "<sip:a@b>")])
        self.assertEqual(self.headers.get("Via"), "c")
        self.assertNotIn("X-Own", self.headers)
        self.assertEqual((len(copy), copy.get("X-Own")), (4, "1"))
        self.assertNotEqual(copy, self.headers)
        self.assertEqual(copy, copy.copy())

    def test_repeated(self) -> None:
        """What stands on several lines is known by its key."""
        self.assertEqual(self.headers.repeated(), ["via"])
        self.assertEqual(Headers([("To", "a")]).repeated(), [])

    def test_representation_shows_no_values(self) -> None:
        """Values may be secrets; a representation that gets into a log has names only."""
        self.assertEqual(repr(Headers([("Authorization", "Digest secret")])), "<Headers Authorization>")

    @given(
        st.lists(st.tuples(st.sampled_from(["Via", "v", "to", "X"]), st.text("ab", max_size=2)), max_size=8)
    )
    def test_like_a_list(self, fields: list[tuple[str, str]]) -> None:
        """Parsing and adding one by one give the same, and lookups are those of a plain list."""
        headers = Headers(fields)
        self.assertEqual(headers, Headers.parse([f"{name}:{value}" for name, value in fields]))
        vias = [value for name, value in fields if name in ("Via", "v")]
        self.assertEqual(headers.get_all("via"), vias)
        self.assertEqual(headers.get("Via"), vias[0] if vias else None)


class Addresses(SynchronousTestCase):
    """From, To, Contact and the like."""

    def test_forms(self) -> None:
        """Quoted, unquoted and no display name; with and without brackets."""
        for text, expected in (
            ("<sip:a@b>", Address("sip:a@b")),
            ("sip:a@b;tag=1", Address("sip:a@b", "", {"tag": "1"})),
            ("<sip:a@b;x=1>;Tag=1;flag", Address("sip:a@b;x=1", "", {"tag": "1", "flag": None})),
            ('"A, \\"B\\" <c>" <sip:a@b>', Address("sip:a@b", 'A, "B" <c>')),
            ("Alice Müller <sip:a@b> ; tag = 1", Address("sip:a@b", "Alice Müller", {"tag": "1"})),
            (
                '<sip:a@b>;+sip.instance="<urn:uuid:1>"',
                Address("sip:a@b", "", {"+sip.instance": "<urn:uuid:1>"}),
            ),
            ("<sip:[::1]:5060>", Address("sip:[::1]:5060")),
        ):
            self.assertEqual(Address.parse(text), expected, text)

    def test_exact_uri(self) -> None:
        """The URI is given as it stands, since signatures are computed on it."""
        self.assertEqual(Address.parse("<SIP:Alice@Example.COM;a=%41>").uri, "SIP:Alice@Example.COM;a=%41")

    def test_refused(self) -> None:
        """What could be read in two ways is refused; the text names the header."""
        for text in (
            *(
                "",
                "<>",
                "alice",
                "<alice>",
                "< sip:a@b>",
                "<sip:a@b",
                "sip:a@b>",
                '"x <sip:a@b>',
                "<sip:a@b>x",
            ),
            *("<sip:a@b>;tag=1;tag=2", "<sip:a@b>;tag=", "<sip:a@b>;tag", "<sip:a@b>;;", "a, b <sip:a@b>"),
            *("<sip:a@b>;tag=a b", '<sip:a@b>;x="', "<sip:a@b>, <sip:c@d>", "sip:a@b?x=y", "<sip:a@b>;=1"),
        ):
            error = self.assertRaises(SipRefused, Address.parse, text, "Refer-To")
            self.assertEqual(error.status, 400, text)
            self.assertIn("Refer-To", error.reason)

    def test_lists(self) -> None:
        """Commas inside quotes and brackets separate nothing."""
        text = '"A, B" <sip:a@b;x=1,2> ;methods="INVITE, BYE",<sip:c@d>'
        first, second = Address.parse_list(text)
        self.assertEqual((first.display_name, first.params["methods"]), ("A, B", "INVITE, BYE"))
        self.assertEqual(second.uri, "sip:c@d")
        self.assertEqual(Address.parse_list(""), [])
        for bad in ("<sip:a@b>,", ",<sip:a@b>", "<sip:a@b>,,<sip:c@d>", '<sip:a@b>,"', "<sip:a@b>,<"):
            self.assertRaises(SipRefused, Address.parse_list, bad)

    @given(TEXTS.map(str.strip), PARAMS)
    def test_round_trip(self, name: str, params: dict[str, str | None]) -> None:
        """What is written is read as the same."""
        if "tag" in params and not params["tag"]:
            del params["tag"]
        address = Address("sip:a@b", name, params)
        self.assertEqual(Address.parse(str(address)), address)

    @given(HOSTILE)
    def test_any_text(self, text: str) -> None:
        """Any text is read, or refused with 400; what is read survives being written."""
        for parse in (Address.parse, Address.parse_list, Via.parse, Via.parse_list, CSeq.parse):
            self.check(parse, text)
        self.check(AuthParams.parse, "NTLM " + text)
        self.check(Address.parse, "<sip:a@b>" + text)
        self.check(Via.parse, "SIP/2.0/TCP a" + text)

    def check(self, parse: object, text: str) -> None:
        """Read a text, write it, read it again."""
        try:
            value = parse(text)  # type: ignore[operator]  # any of the parsers
        except SipRefused as refused:
            self.assertEqual(refused.status, 400)
            return
        if isinstance(value, Address | Via) and "\x7f" not in text:
            self.assertEqual(parse(str(value)), value)  # type: ignore[operator]  # as above


class Lists(SynchronousTestCase):
    """Commas and parameters."""

    def test_split(self) -> None:
        """Blanks are cut, quotes respected."""
        self.assertEqual(split_list(' a , b;x="1,2" ,<c,d>'), ["a", 'b;x="1,2"', "<c,d>"])
        self.assertEqual((split_list(""), split_list(" a ")), ([], ["a"]))

    def test_parameters(self) -> None:
        """Names fold case, quotes go, flags are None."""
        self.assertEqual(
            parse_parameters(' ; A = 1;b;c="x;\\"y" ;d=[::1]:1;e='),
            {"a": "1", "b": None, "c": 'x;"y', "d": "[::1]:1", "e": ""},
        )
        self.assertRaises(SipRefused, parse_parameters, ";a=1;A=2")

    def test_hostile_lengths(self) -> None:
        """Texts built to make patterns try again and again are read in no time."""
        for text in (
            "a" * 50000,
            ";a" * 20000,
            "\t" * 50000,
            '"' + "\\" * 50000,
            ";a=" + " " * 50000,
            "<" * 50000,
        ):
            for parse in (Address.parse, Via.parse, parse_parameters, split_list, AuthParams.parse):
                try:
                    parse(text)
                except SipRefused as refused:
                    self.assertEqual(refused.status, 400)


class Hops(SynchronousTestCase):
    """Via."""

    def test_parts(self) -> None:
        """Transport as written, address, parameters; no branch inside dialogs."""
        via = Via.parse("SIP/2.0/tls 127.0.0.1:45678;branch=z9hG4bK1;received=::1")
        self.assertEqual((via.transport, via.sent_by, via.branch), ("tls", "127.0.0.1:45678", "z9hG4bK1"))
        self.assertIsNone(Via.parse("SIP/2.0/tls 127.0.0.1:45678").branch)
        self.assertIsNone(Via.parse("SIP/2.0/tls a;branch=Z9HG4BK").branch)
        self.assertEqual(Via.parse("SIP / 2.0 / TCP [2001:db8::1] : 5060").sent_by, "[2001:db8::1]:5060")
        hops = Via.parse_list("SIP/2.0/TCP a;branch=1, SIP/2.0/UDP b ;branch=2")
        self.assertEqual([str(hop) for hop in hops], ["SIP/2.0/TCP a;branch=1", "SIP/2.0/UDP b;branch=2"])

    def test_refused(self) -> None:
        """What lacks a part."""
        for text in ("", "SIP/2.0/TCP", "SIP/2.0 a", "SIP/2.0/TCP a b", "SIP/2.0/TCP a:b", "SIP/2.0/TCP ::1"):
            self.assertRaises(SipRefused, Via.parse, text)


class SequenceNumbers(SynchronousTestCase):
    """CSeq."""

    def test_values(self) -> None:
        """Up to 2**31 - 1, leading zeros allowed."""
        self.assertEqual(CSeq.parse("0001 \t INFO"), (1, "INFO"))
        self.assertEqual(CSeq.parse("0 INFO").number, 0)
        self.assertEqual(str(CSeq.parse("2147483647 BYE")), "2147483647 BYE")
        for text in (
            "2147483648 BYE",
            "-1 BYE",
            "1",
            "BYE",
            "1 B YE",
            "1BYE",
            "١ BYE",
            "",
            "9" * 5000 + " BYE",
        ):
            self.assertRaises(SipRefused, CSeq.parse, text)


class Credentials(SynchronousTestCase):
    """Authorization and its like."""

    def test_ntlm(self) -> None:
        """What pidgin-sipe sends; values are raw, since they are signed as they stand."""
        scheme, params = AuthParams.parse(
            'NTLM qop="auth", opaque="A57760B4", realm="SIP Communications Service",targetname="a.b",'
            'gssapi-data="TlRM+/==", version=4 ,crand="68f7ec32",CNUM = "1", response=01'
        )
        self.assertEqual(scheme, "NTLM")
        self.assertEqual(params["realm"], "SIP Communications Service")
        self.assertEqual((params["gssapi-data"], params["version"], params["cnum"]), ("TlRM+/==", "4", "1"))
        self.assertEqual(params["response"], "01")

    def test_raw(self) -> None:
        """Backslashes stay: ``EXAMPLE\\alice`` is a name, not an escaped letter."""
        _, params = AuthParams.parse('Digest username="EXAMPLE\\alice", uri="(null)", empty="", bare=')
        self.assertEqual(params, {"username": "EXAMPLE\\alice", "uri": "(null)", "empty": "", "bare": ""})

    def test_scheme_alone(self) -> None:
        """A scheme without parameters."""
        self.assertEqual(AuthParams.parse("NTLM"), ("NTLM", {}))

    def test_refused(self) -> None:
        """Malformed, or a name twice."""
        for text in (
            "",
            "NTLM a",
            'NTLM a="',
            "NTLM a=1,",
            "NTLM ,a=1",
            "NTLM a=1 b=2",
            "NTLM a=1, A=2",
            "N,TLM a=1",
        ):
            error = self.assertRaises(SipRefused, AuthParams.parse, text, "Proxy-Authorization")
            self.assertIn("Proxy-Authorization", error.reason)
