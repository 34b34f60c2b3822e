"""SIP, SIPS and tel URIs: parsed once, compared by a key, written back as they came.

Source: RFC 3261 sections 19.1 and 25.1; RFC 3966 section 3.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import AddressValueError, IPv6Address
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from attrs import frozen

from pchat.errors import SipRefused

#: Longest URI taken; room and user URIs are far below, and texts of this size stay cheap to compare.
MAX_URI_LENGTH: Final = 2048

# userinfo = ( user / telephone-subscriber ) [ ":" password ] "@"
# Wider than the rule: characters beyond ASCII are taken unescaped, since user names hold them.
_USER: Final = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|[^\x00-\x7f]|%[0-9A-Fa-f]{2})++")
_PASSWORD: Final = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*+")
# hostport = host [ ":" port ], then uri-parameters, then headers
_REST: Final = re.compile(
    r"(?:\[([0-9A-Fa-f:.]++)\]|([A-Za-z0-9](?:[A-Za-z0-9._\-]*[A-Za-z0-9.])?))(?::([0-9]{1,5}))?+"
    r"((?:;[^;?]++)*+)(?:\?(.++))?+"
)
# uri-parameter and header: pname [ "=" pvalue ], hname "=" hvalue
_PIECE: Final = re.compile(r"((?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$%]|[^\x00-\x7f])++)(?:=([^\s<>\"\\^`{|}]*+))?+")
# tel: global-number / local-number, with visual separators
_TEL: Final = re.compile(r"(\+?[0-9A-Fa-f*#().\-]++)((?:;[^;?]++)*+)")
_TEL_SEPARATORS: Final = str.maketrans("", "", "-.()")
_PLAIN: Final = re.compile(
    r"[Ss][Ii][Pp][Ss]?+:([A-Za-z0-9._\-]++@[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?)"
)
#: What stays unescaped in a comparison key: everything that cannot be mistaken for a delimiter.
_KEY_SAFE: Final = "-_.!~*'()&=+$,/"

Parameters = tuple[tuple[str, str | None], ...]


@frozen
class SipUri:
    """A parsed URI.

    Args:
        scheme: ``sip``, ``sips`` or ``tel``, lower case.
        user: User part as written (escapes kept), the number of a ``tel:``, or None.
        host: Host in lower case, IPv6 without brackets; empty for ``tel:``.
        port: 1 to 65535, or None.
        params: (lower-case name, value or None) in the order written.
        headers: (name, value) in the order written.
        password: Password part as written, or None; never part of a comparison or of a log.

    Source: RFC 3261 section 19.1.1.
    """

    scheme: str
    user: str | None
    host: str
    port: int | None = None
    params: Parameters = ()
    headers: Parameters = ()
    password: str | None = None

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Read a URI.

        Raises:
            SipRefused: 400, the text is no sip, sips or tel URI.
        """
        scheme, colon, rest = text.partition(":")
        scheme = scheme.lower()
        if not colon or len(text) > MAX_URI_LENGTH:
            raise SipRefused(400, "Malformed URI")
        if scheme in ("sip", "sips"):
            return cls._parse_sip(scheme, rest)
        if scheme == "tel":
            return cls._parse_tel(rest)
        raise SipRefused(400, "URI is neither sip, sips nor tel")

    @classmethod
    def _parse_sip(cls, scheme: str, rest: str) -> SipUri:
        user: str | None = None
        password: str | None = None
        userinfo, at, hostport = rest.rpartition("@")
        if at:
            user, colon, secret = userinfo.partition(":")
            password = secret if colon else None
            if not _USER.fullmatch(user) or (password and not _PASSWORD.fullmatch(password)):
                raise SipRefused(400, "Malformed user part of URI")
        match = _REST.fullmatch(hostport)
        if match is None:
            raise SipRefused(400, "Malformed host part of URI")
        ipv6, host, port, params, headers = match.groups()
        if ipv6 is not None:
            _check_ipv6(ipv6)
        return cls(
            scheme,
            user,
            (ipv6 or host).lower(),
            _read_port(port),
            _read_pieces(params[1:], ";", fold=True) if params else (),
            _read_pieces(headers, "&", fold=False) if headers else (),
            password,
        )

    @classmethod
    def _parse_tel(cls, rest: str) -> SipUri:
        match = _TEL.fullmatch(rest)
        if match is None:
            raise SipRefused(400, "Malformed tel URI")
        params = match[2]
        return cls("tel", match[1], "", None, _read_pieces(params[1:], ";", fold=True) if params else ())

    @property
    def aor(self) -> str:
        """The address of record as comparison key: ``sip:user@host``, folded, no port, no parameters."""
        if self.scheme == "tel":
            return "tel:" + (self.user or "").translate(_TEL_SEPARATORS).lower()
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.user is None:
            return f"sip:{host}"
        return f"sip:{_fold_user(self.user)}@{host}"

    def param(self, name: str, default: str | None = None) -> str | None:
        """Return a URI parameter's value; a flag without a value is an empty text."""
        for key, value in self.params:
            if key == name:
                return value or ""
        return default

    def __str__(self) -> str:
        text = [self.scheme, ":"]
        if self.user is not None:
            text.append(self.user)
        if self.scheme != "tel":
            if self.user is not None:
                text.append("@" if self.password is None else f":{self.password}@")
            text.append(f"[{self.host}]" if ":" in self.host else self.host)
        if self.port is not None:
            text.append(f":{self.port}")
        text += [f";{name}" if value is None else f";{name}={value}" for name, value in self.params]
        pairs = [name if value is None else f"{name}={value}" for name, value in self.headers]
        return "".join(text) + ("?" + "&".join(pairs) if pairs else "")


