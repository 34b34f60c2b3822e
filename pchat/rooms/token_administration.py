"""Tokens for the administration interface: made, told once, found by their hash, revoked."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable
from hashlib import sha256

from attrs import evolve
from twisted.internet.interfaces import IReactorTime

from pchat import ticks
from pchat.errors import AdministrationRefused
from pchat.interfaces import ITransaction, Random
from pchat.rooms.committing import ChangeDesk, Subject, Touched
from pchat.rooms.shown import Shown
from pchat.store.changes import Stamp
from pchat.store.tokens import TokenRecord, load_tokens, put_token, revoke_token
from pchat.xccos.codes import ResponseCode

#: What a token can be good for.
SCOPES = {
    "read": "see all but messages, tokens and the audit log",
    "people": "change users, groups and policies",
    "rooms": "change categories, rooms, roles and add-ins",
    "messages": "find, remove and replace messages, and clear rooms",
    "settings": "change settings",
    "audit": "read the audit log",
    "tokens": "list, make and revoke tokens",
}
#: By these letters a token is known where secrets are searched for by mistake.
TOKEN_PREFIX = "pchat_"  # noqa: S105  # no secret, but what every one begins with
SECRET_BYTES = 32
DEFAULT_DAYS = 365
LONGEST_DAYS = 3_650
#: Each is looked after by somebody; so many are a mistake.
MOST_TOKENS = 1_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DAY = 86_400 * ticks.TICKS_PER_SECOND


async def _put(txn: ITransaction, stamp: Stamp, token: TokenRecord) -> Touched:
    await put_token(txn, token)
    return Touched()


async def _revoke(txn: ITransaction, stamp: Stamp, name: str, now: int) -> Touched:
    await revoke_token(txn, name, now)
    return Touched()


class TokenAdministration:
    """The verbs of ``pchatctl token``; all tokens are in memory, so that asking for one costs nothing.

    Args:
        desk: Commits the changes.
        clock: Server time.
        random: Unpredictable bytes.

    Source: docs/operating.md "REST interface"; RFC 6750.
    """

    def __init__(self, desk: ChangeDesk, clock: IReactorTime, random: Random) -> None:
        self._desk = desk
        self._clock = clock
        self._random = random
        self._tokens: dict[str, TokenRecord] = {}
        self._by_verifier: dict[bytes, TokenRecord] = {}
        desk.obeys = self._obeys

    async def load(self) -> None:
        """Read all tokens from the store."""
        self._take(await self._desk.store.read(load_tokens))

    def _take(self, tokens: Iterable[TokenRecord]) -> None:
        self._tokens = {token.name: token for token in tokens}
        self._by_verifier = {token.verifier: token for token in self._tokens.values()}

    # -- asking

    def find(self, secret: str) -> tuple[str, frozenset[str]] | None:
        """Tell whose a token is, and what it is good for.

        Args:
            secret: What a client sent.

        Returns:
            Name and scopes; None if it is unknown, expired or revoked.
        """
        # Found by the hash: how long that takes tells nothing about a secret.
        token = self._by_verifier.get(_verifier(secret))
        if token is None or self._state(token) != "active":
            return None
        return token.name, frozenset(token.scopes.split())

    def known(self, name: str) -> bool:
        """Tell whether there is a token of this name, good or not."""
        return name in self._tokens

    def list_tokens(self) -> list[Shown]:
        """List all tokens, without their secrets, in the order in which they were made."""
        return [self._shown(token) for token in self._tokens.values()]

    def _obeys(self, actor: str) -> bool:
        kind, _, name = actor.partition(":")
        if kind != "token":
            return True
        token = self._tokens.get(name)
        return token is not None and self._state(token) == "active"

    def _state(self, token: TokenRecord) -> str:
        if token.revoked_on is not None:
            return "revoked"
        return "expired" if token.expires_on <= self._now() else "active"

    def _shown(self, token: TokenRecord) -> Shown:
        return {
            "name": token.name,
            "scopes": token.scopes.split(),
            "state": self._state(token),
            "created_by": token.created_by,
            "created_on": ticks.to_iso(token.created_on),
            "expires_on": ticks.to_iso(token.expires_on),
            "revoked_on": None if token.revoked_on is None else ticks.to_iso(token.revoked_on),
        }

    # -- changing

    async def add_token(
        self,
        actor: str,
        name: str,
        *,
        scopes: Collection[str],
        expires_on: str | None = None,
        grantable: frozenset[str] | None = None,
    ) -> Shown:
        """Make a token; the name of a revoked or expired one may be used again.

        Args:
            actor: Who does it.
            name: Letters, digits, dots, hyphens and underscores.
            scopes: Some of `SCOPES`.
            expires_on: ISO 8601; by default in a year.
            grantable: Scopes that the actor may give; None: all.

        Returns:
            The token, with its secret as ``token``: nobody can tell it again.

        Raises:
            AdministrationRefused: Name bad or in use, unknown scopes, time past or too far away.
        """
        wanted = _checked_scopes(scopes, grantable)
        if not _NAME.fullmatch(name):
            raise _refused(
                "a token's name has 1 to 64 letters, digits, dots, hyphens and underscores;"
                " the first is a letter or a digit"
            )
        secret = TOKEN_PREFIX + base64.urlsafe_b64encode(self._random(SECRET_BYTES)).rstrip(b"=").decode()
        async with self._desk.lock:
            now = self._now()
            token = TokenRecord(
                name, _verifier(secret), " ".join(wanted), actor, now, _expiry(now, expires_on)
            )
            self._check_free(name)
            after = {"scopes": wanted, "expires_on": ticks.to_iso(token.expires_on)}
            await self._desk.commit(Subject("token", name, "add", after=after), actor, _put, token)
            others = [other for other in self._tokens.values() if other.name != name]
            self._take([*others, token])
        return self._shown(token) | {"token": secret}

    async def revoke_token(self, actor: str, name: str) -> None:
        """Make a token useless at once.

        Raises:
            AdministrationRefused: There is none, it is revoked already, or it is the one that asks.
        """
        async with self._desk.lock:
            token = self._tokens.get(name)
            if token is None:
                raise AdministrationRefused(
                    ResponseCode.ERROR_INVALID_ARGUMENT, f"there is no token {name[:80]!r}"
                )
            if token.revoked_on is not None:
                raise _refused(f"the token {name} is revoked already")
            if actor == f"token:{name}":
                # Automation that cuts itself off is a mistake that only somebody at the server can repair.
                raise AdministrationRefused(
                    ResponseCode.ERROR_PERMISSION, "a token may not revoke itself; use another one"
                )
            now = self._now()
            before = {"scopes": token.scopes.split(), "expires_on": ticks.to_iso(token.expires_on)}
            await self._desk.commit(
                Subject("token", name, "revoke", before=before), actor, _revoke, name, now
            )
            revoked = evolve(token, revoked_on=now)
            self._take([revoked if other is token else other for other in self._tokens.values()])

    def _check_free(self, name: str) -> None:
        token = self._tokens.get(name)
        if token is not None and self._state(token) == "active":
            raise AdministrationRefused(
                ResponseCode.ERROR_DUPLICATE_NAME, f"there is a token {name} already; revoke it first"
            )
        if token is None and len(self._tokens) >= MOST_TOKENS:
            raise AdministrationRefused(
                ResponseCode.ERROR_LIMIT_EXCEEDED,
                f"there are {MOST_TOKENS} tokens; use the name of one that is revoked or expired",
            )

    def _now(self) -> int:
        return ticks.from_unix(self._clock.seconds())


def _refused(detail: str) -> AdministrationRefused:
    return AdministrationRefused(ResponseCode.ERROR_INVALID_ARGUMENT, detail)


def _verifier(secret: str) -> bytes:
    # A secret of 256 random bits needs no slow hash: there is nothing to try out.
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _checked_scopes(scopes: Collection[str], grantable: frozenset[str] | None) -> list[str]:
    """Bring scopes into the order of `SCOPES`.

    Raises:
        AdministrationRefused: None, unknown, or more than may be given.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise _refused(f"there is no scope {scope[:40]!r}; the scopes are {', '.join(SCOPES)}")
        if grantable is not None and scope not in grantable:
            raise AdministrationRefused(
                ResponseCode.ERROR_PERMISSION, f"only who has the scope {scope!r} may give it to a token"
            )
    if not scopes:
        raise _refused(f"a token needs a scope; the scopes are {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in scopes]


def _expiry(now: int, text: str | None) -> int:
    if text is None:
        return now + DEFAULT_DAYS * _DAY
    try:
        end = ticks.from_iso(text)
    except (ValueError, OverflowError):
        raise _refused(f"{text[:40]!r} is no time such as 2030-12-31 or 2030-12-31T23:59:59Z") from None
    if not now < end <= now + LONGEST_DAYS * _DAY:
        raise _refused(f"a token must expire in the future, and within {LONGEST_DAYS} days")
    return end
