"""NTLMv2 in connection-less form, the server's side, as pure functions over bytes.

The client sends no NEGOTIATE: the server opens with CHALLENGE and the client proves itself with
AUTHENTICATE. NTLMv1, LM-only and anonymous answers are refused; so is every session key below 128 bits.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from enum import IntEnum, IntFlag

from attrs import field, frozen

from pchat.auth.md4 import md4
from pchat.auth.rc4 import rc4
from pchat.errors import PeerError

SIGNATURE = b"NTLMSSP\0"
#: A real AUTHENTICATE has 300 to 600 bytes; names of 256 characters and long target names fit in 4 kB.
MAX_TOKEN_BYTES = 4096
#: Longest user, domain or host name in characters; more is an attack on our logs, not a login.
MAX_NAME_CHARACTERS = 256
#: Names, timestamp, flags, single host, channel bindings, target name: ten kinds exist.
MAX_AV_PAIRS = 16

_CHALLENGE_HEAD = struct.Struct("<8sI HHI I 8s 8x HHI 8s")
_FIELD = struct.Struct("<HHI")
_AUTHENTICATE_FIELDS = 6
_FLAGS_AT = 60
_VERSION_AT = 64
_MIC_AT = 72
_MIC_END = 88
#: Signature of an NTLMv2 answer: 16 bytes of proof, then a structure of at least 28 bytes and the list's end.
_PROOF_BYTES = 16
_BLOB_HEAD_BYTES = 28
_AV_FLAG_MIC = 0x2
#: Windows 6.1 build 7601, NTLM revision 15: a version that clients are known to accept.
_OS_VERSION = bytes.fromhex("0601b11d0000000f")


class Flag(IntFlag):
    """Negotiate flags that mean something here.

    Source: MS-NLMP section 2.2.2.5; docs/spec/sip-sign-in.md section 4.1.
    """

    UNICODE = 0x00000001
    REQUEST_TARGET = 0x00000004
    SIGN = 0x00000010
    DATAGRAM = 0x00000040
    NTLM = 0x00000200
    ANONYMOUS = 0x00000800
    ALWAYS_SIGN = 0x00008000
    TARGET_TYPE_DOMAIN = 0x00010000
    EXTENDED_SESSION_SECURITY = 0x00080000
    IDENTIFY = 0x00100000
    TARGET_INFO = 0x00800000
    VERSION = 0x02000000
    KEY_128 = 0x20000000
    KEY_EXCHANGE = 0x40000000
    KEY_56 = 0x80000000


#: What the real client was seen to accept, flag by flag.
OFFERED = (
    Flag.UNICODE
    | Flag.REQUEST_TARGET
    | Flag.SIGN
    | Flag.DATAGRAM
    | Flag.NTLM
    | Flag.ALWAYS_SIGN
    | Flag.TARGET_TYPE_DOMAIN
    | Flag.EXTENDED_SESSION_SECURITY
    | Flag.IDENTIFY
    | Flag.TARGET_INFO
    | Flag.VERSION
    | Flag.KEY_128
    | Flag.KEY_EXCHANGE
    | Flag.KEY_56
)
#: Without these there would be no signature, or a weaker one: never accept less.
REQUIRED = Flag.UNICODE | Flag.SIGN | Flag.EXTENDED_SESSION_SECURITY | Flag.KEY_128 | Flag.KEY_EXCHANGE


class Av(IntEnum):
    """Kinds of attribute-value pairs in the target information. Source: MS-NLMP section 2.2.2.1."""

    END = 0
    NETBIOS_COMPUTER = 1
    NETBIOS_DOMAIN = 2
    DNS_COMPUTER = 3
    DNS_DOMAIN = 4
    FLAGS = 6
    TIMESTAMP = 7


class NtlmRefused(PeerError):
    """A token that is malformed or weaker than we allow; the text holds nothing secret."""


@frozen
class TargetNames:
    """How the server calls itself in a CHALLENGE.

    Args:
        netbios_domain: Also the target name, ``EXAMPLE``.
        netbios_computer: ``FRONTEND``.
        dns_domain: ``example.com``.
        dns_computer: ``frontend.example.com``.
    """

    netbios_domain: str
    netbios_computer: str
    dns_domain: str
    dns_computer: str


def nt_hash(password: str) -> bytes:
    """Hash a password as NTLM does; the result is as good as the password.

    Source: MS-NLMP section 3.3.1 (NTOWFv1).
    """
    return md4(password.encode("utf-16-le"))


def response_key(nt: bytes, user: str, domain: str) -> bytes:
    """Compute the key of NTLMv2 answers from the NT hash; ``user`` is already in upper case.

    Source: MS-NLMP section 3.3.2 (NTOWFv2).
    """
    return hmac.digest(nt, (user + domain).encode("utf-16-le"), "md5")


def file_time(seconds: float) -> int:
    """Turn seconds since 1970 into the time unit of NTLM: 100 ns since 1601-01-01 UTC."""
    return int(seconds * 10_000_000) + 116_444_736_000_000_000


def make_challenge(server_challenge: bytes, target: TargetNames, timestamp: int) -> bytes:
    """Build the CHALLENGE that opens a connection-less handshake.

    Args:
        server_challenge: 8 random bytes, never used twice.
        target: Names of this server.
        timestamp: 100 ns since 1601-01-01 UTC, see `file_time`.

    Returns:
        The message, to be sent in base64 as ``gssapi-data``.

    Source: MS-NLMP section 2.2.1.2; docs/spec/sip-sign-in.md section 4.1.
    """
    name = target.netbios_domain.encode("utf-16-le")
    pairs = b"".join(
        _av_pair(kind, text.encode("utf-16-le"))
        for kind, text in (
            (Av.NETBIOS_DOMAIN, target.netbios_domain),
            (Av.NETBIOS_COMPUTER, target.netbios_computer),
            (Av.DNS_DOMAIN, target.dns_domain),
            (Av.DNS_COMPUTER, target.dns_computer),
        )
    )
    info = pairs + _av_pair(Av.TIMESTAMP, struct.pack("<Q", timestamp)) + _av_pair(Av.END, b"")
    start = _CHALLENGE_HEAD.size
    head = _CHALLENGE_HEAD.pack(
        SIGNATURE, 2,
        len(name), len(name), start,
        OFFERED, server_challenge,
        len(info), len(info), start + len(name),
        _OS_VERSION,
    )  # fmt: skip
    return head + name + info


def _av_pair(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", kind, len(value)) + value


def av_pairs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Read a list of attribute-value pairs up to its end mark.

    Raises:
        NtlmRefused: The list is cut off, too long, or names a kind twice.
    """
    seen: set[int] = set()
    offset = 0
    while True:
        if offset + 4 > len(data):
            raise NtlmRefused("target information without an end")
        kind, length = struct.unpack_from("<HH", data, offset)
        offset += 4
        if kind == Av.END:
            if length:
                raise NtlmRefused("end of the target information has a length")
            return
        if kind in seen or len(seen) >= MAX_AV_PAIRS:
            raise NtlmRefused("target information names a kind twice or too many")
        if offset + length > len(data):
            raise NtlmRefused("target information is cut off")
        seen.add(kind)
        yield kind, data[offset : offset + length]
        offset += length


