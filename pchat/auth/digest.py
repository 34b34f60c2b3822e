"""Digest authentication as the one client that asks for it does it: by 407, for REGISTER only.

Its hash is MD5 and nothing is signed afterwards, so it is for use inside TLS, and only when configured.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from attrs import field, frozen

from pchat.errors import PeerError
from pchat.sip.headers import AuthParams

#: More is an attack on our logs, not a login.
MAX_USERNAME_CHARACTERS = 256
_CNONCE = re.compile(r'[^"\\\x00-\x1f\x7f]{1,128}')
_RESPONSE = re.compile(r"[0-9A-Fa-f]{32}")
#: COMPAT(pidgin-sipe) writes this in the place of the request URI, and hashes it.
_NO_URI = "(null)"
#: A nonce is used once, so its counter never gets further.
_FIRST_USE = "00000001"


class DigestRefused(PeerError):
    """Digest credentials that are malformed or weaker than what was asked for."""


@frozen
class DigestAnswer:
    """A client's answer to a digest challenge, checked for its form.

    Args:
        username: As it was hashed.
        nonce: Must be the one that we sent.
        uri: As it was hashed.
        cnonce: The client's part.
        response: What proves the password.
    """

    username: str
    nonce: str
    uri: str
    cnonce: str
    response: str = field(repr=False)

    @classmethod
    def read(cls, credentials: AuthParams, realm: str, request_uri: str) -> DigestAnswer:
        """Read the value of ``Proxy-Authorization``.

        Args:
            credentials: Scheme and parameters.
            realm: Ours.
            request_uri: That of the request.

        Raises:
            DigestRefused: Missing or malformed parameters, another scheme, realm or algorithm, no
                ``qop``, or another URI.

        Source: RFC 2617 section 3.2.2; docs/spec/sip-sign-in.md section 4.3.
        """
        scheme, params = credentials
        if scheme.lower() != "digest" or params.get("realm") != realm:
            raise DigestRefused("not digest, or for another realm")
        if params.get("algorithm", "MD5").upper() != "MD5" or params.get("qop", "").lower() != "auth":
            raise DigestRefused("digest with another algorithm or without qop")
        if params.get("nc") != _FIRST_USE:
            raise DigestRefused("digest with a nonce used before")
        uri, cnonce, response = (params.get(name, "") for name in ("uri", "cnonce", "response"))
        if uri not in {_NO_URI, request_uri}:
            raise DigestRefused("digest for another URI")
        if not _CNONCE.fullmatch(cnonce) or not _RESPONSE.fullmatch(response):
            raise DigestRefused("digest with a malformed cnonce or response")
        username = params.get("username", "")
        if len(username) > MAX_USERNAME_CHARACTERS:
            raise DigestRefused("user name is too long")
        return cls(username, params.get("nonce", ""), uri, cnonce, response.lower())

    def proves(self, ha1: bytes, method: str) -> bool:
        """Tell whether the answer was made with the password of this verifier.

        Args:
            ha1: 16 bytes, see `pchat.auth.passwords.ha1`.
            method: Method of the request that carries the answer.
        """
        ha2 = _md5_hex(f"{method}:{self.uri}")
        expected = _md5_hex(f"{ha1.hex()}:{self.nonce}:{_FIRST_USE}:{self.cnonce}:auth:{ha2}")
        return hmac.compare_digest(expected, self.response)


def _md5_hex(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