def is_plain(uri_text: str) -> bool:
    """Tell whether a URI is ``sip:user@host`` and nothing else; most are, and need no further look."""
    return _PLAIN.fullmatch(uri_text) is not None


def address_key(uri_text: str) -> str:
    """Return the key under which a user's URI is compared: ``sip:alice@example.com``.

    Scheme ``sips:``, letter case, escapes, port and parameters make no difference.

    Raises:
        SipRefused: 400, the text is no sip, sips or tel URI.

    Source: RFC 3261 sections 10.3 and 19.1.4; folding is ours.
    """
    match = _PLAIN.fullmatch(uri_text)
    if match is not None:
        return "sip:" + match[1].lower()
    return SipUri.parse(uri_text).aor


def _fold_user(user: str) -> str:
    """Undo escapes, fold case and composition, and escape again what would be read as a delimiter."""
    if "%" in user:
        try:
            user = unquote_to_bytes(user).decode()
        except UnicodeDecodeError:
            return user.lower()
    if user.isascii():
        user = user.lower()
        return user if user.isalnum() else quote(user, safe=_KEY_SAFE)
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", user).casefold())
    return "".join(char if char > "\x7f" else quote(char, safe=_KEY_SAFE) for char in folded)


def _check_ipv6(text: str) -> None:
    try:
        IPv6Address(text)
    except AddressValueError:
        raise SipRefused(400, "Malformed IPv6 address in URI") from None


def _read_port(text: str | None) -> int | None:
    if text is None:
        return None
    port = int(text)
    if not 0 < port < 65536:
        raise SipRefused(400, "Port in URI out of range")
    return port


def _read_pieces(text: str, separator: str, *, fold: bool) -> Parameters:
    """Split parameters or headers; a parameter named twice is refused, it would mean two things."""
    pieces: list[tuple[str, str | None]] = []
    seen: set[str] = set()
    for piece in text.split(separator):
        match = _PIECE.fullmatch(piece)
        if match is None:
            raise SipRefused(400, "Malformed parameter of URI")
        name = match[1].lower() if fold else match[1]
        if fold and name in seen:
            raise SipRefused(400, "Parameter of URI given twice")
        seen.add(name)
        pieces.append((name, match[2]))
    return tuple(pieces)
