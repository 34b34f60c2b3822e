"""The messages of RFC 4475 that are refused somewhere, by the parser or later.

Source: RFC 4475 sections 3.1.2 and 3.3; typed here with LF, sent with CRLF.
"""

from __future__ import annotations

from typing import Final

from tests.sip.torture_valid import SDP


def request(
    start: str,
    *,
    name: str,
    cseq: str,
    to: str = "sip:user@example.com",
    from_: str = "sip:caller@example.net;tag=93942939o2",
    via: str = "SIP/2.0/UDP host5.example.net;branch=z9hG4bK-39234-23523",
    more: str = "",
    length: str = "Content-Length: 0\n",
    body: str = "",
) -> str:
    """Write the fields that all these messages share, in the RFC's usual order."""
    return (
        f"{start}\nVia: {via}\nTo: {to}\nFrom: {from_}\nMax-Forwards: 70\nCall-ID: {name}\n"
        f"CSeq: {cseq}\n{more}{length}\n{body}"
    )


BADINV01: Final = (
    """\
INVITE sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=134161461246
Max-Forwards: 7
Call-ID: badinv01.0ha0isndaksdjasdf3234nas
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;;,;,,
Contact: "Joe" <sip:joe@example.org>;;;;
Content-Length: 152
Content-Type: application/sdp

"""
    + SDP
    + "\n"
)

CLERR: Final = (
    """\
INVITE sip:user@example.com SIP/2.0
Max-Forwards: 80
To: sip:j.user@example.com
From: sip:caller@example.net;tag=93942939o2
Contact: <sip:caller@hungry.example.net>
Call-ID: clerr.0ha0isndaksdjweiafasdk3
CSeq: 8 INVITE
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bK-39234-23523
Content-Type: application/sdp
Content-Length: 9999

"""
    + SDP
)

NCL: Final = CLERR.replace("clerr.0ha0isndaksdjweiafasdk3", "ncl.0ha0isndaksdj2193423r542w35").replace(
    "Content-Length: 9999", "Content-Length: -999"
)

SCALAR02: Final = """\
REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3
To: <sip:user@example.com>
From: <sip:user@example.com>;tag=239232jh3
CSeq: 36893488147419103232 REGISTER
Call-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32
Max-Forwards: 300
Expires: 10000000000000000000000000000000000000000000000000000
Contact: <sip:user@host129.example.com>
  ;expires=280297596632815
Content-Length: 0

"""

SCALARLG: Final = """\
SIP/2.0 503 Service Unavailable
Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129
To: <sip:user@example.com>
From: <sip:other@example.net>;tag=2easdjfejw
CSeq: 9292394834772304023312 OPTIONS
Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r
Retry-After: 949302838503028349304023988
Warning: 1812 overture "In Progress"
Content-Length: 0

"""

QUOTBAL: Final = request(
    "INVITE sip:user@example.com SIP/2.0",
    name="quotbal.aksdj",
    cseq="8 INVITE",
    to='"Mr. J. User <sip:j.user@example.com>',
    more="Contact: <sip:caller@host59.example.net>\nContent-Type: application/sdp\n",
    length="Content-Length: 150\n",
    body=SDP,
)
LTGTRURI: Final = request(
    "INVITE <sip:user@example.com> SIP/2.0",
    name="ltgtruri.1@192.0.2.5",
    cseq="1 INVITE",
    more="Contact: <sip:caller@host5.example.net>\nContent-Type: application/sdp\n",
    length="Content-Length: 150\n",
    body=SDP,
)
LWSRURI: Final = LTGTRURI.replace("<sip:user@example.com> SIP", "sip:user@example.com; lr SIP")
LWSSTART: Final = LTGTRURI.replace("<sip:user@example.com> SIP", " sip:user@example.com  SIP")
TRWS: Final = request(
    "OPTIONS sip:remote-target@example.com SIP/2.0  ",
    name="trws.oicu34958239neffasdhr2345r",
    cseq="238923 OPTIONS",
)
ESCRURI: Final = LTGTRURI.replace(
    "<sip:user@example.com> SIP", "sip:user@example.com?Route=%3Csip:example.com%3E SIP"
)
BADDATE: Final = LTGTRURI.replace("<sip:user@example.com> SIP", "sip:user@example.com SIP").replace(
    "Content-Type", "Date: Fri, 01 Jan 2010 16:00:00 EST\nContent-Type", 1
)
REGBADCT: Final = request(
    "REGISTER sip:example.com SIP/2.0",
    name="regbadct.k345asrl3fdbv@10.0.0.1",
    cseq="1 REGISTER",
    more="Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\n",
)
BADASPEC: Final = request(
    "OPTIONS sip:user@example.org SIP/2.0",
    name="badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3",
    cseq="3923239 OPTIONS",
    to='"Watson, Thomas" < sip:t.watson@example.org >',
)
BADDN: Final = request(
    "OPTIONS sip:t.watson@example.org SIP/2.0",
    name="baddn.31415@c.example.com",
    cseq="3923239 OPTIONS",
    from_="Bell, Alexander <sip:a.g.bell@example.com>;tag=43",
)
BADVERS: Final = request(
    "OPTIONS sip:t.watson@example.org SIP/7.0",
    name="badvers.31417@c.example.com",
    cseq="1 OPTIONS",
    via="SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw",
)
MISMATCH01: Final = request(
    "OPTIONS sip:user@example.com SIP/2.0", name="mismatch01.dj0234sxdfl3", cseq="8 INVITE"
)
MISMATCH02: Final = request(
    "NEWMETHOD sip:user@example.com SIP/2.0",
    name="mismatch02.dj0234sxdfl3",
    cseq="8 INVITE",
    more="Content-Type: application/sdp\n",
    length="l: 150\n",
    body=SDP,
)
BIGCODE: Final = """\
SIP/2.0 4294967301 better not break the receiver
Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i
CSeq: 353494 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
Contact: <sip:user@host105.example.com>

"""

