"""Header fields: an ordered list of raw values, and the parsed form of those that we read.

Raw values are kept as received (only unfolded and trimmed), since signatures are computed on them.

Source: RFC 3261 sections 7.3 and 20.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple, overload

from attrs import field, frozen

from pchat.errors import SipRefused
from pchat.sip.grammar import (
    ADDR_SPEC,
    AUTH_PARAM,
    CREDENTIALS,
    CSEQ,
    LIST_PIECE,
    MAX_CSEQ,
    NAME_ADDR,
    PARAMETER,
    SCHEME,
    TOKEN,
    VIA,
    quote,
    unquote,
)
from pchat.sip.names import KEYS, header_key, long_name


class Headers:
    """The header fields of a message, in order; lookups do not depend on case or compact form.

    Iterating gives ``(name, raw value)``; names are as received, compact ones in their long form.

    Source: RFC 3261 section 7.3.
    """

    __slots__ = ("_fields", "_first")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: list[tuple[str, str]] = []
        self._first: dict[str, str] = {}
        for name, value in fields:
            self.add(name, value)

    @classmethod
    def parse(cls, lines: list[str]) -> Headers:
        """Read unfolded header lines.

        Raises:
            SipRefused: 400, a line has no colon or its name is no token.
        """
        headers = cls()
        fields = headers._fields
        first = headers._first
        keys = KEYS
        for line in lines:
            name, colon, value = line.partition(":")
            value = value.strip(" \t")
            key = keys.get(name)
            if key is None:
                name = name.rstrip(" \t")
                if not colon or TOKEN.fullmatch(name) is None:
                    raise SipRefused(400, "Malformed header line")
                name = long_name(name)
                key = header_key(name)
            elif not colon:
                raise SipRefused(400, "Malformed header line")
            fields.append((name, value))
            if key not in first:
                first[key] = value
        return headers

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of a header, or ``default``."""
        return self._first.get(KEYS.get(name) or header_key(name), default)

    def get_all(self, name: str) -> list[str]:
        """Return every value of a header, in order, one a line; comma lists are not split."""
        key = KEYS.get(name) or header_key(name)
        if key not in self._first:
            return []
        if len(self._fields) == len(self._first):
            return [self._first[key]]
        return [value for other, value in self._fields if (KEYS.get(other) or header_key(other)) == key]

    def add(self, name: str, value: str) -> None:
        """Append a header line."""
        name = long_name(name)
        self._fields.append((name, value))
        self._first.setdefault(KEYS.get(name) or header_key(name), value)

    def set(self, name: str, value: str) -> None:
        """Put one value in the place of all that the header had."""
        self.remove(name)
        self.add(name, value)

    def remove(self, name: str) -> None:
        """Take out every line of a header; one that is not there is no error."""
        key = KEYS.get(name) or header_key(name)
        if self._first.pop(key, None) is not None:
            self._fields = [pair for pair in self._fields if header_key(pair[0]) != key]

    def repeated(self) -> list[str]:
        """Return the keys (lower-case long names) of headers that stand on more than one line."""
        if len(self._fields) == len(self._first):
            return []
        counts = Counter(KEYS.get(name) or header_key(name) for name, _ in self._fields)
        return [key for key, count in counts.items() if count > 1]

    def copy(self) -> Headers:
        """Return a copy that changes on its own."""
        other = Headers()
        other._fields = self._fields.copy()
        other._first = self._first.copy()
        return other

    def __contains__(self, name: str) -> bool:
        return (KEYS.get(name) or header_key(name)) in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return self._fields == other._fields if isinstance(other, Headers) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # mutable, so not to be a dictionary key

    def __repr__(self) -> str:
        return f"<Headers {', '.join(name for name, _ in self._fields)}>"


