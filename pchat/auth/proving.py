"""The check of a password: what it costs to be wrong, and that a stranger costs what a friend does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pchat.auth.accounts import Account
from pchat.auth.throttle import LoginThrottle
from pchat.errors import SipRefused
from pchat.interfaces import Random
from pchat.sip.uri import address_key

log = Logger()

#: Wrong passwords on one connection, by scheme; pidgin-sipe repeats digest up to 31 times by itself.
MAX_FAILURES = {"ntlm": 3, "digest": 2}
#: Our own number for ``Ms-diagnostics``; clients show the text beside it.
_DIAGNOSTICS_FAILED = 20101


def _account_key(login: tuple[str, str]) -> str:
    """Name the account that a login means: escapes, ports and parameters must not begin a new count."""
    try:
        return address_key(f"sip:{'@'.join(login)}".strip()).removeprefix("sip:")
    except SipRefused:
        return "@".join(login)  # it means no account


class SignInAbandoned(Exception):
    """The connection went while its sign-in was under way."""


class PasswordCheck:
    """Looks accounts up for one connection and delays the answer to wrong passwords.

    Args:
        credentials: A `pchat.auth.accounts.ICredentials`.
        throttle: Shared by all connections.
        clock: Delays.
        random: For the verifier that stands in for an unknown account's.
        source: Address of the peer without its port.
    """

    def __init__(
        self, credentials: Any, throttle: LoginThrottle, clock: IReactorTime, random: Random, source: str
    ) -> None:
        self._credentials = credentials
        self._throttle = throttle
        self._clock = clock
        self._source = source
        self._failures = 0
        self._sleeping: Deferred[None] | None = None
        self._abandoned = False
        # An unknown account is checked against this, so that it costs what a known one costs.
        self._decoy = random(16)

    def abandon(self) -> None:
        """Learn that the connection is gone; whoever waits gets `SignInAbandoned`."""
        self._abandoned = True
        if self._sleeping is not None:
            self._sleeping.cancel()

    async def lookup(self, user: str, domain: str) -> Account | None:
        """Find an account.

        Raises:
            SignInAbandoned: The connection went meanwhile.
        """
        account: Account | None = await self._credentials.lookup(user, domain)
        if self._abandoned:
            raise SignInAbandoned
        return account

    async def prove(
        self, login: tuple[str, str], scheme: str, proves: Callable[[bytes], bytes | None]
    ) -> tuple[Account, bytes] | None:
        """Check a password; a wrong one and an unknown account are one thing.

        Args:
            login: User and domain.
            scheme: ``ntlm`` or ``digest``, which tells the verifier.
            proves: Given a verifier, returns the session key (empty for digest), or None if it is wrong.

        Returns:
            The account and the session key, or None after the delay for a wrong password.

        Raises:
            SipRefused: 403 after too many wrong passwords on this connection; 503 if others are still
                being paid for.
            SignInAbandoned: The connection went meanwhile.
        """
        name = _account_key(login)
        await self._wait_turn(name)
        account = await self.lookup(*login)
        # From here to the record of a failure nothing is awaited: no two passwords slip through side by side.
        self._refuse_while_blocked(name)
        verifier = None
        if account is not None:
            verifier = account.nt_hash if scheme == "ntlm" else account.ha1
        session_key = proves(verifier or self._decoy)
        if account is not None and verifier and session_key is not None:
            self._throttle.succeeded(name, self._source)
            return account, session_key
        await self._failed(name, scheme)
        return None

    async def _wait_turn(self, name: str) -> None:
        """Let no password be tried while the delay for an earlier one runs, on whichever connection."""
        delay = self._throttle.wait(name, self._source)
        if delay:
            await self._sleep(delay)
            self._refuse_while_blocked(name)

    def _refuse_while_blocked(self, name: str) -> None:
        delay = self._throttle.wait(name, self._source)
        if delay:
            raise SipRefused(503, "Too many wrong passwords", retry_after=int(delay) + 1, close=True)

    async def _failed(self, name: str, scheme: str) -> None:
        delay = self._throttle.failed(name, self._source)
        self._failures += 1
        log.warn(
            "{peer}: wrong user name or password for {login}, number {count} here, answered after {delay} s",
            peer=self._source,
            login=name,
            count=self._failures,
            delay=delay,
        )
        await self._sleep(delay)
        if self._failures >= MAX_FAILURES[scheme]:
            text = "Wrong user name or password"
            raise SipRefused(403, text, diagnostics=_DIAGNOSTICS_FAILED, warning=text, close=True)

    async def _sleep(self, seconds: float) -> None:
        if self._abandoned:
            raise SignInAbandoned
        self._sleeping = deferLater(self._clock, seconds)
        try:
            await self._sleeping
        except CancelledError:
            raise SignInAbandoned from None
        finally:
            self._sleeping = None
