"""Which passwords an account may have, and the verifiers that are kept instead of them."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from pchat.auth.ntlm import nt_hash
from pchat.errors import OperatorError
from pchat.interfaces import Random

#: More than the longest password a directory would take, and little enough to hash at once.
MAX_PASSWORD_CHARACTERS = 256

#: 16 MiB and some 50 ms for each guess (128 * 8 * 2**14 bytes).
_SCRYPT_LOG_N, _SCRYPT_R, _SCRYPT_P = 14, 8, 1
_SCRYPT_MEMORY = 64 * 1024 * 1024
_SALT_BYTES = 16
_SCRYPT_BYTES = 32


def check_password(text: str) -> None:
    """Refuse a password that clients would cut or could not send.

    COMPAT(pidgin-sipe) stops silently at the first non-ASCII character: with ``pässwörd`` it would
    sign in as if the password were ``p``.

    Args:
        text: The password somebody chose.

    Raises:
        OperatorError: The text says what is wrong, without repeating the password.

    Source: docs/spec/sip-sign-in.md section 1.
    """
    if not text:
        raise OperatorError("the password is empty; choose another")
    if len(text) > MAX_PASSWORD_CHARACTERS:
        raise OperatorError(
            f"the password is longer than {MAX_PASSWORD_CHARACTERS} characters; choose a shorter one"
        )
    if not text.isascii():
        raise OperatorError(
            "the password has characters outside ASCII, at which some clients silently cut it; "
            "use only English letters, digits, blanks and punctuation"
        )
    if not text.isprintable():
        raise OperatorError("the password has control characters, such as a tab or a line end; remove them")


def verifiers(
    user_uri: str, password: str, random: Random = secrets.token_bytes
) -> dict[tuple[str, str], bytes]:
    """Compute all that is kept of a password.

    Args:
        user_uri: The account's URI, ``sip:alice@example.com``.
        password: Already passed by `check_password`.
        random: For the salt.

    Returns:
        Verifier by (scheme, realm): NT hash under ``("ntlm", "")``, HA1 under ``("digest", domain)``
        with the domain in lower case, and a salted hash for `scrypt_matches` under ``("scrypt", "")``.
        The first two are as good as the password.

    Raises:
        OperatorError: The URI has no user or no domain.

    Source: MS-NLMP section 3.3.1; RFC 2617 section 3.2.2.2; RFC 7914.
    """
    user, _at, domain = user_uri.partition(":")[2].rpartition("@")
    if not user or not domain:
        raise OperatorError(f"{user_uri} is not the URI of a user, such as sip:alice@example.com")
    domain = domain.lower()
    return {
        ("ntlm", ""): nt_hash(password),
        ("digest", domain): ha1(f"{user}@{domain}", domain, password),
        ("scrypt", ""): _scrypt_verifier(password, random(_SALT_BYTES)),
    }


def ha1(username: str, realm: str, password: str) -> bytes:
    """Hash a password as digest authentication does; the result is as good as the password in that realm.

    Source: RFC 2617 section 3.2.2.2.
    """
    return hashlib.md5(f"{username}:{realm}:{password}".encode(), usedforsecurity=False).digest()


def scrypt_matches(verifier: bytes, password: str) -> bool:
    """Tell whether a password is the one that ``verifier`` was computed from.

    Takes some 50 ms of processor time: never call it in the reactor's thread.
    """
    try:
        name, log_n, r, p, salt, expected = verifier.decode("ascii").split("$")
        if name != "scrypt":
            return False
        found = _scrypt(password, bytes.fromhex(salt), int(log_n), int(r), int(p))
        return hmac.compare_digest(found, bytes.fromhex(expected))
    except (ValueError, UnicodeError):
        return False


def _scrypt_verifier(password: str, salt: bytes) -> bytes:
    found = _scrypt(password, salt, _SCRYPT_LOG_N, _SCRYPT_R, _SCRYPT_P)
    return f"scrypt${_SCRYPT_LOG_N}${_SCRYPT_R}${_SCRYPT_P}${salt.hex()}${found.hex()}".encode()


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    if not 1 <= log_n <= 20:
        raise ValueError("scrypt cost out of range")
    return hashlib.scrypt(
        password.encode(), salt=salt, n=1 << log_n, r=r, p=p, maxmem=_SCRYPT_MEMORY, dklen=_SCRYPT_BYTES
    )
