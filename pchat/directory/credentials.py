"""Accounts and their password verifiers, out of the chat store."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pchat.auth.accounts import Account, ICredentials
from pchat.directory.local import LocalDirectory
from pchat.directory.people import PrincipalKind, PrincipalState, principal_key
from pchat.interfaces import IStore
from pchat.store.people import credentials

#: No principal has this number; it is asked for in place of an account that does not exist.
NOBODY = 0


@implementer(ICredentials)
class StoredCredentials:
    """Looks accounts up in the directory and their verifiers in the store.

    Verifiers are read anew at each sign-in and not kept in memory: each is as good as a password.

    Args:
        store: The chat store.
        directory: Who there is.

    Source: docs/spec/sip-sign-in.md section 4.
    """

    def __init__(self, store: IStore, directory: LocalDirectory) -> None:
        self._store = store
        self._directory = directory

    def lookup(self, user: str, domain: str) -> Deferred[Account | None]:
        """Find the account ``sip:user@domain``, see `pchat.auth.accounts.ICredentials`."""
        found = self._directory.by_uri(principal_key(f"sip:{user}@{domain}"))
        if found is not None and found.kind is not PrincipalKind.USER:
            found = None
        # The store is asked in any case, so that an unknown account takes as long as a known one.
        reading = self._store.read(credentials, found.id if found else NOBODY)

        def account(verifiers: dict[tuple[str, str], bytes]) -> Account | None:
            # Removed while the store was being read: the account is as unknown as before it was made.
            if found is None or found.state is PrincipalState.REMOVED:
                return None
            return Account(
                uri=found.uri,
                principal_id=found.id,
                nt_hash=verifiers.get(("ntlm", "")),
                ha1=verifiers.get(("digest", found.domain)),
                disabled=found.state is PrincipalState.DISABLED,
            )

        return reading.addCallback(account)
