"""Signed sessions: the text that is signed, the check of what comes, the signature of what goes.

NTLM's sequence number is always 100 here and its cipher state always fresh, so the mask over the
checksum is constant for a session and direction: a signature is one HMAC-MD5 and one XOR.

Source: MS-SIPAE section 3; docs/spec/sip-sign-in.md section 4.2.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

from attrs import define, field

from pchat.auth.ntlm import SigningKeys
from pchat.auth.rc4 import rc4
from pchat.errors import PeerError, SipRefused
from pchat.interfaces import Random
from pchat.sip.headers import Address, AuthParams
from pchat.sip.message import Request, Response

#: From this version on the To URI and the asserted identity are signed too.
_LONG_FORM = 3
#: Fields of the signed text, without the status code that only responses have.
_LONG_FIELDS = 15
_SHORT_FIELDS = 12
#: A session has few dialogs at a time; a REGISTER brings a new tag now and then.
_MAX_REMEMBERED_ENDS = 16
_SEQUENCE = (100).to_bytes(4, "little")
_BLOCK_BYTES = 64

_CRAND = re.compile(r"[0-9A-Za-z]{1,32}")
_CNUM = re.compile(r"[0-9]{1,10}")
_CHECKSUM = re.compile(r"[0-9A-Fa-f]{32}")
#: The end of the header as the usual client writes it, after the part that is constant in a session.
_USUAL_END = re.compile(rf'({_CRAND.pattern})", cnum="({_CNUM.pattern})", response="({_CHECKSUM.pattern})"')


class SignatureRefused(PeerError):
    """A message in a signed session that is unsigned, badly signed or repeated."""


class Checksum:
    """Computes the NTLM signature of texts in one direction of one session.

    Args:
        keys: Of that direction.
    """

    __slots__ = ("_inner", "_mask", "_outer")

    def __init__(self, keys: SigningKeys) -> None:
        # HMAC by its definition (RFC 2104): copies of the two started hashes cost a third of hmac.digest.
        key = keys.sign.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.md5(bytes(byte ^ 0x36 for byte in key) + _SEQUENCE, usedforsecurity=False)
        self._outer = hashlib.md5(bytes(byte ^ 0x5C for byte in key), usedforsecurity=False)
        cipher_key = hashlib.md5(keys.seal + _SEQUENCE, usedforsecurity=False).digest()
        self._mask = int.from_bytes(rc4(cipher_key, bytes(8)), "big")

    def of(self, text: bytes) -> str:
        """Compute the signature of a text.

        Returns:
            32 hexadecimal digits in upper case.
        """
        inner = self._inner.copy()
        inner.update(text)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return f"01000000{int.from_bytes(outer.digest()[:8], 'big') ^ self._mask:016X}64000000"


@define(eq=False)
class Association:
    """A security association: what both sides know of each other after a handshake.

    Args:
        scheme: ``NTLM``.
        version: As the client wrote it, None if it wrote none; 3 and above sign more fields.
        opaque: Names this association in the client's headers.
        realm: As offered.
        target_name: As offered.
        user: Who signed in; opaque here.
        session_key: 16 bytes, not kept.
        random: For ``srand``.
    """

    scheme: str
    version: int | None
    opaque: str
    realm: str
    target_name: str
    user: object
    _from_client: Checksum = field(repr=False)
    _to_client: Checksum = field(repr=False)
    _random: Random = field(repr=False)
    _usual_start: str = field(init=False, repr=False)
    _long: bool = field(init=False, repr=False)
    _last_cnum: int = field(init=False, default=0, repr=False)
    _last_snum: int = field(init=False, default=0, repr=False)
    _from_ends: dict[str, str] = field(init=False, factory=dict, repr=False)
    _to_ends: dict[str, str] = field(init=False, factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        self._long = self.version is not None and self.version >= _LONG_FORM
        self._usual_start = (
            f'{self.scheme} qop="auth", opaque="{self.opaque}", realm="{self.realm}", '
            f'targetname="{self.target_name}", crand="'
        )

    @classmethod
    def ntlm(
        cls,
        session_key: bytes,
        *,
        version: int | None,
        opaque: str,
        realm: str,
        target_name: str,
        user: object,
        random: Random,
    ) -> Association:
        """Make the association of an NTLM handshake from its exported session key (16 bytes)."""
        return cls(
            "NTLM",
            version,
            opaque,
            realm,
            target_name,
            user,
            Checksum(SigningKeys.to_server(session_key)),
            Checksum(SigningKeys.to_client(session_key)),
            random,
        )

    def verify(self, message: Request | Response) -> None:
        """Check that the client signed a message in this session, and that it is no repetition.

        Args:
            message: A request (also ACK) or a response, as received.

        Raises:
            SignatureRefused: No ``Authorization``, that of another session, a wrong signature, or a
                ``cnum`` not above the last one.
        """
        value = message.headers.get("Authorization")
        if value is None:
            raise SignatureRefused("not signed")
        scheme, crand, cnum, given = self._read_authorization(value)
        number = int(cnum)
        text = self._text(message, scheme, crand, cnum)
        fields = (_LONG_FIELDS if self._long else _SHORT_FIELDS) + isinstance(message, Response)
        # Without this, a bracket inside a value could move the border between two fields.
        if text.count("<") != fields or text.count(">") != fields:
            raise SignatureRefused("angle brackets inside a signed value")
        try:
            expected = self._from_client.of(text.encode())
        except UnicodeEncodeError:
            raise SignatureRefused("a signed value is not UTF-8") from None
        if not hmac.compare_digest(expected, given.upper()):
            raise SignatureRefused("wrong signature")
        if number <= self._last_cnum:
            raise SignatureRefused("repeated message (cnum does not grow)")
        self._last_cnum = number

    def _read_authorization(self, value: str) -> tuple[str, str, str, str]:
        """Return scheme, crand, cnum and response; the session must be this one."""
        start = self._usual_start
        if value.startswith(start):
            usual = _USUAL_END.fullmatch(value, len(start))
            if usual is not None:
                return self.scheme, usual[1], usual[2], usual[3]
        try:
            scheme, params = AuthParams.parse(value)
        except SipRefused as error:
            raise SignatureRefused(error.reason) from None
        if scheme.upper() != self.scheme.upper():
            raise SignatureRefused("signed by another scheme")
        for name, ours in (("opaque", self.opaque), ("realm", self.realm), ("targetname", self.target_name)):
            if params.get(name) != ours:
                raise SignatureRefused(f"signed in another session ({name} differs)")
        crand, cnum, given = (params.get(name, "") for name in ("crand", "cnum", "response"))
        if not (_CRAND.fullmatch(crand) and _CNUM.fullmatch(cnum) and _CHECKSUM.fullmatch(given)):
            raise SignatureRefused("crand, cnum or response is missing or malformed")
        return scheme, crand, cnum, given

    def _text(self, message: Request | Response, scheme: str, rand: str, number: str) -> str:
        """Build the text that is signed."""
        headers = message.headers
        try:
            cseq = message.cseq
            call_id = message.call_id
            origin = self._end(headers.get("From"), self._from_ends, True)
            target = self._end(headers.get("To"), self._to_ends, self._long)
            identity = self._identity(message) if self._long else ""
        except SipRefused as error:
            raise SignatureRefused(error.reason) from None
        status = f"<{message.status}>" if isinstance(message, Response) else ""
        return (
            f"<{scheme}><{rand}><{number}><{self.realm}><{self.target_name}><{call_id}><{cseq.number}>"
            f"<{cseq.method}>{origin}{target}{identity}<{headers.get('Expires', '')}>{status}"
        )

    @staticmethod
    def _end(raw: str | None, known: dict[str, str], with_uri: bool) -> str:
        """Return what is signed of From or To; the few values of a session are remembered."""
        end = known.get(raw) if raw is not None else None
        if end is not None:
            return end
        if raw is None:
            raise SignatureRefused("From or To is missing")
        address = Address.parse(raw)
        end = f"<{address.uri}><{address.tag or ''}>" if with_uri else f"<{address.tag or ''}>"
        if len(known) >= _MAX_REMEMBERED_ENDS:
            known.clear()
        known[raw] = end
        return end

    @staticmethod
    def _identity(message: Request | Response) -> str:
        """Return what is signed of P-Asserted-Identity, or else of P-Preferred-Identity."""
        headers = message.headers
        for name in ("P-Asserted-Identity", "P-Preferred-Identity"):
            if name in headers:
                uris = [a.uri for value in headers.get_all(name) for a in Address.parse_list(value)]
                sip = next((uri for uri in uris if uri[:4].lower() in {"sip:", "sips"}), "")
                tel = next((uri for uri in uris if uri[:4].lower() == "tel:"), "")
                return f"<{sip}><{tel}>"
        return "<><>"

    def authentication_info(self, message: Request | Response) -> str:
        """Sign a message of ours.

        Args:
            message: A request, or a response of status 200 and above, complete but for this header.

        Returns:
            The value of its ``Authentication-Info`` header.
        """
        srand, snum = self._random(4).hex(), str(self._next_snum())
        signature = self._to_client.of(self._text(message, self.scheme, srand, snum).encode())
        return f'{self.scheme} rspauth="{signature}", srand="{srand}", snum="{snum}", {self._session_params}'

    @property
    def _session_params(self) -> str:
        return f'opaque="{self.opaque}", qop="auth", targetname="{self.target_name}", realm="{self.realm}"'

    def _next_snum(self) -> int:
        self._last_snum += 1
        return self._last_snum

    def request_signer(
        self, *, method: str, call_id: str, from_uri: str, from_tag: str, to_uri: str, to_tag: str
    ) -> RequestSigner:
        """Prepare to sign many requests of one dialog; see `RequestSigner`."""
        srand = self._random(4).hex()
        start = f"<{self.scheme}><{srand}><"
        middle = f"><{self.realm}><{self.target_name}><{call_id}><"
        ends = (
            f"<{from_uri}><{from_tag}><{to_uri}><{to_tag}><><>"
            if self._long
            else f"<{from_uri}><{from_tag}><{to_tag}>"
        )
        return RequestSigner(
            self._to_client,
            self._next_snum,
            (start, middle, f"><{method}>{ends}<>"),
            (
                f'Authentication-Info: {self.scheme} rspauth="',
                f'", srand="{srand}", snum="',
                f'", {self._session_params}\r\n',
            ),
        )


class RequestSigner:
    """Signs the requests of one dialog that differ only in their CSeq (the fan-out path).

    Their From, To and Call-ID are those given to `Association.request_signer`; they carry neither
    Expires nor an asserted identity.
    """

    __slots__ = ("_checksum", "_line", "_next_snum", "_text")

    def __init__(
        self,
        checksum: Checksum,
        next_snum: Callable[[], int],
        text: tuple[str, str, str],
        line: tuple[str, str, str],
    ) -> None:
        self._checksum = checksum
        self._next_snum = next_snum
        self._text = text
        self._line = line

    def header_line(self, cseq: int) -> bytes:
        """Sign the request with this sequence number.

        Returns:
            The whole ``Authentication-Info`` line with its CRLF.
        """
        snum = self._next_snum()
        start, middle, end = self._text
        signature = self._checksum.of(f"{start}{snum}{middle}{cseq}{end}".encode())
        before, between, after = self._line
        return f"{before}{signature}{between}{snum}{after}".encode()
