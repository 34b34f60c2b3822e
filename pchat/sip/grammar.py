"""The patterns that the parser is made of, each under the RFC 3261 rule that it stands for.

All quantifiers that could be tried in two ways are possessive (``*+``), so matching is linear in
the length of the text whatever a peer sends. Control characters never get this far: the head is
checked as a whole before anything is matched (`pchat.sip.message.parse_head`).

Source: RFC 3261 section 25.1.
"""

from __future__ import annotations

import re
from typing import Final

from pchat.errors import SipRefused

#: Why: numbers of more digits than these cannot be in range, and ``int`` of a long text is slow.
MAX_DIGITS: Final = 10
MAX_CSEQ: Final = 2**31 - 1
MAX_DELTA_SECONDS: Final = 2**32 - 1

# LWS = [*WSP CRLF] 1*WSP; line folds are gone before patterns are applied.
WS: Final = r"[ \t]*+"

# token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~")
TOKEN_TEXT: Final = r"[A-Za-z0-9\-.!%*_+`'~]++"  # noqa: S105  # a pattern, no password
TOKEN: Final = re.compile(TOKEN_TEXT)

# quoted-string = SWS DQUOTE *(qdtext / quoted-pair) DQUOTE
QUOTED_TEXT: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)

# gen-value = token / host / quoted-string
# Wider than the rule: clients send "/", "=" and more in tags and in ms-… parameters; what would end
# the value in any reading (blank, comma, semicolon, quote, angle bracket) stays out.
VALUE_TEXT: Final = rf'(?:{QUOTED_TEXT}|[^\s;,"<>\\]*+)'

# generic-param = token [ EQUAL gen-value ], with the SEMI before it
PARAMETER: Final = re.compile(rf"{WS};{WS}({TOKEN_TEXT}){WS}(?:(=){WS}({VALUE_TEXT}){WS})?+", re.DOTALL)

# callid = word [ "@" word ]; one word of visible characters does for us
CALL_ID: Final = re.compile(r"\S++")

# Request-Line = Method SP Request-URI SP SIP-Version
REQUEST_LINE: Final = re.compile(rf"({TOKEN_TEXT}) ([^ \t]++) ([Ss][Ii][Pp]/[0-9]{{1,5}}\.[0-9]{{1,5}})")
# Status-Line = SIP-Version SP Status-Code SP Reason-Phrase; the last SP is often forgotten.
STATUS_LINE: Final = re.compile(r"([Ss][Ii][Pp]/[0-9]{1,5}\.[0-9]{1,5}) ([1-6][0-9][0-9])(?: (.*))?+")

# CSeq = 1*DIGIT LWS Method
CSEQ: Final = re.compile(rf"(?=[0-9])0*+([0-9]{{0,{MAX_DIGITS}}}+)[ \t]++({TOKEN_TEXT})")

# name-addr = [ display-name ] LAQUOT addr-spec RAQUOT; display-name = *(token LWS) / quoted-string
# Unquoted names may hold more than tokens (people's names in any script), but nothing that separates.
NAME_ADDR: Final = re.compile(
    rf'{WS}(?:({QUOTED_TEXT})|([^"<>,;:\\]*+)){WS}<([^<>"\s]++)>{WS}(.*+)', re.DOTALL
)
# addr-spec without angle brackets holds no comma, question mark or semicolon (section 20.10).
ADDR_SPEC: Final = re.compile(rf'{WS}([^<>"\s,;?]++){WS}(.*+)', re.DOTALL)
# absoluteURI: scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):(?=.)")

# sent-protocol LWS sent-by *( SEMI via-params ); sent-protocol = name SLASH version SLASH transport
VIA: Final = re.compile(
    rf"{WS}{TOKEN_TEXT}{WS}/{WS}{TOKEN_TEXT}{WS}/{WS}({TOKEN_TEXT})[ \t]++"
    rf"(\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9.\-_]++)(?:{WS}:{WS}([0-9]{{1,5}}))?+{WS}(.*+)",
    re.DOTALL,
)

# One piece of a comma separated list that holds no separating comma.
LIST_PIECE: Final = re.compile(rf'(?:[^,"<]++|{QUOTED_TEXT}|<[^>]*+>)++', re.DOTALL)

# credentials = auth-scheme LWS auth-param *(COMMA auth-param)
# Unquoted values are wider than token: base64 and URIs occur there.
AUTH_PARAM_TEXT: Final = rf"({TOKEN_TEXT}){WS}={WS}({QUOTED_TEXT}|[^\s,\"]*+){WS}"
AUTH_PARAM: Final = re.compile(AUTH_PARAM_TEXT, re.DOTALL)
_AUTH_PARAM_BARE: Final = AUTH_PARAM_TEXT.replace("(" + TOKEN_TEXT, "(?:" + TOKEN_TEXT).replace(
    "(" + QUOTED_TEXT, "(?:" + QUOTED_TEXT
)
CREDENTIALS: Final = re.compile(
    rf"({TOKEN_TEXT})(?:[ \t]++({_AUTH_PARAM_BARE}(?:,{WS}{_AUTH_PARAM_BARE})*+))?+", re.DOTALL
)

# delta-seconds = 1*DIGIT, and Content-Length, Max-Forwards alike
NUMBER: Final = re.compile(r"(?=[0-9])0*+([0-9]{0,20}+)")


def unquote(text: str) -> str:
    """Take the quotes and the backslashes of a quoted string away; other text is returned as it is."""
    if not text.startswith('"'):
        return text
    inner = text[1:-1]
    return QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    """Write text as a quoted string; control characters become blanks, so it stays one line.

    Source: RFC 3261 section 25.1, quoted-string.
    """
    clean = "".join(" " if char < " " or char == "\x7f" else char for char in text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_number(text: str, maximum: int, name: str) -> int:
    """Read an unsigned decimal number, as in Max-Forwards or Content-Length.

    Args:
        text: The digits, leading zeros allowed.
        maximum: The largest value that is accepted.
        name: Header name for the refusal.

    Raises:
        SipRefused: 400, it is no number or larger than ``maximum``.
    """
    match = NUMBER.fullmatch(text)
    if match is None:
        raise SipRefused(400, f"Malformed {name}")
    number = int(match[1] or 0)
    if number > maximum:
        raise SipRefused(400, f"{name} out of range")
    return number