class CSeq(NamedTuple):
    """Sequence number and method. Source: RFC 3261 section 20.16."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read a CSeq value.

        Raises:
            SipRefused: 400, malformed or not below 2**31.
        """
        match = CSEQ.fullmatch(text)
        if match is None:
            raise SipRefused(400, "Malformed CSeq")
        digits, method = match.groups()
        number = int(digits or 0)
        if number > MAX_CSEQ:
            raise SipRefused(400, "CSeq out of range")
        return cls(number, method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_parameters(text: str, header: str = "header") -> dict[str, str | None]:
    """Read ``;name=value;flag``: lower-case names, quotes taken off, None for a flag.

    Args:
        text: Empty, or beginning with a semicolon.
        header: Header name for the refusal.

    Raises:
        SipRefused: 400, malformed or a name given twice.

    Source: RFC 3261 sections 7.3.1 and 25.1, generic-param.
    """
    params: dict[str, str | None] = {}
    position = 0
    while position < len(text):
        match = PARAMETER.match(text, position)
        if match is None:
            raise SipRefused(400, f"Malformed parameters of {header}")
        name = match[1].lower()
        if name in params:
            raise SipRefused(400, f"Parameter of {header} given twice")
        params[name] = unquote(match[3]) if match[2] else None
        position = match.end()
    return params


def split_list(value: str, header: str = "header") -> list[str]:
    """Split at commas that stand neither in quotes nor in angle brackets; blanks around are cut.

    Raises:
        SipRefused: 400, an element is empty, or a quote or bracket is not closed.

    Source: RFC 3261 section 7.3.1.
    """
    if "," not in value:
        value = value.strip(" \t")
        return [value] if value else []
    pieces: list[str] = []
    position = 0
    while True:
        match = LIST_PIECE.match(value, position)
        piece = match[0].strip(" \t") if match else ""
        if match is None or not piece:
            raise SipRefused(400, f"Malformed list in {header}")
        pieces.append(piece)
        position = match.end()
        if position == len(value):
            return pieces
        if value[position] != ",":
            raise SipRefused(400, f"Malformed list in {header}")
        position += 1


@frozen
class Address:
    """A parsed From, To, Contact, Route or identity header.

    Args:
        uri: The exact text between the angle brackets (signatures need it so).
        display_name: The name without quotes, or empty.
        params: Parameters outside the brackets; lower-case names, None for a flag.

    Source: RFC 3261 sections 20.10, 20.20 and 20.39.
    """

    uri: str
    display_name: str = ""
    params: dict[str, str | None] = field(factory=dict)

    @property
    def tag(self) -> str | None:
        """The tag, or None."""
        return self.params.get("tag")

    @classmethod
    def parse(cls, text: str, header: str = "address") -> Address:
        """Read one address.

        Raises:
            SipRefused: 400, malformed; the text names ``header``.
        """
        match = NAME_ADDR.fullmatch(text)
        if match is not None:
            quoted, plain, uri, rest = match.groups()
            name = unquote(quoted) if quoted else plain.strip(" \t")
        else:
            match = ADDR_SPEC.fullmatch(text)
            if match is None:
                raise SipRefused(400, f"Malformed {header}")
            name = ""
            uri, rest = match.groups()
        if SCHEME.match(uri) is None:
            raise SipRefused(400, f"Malformed URI in {header}")
        params = parse_parameters(rest, header) if rest else {}
        if "tag" in params and not params["tag"]:
            raise SipRefused(400, f"Empty tag in {header}")
        return cls(uri, name, params)

    @classmethod
    def parse_list(cls, text: str, header: str = "address") -> list[Address]:
        """Read addresses separated by commas.

        Raises:
            SipRefused: 400, malformed; the text names ``header``.
        """
        return [cls.parse(piece, header) for piece in split_list(text, header)]

    def __str__(self) -> str:
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self.uri}>{_write_parameters(self.params)}"


@frozen
class Via:
    """One hop of a Via header.

    Args:
        transport: As written, such as ``tls`` or ``TCP``.
        host: Host of sent-by, IPv6 in its brackets.
        port: Port of sent-by, or None.
        params: Lower-case names, None for a flag.

    Source: RFC 3261 sections 18.2.1 and 20.42.
    """

    transport: str
    host: str
    port: int | None = None
    params: dict[str, str | None] = field(factory=dict)

    @property
    def sent_by(self) -> str:
        """Host and port as text, ``host:port``."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def branch(self) -> str | None:
        """The branch, or None if there is none or it identifies nothing (only the magic cookie)."""
        branch = self.params.get("branch")
        return None if not branch or branch.lower() == "z9hg4bk" else branch

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one hop.

        Raises:
            SipRefused: 400, malformed.
        """
        match = VIA.fullmatch(text)
        if match is None:
            raise SipRefused(400, "Malformed Via")
        transport, host, port, rest = match.groups()
        return cls(
            transport,
            host,
            None if port is None else int(port),
            parse_parameters(rest, "Via") if rest else {},
        )

    @classmethod
    def parse_list(cls, text: str) -> list[Via]:
        """Read hops separated by commas.

        Raises:
            SipRefused: 400, malformed.
        """
        return [cls.parse(piece) for piece in split_list(text, "Via")]

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{_write_parameters(self.params)}"


class AuthParams(NamedTuple):
    """Scheme and parameters of Authorization, WWW-Authenticate and their like.

    Args:
        scheme: As written, such as ``NTLM``.
        params: Lower-case names; quotes taken off, backslashes kept as they stand.

    Source: RFC 3261 sections 20.7 and 25.1; docs/spec/sip-sign-in.md section 4.
    """

    scheme: str
    params: dict[str, str]

    @classmethod
    def parse(cls, text: str, header: str = "Authorization") -> AuthParams:
        """Read a value with its parameters.

        Raises:
            SipRefused: 400, malformed or a name given twice.
        """
        match = CREDENTIALS.fullmatch(text)
        if match is None:
            raise SipRefused(400, f"Malformed {header}")
        scheme, rest = match.groups()
        pairs = AUTH_PARAM.findall(rest) if rest else []
        params = {name.lower(): value[1:-1] if value[:1] == '"' else value for name, value in pairs}
        if len(params) != len(pairs):
            raise SipRefused(400, f"Parameter of {header} given twice")
        return cls(scheme, params)


def _write_parameters(params: dict[str, str | None]) -> str:
    text = ""
    for name, value in params.items():
        if value is None:
            text += f";{name}"
        elif TOKEN.fullmatch(value):
            text += f";{name}={value}"
        else:
            text += f";{name}={quote(value)}"
    return text