# Section 3.3, application layer

INSUF: Final = (
    """\
INVITE sip:user@example.com SIP/2.0
CSeq: 193942 INVITE
Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf
Content-Type: application/sdp
l: 150

"""
    + SDP
)
UNKSCM: Final = request(
    "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0",
    name="unkscm.nasdfasser0q239nwsdfasdkl34",
    cseq="3923423 OPTIONS",
)
NOVELSC: Final = request(
    "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0",
    name="novelsc.asdfasser0q239nwsdfasdkl34",
    cseq="3923423 OPTIONS",
)
UNKSM2: Final = request(
    "REGISTER sip:example.com SIP/2.0",
    name="unksm2.daksdj@hyphenated-host.example.com",
    cseq="234902 REGISTER",
    to="isbn:2983792873",
    from_="<http://www.example.com>;tag=3234233",
    more="Contact: <name:John_Smith>\n",
)
BEXT01: Final = request(
    "OPTIONS sip:user@example.com SIP/2.0",
    name="bext01.0ha0isndaksdj",
    cseq="8 OPTIONS",
    more="Require: nothingSupportsThis, nothingSupportsThisEither\n"
    "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\n",
)
INVUT_BODY: Final = '<audio>\n <pcmu port="443"/>\n</audio>\n'
INVUT: Final = request(
    "INVITE sip:user@example.com SIP/2.0",
    name="invut.0ha0isndaksdjadsfij34n23d",
    cseq="235448 INVITE",
    more="Contact: <sip:caller@host5.example.net>\nContent-Type: application/unknownformat\n",
    length="Content-Length: 40\n",
    body=INVUT_BODY,
)
REGAUT01: Final = request(
    "REGISTER sip:example.com SIP/2.0",
    name="regaut01.0ha0isndaksdj",
    cseq="9338 REGISTER",
    more="Authorization: NoOneKnowsThisScheme opaque-data=here\n",
)
MULTI01: Final = (
    """\
INVITE sip:user@company.com SIP/2.0
Contact: <sip:caller@host25.example.net>
Via: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw
Max-Forwards: 70
CSeq: 5 INVITE
Call-ID: multi01.98asdh@192.0.2.1
CSeq: 59 INVITE
Call-ID: multi01.98asdh@192.0.2.2
From: sip:caller@example.com;tag=3413415
To: sip:user@example.com
To: sip:other@example.net
From: sip:caller@example.net;tag=2923420123
Content-Type: application/sdp
l: 150
Contact: <sip:caller@host36.example.net>
Max-Forwards: 5

"""
    + SDP
)
MCL01: Final = """\
OPTIONS sip:user@example.com SIP/2.0
Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK293423
To: sip:user@example.com
From: sip:other@example.net;tag=3923942
Call-ID: mcl01.fhn2323orihawfdoa3o4r52o3irsdf
CSeq: 15932 OPTIONS
Content-Length: 13
Max-Forwards: 60
Content-Length: 5
Content-Type: text/plain

There's no way to know how many octets are supposed to be here.
"""
BCAST: Final = (
    """\
SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23
Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: 150
Content-Type: application/sdp
Contact: <sip:user@host28.example.com>

"""
    + SDP
)
ZEROMF: Final = request(
    "OPTIONS sip:user@example.com SIP/2.0", name="zeromf.jfasdlfnm2o2l43r5u0asdfas", cseq="39234321 OPTIONS"
).replace("Max-Forwards: 70", "Max-Forwards: 0")
CPARAM01: Final = request(
    "REGISTER sip:example.com SIP/2.0",
    name="cparam01.70710@saturn.example.com",
    cseq="2 REGISTER",
    more="Contact: sip:+19725552222@gw1.example.net;unknownparam\n",
)
CPARAM02: Final = CPARAM01.replace(
    "Contact: sip:+19725552222@gw1.example.net;unknownparam",
    "Contact: <sip:+19725552222@gw1.example.net;unknownparam>",
).replace("cparam01", "cparam02")
REGESCRT: Final = REGBADCT.replace(
    "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
    "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>",
).replace("regbadct", "regescrt")
SDP01: Final = request(
    "INVITE sip:user@example.com SIP/2.0",
    name="sdp01.ndaksdj9342dasdd",
    cseq="59 INVITE",
    more="Accept: text/nobodyKnowsThis\nContact: <sip:caller@host5.example.net>\n"
    "Content-Type: application/sdp\n",
    length="Content-Length: 150\n",
    body=SDP,
)
