"""Accounts and policies: who there is, and for whom chat is on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from pchat.auth.passwords import check_password, verifiers
from pchat.directory.local import NO_POLICY
from pchat.directory.people import (
    Principal,
    PrincipalKind,
    PrincipalState,
    check_user_uri,
    principal_key,
)
from pchat.errors import AdministrationRefused
from pchat.interfaces import ITransaction
from pchat.rooms.committing import ChangeDesk, Subject, Touched, Work, ended_reason
from pchat.rooms.leaving import leave, leaving
from pchat.rooms.names import check_description, check_mail_address
from pchat.rooms.people_queries import PeopleQueries
from pchat.rooms.shown import Shown, policy_shown
from pchat.store.changes import Stamp
from pchat.store.people import (
    NewPrincipal,
    PolicyRecord,
    delete_policy,
    insert_principal,
    replace_credentials,
    set_names,
    set_policy,
    set_state,
)
from pchat.xccos.codes import ResponseCode

#: Runs a function that takes long, and fires with its result: ``deferToThread`` in a running server.
RunInThread = Callable[..., Deferred[Any]]

Verifiers = Mapping[tuple[str, str], bytes]
#: Display name, company and mail address.
Names = tuple[str, str, str]
#: What brings each to the form that is stored, or refuses it.
_CHECKS: Mapping[str, Callable[[str], str]] = {
    "display_name": partial(check_description, what="display name"),
    "company": partial(check_description, what="company"),
    "email": check_mail_address,
}


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


async def _set_names(txn: ITransaction, stamp: Stamp, user_id: int, names: Names) -> Touched:
    await set_names(txn, user_id, *names, stamp)
    return Touched(principals=[user_id])


async def _set_policy(txn: ITransaction, stamp: Stamp, policy: PolicyRecord) -> Touched:
    await set_policy(txn, policy)
    return Touched(policies=(policy,))


async def _delete_policy(txn: ITransaction, stamp: Stamp, user_id: int) -> Touched:
    await delete_policy(txn, user_id)
    return Touched(unassigned=[user_id])


class PeopleAdministration(PeopleQueries):
    """The verbs of ``pchatctl user`` and ``pchatctl policy``.

    Args:
        desk: Commits the changes.
        run_in_thread: For hashing passwords, which takes some 50 ms.

    Source: docs/spec/persistent-chat-server.md sections 2.4 and 3.5.
    """

    def __init__(self, desk: ChangeDesk, run_in_thread: RunInThread = maybeDeferred) -> None:
        super().__init__(desk)
        self._run_in_thread = run_in_thread

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
            AdministrationRefused: The address is malformed or taken, or a name cannot be stored.
            OperatorError: The password cannot be used by every client.
        """
        address = check_user_uri(uri)
        new = NewPrincipal(
            guid=self._desk.new_guid(),
            uri=address,
            uri_folded=principal_key(address),
            kind=PrincipalKind.USER,
            name=address.removeprefix("sip:").partition("@")[0],
            display_name=_CHECKS["display_name"](display_name),
            company=_CHECKS["company"](company),
            email=_CHECKS["email"](email),
        )
        secrets = None if password is None else await self._hashed(address, password)
        async with self._desk.lock:
            if self._directory.by_uri(address) is not None:
                raise AdministrationRefused(
                    ResponseCode.ERROR_PRINCIPALS_ALREADY_DEFINED, f"there is already a user {address}"
                )
            after = {"display_name": new.display_name, "company": new.company, "email": new.email}
            after |= {} if secrets is None else {"password": "set"}
            subject = Subject("user", address, "add", after=after)
            await self._desk.commit(subject, actor, _add_principal, new, secrets)
        return await self.show_user(address)

    async def change_user(
        self,
        actor: str,
        uri: str,
        *,
        display_name: str | None = None,
        company: str | None = None,
        email: str | None = None,
    ) -> Shown:
        """Change what people read of a user; what is None stays as it is.

        Raises:
            AdministrationRefused: No such account, too long, or not one line.
        """
        async with self._desk.lock:
            user = self.user(uri)
            old = {"display_name": user.display_name, "company": user.company, "email": user.email}
            given = {"display_name": display_name, "company": company, "email": email}
            new = old | {name: _CHECKS[name](text) for name, text in given.items() if text is not None}
            before = {name: text for name, text in old.items() if text != new[name]}
            if before:
                subject = Subject.of("user", user, "change", before, {name: new[name] for name in before})
                await self._desk.commit(subject, actor, _set_names, user.id, tuple(new.values()))
                self._desk.tell("user_changed", user)
        return await self.show_user(user.uri)

    async def set_password(self, actor: str, uri: str, password: str) -> None:
        """Replace the password of an account; sessions that are signed in go on.

        Raises:
            AdministrationRefused: There is no such account.
            OperatorError: The password cannot be used by every client.
        """
        secrets = await self._hashed(self.user(uri).uri, password)
        async with self._desk.lock:
            user = self.user(uri)
            subject = Subject.of("user", user, "password", after={"password": "changed"})
            await self._desk.commit(subject, actor, _set_credentials, user.id, secrets)

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
            action = "enable" if state is PrincipalState.ACTIVE else "disable"
            before, after = {"state": user.state.name.lower()}, {"state": state.name.lower()}
            subject = Subject.of("user", user, action, before, after)
            await self._desk.commit(subject, actor, _set_state, user.id, int(state))
            if state is PrincipalState.ACTIVE:
                self._desk.tell("user_changed", user)
            else:
                self._desk.tell("user_ended", user, ended_reason(user))
        return await self.show_user(user.uri)

    async def remove_user(self, actor: str, uri: str) -> list[Shown]:
        """Remove an account with all that it was granted; its messages stay.

        Returns:
            The entries that were taken away: of rooms, categories and groups.

        Raises:
            AdministrationRefused: There is no such account.
        """
        async with self._desk.lock:
            user = self.user(uri)
            leaves = leaving(self._desk, actor, user)
            before = {
                "display_name": user.display_name,
                "company": user.company,
                "email": user.email,
                "state": user.state.name.lower(),
                "removed": leaves.shown,
            }
            subject = Subject.of("user", user, "remove", before)
            await self._desk.commit(subject, actor, leave, leaves)
            self._desk.tell("user_ended", user, ended_reason(user))
        return list(leaves.shown)

    async def set_policy(
        self, actor: str, enabled: bool, *, uri: str | None = None, description: str | None = None
    ) -> Shown:
        """Switch chat on or off for one user, or (without ``uri``) for all who have no policy of their own.

        A description that is None stays as it is.

        Raises:
            AdministrationRefused: There is no such user.

        Source: docs/spec/persistent-chat-server.md section 3.5 (P-16).
        """
        text = None if description is None else check_description(description)
        async with self._desk.lock:
            user = None if uri is None else self.user(uri)
            before = self._policy(user)
            if text is None:
                text = before.description if before else ""
            policy = PolicyRecord("user" if user else "global", user.id if user else 0, enabled, text)
            subject = _policy_subject(user, "set", before, policy)
            await self._commit_policy(subject, actor, _set_policy, policy)
        return policy_shown(policy, self._directory)

    async def remove_policy(self, actor: str, *, uri: str | None = None) -> Shown:
        """Take a user's own policy away, or (without ``uri``) set the global one back: chat is off.

        Returns:
            The policy that is in force now.

        Raises:
            AdministrationRefused: There is no such user, or he has no policy of his own.
        """
        async with self._desk.lock:
            user = None if uri is None else self.user(uri)
            before = self._policy(user)
            if user is None:
                subject = _policy_subject(None, "reset", before, NO_POLICY)
                await self._commit_policy(subject, actor, _set_policy, NO_POLICY)
            elif before is None:
                raise AdministrationRefused(
                    ResponseCode.ERROR_INVALID_ARGUMENT, f"{user.uri} has no policy of his own"
                )
            else:
                subject = _policy_subject(user, "remove", before, None)
                await self._commit_policy(subject, actor, _delete_policy, user.id)
        return policy_shown(self._directory.global_policy(), self._directory)

    def _policy(self, user: Principal | None) -> PolicyRecord | None:
        return self._directory.global_policy() if user is None else self._directory.policy_of(user)

    async def _commit_policy(self, subject: Subject, actor: str, work: Work, *args: Any) -> None:
        before = {user for user in self._directory.users() if self._directory.enabled(user)}
        await self._desk.commit(subject, actor, work, *args)
        after = {user for user in self._directory.users() if self._directory.enabled(user)}
        for user in sorted(before - after, key=lambda user: user.id):
            self._desk.tell("user_ended", user, ended_reason(user))
        for user in sorted(after - before, key=lambda user: user.id):
            self._desk.tell("user_changed", user)


def _policy_subject(
    user: Principal | None, action: str, before: PolicyRecord | None, after: PolicyRecord | None
) -> Subject:
    told = [
        None if policy is None else {"enabled": policy.enabled, "description": policy.description}
        for policy in (before, after)
    ]
    return Subject("policy", user.uri if user else "global", action, user.id if user else None, *told)
