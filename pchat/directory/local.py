"""People, domains and policies of the chat store, held in memory."""

from __future__ import annotations

from collections.abc import Iterator

from pchat.directory.people import Principal, PrincipalKind, PrincipalState, principal_key
from pchat.store.groups import GroupRecord
from pchat.store.people import PeopleSnapshot, PolicyRecord, PrincipalRecord

#: What is in force while nobody has set a global policy (P-16).
NO_POLICY = PolicyRecord("global", 0, False, "")
_NONE: frozenset[int] = frozenset()


class LocalDirectory:
    """Answers who somebody is, what he is part of, and whether chat is on for him.

    It only holds what the store has: `load` and the ``apply`` methods take records read from there.

    Args:
        domain: The server's own domain; the groups that are kept here count as part of it.

    Source: docs/spec/persistent-chat-server.md sections 2.4 (M-7, M-8) and 3.5 (P-16).
    """

    def __init__(self, domain: str = "") -> None:
        self.domain = domain.lower()
        self._by_id: dict[int, Principal] = {}
        self._by_key: dict[str, Principal] = {}
        self._groups_by_name: dict[str, Principal] = {}
        self._former: dict[str, dict[int, Principal]] = {}
        self._members: dict[int, frozenset[int]] = {}
        self._groups_of: dict[int, set[int]] = {}
        #: Worked out when asked for, and forgotten when something above changes.
        self._above: dict[int, frozenset[int]] = {}
        self._affiliations: dict[int, frozenset[int]] = {}
        self._user_policies: dict[int, PolicyRecord] = {}
        self._global_policy = NO_POLICY

    def load(self, snapshot: PeopleSnapshot) -> None:
        """Take over everything from the store; principals already known keep their objects."""
        self._by_key.clear()
        self._groups_by_name.clear()
        self._members.clear()
        self._groups_of.clear()
        self._above.clear()
        self._affiliations.clear()
        self._user_policies.clear()
        self._global_policy = NO_POLICY
        for record in snapshot.principals:
            self.apply_principal(record)
        for policy in snapshot.policies:
            self.apply_policy(policy)
        for group in snapshot.groups:
            self._take_group(group)

    def apply_principal(self, record: PrincipalRecord) -> Principal:
        """Take over one principal after its change was committed."""
        principal = self._by_id.get(record.principal_id)
        if principal is None:
            principal = _principal(record)
            self._by_id[principal.id] = principal
        else:
            if self._by_key.get(principal.key) is principal:
                del self._by_key[principal.key]
            if self._groups_by_name.get(principal.name_folded) is principal:
                del self._groups_by_name[principal.name_folded]
            _update(principal, record)
        if principal.state is PrincipalState.REMOVED:
            self._user_policies.pop(principal.id, None)
            self._former.setdefault(principal_key(principal.uri), {})[principal.id] = principal
        else:
            self._by_key[principal.key] = principal
            if principal.name_folded:
                self._groups_by_name[principal.name_folded] = principal
        if principal.kind is PrincipalKind.DOMAIN:
            # A new domain may be a new affiliation of everybody in it.
            self._affiliations.clear()
        else:
            self._affiliations.pop(principal.id, None)
        return principal

    def apply_group(self, record: GroupRecord) -> None:
        """Take over who belongs to a group after the change was committed."""
        self._forget_below(self._take_group(record))

    def _take_group(self, record: GroupRecord) -> frozenset[int]:
        """Take over who belongs to a group; tell who came and who went."""
        before = self._members.pop(record.group_id, frozenset())
        for number in before - record.members:
            groups = self._groups_of[number]
            groups.discard(record.group_id)
            if not groups:
                del self._groups_of[number]
        for number in record.members - before:
            self._groups_of.setdefault(number, set()).add(record.group_id)
        if record.members:
            self._members[record.group_id] = record.members
        return before ^ record.members

    def _forget_below(self, numbers: frozenset[int]) -> None:
        """Forget what some principals are part of, and whoever belongs to them through any groups."""
        concerned = set(numbers)
        waiting = list(numbers)
        while waiting:
            number = waiting.pop()
            self._above.pop(number, None)
            self._affiliations.pop(number, None)
            below = self._members.get(number, _NONE) - concerned
            concerned |= below
            waiting.extend(below)

    def forget_policy(self, principal_id: int) -> None:
        """Take over that a user has no policy of his own any more."""
        self._user_policies.pop(principal_id, None)

    def apply_policy(self, policy: PolicyRecord) -> None:
        """Take over one policy after its change was committed."""
        if policy.scope == "global":
            self._global_policy = policy
        else:
            self._user_policies[policy.principal_id] = policy

    def by_uri(self, text: str) -> Principal | None:
        """Find who is meant by a SIP URI, a domain or a group URI; removed principals are not found."""
        return self._by_key.get(principal_key(text))

    def group_by_name(self, folded: str) -> Principal | None:
        """Find a group by its name as `pchat.rooms.names.fold` folds it; removed ones are not found."""
        return self._groups_by_name.get(folded)

    def authors(self, text: str) -> list[Principal]:
        """Tell who ever wrote under an address: who has it now, and those removed who had it before."""
        present = self.by_uri(text)
        former = self._former.get(principal_key(text), {})
        return [*([] if present is None else [present]), *former.values()]

    def by_id(self, principal_id: int) -> Principal | None:
        """Find a principal by its number; removed ones too, since messages name them."""
        return self._by_id.get(principal_id)

    def uri_of(self, principal_id: int) -> str:
        """Tell the URI of a principal that the store names by its number.

        Raises:
            LookupError: There is no such principal.
        """
        principal = self._by_id.get(principal_id)
        if principal is None:
            raise LookupError(f"principal {principal_id} is not in the directory")
        return principal.uri

    def users(self) -> Iterator[Principal]:
        """Go through all user accounts that are not removed, in the order of their numbers."""
        return (principal for principal in self.principals() if principal.kind is PrincipalKind.USER)

    def groups(self) -> Iterator[Principal]:
        """Go through all groups that are not removed, in the order of their numbers."""
        return (principal for principal in self.principals() if principal.kind is PrincipalKind.GROUP)

    def members(self, group: Principal) -> frozenset[int]:
        """Tell who belongs to a group directly: numbers of users and of other groups."""
        return self._members.get(group.id, frozenset())

    def groups_of(self, principal: Principal) -> frozenset[int]:
        """Tell the groups that somebody belongs to directly."""
        return frozenset(self._groups_of.get(principal.id, ()))

    def all_groups_of(self, principal: Principal) -> frozenset[int]:
        """Tell the groups that somebody belongs to through any number of groups.

        A group is among its own if groups contain each other in a circle.
        """
        directly = frozenset(self._groups_of.get(principal.id, _NONE))
        return directly.union(*(self._groups_above(group) for group in directly))

    def _groups_above(self, group: int) -> frozenset[int]:
        known = self._above.get(group)
        if known is None:
            found: set[int] = set()
            waiting = [group]
            while waiting:
                # Each is followed once, or a circle would have no end.
                above = self._groups_of.get(waiting.pop(), _NONE) - found
                found |= above
                waiting.extend(above)
            known = self._above[group] = frozenset(found)
        return known

    def belonging_to(self, domain: str) -> Iterator[Principal]:
        """Go through all users of a domain (in lower case), and all groups if it is the server's own."""
        return (
            principal
            for principal in self.principals()
            if principal.kind is not PrincipalKind.DOMAIN and self._domain_of(principal) == domain
        )

    def _domain_of(self, principal: Principal) -> str:
        return self.domain if principal.kind is PrincipalKind.GROUP else principal.domain

    def policy_of(self, principal: Principal) -> PolicyRecord | None:
        """Tell a user's own policy, None if he has none."""
        return self._user_policies.get(principal.id)

    def global_policy(self) -> PolicyRecord:
        """Tell the policy of everybody who has none of his own."""
        return self._global_policy

    def principals(self) -> Iterator[Principal]:
        """Go through all principals that are not removed, in the order of their numbers."""
        return (
            self._by_id[number]
            for number in sorted(self._by_id)
            if self._by_id[number].state is not PrincipalState.REMOVED
        )

    def affiliations(self, principal: Principal) -> frozenset[int]:
        """Tell the numbers under which a principal may have been granted something.

        Returns:
            His own number, those of all groups that he belongs to through any number of groups, and that of
            his domain if it is a principal. A group belongs to the server's own domain; whoever is in it
            does not thereby.

        Source: docs/spec/persistent-chat-server.md section 2.4 (M-8).
        """
        known = self._affiliations.get(principal.id)
        if known is None:
            known = self._affiliated(principal)
            self._affiliations[principal.id] = known
        return known

    def _affiliated(self, principal: Principal) -> frozenset[int]:
        found = {principal.id} | self.all_groups_of(principal)
        domain = self._by_key.get(self._domain_of(principal))
        if domain is not None and domain.kind is PrincipalKind.DOMAIN:
            found.add(domain.id)
        return frozenset(found)

    def enabled(self, principal: Principal) -> bool:
        """Tell whether chat is on for a user: his own policy beats the global one, the default is no.

        Source: docs/spec/persistent-chat-server.md section 3.5 (P-16).
        """
        if principal.kind is not PrincipalKind.USER or principal.state is not PrincipalState.ACTIVE:
            return False
        return self._user_policies.get(principal.id, self._global_policy).enabled

    def policies(self) -> list[PolicyRecord]:
        """Tell the policies in force: the global one first, then those of users by number."""
        return [self._global_policy, *(self._user_policies[key] for key in sorted(self._user_policies))]


def _principal(record: PrincipalRecord) -> Principal:
    return Principal(
        id=record.principal_id,
        guid=record.guid,
        uri=record.uri,
        key=record.uri_folded,
        kind=PrincipalKind(record.kind),
        name=record.name,
        display_name=record.display_name,
        company=record.company,
        email=record.email,
        state=PrincipalState(record.state),
        name_folded=record.name_folded,
        description=record.description,
    )


def _update(principal: Principal, record: PrincipalRecord) -> None:
    principal.key = record.uri_folded
    principal.name = record.name
    principal.display_name = record.display_name
    principal.company = record.company
    principal.email = record.email
    principal.state = PrincipalState(record.state)
    principal.name_folded = record.name_folded
    principal.description = record.description
