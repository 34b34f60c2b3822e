"""Finding rooms: by name, and those that are one's own.

Source: docs/spec/persistent-chat-server.md 4.6 and P-13; docs/spec/xccos.md 3.3, 3.4 and chapter 10.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pchat.rooms.names import fold
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from pchat.xccos.commands import Associations
from pchat.xccos.parser import Command
from pchat.xccos.search_commands import RoomSearch
from pchat.xccos.writer import limit_exceeded

if TYPE_CHECKING:
    from pchat.rooms.access import Access
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.room import Room
    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree


class Search:
    """Answers which rooms there are, as far as the asker may know.

    Args:
        tree: The node tree.
        access: Who may see what.
        settings: Limits.
        blocks: Wire forms.
    """

    def __init__(self, tree: NodeTree, access: Access, settings: Settings, blocks: Blocks) -> None:
        self._tree = tree
        self._access = access
        self._settings = settings
        self._blocks = blocks

    async def cmd_chansrch(self, session: ChatSession, command: Command, wish: RoomSearch) -> None:
        """Answer ``cmd:chansrch``: rooms whose name, or also description, contains the words asked for."""
        text = fold(wish.criteria.strip())
        found = (
            room
            for room in self._tree.rooms()
            if (text in room.name_folded or (wish.extended and text in room.description_folded))
            and self._access.may_see(session.user, room)
        )
        self._answer(session, command, found, wish.max_results)

    async def cmd_getassociations(self, session: ChatSession, command: Command, wish: Associations) -> None:
        """Answer ``cmd:getassociations``: rooms the asker is a member, or a manager, of."""
        role = Role.MANAGER if wish.kind == "manager" else Role.MEMBER
        self._answer(
            session, command, self._access.rooms_of(session.user, role, self._tree), wish.max_results
        )

    def _answer(
        self, session: ChatSession, command: Command, found: Iterable[Room], wished: int | None
    ) -> None:
        limit = self._settings.search_limit
        if wished is not None and 0 < wished < limit:
            limit = wished
        rooms = sorted(found, key=lambda room: room.name_folded)
        data = "".join(self._blocks.room(room) for room in rooms[:limit])
        session.reply(
            command, ResponseCode.SUCCESS_OK, data + (limit_exceeded() if len(rooms) > limit else "")
        )
