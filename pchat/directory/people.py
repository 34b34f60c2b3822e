"""Who can be granted something: users, groups and domains, as they are held in memory."""

from __future__ import annotations

import re
from enum import IntEnum

from attrs import define

from pchat.errors import AdministrationRefused, SipRefused
from pchat.sip.uri import address_key
from pchat.xccos.codes import ResponseCode

#: As long as a name (L-1); SIP itself sets no limit.
URI_CHARACTERS = 256

# RFC 3261 section 25.1: user, less the characters that are delimiters elsewhere in a URI, and less
# escapes, which would give one person several spellings.
_USER = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,-]+")
# RFC 1123 section 2.1: labels of letters, digits and hyphens.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class PrincipalKind(IntEnum):
    """What a principal is; the numbers are those of the reference server's tblPrincipalType.

    Source: docs/spec/persistent-chat-server.md section 2.4.
    """

    USER = 5
    DOMAIN = 8
    GROUP = 9


class PrincipalState(IntEnum):
    """Whether a principal counts; the numbers are those of the reference server.

    Source: docs/spec/persistent-chat-server.md section 2.4.
    """

    ACTIVE = 0
    DISABLED = 1
    REMOVED = 2


@define(eq=False)
class Principal:
    """Somebody, or some set of people, that scopes and roles are granted to.

    There is one object a principal, compared by identity; the directory changes it in place. Only a group has
    a ``name_folded``, which no other group has, and a ``description``.

    Source: docs/spec/persistent-chat-server.md section 2.4.
    """

    id: int
    guid: str
    uri: str
    key: str
    kind: PrincipalKind
    name: str
    display_name: str
    company: str
    email: str
    state: PrincipalState
    name_folded: str = ""
    description: str = ""

    @property
    def shown_name(self) -> str:
        """The name that people read: the display name, or else the account's name."""
        return self.display_name or self.name

    @property
    def domain(self) -> str:
        """The folded domain of a user, or of a domain itself; empty for a group."""
        if self.kind is PrincipalKind.USER:
            return self.key.rpartition("@")[2]
        return self.key if self.kind is PrincipalKind.DOMAIN else ""


def principal_key(text: str) -> str:
    """Fold what names a principal to what is compared.

    ``sips:``, a port, parameters and a missing scheme make no difference; nor does case.

    Args:
        text: A SIP URI, ``user@domain``, a domain, or a group's URI; it need not be well-formed.

    Returns:
        ``sip:user@domain`` in lower case for a user; otherwise the text in lower case.

    Source: RFC 3261 section 19.1.4; docs/spec/persistent-chat-server.md section 2.4.
    """
    plain = text.strip()
    folded = plain.casefold()
    if "@" not in folded or folded.startswith("ma-grp:"):
        return folded
    if not folded.startswith(("sip:", "sips:")):
        plain = f"sip:{plain}"
    try:
        return address_key(plain)
    except SipRefused:
        return folded


def check_user_uri(text: str) -> str:
    """Bring an account's address to the form that is stored, or refuse it.

    Args:
        text: ``sip:user@domain`` or ``user@domain``.

    Returns:
        ``sip:user@domain``, the domain in lower case.

    Raises:
        AdministrationRefused: The text is no plain SIP address.
    """
    plain = text.strip()
    if plain[:4].casefold() == "sip:":
        plain = plain[4:]
    if len(plain) > URI_CHARACTERS:
        raise AdministrationRefused(
            ResponseCode.ERROR_INVALID_ARGUMENT,
            f"the address has {len(plain)} characters; at most {URI_CHARACTERS} are allowed",
        )
    user, at, domain = plain.partition("@")
    if not at or not _USER.fullmatch(user) or not _DOMAIN.fullmatch(domain):
        raise AdministrationRefused(
            ResponseCode.ERROR_INVALID_ARGUMENT,
            f"{text[:80]!r} is no user address such as sip:alice@example.com",
        )
    return f"sip:{user}@{domain.lower()}"


def is_domain(text: str) -> bool:
    """Tell whether a text in lower case is the name of a domain."""
    return len(text) <= URI_CHARACTERS and bool(_DOMAIN.fullmatch(text))
