"""The torture messages of RFC 4475, each with what this server's parser makes of it.

What a later part decides (420 for Require, 415 for a body, 501 for a method …) is named in the docstring;
here it matters that the message gets there whole, and what follows it on the connection as well.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import SipRefused
from pchat.sip.headers import Address, AuthParams, CSeq, split_list
from pchat.sip.message import Request, Response
from pchat.sip.stream import Item, Malformed
from pchat.sip.uri import SipUri, address_key
from tests.sip import torture_invalid as bad
from tests.sip import torture_valid as good
from tests.sip.fixtures import OK, one_request, one_response, receive_all, single_bytes, wire


class TortureCase(SynchronousTestCase):
    """Feeds a message whole, in single bytes and followed by another one."""

    def items(self, data: bytes) -> list[Item]:
        """Return what comes out; every way of feeding has to give the same, and framing is kept."""
        whole, lost, _ = receive_all([data + OK])
        self.assertIsNone(lost)
        self.assertIsInstance(whole.pop(), Response)
        dripped, lost, stream = receive_all(single_bytes(data))
        self.assertIsNone(lost)
        self.assertEqual(len(stream._buffer), 0)
        self.assertEqual(str(dripped), str(whole))
        return whole

    def taken(self, text: str) -> Request:
        """Return the request that the parser makes of a text that it takes."""
        (item,) = self.items(wire(text))
        self.assertIsInstance(item, Request)
        assert isinstance(item, Request)
        return item

    def refused(self, text: str, status: int, reason: str) -> Response:
        """Check that a request is answered with a refusal, and the connection goes on."""
        (item,) = self.items(wire(text))
        assert isinstance(item, Malformed), item
        self.assertFalse(item.error.close)
        assert item.response is not None
        self.assertEqual((item.response.status, item.response.reason), (status, reason))
        return item.response

    def dropped(self, text: str) -> None:
        """Check that a response is dropped without a word, and the connection goes on."""
        (item,) = self.items(wire(text))
        assert isinstance(item, Malformed), item
        self.assertFalse(item.error.close)
        self.assertIsNone(item.response)

    def loses_framing(self, text: str, status: int) -> None:
        """Check that a request is refused and nothing after it is read."""
        for chunks in ([wire(text) + OK], single_bytes(wire(text) + OK)):
            items, lost, stream = receive_all(chunks)
            self.assertIsNotNone(lost)
            (item,) = items
            assert isinstance(item, Malformed), item
            assert item.response is not None
            self.assertTrue(item.error.close)
            self.assertEqual(item.response.status, status)
            self.assertEqual(len(stream._buffer), 0)


class ValidMessages(TortureCase):
    """Section 3.1.1: well formed, however it looks."""

    def test_wsinv(self) -> None:
        """3.1.1.1: blanks and folds wherever the grammar allows them, compact and odd names."""
        request = self.taken(good.WSINV)
        self.assertEqual(request.uri, "sip:vivekg@chair-dnrc.example.com;unknownparam")
        self.assertEqual(request.to.uri, "sip:vivekg@chair-dnrc.example.com")
        self.assertEqual(request.to.tag, "1918181833n")
        self.assertEqual(request.from_.display_name, 'J Rosenberg \\"')
        self.assertEqual(request.from_.tag, "98asjd8")
        self.assertEqual(request.cseq, CSeq(9, "INVITE"))
        self.assertEqual([via.transport for via in request.vias], ["UDP", "TCP", "UDP"])
        self.assertEqual([via.branch for via in request.vias], ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"])
        self.assertEqual(request.headers.get("Subject"), "")
        self.assertEqual(
            request.headers.get("newfangledheader"), "newfangled value continued newfangled value"
        )
        self.assertEqual(request.headers.get("UnknownHeaderWithUnusualValue"), ";;,,;;,;")
        (contact,) = request.contacts
        self.assertEqual(contact.display_name, 'Quoted string ""')
        self.assertEqual(contact.params, {"newparam": "newvalue", "secondparam": None, "q": "0.33"})
        self.assertEqual(len(request.body), 150)

    def test_wsinv_answer(self) -> None:
        """An answer to it has one line a header and no compact names."""
        answer = one_response(self.taken(good.WSINV).response(200, to_tag="ours").to_bytes())
        self.assertEqual(len(answer.vias), 3)
        self.assertEqual(answer.to.tag, "1918181833n")
        self.assertEqual(answer.cseq, CSeq(9, "INVITE"))

    def test_intmeth(self) -> None:
        """3.1.1.2: every character that a token may have; control characters in quoted pairs.

        The method is not ours: 501 later.
        """
        request = self.taken(good.INTMETH)
        self.assertEqual(request.method, "!interesting-Method0123456789_*+`.%indeed'~")
        uri = SipUri.parse(request.uri)
        self.assertEqual(uri.user, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
        self.assertEqual(uri.password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
        self.assertEqual(uri.host, "example.com")
        self.assertEqual(request.vias[0].branch, "z9hG4bK-.!%66*_+`'~")
        self.assertEqual(request.to.display_name, "BEL:\x07 NUL:\x00 DEL:\x7f")
        self.assertEqual(request.from_.display_name, "token1~` token2'+_ token3*%!.-")
        self.assertEqual(
            request.from_.params, {"fromparam''~+*_!.-%": "работающий", "tag": "_token~1'+`*%!-."}
        )
        self.assertEqual(request.call_id, "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{")
        self.assertEqual(request.headers.get("extensionHeader-!.%*+_`'~"), "\ufeff大停電")

    def test_esc01(self) -> None:
        """3.1.1.3: an escape is undone once, and only inside URIs."""
        request = self.taken(good.ESC01)
        self.assertEqual(SipUri.parse(request.uri).user, "sips%3Auser%40example.com")
        self.assertEqual(address_key(request.uri), "sip:sips%3Auser%40example.com@example.net")
        self.assertEqual(address_key(request.to.uri), "sip:user@example.com")
        self.assertEqual(address_key(request.from_.uri), "sip:i%20have%20spaces@example.net")
        contact = SipUri.parse(request.contacts[0].uri)
        self.assertEqual(contact.params, (("%6c%72", None), ("n%61me", "v%61lue%25%34%31")))
        self.assertEqual(request.content_type, "application/sdp")

    def test_escnull(self) -> None:
        """3.1.1.4: an escaped NUL does not end a user's name."""
        request = self.taken(good.ESCNULL)
        self.assertEqual(address_key(request.to.uri), "sip:null-%00-null@example.com")
        keys = [address_key(contact.uri) for contact in request.contacts]
        self.assertEqual(keys, ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"])

    def test_esc02(self) -> None:
        """3.1.1.5: a percent sign in a method, a name or a header name means itself. 501 later."""
        request = self.taken(good.ESC02)
        self.assertEqual(request.method, "RE%47IST%45R")
        self.assertEqual(request.to.display_name, "%Z%45")
        self.assertEqual(len(request.contacts), 2)

    def test_lwsdisp(self) -> None:
        """3.1.1.6: no blank between display name and bracket."""
        self.assertEqual(
            self.taken(good.LWSDISP).from_, Address("sip:caller@example.com", "caller", {"tag": "323"})
        )

    def test_longreq(self) -> None:
        """3.1.1.7: long names, long values, 34 hops."""
        request = self.taken(good.LONGREQ)
        self.assertEqual(len(request.vias), 34)
        self.assertEqual(request.vias[0].sent_by, "sip33.example.com")
        self.assertEqual(request.vias[33].params["received"], "192.0.2.5")
        self.assertEqual(len(request.from_.tag or ""), 155)
        self.assertEqual(SipUri.parse(request.to.uri).port, 6000)
        self.assertEqual(len(request.body), 150)

    def test_dblreq(self) -> None:
        """3.1.1.8: two requests; a datagram's second one is noise, on a stream both count."""
        register, invite = self.items(wire(good.DBLREQ))
        assert isinstance(register, Request)
        assert isinstance(invite, Request)
        self.assertEqual((register.method, invite.method), ("REGISTER", "INVITE"))
        self.assertEqual(len(invite.body), 150)

    def test_semiuri(self) -> None:
        """3.1.1.9: a semicolon in the user part begins no URI parameter."""
        request = self.taken(good.SEMIURI)
        uri = SipUri.parse(request.uri)
        self.assertEqual((uri.user, uri.params), ("user;par=u%40example.net", ()))
        self.assertEqual(len(split_list(request.headers.get("Accept", ""))), 6)

    def test_transports(self) -> None:
        """3.1.1.10: transports that nobody knows."""
        names = [via.transport for via in self.taken(good.TRANSPORTS).vias]
        self.assertEqual(names, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"])

    def test_mpart01(self) -> None:
        """3.1.1.11: a body holds any bytes, line ends of all kinds and blank lines too."""
        head = wire(good.MPART01_HEAD % len(good.MPART01_BODY))
        (item,) = self.items(head + good.MPART01_BODY)
        assert isinstance(item, Request)
        self.assertEqual(item.body, good.MPART01_BODY)
        self.assertEqual(item.content_type, "multipart/mixed")

    def test_unreason(self) -> None:
        """3.1.1.12: a reason phrase in Cyrillic."""
        response = one_response(wire(good.UNREASON))
        self.assertEqual(response.reason, "= 2**3 * 5**2 но сто девяносто девять - простое")

    def test_noreason(self) -> None:
        """3.1.1.13: no reason phrase at all, and not even the blank before it."""
        self.assertEqual(one_response(wire(good.NOREASON)).reason, "")
        self.assertEqual(one_response(wire(good.NOREASON.replace("100 ", "100"))).status, 100)


class InvalidMessages(TortureCase):
    """Section 3.1.2: refused by the parser, or where the value is used."""

    def test_badinv01(self) -> None:
        """3.1.2.1: separators with nothing between them."""
        self.refused(bad.BADINV01, 400, "Malformed list in Via")
        self.refused(bad.BADINV01.replace("15;;,;,,", "15"), 400, "Malformed parameters of Contact")

    def test_clerr(self) -> None:
        """3.1.2.2: the body is shorter than announced; a stream can only wait for the rest."""
        items, lost, stream = receive_all([wire(bad.CLERR)])
        self.assertEqual((items, lost), ([], None))
        rest = 9999 - 150
        items = list(stream.receive(b"x" * rest))
        assert isinstance(items[0], Request)
        self.assertEqual(len(items[0].body), 9999)

    def test_ncl(self) -> None:
        """3.1.2.3: a negative Content-Length: 400, and the connection is closed."""
        self.loses_framing(bad.NCL, 400)

    def test_scalar02(self) -> None:
        """3.1.2.4: numbers beyond their range in a request."""
        self.refused(bad.SCALAR02, 400, "Malformed CSeq")
        text = bad.SCALAR02.replace("36893488147419103232", "7")
        self.refused(text, 400, "Malformed Expires")
        text = text.replace("1" + "0" * 52, "10000000000")
        self.refused(text, 400, "Max-Forwards out of range")
        self.assertEqual(self.taken(text.replace("300", "70")).expires, 2**32 - 1)

    def test_scalarlg(self) -> None:
        """3.1.2.5: numbers beyond their range in a response."""
        self.dropped(bad.SCALARLG)

    def test_quotbal(self) -> None:
        """3.1.2.6: a quote that is never closed."""
        answer = self.refused(bad.QUOTBAL, 400, "Malformed To")
        self.assertEqual(answer.call_id, "quotbal.aksdj")

    def test_ltgtruri(self) -> None:
        """3.1.2.7: a Request-URI in angle brackets."""
        self.refused(bad.LTGTRURI, 400, "Malformed Request-URI")

    def test_lwsruri(self) -> None:
        """3.1.2.8: a blank inside the Request-URI."""
        self.refused(bad.LWSRURI, 400, "Malformed start line")

    def test_lwsstart(self) -> None:
        """3.1.2.9: two blanks where one belongs."""
        self.refused(bad.LWSSTART, 400, "Malformed start line")

    def test_trws(self) -> None:
        """3.1.2.10: blanks after the version."""
        self.refused(bad.TRWS, 400, "Malformed start line")

    def test_escruri(self) -> None:
        """3.1.2.11: header fields smuggled in the Request-URI."""
        self.refused(bad.ESCRURI, 400, "Request-URI with header fields")

    def test_baddate(self) -> None:
        """3.1.2.12: a Date in another zone than GMT. We never read Date, so it does no harm."""
        self.assertEqual(self.taken(bad.BADDATE).headers.get("Date"), "Fri, 01 Jan 2010 16:00:00 EST")

    def test_regbadct(self) -> None:
        """3.1.2.13: a question mark in a Contact without brackets."""
        self.refused(bad.REGBADCT, 400, "Malformed parameters of Contact")

    def test_badaspec(self) -> None:
        """3.1.2.14: blanks inside the angle brackets."""
        self.refused(bad.BADASPEC, 400, "Malformed To")

    def test_baddn(self) -> None:
        """3.1.2.15: a comma in a display name without quotes."""
        self.refused(bad.BADDN, 400, "Malformed URI in From")

    def test_badvers(self) -> None:
        """3.1.2.16: a version that nobody speaks."""
        self.refused(bad.BADVERS, 505, "Version Not Supported")

    def test_mismatch01(self) -> None:
        """3.1.2.17: CSeq names another method."""
        self.refused(bad.MISMATCH01, 400, "CSeq method does not match")

    def test_mismatch02(self) -> None:
        """3.1.2.18: CSeq names another method, and the method is unknown; 400 goes before 501."""
        self.refused(bad.MISMATCH02, 400, "CSeq method does not match")

    def test_bigcode(self) -> None:
        """3.1.2.19: a status code beyond every range."""
        self.dropped(bad.BIGCODE)


class LaterLayers(TortureCase):
    """Sections 3.2 to 3.4: transactions, applications and the elder version."""

    def test_badbranch(self) -> None:
        """3.2.1: a branch that is only the magic cookie identifies nothing."""
        self.assertIsNone(self.taken(good.BADBRANCH).vias[0].branch)

    def test_insuf(self) -> None:
        """3.3.1: Call-ID, From and To are missing; the answer has what there was."""
        answer = self.refused(bad.INSUF, 400, "Missing Call-ID")
        self.assertEqual([name for name, _ in answer.headers], ["CSeq", "Via"])

    def test_unkscm(self) -> None:
        """3.3.2: a Request-URI of an unknown scheme."""
        self.refused(bad.UNKSCM, 416, "Unsupported URI Scheme")

    def test_novelsc(self) -> None:
        """3.3.3: a Request-URI of a known scheme that is none of ours."""
        self.refused(bad.NOVELSC, 416, "Unsupported URI Scheme")

    def test_unksm2(self) -> None:
        """3.3.4: From, To and Contact of unknown schemes: well formed, but no address of ours."""
        request = self.taken(bad.UNKSM2)
        self.assertEqual(request.to.uri, "isbn:2983792873")
        self.assertRaises(SipRefused, address_key, request.to.uri)

    def test_bext01(self) -> None:
        """3.3.5: Require and Proxy-Require with unknown extensions; 420 later."""
        names = split_list(self.taken(bad.BEXT01).headers.get("Require", ""))
        self.assertEqual(names, ["nothingSupportsThis", "nothingSupportsThisEither"])

    def test_invut(self) -> None:
        """3.3.6: an unknown body; 415 later."""
        length = len(bad.INVUT_BODY.replace("\n", "\r\n"))
        text = bad.INVUT.replace("Length: 40", f"Length: {length}")
        self.assertEqual(self.taken(text).content_type, "application/unknownformat")

    def test_regaut01(self) -> None:
        """3.3.7: credentials of an unknown scheme; sign-in starts anew later."""
        value = self.taken(bad.REGAUT01).headers.get("Authorization", "")
        self.assertEqual(AuthParams.parse(value), ("NoOneKnowsThisScheme", {"opaque-data": "here"}))

    def test_multi01(self) -> None:
        """3.3.8: headers twice that may be there once."""
        self.refused(bad.MULTI01, 400, "More than one max-forwards")

    def test_mcl01(self) -> None:
        """3.3.9: two lengths; nobody knows where the body ends."""
        self.loses_framing(bad.MCL01, 400)

    def test_bcast(self) -> None:
        """3.3.10: a response with a broadcast address in its second Via; no transaction will match."""
        self.assertEqual(one_response(wire(bad.BCAST)).vias[1].sent_by, "255.255.255.255")

    def test_zeromf(self) -> None:
        """3.3.11: Max-Forwards 0; we are the last hop, so it does no harm."""
        self.assertEqual(self.taken(bad.ZEROMF).headers.get("Max-Forwards"), "0")

    def test_cparam01(self) -> None:
        """3.3.12: an unknown parameter of the header."""
        (contact,) = self.taken(bad.CPARAM01).contacts
        self.assertEqual(contact, Address("sip:+19725552222@gw1.example.net", "", {"unknownparam": None}))

    def test_cparam02(self) -> None:
        """3.3.13: an unknown parameter of the URI."""
        (contact,) = self.taken(bad.CPARAM02).contacts
        self.assertEqual(contact, Address("sip:+19725552222@gw1.example.net;unknownparam"))

    def test_regescrt(self) -> None:
        """3.3.14: a Route escaped in a Contact URI; kept as it stands."""
        (contact,) = self.taken(bad.REGESCRT).contacts
        self.assertEqual(SipUri.parse(contact.uri).headers, (("Route", "%3Csip:sip.example.com%3E"),))

    def test_sdp01(self) -> None:
        """3.3.15: only an unknown type is accepted; 406 later."""
        self.assertEqual(self.taken(bad.SDP01).headers.get("Accept"), "text/nobodyKnowsThis")

    def test_inv2543(self) -> None:
        """3.4.1: an RFC 2543 INVITE: no branch, no From tag, no Max-Forwards.

        On a stream it needs a Content-Length; as the RFC has it the body would have no end.
        """
        self.loses_framing(good.INV2543, 400)
        request = self.taken(good.INV2543.replace("Content-Type", "Content-Length: 150\nContent-Type", 1))
        self.assertIsNone(request.vias[0].branch)
        self.assertIsNone(request.from_.tag)
        self.assertEqual(request.to, Address("sip:+16505552222@ss1.example.net", "", {"user": "phone"}))

    def test_the_answer_to_a_broken_request_can_be_read(self) -> None:
        """What is sent for a refused message is itself well formed."""
        answer = one_response(self.refused(bad.MISMATCH01, 400, "CSeq method does not match").to_bytes())
        self.assertEqual(answer.cseq, CSeq(8, "INVITE"))
        self.assertIsNotNone(answer.to.tag)

    def test_helpers_tell_a_refusal(self) -> None:
        """The helper of these tests fails where nothing is refused."""
        self.assertRaises(AssertionError, one_request, wire(bad.BADVERS))
