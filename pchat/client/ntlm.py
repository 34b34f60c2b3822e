"""NTLM from the client's side: the answer to a CHALLENGE, and signatures at the least possible cost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
import time
from collections.abc import Iterable

from attrs import frozen

from pchat.auth.ntlm import NtlmRefused, av_pairs, file_time, nt_hash, response_key
from pchat.auth.rc4 import rc4
from pchat.client.wire import Malformed

FLAGS = 0x62988255
"""What pidgin-sipe answers. Source: docs/spec/sip-sign-in.md section 4.1."""
VERSION = bytes.fromhex("0501280a0000000f")
AV_TIMESTAMP = 7
SEQUENCE = bytes.fromhex("64000000")
"""Sequence number 100 in every message. Source: docs/spec/sip-sign-in.md section 4.2."""
_PAYLOAD_AT = 72


class Seal:
    """Signs the messages of one direction: one HMAC-MD5, and an XOR with a constant.

    Args:
        key: Exported session key.
        direction: ``client-to-server`` or ``server-to-client``.

    Source: docs/spec/sip-sign-in.md section 4.2.
    """

    def __init__(self, key: bytes, direction: str) -> None:
        sign_key = _magic_key(key, f"session key to {direction} signing key magic constant")
        seal_key = _magic_key(key, f"session key to {direction} sealing key magic constant")
        stream = rc4(hashlib.md5(seal_key + SEQUENCE, usedforsecurity=False).digest(), bytes(8))
        self._stream = int.from_bytes(stream, "big")
        padded = sign_key.ljust(64, b"\0")
        self._inner = hashlib.md5(bytes(byte ^ 0x36 for byte in padded) + SEQUENCE, usedforsecurity=False)
        self._outer = hashlib.md5(bytes(byte ^ 0x5C for byte in padded), usedforsecurity=False)

    def prepare(self, start: bytes) -> PreparedSeal:
        """Take in the part of the text that all messages begin with."""
        inner = self._inner.copy()
        inner.update(start)
        return PreparedSeal(inner, self._outer, self._stream)

    def sign(self, text: bytes) -> bytes:
        """Return the ``response`` value, 32 hexadecimal digits, of a text."""
        return self.prepare(text).sign(b"")


class PreparedSeal:
    """A `Seal` that has already read the constant start of the text."""

    __slots__ = ("_inner", "_outer", "_stream")

    def __init__(self, inner: hashlib._Hash, outer: hashlib._Hash, stream: int) -> None:
        self._inner = inner
        self._outer = outer
        self._stream = stream

    def sign(self, rest: bytes) -> bytes:
        """Return the ``response`` value of the constant start and the rest."""
        inner = self._inner.copy()
        inner.update(rest)
        outer = self._outer.copy()
        outer.update(inner.digest())
        mac = int.from_bytes(outer.digest()[:8], "big") ^ self._stream
        return b"01000000%016x64000000" % mac


def _magic_key(key: bytes, constant: str) -> bytes:
    return hashlib.md5(key + constant.encode() + b"\0", usedforsecurity=False).digest()


@frozen
class Answer:
    """An AUTHENTICATE message and the session key that it carries."""

    token: str
    session_key: bytes


def answer(challenge: str, user: str, password: str) -> Answer:
    """Answer a CHALLENGE as pidgin-sipe does when only a sign-in name is configured: with no domain.

    Args:
        challenge: The server's ``gssapi-data``.
        user: ``user@domain``.
        password: ASCII.

    Raises:
        Malformed: That is no CHALLENGE.

    Source: MS-NLMP section 3.3.2; docs/spec/sip-sign-in.md section 4.1.
    """
    server_challenge, target_info, stamp = _read_challenge(challenge)
    key = response_key(nt_hash(password), user.upper(), "")
    nonce = os.urandom(8)
    blob = b"\x01\x01" + bytes(6) + stamp + nonce + bytes(4) + target_info + bytes(4)
    proof = hmac.digest(key, server_challenge + blob, "md5")
    lm_response = hmac.digest(key, server_challenge + nonce, "md5") + nonce
    session_key = os.urandom(16)
    carried = rc4(hmac.digest(key, proof, "md5"), session_key)
    name = user.encode("utf-16-le")
    # LM answer, NT answer, domain, user, workstation, session key
    token = _authenticate((lm_response, proof + blob, b"", name, "LOAD".encode("utf-16-le"), carried))
    return Answer(base64.b64encode(token).decode(), session_key)


def _read_challenge(challenge: str) -> tuple[bytes, bytes, bytes]:
    """Tell the server's random bytes, its target information, and the time in that or now."""
    try:
        message = base64.b64decode(challenge, validate=True)
        length, _, offset = struct.unpack_from("<HHI", message, 40)
        target_info = message[offset : offset + length]
        stamps = [value for kind, value in av_pairs(target_info) if kind == AV_TIMESTAMP]
    except (ValueError, struct.error, NtlmRefused) as error:
        raise Malformed(f"no NTLM challenge: {error}") from None
    stamp = stamps[0] if stamps else struct.pack("<Q", file_time(time.time()))
    return message[24:32], target_info, stamp


def _authenticate(fields: Iterable[bytes]) -> bytes:
    head, payload = b"", b""
    for field in fields:
        head += struct.pack("<HHI", len(field), len(field), _PAYLOAD_AT + len(payload))
        payload += field
    return b"NTLMSSP\0" + struct.pack("<I", 3) + head + struct.pack("<I", FLAGS) + VERSION + payload
