"""Who is in a room, asked for by name: also where the room is too large to tell it by itself.

Source: docs/spec/persistent-chat-server.md F-5; docs/spec/xccos.md 3.5 and chapter 10;
docs/xccos-extensions.md.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pchat.errors import CommandRefused
from pchat.rooms.access import Access
from pchat.rooms.blocks import LONG_LIST
from pchat.xccos.codes import ResponseCode
from pchat.xccos.room_commands import RoomQuestion
from pchat.xccos.room_writer import short_user
from pchat.xccos.writer import limit_exceeded, room_block, user_block

if TYPE_CHECKING:
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.room import Room
    from pchat.rooms.roster import Roster, Rosters
    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.xccos.parser import Command


class RosterQuery:
    """Runs ``cmd:getroster``.

    The reply about a large room is some hundred kilobytes, so it is rendered once for all who ask before the
    roster, or anything that administrators change, is another.

    Args:
        tree: Rooms.
        access: Who may see a roster.
        settings: Limits.
        rosters: Who is in which room.
        blocks: Wire forms.
    """

    def __init__(
        self, tree: NodeTree, access: Access, settings: Settings, rosters: Rosters, blocks: Blocks
    ) -> None:
        self._tree = tree
        self._access = access
        self._settings = settings
        self._rosters = rosters
        self._blocks = blocks
        # Of each long roster: what it and the tree were when it was rendered, and the text, by kind of mask.
        self._rendered: WeakKeyDictionary[Roster, dict[bool, tuple[tuple[int, int], str]]] = (
            WeakKeyDictionary()
        )

    async def cmd_getroster(self, session: ChatSession, command: Command, wish: RoomQuestion) -> None:
        """Tell who is in a room to whoever may read it (section 3.4 of the reference account)."""
        room = self._tree.room(wish.room.domain, wish.room.guid)
        refused = (
            ResponseCode.ERROR_NO_SUCH_NODE
            if room is None
            else self._access.refusal_to_see_roster(session.user, room)
        )
        if room is None or refused is not None:
            raise CommandRefused(refused or ResponseCode.ERROR_NO_SUCH_NODE, wish.room.guid)
        session.reply(command, ResponseCode.SUCCESS_OK, self._shown(room, session.legacy_masks))

    def _shown(self, room: Room, legacy: bool) -> str:
        roster = self._rosters.find(room.id)
        if roster is None:
            return room_block(self._blocks.describe(room))
        if len(roster) <= self._settings.search_limit:
            return self._render(roster, legacy, short=False)
        seen = (roster.revision, self._tree.revision)
        kept = self._rendered.setdefault(roster, {})
        if legacy not in kept or kept[legacy][0] != seen:
            kept[legacy] = (seen, self._render(roster, legacy, short=True))
        return kept[legacy][1]

    def _render(self, roster: Roster, legacy: bool, *, short: bool) -> str:
        people: list[str] = []
        holders: dict[int, list[int]] = {}
        for number, user in enumerate(islice(roster.users(), LONG_LIST)):
            people.append(
                short_user(user.uri, user.shown_name, number)
                if short
                else user_block(self._blocks.user(user, number))
            )
            holders.setdefault(roster.masks[user.id], []).append(number)
        aibs: dict[int, list[int]] = {}
        for mask, numbers in holders.items():
            aibs.setdefault(Access.legacy_mask(mask) if legacy else mask, []).extend(numbers)
        shown = room_block(self._blocks.describe(roster.room), aibs=[*aibs.items()])
        cut = limit_exceeded() if len(roster) > LONG_LIST else ""
        return "".join(people) + shown + cut