@frozen
class Authenticate:
    """The client's proof, read but not yet believed.

    Args:
        domain: As the client sent it; part of the hashed text.
        user: As the client sent it, before upper-casing.
        flags: What the client accepted of our offer.
        nt_response: Proof and client structure of NTLMv2.
        encrypted_key: The session key, encrypted by the session base key; 16 bytes.
        mic: Integrity code over the handshake, if the client announced one.
        raw: The whole message, for the integrity code.
    """

    domain: str
    user: str
    flags: int
    nt_response: bytes = field(repr=False)
    encrypted_key: bytes = field(repr=False)
    mic: bytes | None = field(repr=False)
    raw: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> Authenticate:
        """Read an AUTHENTICATE message, refusing all that is malformed or too weak.

        Raises:
            NtlmRefused: Not an AUTHENTICATE, a field outside the message or over another one, an
                answer that is not NTLMv2, or flags that would weaken the session.

        Source: MS-NLMP sections 2.2.1.3 and 2.2.2.8.
        """
        if not _VERSION_AT <= len(data) <= MAX_TOKEN_BYTES:
            raise NtlmRefused("AUTHENTICATE has an impossible length")
        if data[:8] != SIGNATURE or data[8:12] != b"\x03\0\0\0":
            raise NtlmRefused("not an AUTHENTICATE message")
        flags = int.from_bytes(data[_FLAGS_AT:_VERSION_AT], "little")
        if flags & Flag.ANONYMOUS or flags & REQUIRED != REQUIRED:
            raise NtlmRefused("AUTHENTICATE offers too weak a session")
        _lm, nt, domain, user, _workstation, key = _fields(data, flags)
        with_mic = _check_answer(nt)
        if len(key) != 16:
            raise NtlmRefused("encrypted session key has not 16 bytes")
        mic = None
        if with_mic:
            if _first_payload(data) < _MIC_END:
                raise NtlmRefused("announced integrity code is missing")
            mic = data[_MIC_AT:_MIC_END]
        return cls(_name(domain), _name(user), flags, nt, key, mic, data)


def _spans(data: bytes) -> list[tuple[int, int]]:
    """List (offset, length) of the six fields in the order of the message's head."""
    spans = []
    for index in range(_AUTHENTICATE_FIELDS):
        length, _allocated, offset = _FIELD.unpack_from(data, 12 + 8 * index)
        spans.append((offset, length))
    return spans


def _first_payload(data: bytes) -> int:
    return min((offset for offset, length in _spans(data) if length), default=len(data))


def _fields(data: bytes, flags: int) -> list[bytes]:
    """Cut out the six fields; every byte belongs to one field at most, and none to the head."""
    end = _MIC_AT if flags & Flag.VERSION else _VERSION_AT
    spans = _spans(data)
    for offset, length in sorted(span for span in spans if span[1]):
        if offset < end:
            raise NtlmRefused("fields of AUTHENTICATE overlap")
        end = offset + length
        if end > len(data):
            raise NtlmRefused("a field of AUTHENTICATE reaches beyond the message")
    return [data[offset : offset + length] if length else b"" for offset, length in spans]


