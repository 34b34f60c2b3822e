"""Finding rooms: by name, people, category or add-in, and those that are one's own.

Source: docs/spec/persistent-chat-server.md 4.6 and P-13; docs/spec/xccos.md 3.3, 3.4 and chapter 10;
docs/xccos-extensions.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from pchat.rooms.names import fold
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from pchat.xccos.commands import Associations
from pchat.xccos.parser import Command
from pchat.xccos.search_commands import Match, RoomSearch
from pchat.xccos.writer import limit_exceeded

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal
    from pchat.rooms.access import Access
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.read_markers import ReadStates
    from pchat.rooms.room import Room
    from pchat.rooms.roster import Rosters
    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.store.read_markers import ReadState

#: Tells whether a room is one of those sought.
Criterion = Callable[["Room"], bool]
_UNTOLD: Mapping[int, ReadState] = {}
_ROLES = {"BYMEMBER": Role.MEMBER, "BYMANAGER": Role.MANAGER}


class Search:
    """Answers which rooms there are, as far as the asker may know.

    What the criteria name and nobody knows, or the asker may not know, finds nothing, so that asking tells
    nothing of it.

    Args:
        tree: The node tree.
        access: Who may see what.
        settings: Limits.
        blocks: Wire forms.
        directory: People by address.
        rosters: Who is in which room.
        states: Counts what is unread.
    """

    def __init__(
        self,
        tree: NodeTree,
        access: Access,
        settings: Settings,
        blocks: Blocks,
        directory: LocalDirectory,
        rosters: Rosters,
        states: ReadStates,
    ) -> None:
        self._tree = tree
        self._access = access
        self._settings = settings
        self._blocks = blocks
        self._directory = directory
        self._rosters = rosters
        self._states = states

    async def cmd_chansrch(self, session: ChatSession, command: Command, wish: RoomSearch) -> None:
        """Answer ``cmd:chansrch``: rooms that fit every criterion and that the asker may see."""
        sought = self._criterion(session.user, wish)
        if wish.disabled:
            # F-14: nobody finds a disabled room, but its managers can ask which of theirs are.
            managed = self._access.rooms_of(session.user, Role.MANAGER, self._tree, disabled=True)
            found = (room for room in sorted(managed, key=_name) if sought(room) and _fits(room, wish))
        else:
            sees = self._access.sight(session.user)
            found = (
                room
                for room in self._tree.rooms_by_name()
                if sought(room) and _fits(room, wish) and sees(room)
            )
        self._answer(session, command, found, wish.max_results)

    async def cmd_getassociations(self, session: ChatSession, command: Command, wish: Associations) -> None:
        """Answer ``cmd:getassociations``: rooms the asker is a member, or a manager, of."""
        role = Role.MANAGER if wish.kind == "manager" else Role.MEMBER
        mine = self._access.rooms_of(session.user, role, self._tree)
        limit = self._most(wish.max_results)
        states = await self._states.of(session.user, sorted(mine, key=_name)[:limit])
        # Asked again: rights may have gone while the store was busy.
        mine = self._access.rooms_of(session.user, role, self._tree)
        self._answer(session, command, sorted(mine, key=_name), wish.max_results, states)

    def _criterion(self, asker: Principal, wish: RoomSearch) -> Criterion:
        """Make what tells the rooms sought, apart from whether the asker may see them."""
        if wish.qtype == "BYNAME":
            return _by_text(wish)
        named = wish.criteria.strip()
        if wish.qtype == "BYCATEGORY":
            category = self._tree.category_by_uri(named)
            return lambda room: room.category is category
        if wish.qtype == "BYADDIN":
            guid = named.lower()
            return lambda room: room.addin_guid == guid
        person = self._directory.by_uri(named)
        if person is None:
            return lambda room: False
        if wish.qtype == "BYUSERJOINED":
            joined = self._joined(person, asker)
            return joined.__contains__
        role = _ROLES[wish.qtype]
        rooms = frozenset(self._access.rooms_of(person, role, self._tree, disabled=wish.disabled))
        return rooms.__contains__

    def _joined(self, person: Principal, asker: Principal) -> frozenset[Room]:
        return frozenset(
            roster.room
            for roster in self._rosters
            if roster.holds(person.id) and self._access.refusal_to_see_roster(asker, roster.room) is None
        )

    def _most(self, wished: int | None) -> int:
        limit = self._settings.search_limit
        return wished if wished is not None and 0 < wished < limit else limit

    def _answer(
        self,
        session: ChatSession,
        command: Command,
        found: Iterable[Room],
        wished: int | None,
        states: Mapping[int, ReadState] = _UNTOLD,
    ) -> None:
        limit = self._most(wished)
        rooms = list(islice(found, limit + 1))
        data = "".join([self._blocks.room(room, states.get(room.id)) for room in rooms[:limit]])
        session.reply(
            command, ResponseCode.SUCCESS_OK, data + (limit_exceeded() if len(rooms) > limit else "")
        )


def _by_text(wish: RoomSearch) -> Criterion:
    whole = fold(wish.criteria.strip())
    words = [whole] if wish.match is Match.PHRASE else whole.split()
    if len(words) <= 1:
        text = words[0] if words else ""
        if wish.extended:
            return lambda room: text in room.name_folded or text in room.description_folded
        return lambda room: text in room.name_folded
    enough = all if wish.match is Match.ALL else any
    if wish.extended:
        return lambda room: enough(
            [word in room.name_folded or word in room.description_folded for word in words]
        )
    return lambda room: enough([word in room.name_folded for word in words])


def _fits(room: Room, wish: RoomSearch) -> bool:
    return (
        (wish.visibility is None or room.privacy.wire_word == wish.visibility)
        and (wish.behavior is None or room.behavior.wire_word == wish.behavior)
        and (wish.invite is None or room.invitations_on is wish.invite)
    )


def _name(room: Room) -> str:
    return room.name_folded
