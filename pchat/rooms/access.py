"""Who may do what: the only module that draws conclusions from scopes, role lists and privacy.

Everybody else asks here. What is not granted is refused: without a policy there is no chat, outside
the scope there is no room, and a secret room does not exist for those it is kept from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntFlag
from typing import Protocol

from pchat.directory.people import Principal
from pchat.rooms.category import Category
from pchat.rooms.room import Behavior, Privacy, Role, Room
from pchat.rooms.tree import NodeTree
from pchat.xccos.codes import ResponseCode


class Right(IntFlag):
    """What somebody may do in a room; the bits are those of the wire and of tblRoleType (2013).

    Source: docs/spec/xccos.md section 2.4 (``aib``); docs/spec/persistent-chat-server.md section 3.1.
    """

    NONE = 0
    MANAGE = 4
    CREATE_CHILDREN = 16
    JOIN = 128
    CHAT = 256
    READ_HISTORY = 1024
    VIEW = 2048
    AUDITORIUM_CHAT = 4096
    BYPASS_VISIBILITY = 8192


MEMBER_RIGHTS = Right.JOIN | Right.CHAT | Right.READ_HISTORY | Right.VIEW
MANAGER_RIGHTS = Right.MANAGE | Right.VIEW | Right.BYPASS_VISIBILITY
_RIGHT_OF_ROLE = {
    Role.MEMBER: Right.JOIN,
    Role.MANAGER: Right.MANAGE,
    Role.PRESENTER: Right.AUDITORIUM_CHAT,
}

# The masks of OCS 2007 R2 and Lync 2010; pidgin-sipe knows an operator by exactly the second one.
LEGACY_MEMBER_MASK = 3984
LEGACY_MANAGER_MASK = 12276


class IAffiliations(Protocol):
    """What access needs to know of the directory."""

    def affiliations(self, principal: Principal) -> frozenset[int]:
        """Tell the numbers under which a principal may have been granted something, his own included."""

    def enabled(self, principal: Principal) -> bool:
        """Tell whether a principal is an active user whose policy switches chat on."""


class Access:
    """Answers every "may X do Y" about rooms and categories.

    Administrators of the server are not asked about here: they are subject to the scope only (P-9),
    which `in_scope` tells.

    Source: docs/spec/persistent-chat-server.md section 3.
    """

    def __init__(self, directory: IAffiliations) -> None:
        self._directory = directory

    def in_scope(self, principal: Principal, category: Category) -> bool:
        """Tell whether a principal lies inside Allowed minus Denied, whatever path put him there.

        Source: docs/spec/persistent-chat-server.md section 3.3 (P-1).
        """
        return self.covered(principal, category.allowed) and not self.covered(principal, category.denied)

    def covered(self, principal: Principal, granted: frozenset[int]) -> bool:
        """Tell whether a list names a principal himself or something he is part of."""
        return not self._directory.affiliations(principal).isdisjoint(granted)

    def rights(self, principal: Principal, room: Room) -> Right:
        """Tell what a principal may do in a room as it is now.

        ``CHAT`` alone does not let anybody post in an auditorium; ask `refusal_to_post`.

        Source: docs/spec/persistent-chat-server.md sections 3.2 to 3.4 and 4.8.
        """
        standing = self._standing(principal, room)
        # F-14: nobody joins or finds a disabled room; its manager still manages it.
        return standing & Right.MANAGE if room.disabled else standing

    def _standing(self, principal: Principal, room: Room) -> Right:
        """What rights() tells, as if the room were not disabled."""
        if not self._directory.enabled(principal) or not self.in_scope(principal, room.category):
            return Right.NONE
        held = Right.NONE if room.privacy is Privacy.SECRET else Right.VIEW
        if self.covered(principal, room.managers):
            held |= MANAGER_RIGHTS
        if room.privacy is Privacy.OPEN or self.covered(principal, room.members):
            held |= MEMBER_RIGHTS
            if room.behavior is Behavior.AUDITORIUM and self.covered(principal, room.presenters):
                held |= Right.AUDITORIUM_CHAT
        return held

    def may_see(self, principal: Principal, room: Room) -> bool:
        """Tell whether a principal finds a room and may read its card and member list."""
        return bool(self.rights(principal, room) & Right.VIEW)

    def may_create(self, principal: Principal, category: Category) -> bool:
        """Tell whether a principal may create rooms in a category, or move rooms that he manages there."""
        return (
            self._directory.enabled(principal)
            and self.in_scope(principal, category)
            and self.covered(principal, category.creators)
        )

    def refusal_to_join(self, principal: Principal, room: Room) -> ResponseCode | None:
        """Tell with what code a join is refused; None when it is allowed.

        Source: docs/spec/xccos.md section 3.5.
        """
        return self._refusal(principal, room, Right.JOIN)

    def refusal_to_post(self, principal: Principal, room: Room) -> ResponseCode | None:
        """Tell with what code a post is refused; None when it is allowed.

        Source: docs/spec/persistent-chat-server.md sections 3.3 (P-3, P-9) and 4.4 (F-8).
        """
        needed = Right.CHAT
        if room.behavior is Behavior.AUDITORIUM:
            needed |= Right.AUDITORIUM_CHAT
        return self._refusal(principal, room, needed)

    def refusal_to_read_history(self, principal: Principal, room: Room) -> ResponseCode | None:
        """Tell with what code a history query is refused; None when it is allowed."""
        return self._refusal(principal, room, Right.READ_HISTORY)

    def refusal_to_see_roster(self, principal: Principal, room: Room) -> ResponseCode | None:
        """Tell with what code a question for the roster is refused; None when it is allowed.

        Who may read the room sees who is in it: members, and everybody in scope of an open room.
        """
        return self._refusal(principal, room, Right.READ_HISTORY)

    def refusal_to_see(self, principal: Principal, room: Room) -> ResponseCode | None:
        """Tell with what code a question for a room's card or role lists is refused; None when allowed."""
        return self._refusal(principal, room, Right.VIEW)

    def refusal_to_manage(self, principal: Principal, room: Room) -> ResponseCode | None:
        """Tell with what code a change of a room is refused; None when it is allowed.

        A disabled room can be managed; whether somebody may enable it is not a manager's question (P-7).
        """
        standing = self._standing(principal, room)
        if standing & Right.MANAGE:
            return None
        return self._unknown(standing, room) or ResponseCode.ERROR_PERMISSION

    def _refusal(self, principal: Principal, room: Room, needed: Right) -> ResponseCode | None:
        standing = self._standing(principal, room)
        unknown = self._unknown(standing, room)
        if unknown is not None:
            return unknown
        if room.disabled:
            return ResponseCode.ERROR_NODE_DISABLED
        return None if standing & needed == needed else ResponseCode.ERROR_PERMISSION

    @staticmethod
    def _unknown(standing: Right, room: Room) -> ResponseCode | None:
        # A secret room is not told from one that does not exist, also while it is disabled.
        if standing & Right.VIEW:
            return None
        if room.privacy is Privacy.SECRET:
            return ResponseCode.ERROR_NO_SUCH_NODE
        return ResponseCode.ERROR_PERMISSION

    def mask(self, principal: Principal, room: Room) -> int:
        """Tell the permission mask that clients are shown: member 3456, manager 11652, presenter 7552.

        Source: docs/spec/xccos.md section 2.4 (``aib``).
        """
        return int(self.rights(principal, room))

    @staticmethod
    def legacy_mask(mask: int) -> int:
        """Tell a mask in the older numbers: 12276 for a manager, 3984 for everybody else who is in.

        COMPAT(pidgin-sipe): it shows somebody as operator only for exactly 12276.

        Args:
            mask: As `mask` tells it.

        Source: docs/spec/xccos.md section 2.4 (``aib``).
        """
        if mask & Right.MANAGE:
            return LEGACY_MANAGER_MASK
        return LEGACY_MEMBER_MASK if mask & Right.JOIN else mask

    def holds(self, principal: Principal, role: Role, room: Room) -> bool:
        """Tell whether somebody counts as a member (or manager, or presenter) of a room, disabled or not.

        In an open room whoever is in scope counts as a member.
        """
        right = _RIGHT_OF_ROLE[role]
        return self._standing(principal, room) & right == right

    def rooms_of(
        self, principal: Principal, role: Role, tree: NodeTree, *, disabled: bool = False
    ) -> Sequence[Room]:
        """Tell the rooms that somebody is a member (or manager, or presenter) of, by number.

        Args:
            principal: Who.
            role: As what, see `holds`.
            tree: All rooms.
            disabled: Only disabled rooms, which are told to nobody but their managers, or only others.
        """
        found = set(tree.rooms_naming(self._directory.affiliations(principal)))
        if role is Role.MEMBER:
            for category in tree.categories():
                if self.in_scope(principal, category):
                    found |= tree.open_rooms_in(category)
        mine = [room for room in found if room.disabled is disabled and self.holds(principal, role, room)]
        return sorted(mine, key=lambda room: room.id)

    def sight(self, principal: Principal) -> Callable[[Room], bool]:
        """Make what tells the same as `may_see` for one principal, for going through many rooms at once.

        The scope of a category is looked at once. What is made must not be kept: rights change.
        """
        enabled = self._directory.enabled(principal)
        inside: dict[int, bool] = {}

        def sees(room: Room) -> bool:
            category = room.category
            covered = inside.get(category.id)
            if covered is None:
                covered = inside[category.id] = enabled and self.in_scope(principal, category)
            if not covered or room.disabled:
                return False
            return room.privacy is not Privacy.SECRET or self.may_see(principal, room)

        return sees