def _name(data: bytes) -> str:
    if len(data) > 2 * MAX_NAME_CHARACTERS:
        raise NtlmRefused("a name in AUTHENTICATE is too long")
    try:
        text = data.decode("utf-16-le")
    except UnicodeDecodeError:
        raise NtlmRefused("a name in AUTHENTICATE is not UTF-16") from None
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise NtlmRefused("a name in AUTHENTICATE has control characters")
    return text


def _check_answer(nt: bytes) -> bool:
    """Refuse what is not NTLMv2; tell whether the answer announces an integrity code."""
    if len(nt) < _PROOF_BYTES + _BLOB_HEAD_BYTES + 4:
        raise NtlmRefused("only NTLMv2 is accepted")
    blob = nt[_PROOF_BYTES:]
    if blob[:2] != b"\x01\x01":
        raise NtlmRefused("only NTLMv2 is accepted")
    announced = dict(av_pairs(blob[_BLOB_HEAD_BYTES:])).get(Av.FLAGS)
    if announced is None:
        return False
    if len(announced) != 4:
        raise NtlmRefused("flags in the target information have not 4 bytes")
    return bool(int.from_bytes(announced, "little") & _AV_FLAG_MIC)


def verify(authenticate: Authenticate, challenge: bytes, nt: bytes, negotiate: bytes = b"") -> bytes | None:
    """Check a proof against the challenge it answers and the account's NT hash.

    Args:
        authenticate: What `Authenticate.parse` read.
        challenge: Our CHALLENGE, the very bytes that were sent.
        nt: NT hash of the account, 16 bytes.
        negotiate: The client's NEGOTIATE; empty in connection-less form.

    Returns:
        The exported session key, 16 bytes, or None if the password is wrong or the answer was made
        for another challenge.

    Source: MS-NLMP sections 3.2.5.1.2 and 3.3.2; docs/spec/sip-sign-in.md section 4.2.
    """
    proof, blob = authenticate.nt_response[:_PROOF_BYTES], authenticate.nt_response[_PROOF_BYTES:]
    key: bytes | None = None
    for user in _upper_cases(authenticate.user):
        candidate = response_key(nt, user, authenticate.domain)
        if hmac.compare_digest(hmac.digest(candidate, challenge[24:32] + blob, "md5"), proof):
            key = candidate
    if key is None or not _same_target(challenge, blob):
        return None
    session_key = rc4(hmac.digest(key, proof, "md5"), authenticate.encrypted_key)
    if authenticate.mic is not None:
        raw = authenticate.raw
        text = negotiate + challenge + raw[:_MIC_AT] + bytes(_MIC_END - _MIC_AT) + raw[_MIC_END:]
        if not hmac.compare_digest(hmac.digest(session_key, text, "md5"), authenticate.mic):
            return None
    return session_key


def _upper_cases(user: str) -> list[str]:
    """List the upper-case forms that clients hash.

    COMPAT(pidgin-sipe) raises only ASCII letters; others raise every letter that has one capital.
    """
    ascii_only = "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in user)
    every = "".join(c.upper() if len(c.upper()) == 1 else c for c in user)
    return [ascii_only] if ascii_only == every else [ascii_only, every]


def _same_target(challenge: bytes, blob: bytes) -> bool:
    """Tell whether the client saw our target information, not that of a server relaying our challenge."""
    length, _allocated, offset = _FIELD.unpack_from(challenge, 40)
    ours = dict(av_pairs(challenge[offset : offset + length]))
    theirs = dict(av_pairs(blob[_BLOB_HEAD_BYTES:]))
    return all(ours[kind] == theirs[kind] for kind in ours.keys() & theirs.keys() if kind != Av.FLAGS)


_SIGN_MAGIC = b"session key to %s signing key magic constant\0"
_SEAL_MAGIC = b"session key to %s sealing key magic constant\0"
_TO_SERVER = b"client-to-server"
_TO_CLIENT = b"server-to-client"


@frozen
class SigningKeys:
    """Keys of one direction: that of the HMAC, and that of the cipher which masks it.

    Source: MS-NLMP sections 3.4.5.2 and 3.4.5.3, extended session security with 128 bits.
    """

    sign: bytes = field(repr=False)
    seal: bytes = field(repr=False)

    @classmethod
    def to_server(cls, session_key: bytes) -> SigningKeys:
        """Derive the keys by which the client signs."""
        return cls._derive(session_key, _TO_SERVER)

    @classmethod
    def to_client(cls, session_key: bytes) -> SigningKeys:
        """Derive the keys by which the server signs."""
        return cls._derive(session_key, _TO_CLIENT)

    @classmethod
    def _derive(cls, session_key: bytes, direction: bytes) -> SigningKeys:
        sign = hashlib.md5(session_key + _SIGN_MAGIC % direction, usedforsecurity=False).digest()
        seal = hashlib.md5(session_key + _SEAL_MAGIC % direction, usedforsecurity=False).digest()
        return cls(sign, seal)
