"""What may stand on the role lists of a room, and what must leave them when the room or its scope changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from attrs import evolve, frozen

from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal
from pchat.errors import AdministrationRefused
from pchat.rooms.access import Access
from pchat.rooms.category import Category
from pchat.rooms.room import Behavior, Privacy, Role, Room
from pchat.xccos.codes import ResponseCode


@frozen
class RoleDelta:
    """Whom a change puts on one role list and whom it takes from it, as somebody typed them."""

    add: Collection[str] = ()
    remove: Collection[str] = ()


@frozen
class RoleLists:
    """The role lists of a room as somebody wants them to be: numbers of principals."""

    members: frozenset[int] = frozenset()
    managers: frozenset[int] = frozenset()
    presenters: frozenset[int] = frozenset()

    @classmethod
    def of(cls, room: Room) -> RoleLists:
        """Take the lists of a room as it is."""
        return cls(room.members, room.managers, room.presenters)

    def __len__(self) -> int:
        """Count all grants."""
        return len(self.members) + len(self.managers) + len(self.presenters)

    def holders(self, role: Role) -> frozenset[int]:
        """Tell the principals on one list."""
        by_role = {Role.MEMBER: self.members, Role.MANAGER: self.managers, Role.PRESENTER: self.presenters}
        return by_role[role]

    def with_holders(self, role: Role, holders: frozenset[int]) -> RoleLists:
        """Replace one list."""
        name = {Role.MEMBER: "members", Role.MANAGER: "managers", Role.PRESENTER: "presenters"}[role]
        return evolve(self, **{name: holders})

    def pairs(self) -> set[tuple[str, int]]:
        """Tell all grants as pairs of role and principal."""
        return {(role.value, principal) for role in Role for principal in self.holders(role)}


@frozen
class RoomShape:
    """Of a room, what decides who may be on its lists."""

    category: Category
    privacy: Privacy
    behavior: Behavior

    @classmethod
    def of(cls, room: Room) -> RoomShape:
        """Take the shape of a room as it is."""
        return cls(room.category, room.privacy, room.behavior)


class RoleRules:
    """Checks and settles role lists; who is in scope and who is covered, it asks `Access`.

    Source: docs/spec/persistent-chat-server.md section 3.3 (P-2, P-3, P-10, P-11).
    """

    def __init__(self, access: Access, directory: LocalDirectory) -> None:
        self._access = access
        self._directory = directory

    def check_grant(
        self, role: Role, principals: Iterable[Principal], shape: RoomShape, lists: RoleLists
    ) -> None:
        """Refuse principals that may not be given a role.

        Args:
            role: The role.
            principals: To whom it is to be given.
            shape: The room.
            lists: The room's lists as they will be; presenters must be members in them.

        Raises:
            AdministrationRefused: Out of scope, presenters of a normal room, presenters that are no members.
        """
        if role is Role.PRESENTER and shape.behavior is not Behavior.AUDITORIUM:
            raise AdministrationRefused(
                ResponseCode.ERROR_INVALID_ARGUMENT,
                "the room is not an auditorium; only those have presenters",
            )
        for principal in principals:
            if not self._access.in_scope(principal, shape.category):
                raise AdministrationRefused(
                    ResponseCode.ERROR_PRINCIPALS_NOT_IN_SCOPE,
                    f"{principal.uri} is not in the scope of the category {shape.category.name!r}",
                )
            if role is Role.PRESENTER and not self._counts_as_member(principal, shape, lists):
                raise AdministrationRefused(
                    ResponseCode.ERROR_PRESENTER_NOT_MEMBER,
                    f"{principal.uri} is not a member; a presenter must be one",
                )

    def settled(self, lists: RoleLists, shape: RoomShape) -> RoleLists:
        """Drop from role lists whoever a room of that shape may not have there."""
        inside = RoleLists(
            members=self._in_scope(lists.members, shape),
            managers=self._in_scope(lists.managers, shape),
            presenters=self._in_scope(lists.presenters, shape),
        )
        return self.with_fitting_presenters(inside, shape)

    def with_fitting_presenters(self, lists: RoleLists, shape: RoomShape) -> RoleLists:
        """Drop the presenters of what is no auditorium, and those that are no members (P-3)."""
        if shape.behavior is not Behavior.AUDITORIUM:
            return evolve(lists, presenters=frozenset())
        presenters = frozenset(
            number for number in lists.presenters if self._counts_as_member(self._known(number), shape, lists)
        )
        return evolve(lists, presenters=presenters)

    def _in_scope(self, numbers: frozenset[int], shape: RoomShape) -> frozenset[int]:
        return frozenset(
            number for number in numbers if self._access.in_scope(self._known(number), shape.category)
        )

    def _counts_as_member(self, principal: Principal, shape: RoomShape, lists: RoleLists) -> bool:
        return shape.privacy is Privacy.OPEN or self._access.covered(principal, lists.members)

    def _known(self, number: int) -> Principal:
        principal = self._directory.by_id(number)
        if principal is None:
            raise LookupError(f"principal {number} is on a list but not in the directory")
        return principal


def grants(pairs: Iterable[tuple[str, int]], uri: Callable[[int], str]) -> dict[str, list[str]]:
    """Write grants for a compliance event: URIs by role or list.

    Args:
        pairs: Pairs of role or list and principal.
        uri: Tells the URI of a principal.
    """
    written: dict[str, list[str]] = {}
    for name, number in sorted(pairs):
        written.setdefault(name, []).append(uri(number))
    return written
