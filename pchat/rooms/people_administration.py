"""Accounts and policies: who there is, and for whom chat is on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, maybeDeferred

from pchat.auth.passwords import check_password, verifiers
from pchat.directory.people import (
    Principal,
    PrincipalKind,
    PrincipalState,
    check_user_uri,
    is_domain,
    principal_key,
)
from pchat.errors import AdministrationRefused
from pchat.interfaces import ITransaction
from pchat.rooms.committing import ChangeDesk, ChangeEvent, Subject, Touched, ended_reason
from pchat.rooms.names import check_description
from pchat.rooms.new_domains import NewDomains
from pchat.rooms.principals import principal_named, unknown_principal
from pchat.rooms.role_lists import RoleLists, grants
from pchat.rooms.scope import ScopeLists
from pchat.rooms.shown import Shown, audit_shown, policy_shown, user_shown
from pchat.store.changes import Stamp
from pchat.store.people import (
    NewPrincipal,
    PolicyRecord,
    insert_principal,
    principal_audit,
    replace_credentials,
    retire_principal,
    set_policy,
    set_state,
)
from pchat.store.rooms import change_roles, change_scope
from pchat.xccos.codes import ResponseCode

#: Runs a function that takes long, and fires with its result: ``deferToThread`` in a running server.
RunInThread = Callable[..., Deferred[Any]]

Verifiers = Mapping[tuple[str, str], bytes]
Grants = Mapping[int, list[tuple[str, int]]]


@frozen
class Leaving:
    """What a removed user is taken from, by number of category and of room."""

    scopes: Grants
    roles: Grants


async def _add_principal(
    txn: ITransaction, stamp: Stamp, new: NewPrincipal, secrets: Verifiers | None
) -> Touched:
    principal = await insert_principal(txn, new, stamp)
    if secrets is not None:
        await replace_credentials(txn, principal.principal_id, secrets)
    return Touched(principals=[principal.principal_id])


async def _set_state(txn: ITransaction, stamp: Stamp, user_id: int, state: int) -> Touched:
    await set_state(txn, user_id, state, stamp)
    return Touched(principals=[user_id])


async def _set_credentials(txn: ITransaction, stamp: Stamp, user_id: int, secrets: Verifiers) -> Touched:
    await replace_credentials(txn, user_id, secrets)
    return Touched(principals=[user_id])


async def _remove_user(
    txn: ITransaction, stamp: Stamp, user_id: int, leaving: Leaving, events: tuple[ChangeEvent, ...]
) -> Touched:
    for category_id, pairs in leaving.scopes.items():
        await change_scope(txn, category_id, [], pairs, stamp)
    for room_id, pairs in leaving.roles.items():
        await change_roles(txn, room_id, [], pairs, stamp)
    await retire_principal(txn, user_id, stamp)
    return Touched(leaving.scopes, leaving.roles, [user_id], events=events)


async def _set_policy(txn: ITransaction, stamp: Stamp, policy: PolicyRecord) -> Touched:
    await set_policy(txn, policy)
    return Touched(policies=(policy,))


class PeopleAdministration:
    """The verbs of ``pchatctl user`` and ``pchatctl policy``.

    Args:
        desk: Commits the changes.
        run_in_thread: For hashing passwords, which takes some 50 ms.

    Source: docs/spec/persistent-chat-server.md sections 2.4 and 3.5.
    """

    def __init__(self, desk: ChangeDesk, run_in_thread: RunInThread = maybeDeferred) -> None:
        self._desk = desk
        self._directory = desk.directory
        self._run_in_thread = run_in_thread

    # -- asking

    @property
    def domain(self) -> str:
        """The domain that accounts sign in to."""
        return self._desk.tree.domain

    def user(self, text: str) -> Principal:
        """Find a user account by its address.

        Raises:
            AdministrationRefused: There is none.
        """
        found = self._directory.by_uri(text)
        if found is None or found.kind is not PrincipalKind.USER:
            raise AdministrationRefused(
                ResponseCode.ERROR_NO_SUCH_PRINCIPAL, f"there is no user {text[:80]!r}"
            )
        return found

    def list_users(self) -> list[Shown]:
        """List all accounts, in the order in which they were made."""
        return [user_shown(user, self._directory) for user in self._directory.users()]

    async def show_user(self, uri: str) -> Shown:
        """Show one account, with who made and who changed it.

        Raises:
            AdministrationRefused: There is none.
        """
        user = self.user(uri)
        audit = await self._desk.store.read(principal_audit, user.id)
        return user_shown(user, self._directory) | audit_shown(audit)

    def list_policies(self) -> list[Shown]:
        """List the global policy, then those of users."""
        return [policy_shown(policy, self._directory) for policy in self._directory.policies()]

    # -- changing

    async def add_user(
        self,
        actor: str,
        uri: str,
        *,
        password: str | None = None,
        display_name: str = "",
        company: str = "",
        email: str = "",
    ) -> Shown:
        """Make an account.

        Args:
            actor: Who does it.
            uri: ``sip:user@domain`` or ``user@domain``.
            password: Without one nobody can sign in by password yet.
            display_name, company, email: What people read.

        Raises:
            AdministrationRefused: The address is malformed or taken.
            OperatorError: The password cannot be used by every client.
        """
        address = check_user_uri(uri)
        new = NewPrincipal(
            guid=self._desk.new_guid(),
            uri=address,
            uri_folded=principal_key(address),
            kind=PrincipalKind.USER,
            name=address.removeprefix("sip:").partition("@")[0],
            display_name=check_description(display_name),
            company=check_description(company),
            email=check_description(email),
        )
        secrets = None if password is None else await self._hashed(address, password)
        async with self._desk.lock:
            if self._directory.by_uri(address) is not None:
                raise AdministrationRefused(
                    ResponseCode.ERROR_PRINCIPALS_ALREADY_DEFINED, f"there is already a user {address}"
                )
            await self._desk.commit(Subject("principal", address, "add"), actor, _add_principal, new, secrets)
        return await self.show_user(address)

    async def set_password(self, actor: str, uri: str, password: str) -> None:
        """Replace the password of an account; sessions that are signed in go on.

        Raises:
            AdministrationRefused: There is no such account.
            OperatorError: The password cannot be used by every client.
        """
        secrets = await self._hashed(self.user(uri).uri, password)
        async with self._desk.lock:
            user = self.user(uri)
            await self._desk.commit(
                Subject.of("principal", user, "password"), actor, _set_credentials, user.id, secrets
            )

    async def _hashed(self, uri: str, password: str) -> Verifiers:
        check_password(password)
        hashed: Verifiers = await self._run_in_thread(verifiers, uri, password)
        return hashed

    async def disable_user(self, actor: str, uri: str) -> Shown:
        """Disable an account: its sessions end, its roles stay.

        Raises:
            AdministrationRefused: There is no such account, or it is disabled already.
        """
        return await self._change_state(actor, uri, PrincipalState.DISABLED)

    async def enable_user(self, actor: str, uri: str) -> Shown:
        """Enable a disabled account.

        Raises:
            AdministrationRefused: There is no such account, or it is not disabled.
        """
        return await self._change_state(actor, uri, PrincipalState.ACTIVE)

    async def _change_state(self, actor: str, uri: str, state: PrincipalState) -> Shown:
        async with self._desk.lock:
            user = self.user(uri)
            if user.state is state:
                raise AdministrationRefused(
                    ResponseCode.ERROR_INVALID_ARGUMENT, f"{user.uri} is {state.name.lower()} already"
                )
            await self._desk.commit(
                Subject.of("principal", user, "state"), actor, _set_state, user.id, int(state)
            )
            if state is PrincipalState.ACTIVE:
                self._desk.tell("user_changed", user)
            else:
                self._desk.tell("user_ended", user, ended_reason(user))
        return await self.show_user(user.uri)

    async def remove_user(self, actor: str, uri: str) -> None:
        """Remove an account with all that it was granted; its messages stay.

        Raises:
            AdministrationRefused: There is no such account.
        """
        async with self._desk.lock:
            user = self.user(uri)
            leaving, events = self._leave_everything(actor, user)
            await self._desk.commit(
                Subject.of("principal", user, "remove"), actor, _remove_user, user.id, leaving, events
            )
            self._desk.tell("user_ended", user, ended_reason(user))

    def _leave_everything(self, actor: str, user: Principal) -> tuple[Leaving, tuple[ChangeEvent, ...]]:
        scopes: dict[int, list[tuple[str, int]]] = {}
        roles: dict[int, list[tuple[str, int]]] = {}
        events = []
        for category in self._desk.tree.categories():
            pairs = [pair for pair in sorted(ScopeLists.of(category).pairs()) if pair[1] == user.id]
            if pairs:
                scopes[category.id] = pairs
                detail = {
                    "category": category.uri,
                    "name": category.name,
                    "change": "changed",
                    "added": {},
                    "removed": grants(pairs, self._directory.uri_of),
                }
                events.append(self._desk.event("scope_change", actor, detail))
        for room in self._desk.tree.rooms_naming([user.id]):
            pairs = [pair for pair in sorted(RoleLists.of(room).pairs()) if pair[1] == user.id]
            roles[room.id] = pairs
            detail = {"added": {}, "removed": grants(pairs, self._directory.uri_of)}
            events.append(self._desk.event("role_change", actor, detail, room))
        return Leaving(scopes, roles), tuple(events)

    async def set_policy(
        self, actor: str, enabled: bool, *, uri: str | None = None, description: str = ""
    ) -> Shown:
        """Switch chat on or off for one user, or (without ``uri``) for all who have no policy of their own.

        Raises:
            AdministrationRefused: There is no such user.

        Source: docs/spec/persistent-chat-server.md section 3.5 (P-16).
        """
        text = check_description(description)
        async with self._desk.lock:
            user = None if uri is None else self.user(uri)
            before = {other for other in self._directory.users() if self._directory.enabled(other)}
            policy = PolicyRecord("user" if user else "global", user.id if user else 0, enabled, text)
            subject = Subject("policy", user.uri if user else "global", "set", user.id if user else None)
            await self._desk.commit(subject, actor, _set_policy, policy)
            after = {other for other in self._directory.users() if self._directory.enabled(other)}
            for other in sorted(before - after, key=lambda other: other.id):
                self._desk.tell("user_ended", other, ended_reason(other))
            for other in sorted(after - before, key=lambda other: other.id):
                self._desk.tell("user_changed", other)
        return policy_shown(policy, self._directory)

    # -- naming principals

    def numbers(self, texts: Iterable[str], domains: NewDomains) -> frozenset[int]:
        """Find who is meant by addresses, groups and domains.

        A domain gets its principal when it is first named here.

        Args:
            texts: What the operator wrote.
            domains: Takes up domains that are not known yet.

        Raises:
            AdministrationRefused: Somebody is unknown.
        """
        return frozenset(self._number(text, domains) for text in texts)

    def _number(self, text: str, domains: NewDomains) -> int:
        principal = principal_named(self._directory, text)
        if principal is not None:
            return principal.id
        key = principal_key(text)
        if not self._may_be_domain(key):
            raise unknown_principal(text)
        return domains.number(key)

    def _may_be_domain(self, key: str) -> bool:
        # A single word is more likely a mistyped user or group than a domain, unless it is ours.
        return key == self._desk.tree.domain or ("." in key and is_domain(key))
