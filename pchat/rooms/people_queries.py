"""Accounts and policies as administrators find them and look at them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pchat.directory.people import Principal, PrincipalKind, PrincipalState, is_domain, principal_key
from pchat.errors import AdministrationRefused
from pchat.rooms.committing import ChangeDesk
from pchat.rooms.eligible import Criterion
from pchat.rooms.new_domains import NewDomains
from pchat.rooms.principals import known_group, principal_named, unknown_principal
from pchat.rooms.shown import Listing, Shown, audit_shown, policy_shown, principals_shown, user_shown
from pchat.rooms.slices import in_slices
from pchat.store.people import principal_audit
from pchat.xccos.codes import ResponseCode


class PeopleQueries:
    """The verbs of ``pchatctl user`` and ``pchatctl policy`` that change nothing.

    Args:
        desk: Has all that is asked.

    Source: docs/spec/persistent-chat-server.md sections 2.4 and 3.5.
    """

    def __init__(self, desk: ChangeDesk) -> None:
        self._desk = desk
        self._directory = desk.directory

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

    async def list_users(
        self, *, text: str = "", group: str | None = None, disabled: bool | None = None
    ) -> Sequence[Shown]:
        """List accounts, all or those that pass every filter, in the order in which they were made.

        Args:
            text: Part of a name, address or mail address, or with ``*`` for anything.
            group: Name or URI of a group that they belong to, through any number of groups.
            disabled: Only disabled accounts, or only others.

        Raises:
            AdministrationRefused: There is no such group.
        """
        criterion = Criterion.of(text)
        wanted = None if group is None else known_group(self._directory, group).id
        found: list[Principal] = []
        async for some in in_slices(list(self._directory.users()), self._desk.pause):
            found += (
                user
                for user in some
                if user.state is not PrincipalState.REMOVED
                and (disabled is None or (user.state is PrincipalState.DISABLED) is disabled)
                and (wanted is None or wanted in self._directory.affiliations(user))
                and criterion.matches(user)
            )
        return Listing(found, lambda user: user_shown(user, self._directory))

    async def show_user(self, uri: str) -> Shown:
        """Show one account with all groups it belongs to, and who made and who changed it.

        Raises:
            AdministrationRefused: There is none.
        """
        user = self.user(uri)
        audit = await self._desk.store.read(principal_audit, user.id)
        groups = principals_shown(self._directory.all_groups_of(user), self._directory)
        return user_shown(user, self._directory) | {"groups": groups} | audit_shown(audit)

    def list_policies(self) -> list[Shown]:
        """List the global policy, then those of users."""
        return [policy_shown(policy, self._directory) for policy in self._directory.policies()]

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
