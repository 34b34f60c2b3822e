"""Accounts as sign-in sees them: what is looked up, under which name, and the policy it follows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import field, frozen
from zope.interface import Interface

from pchat.auth.ntlm import TargetNames
from pchat.errors import ConfigError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

#: What a client has to say for itself: NTLM and digest prove a password, ``none`` proves nothing.
SCHEMES = frozenset({"ntlm", "digest", "none"})
#: NetBIOS names are no longer. Source: RFC 1001 section 14.
_NETBIOS_CHARACTERS = 15
#: These names stand in quoted strings and between angle brackets in signed texts.
_PLAIN = re.compile(r'[^"\\<>\x00-\x1f\x7f]{1,255}')


@frozen
class Account:
    """A user who may sign in, and the verifiers of his password.

    Args:
        uri: ``sip:alice@example.com``.
        principal_id: Number of the principal.
        nt_hash: Verifier for NTLM, 16 bytes, or None if there is none.
        ha1: Verifier for digest in the realm of the domain, 16 bytes, or None.
        disabled: Whether he is turned away after a correct password.
    """

    uri: str
    principal_id: int
    nt_hash: bytes | None = field(default=None, repr=False)
    ha1: bytes | None = field(default=None, repr=False)
    disabled: bool = False


class ICredentials(Interface):
    """Where accounts and their verifiers are kept."""

    def lookup(user: str, domain: str) -> Deferred[Account | None]:
        """Find the account ``sip:user@domain``.

        Login forms are resolved before: ``EXAMPLE\\alice`` is asked for as ``alice`` in
        ``example.com``, the SIP domain. Both are what a peer claims: any text, up to 256
        characters, in any case.

        Args:
            user: User part of the URI.
            domain: SIP domain, or a name that is none.

        Returns:
            Fires with the account, also if it is disabled, or with None. It must take as long for an
            account that does not exist as for one that does.
        """


@frozen
class SignInPolicy:
    """How clients sign in.

    Args:
        domain: SIP domain of the accounts.
        target_name: Host name of this server.
        netbios_domain: The ``EXAMPLE`` of ``EXAMPLE\\alice``.
        schemes: Accepted schemes. A REGISTER without credentials is admitted if ``none`` is among them;
            else the first one is challenged.
        realm: Realm of NTLM.

    Raises:
        ConfigError: An unknown scheme, or a name that does not fit into a header.
    """

    domain: str
    target_name: str
    netbios_domain: str
    schemes: tuple[str, ...] = ("ntlm",)
    realm: str = "SIP Communications Service"

    def __attrs_post_init__(self) -> None:
        unknown = sorted(set(self.schemes) - SCHEMES)
        if unknown or not self.schemes:
            raise ConfigError("auth.schemes", f"must name some of {', '.join(sorted(SCHEMES))}")
        for path, name in (
            ("auth.realm", self.realm),
            ("auth.netbios_domain", self.netbios_domain),
            ("server.name", self.target_name),
            ("server.domain", self.domain),
        ):
            if not _PLAIN.fullmatch(name):
                raise ConfigError(
                    path, "must have 1 to 255 characters without quotes, backslashes and brackets"
                )

    @property
    def target(self) -> TargetNames:
        """Names of this server for an NTLM challenge."""
        computer = self.target_name.partition(".")[0].upper()[:_NETBIOS_CHARACTERS]
        return TargetNames(self.netbios_domain, computer, self.domain, self.target_name)

    @property
    def digest_realm(self) -> str:
        """Realm of digest, under which its verifiers are kept: the domain in lower case."""
        return self.domain.lower()

    def login_name(self, user: str, domain: str) -> tuple[str, str]:
        """Resolve a login as clients give it to the user and domain of a SIP URI.

        Args:
            user: ``alice``, or ``alice@example.com`` with an empty domain.
            domain: NetBIOS or DNS name of the domain, or empty.

        Returns:
            User and domain in one spelling for all forms, so that wrong passwords are counted together. A
            domain that is not ours stays as it is: no account is found under it.

        Source: docs/spec/sip-sign-in.md section 4.1; docs/operating.md "Accounts".
        """
        if not domain:
            user, _at, domain = user.rpartition("@")
        elif domain.casefold() == self.netbios_domain.casefold():
            domain = self.domain
        return user.casefold(), domain.casefold()
