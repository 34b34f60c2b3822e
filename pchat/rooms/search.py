"""Finding rooms: by name, people, category or add-in, and those that are one's own.

Source: docs/spec/persistent-chat-server.md 4.6 and P-13; docs/spec/xccos.md 3.3, 3.4 and chapter 10;
docs/xccos-extensions.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from pchat.rooms.names import fold
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from pchat.xccos.commands import Associations
from pchat.xccos.parser import Command
from pchat.xccos.search_commands import Match, RoomSearch
from pchat.xccos.writer import limit_exceeded

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

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
#: Rooms that a search looks at in one turn of the reactor: some milliseconds, or tens for many words.
SLICE = 5_000
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
        clock: The reactor's time, for pauses in long searches.
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
        clock: IReactorTime,
    ) -> None:
        self._tree = tree
        self._access = access
        self._settings = settings
        self._blocks = blocks
        self._directory = directory
        self._rosters = rosters
        self._states = states
        self._clock = clock

    async def cmd_chansrch(self, session: ChatSession, command: Command, wish: RoomSearch) -> None:
        """Answer ``cmd:chansrch``: rooms that fit every criterion and that the asker may see."""
        if wish.disabled:
            # F-14: nobody finds a disabled room, but its managers can ask which of theirs are.
            sought = self._criterion(session.user, wish)
            managed = self._access.rooms_of(session.user, Role.MANAGER, self._tree, disabled=True)
            found = [room for room in sorted(managed, key=_name) if sought(room) and _fits(room, wish)]
        else:
            found = await self._findable(session.user, wish)
        self._answer(session, command, found, wish.max_results)

    async def _findable(self, user: Principal, wish: RoomSearch) -> list[Room]:
        """Go through all rooms piece by piece; one more than is wanted tells that there are more."""
        most = self._most(wish.max_results) + 1
        rooms = self._tree.rooms_by_name()
        found: list[Room] = []
        # Other kinds know their rooms beforehand, which takes longer than to go through all of them.
        slice_ = SLICE if wish.qtype == "BYNAME" else max(len(rooms), 1)
        for start in range(0, len(rooms), slice_):
            if start:
                pause: Deferred[None] = deferLater(self._clock, 0, lambda: None)
                await pause
            # Made anew for each piece, and what was found before is looked at once more: rights may have
            # gone meanwhile, and rooms too.
            fits = self._fitting(user, wish)
            found = [*filter(fits, found)]
            found += islice(filter(fits, rooms[start : start + slice_]), most - len(found))
            if len(found) == most:
                break
        return found

    def _fitting(self, user: Principal, wish: RoomSearch) -> Criterion:
        """Make what tells the rooms sought that a user may see now."""
        sought, sees = self._criterion(user, wish), self._access.sight(user)
        known = self._tree.room_by_id
        return lambda room: sought(room) and _fits(room, wish) and sees(room) and known(room.id) is room

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
    words = [whole] if wish.match is Match.PHRASE else list(dict.fromkeys(whole.split()))
    if len(words) <= 1:
        text = words[0] if words else ""
        if wish.extended:
            return lambda room: text in room.name_folded or text in room.description_folded
        return lambda room: text in room.name_folded
    enough = all if wish.match is Match.ALL else any
    if wish.extended:
        return lambda room: enough(
            word in room.name_folded or word in room.description_folded for word in words
        )
    return lambda room: enough(word in room.name_folded for word in words)


def _fits(room: Room, wish: RoomSearch) -> bool:
    return (
        (wish.visibility is None or room.privacy.wire_word == wish.visibility)
        and (wish.behavior is None or room.behavior.wire_word == wish.behavior)
        and (wish.invite is None or room.invitations_on is wish.invite)
    )


def _name(room: Room) -> str:
    return room.name_folded
