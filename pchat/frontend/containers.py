"""Containers: which watcher sees which of a user's publications. No I/O.

Source: docs/spec/presence.md section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

from attrs import evolve, frozen

from pchat.errors import SipRefused
from pchat.frontend.limits import PresenceLimits
from pchat.frontend.publications import Conflict, VersionConflict

#: Whoever is a member of no container sees this one: who the user is, and no more.
DEFAULT = 0
#: Whoever is a member here sees the user as offline.
BLOCKED = 32000
#: Containers that watchers may be in, most specific first; 1 to 3 are nobody's but the user's.
WATCHED = (BLOCKED, 400, 300, 200, 100)
GREATEST_CONTAINER = 32767


class MemberType(Enum):
    """What a member of a container is; in the order in which a watcher is looked up.

    Source: docs/spec/presence.md section 4.
    """

    USER = "user"
    DOMAIN = "domain"
    SAME_ENTERPRISE = "sameEnterprise"
    FEDERATED = "federated"
    PUBLIC_CLOUD = "publicCloud"
    EVERYONE = "everyone"

    @property
    def named(self) -> bool:
        """Whether such a member has a value."""
        return self in (MemberType.USER, MemberType.DOMAIN)


@frozen
class Member:
    """A member of a container.

    Args:
        kind: What it is.
        value: ``user@domain`` without scheme, a domain, or ''; as the client wrote it.
    """

    kind: MemberType
    value: str = ""

    @property
    def key(self) -> tuple[MemberType, str]:
        """What makes two members the same."""
        return self.kind, self.value.casefold()


@frozen
class Container:
    """The members of one container and the version of their list."""

    number: int
    version: int
    members: tuple[Member, ...]


@frozen
class MembershipChange:
    """One container element of a SERVICE.

    Args:
        container: Its number.
        version: The version that the client believes to be current.
        steps: Members to add (True) or delete (False), in order.
    """

    container: int
    version: int
    steps: tuple[tuple[bool, Member], ...]


#: What everybody has from the start; without it clients would ask for just this at each sign-in.
INITIAL = (
    Container(100, 1, (Member(MemberType.FEDERATED),)),
    Container(200, 1, (Member(MemberType.SAME_ENTERPRISE),)),
)


class Containers:
    """All containers of one user that have, or had, members.

    Args:
        limits: How many containers and members there may be.
        rows: What the store remembers; it replaces the initial ones of the same number.
    """

    def __init__(self, limits: PresenceLimits, rows: Iterable[Container] = ()) -> None:
        self._limits = limits
        self._rows: dict[int, Container] = {row.number: row for row in INITIAL}
        self.apply(rows)

    def __iter__(self) -> Iterator[Container]:
        return iter(sorted(self._rows.values(), key=lambda row: row.number))

    def get(self, number: int) -> Container:
        """Find a container; one that never had members has version 0."""
        return self._rows.get(number) or Container(number, 0, ())

    def decide(self, changes: Sequence[MembershipChange]) -> tuple[Container, ...]:
        """Check a request as a whole; nothing is changed yet.

        Returns:
            The containers as they will be.

        Raises:
            VersionConflict: Some versions are not current; all of those are listed.
            SipRefused: 400 a container twice; 413 over a limit.
        """
        numbers = [change.container for change in changes]
        if len(set(numbers)) != len(numbers):
            raise SipRefused(400, "the same container twice")
        conflicts = [
            Conflict(index, change.version, self.get(change.container).version)
            for index, change in enumerate(changes, 1)
            if change.version != self.get(change.container).version
        ]
        if conflicts:
            raise VersionConflict(conflicts)
        rows = tuple(self._changed(change) for change in changes)
        if len(self._rows.keys() | set(numbers)) > self._limits.containers:
            raise SipRefused(413, "too many containers")
        return rows

    def _changed(self, change: MembershipChange) -> Container:
        row = self.get(change.container)
        members = {member.key: member for member in row.members}
        for add, member in change.steps:
            if add:
                members.setdefault(member.key, member)
            else:
                members.pop(member.key, None)
        if len(members) > self._limits.members:
            raise SipRefused(413, "too many members in a container")
        return evolve(row, version=row.version + 1, members=tuple(members.values()))

    def apply(self, rows: Iterable[Container]) -> None:
        """Make a decision true, after it was made durable."""
        self._rows.update((row.number, row) for row in rows)
        self._numbers: dict[tuple[MemberType, str], int] = {}
        for number in WATCHED:
            for member in self.get(number).members:
                self._numbers.setdefault(member.key, number)

    def of_watcher(self, address: str, same_enterprise: bool = True) -> int:
        """Tell which container a watcher sees.

        Args:
            address: ``user@domain`` of the watcher, folded.
            same_enterprise: Whether the watcher has an account here.

        Returns:
            The number of the container; `DEFAULT` for a watcher who is a member of none.
        """
        domain = address.rpartition("@")[2]
        wanted = (
            (MemberType.USER, address),
            (MemberType.DOMAIN, domain),
            (MemberType.SAME_ENTERPRISE if same_enterprise else MemberType.FEDERATED, ""),
            (MemberType.EVERYONE, ""),
        )
        return next((self._numbers[key] for key in wanted if key in self._numbers), DEFAULT)
