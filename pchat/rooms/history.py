"""Reading back: the last messages of a room, each read recorded before it is answered.

Source: docs/spec/persistent-chat-server.md F-10 to F-12; docs/spec/xccos.md 3.8.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pchat import ticks
from pchat.errors import CommandRefused
from pchat.store.messages import StoredMessage, last_messages
from pchat.store.outbox import Event, record
from pchat.xccos.codes import ResponseCode
from pchat.xccos.commands import Context
from pchat.xccos.parser import Command

#: Characters of text in one history reply. The largest useful one, 999 ordinary messages, is about 200 kB; a
#: reply of many stories would hold up everybody else while it is written, and fill the client's memory.
REPLY_CHARACTERS = 1 << 20

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.directory.local import LocalDirectory
    from pchat.interfaces import IStore, Random
    from pchat.rooms.access import Access
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.room import Room
    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree


def newest_that_fit(messages: list[StoredMessage]) -> list[StoredMessage]:
    """Cut a piece of history to what one reply may hold: the newest messages of it.

    Args:
        messages: Oldest first.

    Returns:
        The newest of them, oldest first, at least one if there is any; formatting is given up before
        messages are.
    """
    size = sum(len(message.chat) + len(message.rtf or "") for message in messages)
    if size <= REPLY_CHARACTERS:
        return messages
    plain = [message._replace(rtf=None) for message in messages]
    left = REPLY_CHARACTERS
    for position in range(len(plain) - 1, -1, -1):
        left -= len(plain[position].chat)
        if left < 0 and position < len(plain) - 1:
            return plain[position + 1 :]
    return plain


class History:
    """Answers questions about what was said.

    Args:
        store: The chat store.
        tree: The node tree.
        access: Who may read what.
        settings: Limits.
        blocks: Wire forms.
        directory: Authors by id.
        clock: Time of read events.
        random: Unpredictable bytes, for event ids.
        record_reads: Whether reads are compliance events.
    """

    def __init__(
        self,
        store: IStore,
        tree: NodeTree,
        access: Access,
        settings: Settings,
        blocks: Blocks,
        directory: LocalDirectory,
        clock: IReactorTime,
        random: Random,
        *,
        record_reads: bool,
    ) -> None:
        self._store = store
        self._tree = tree
        self._access = access
        self._settings = settings
        self._blocks = blocks
        self._directory = directory
        self._clock = clock
        self._random = random
        self._record_reads = record_reads

    async def cmd_bccontext(self, session: ChatSession, command: Command, wish: Context) -> None:
        """Answer ``cmd:bccontext``: the last messages of a room, oldest first."""
        room = self._tree.room(wish.room.domain, wish.room.guid)
        if room is None:
            raise CommandRefused(ResponseCode.ERROR_NO_SUCH_NODE, wish.room.guid)
        refused = self._access.refusal_to_read_history(session.user, room)
        if refused is not None:
            raise CommandRefused(refused, wish.room.guid)
        count = self._settings.default_history if wish.count is None else wish.count
        count = min(count, self._settings.search_limit)
        messages: list[StoredMessage] = []
        if room.logged:
            messages = await self._store.read(last_messages, room.id, count)
        messages = newest_that_fit(messages)
        self._check_still_allowed(session, room)
        await self._record(session, room, {"query": "context", "limit": count}, messages)
        # A right that goes in this very moment leaves a record of a read that was not answered.
        self._check_still_allowed(session, room)
        by_id = self._directory.by_id
        shown = [self._blocks.message(room, message, by_id(message.author_id)) for message in messages]
        session.reply(command, ResponseCode.SUCCESS_OK, self._blocks.with_messages(room, shown))

    def _check_still_allowed(self, session: ChatSession, room: Room) -> None:
        """Rights may have gone while the messages were being read, and the room too."""
        refused = self._access.refusal_to_read_history(session.user, room)
        if self._tree.room_by_id(room.id) is not room:
            refused = ResponseCode.ERROR_NO_SUCH_NODE
        if refused is not None:
            raise CommandRefused(refused, room.guid)

    async def _record(
        self, session: ChatSession, room: Room, asked: dict[str, object], messages: list[StoredMessage]
    ) -> None:
        if not self._record_reads:
            return
        user = session.user
        detail = dict(asked, count=len(messages), chat_ids=[message.chat_id for message in messages])
        event = Event(
            event_id=self._random(16).hex(),
            kind="read",
            time_ticks=ticks.from_unix(self._clock.seconds()),
            room_id=room.id,
            room_uri=room.uri,
            room_name=room.name,
            user_id=user.id,
            user_uri=user.uri,
            user_name=user.shown_name,
            user_email=user.email,
            chat_id=0,
            text=None,
            detail=json.dumps(detail, separators=(",", ":")),
        )
        await self._store.write(record, self._store.server_id, [event])
