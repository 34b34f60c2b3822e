"""What feeds caught while their owner was away: listed at sign-in, for as long as it is unread.

Source: docs/xccos-extensions.md ("Topic feeds"); docs/spec/persistent-chat-server.md F-12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from pchat.rooms.reads import Read
from pchat.rooms.reply_size import that_fit
from pchat.store.topics import hit_messages, unread_hits
from pchat.xccos.codes import ResponseCode
from pchat.xccos.topic_writer import hit
from pchat.xccos.writer import limit_exceeded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal
    from pchat.interfaces import IStore
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.reads import ReadLog
    from pchat.rooms.room import Room
    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.store.messages import StoredMessage
    from pchat.store.topics import HitRow, Place
    from pchat.topics.feeds import TopicFeeds
    from pchat.topics.hits import TopicHits
    from pchat.xccos.parser import Command
    from pchat.xccos.topic_commands import HitList


@frozen
class _Hit:
    """A message that may be shown, with the feeds that caught it and still exist."""

    room: Room
    guids: tuple[str, ...]
    message: StoredMessage


class HitListing:
    """Answers ``cmd:gettopichits``.

    Args:
        store: The chat store.
        tree: Rooms by number.
        feeds: Which feeds there are.
        hits: Who may be told of what.
        settings: The search limit.
        reads: Records what is shown.
        blocks: Wire forms.
        directory: Authors by id.
    """

    def __init__(
        self,
        store: IStore,
        tree: NodeTree,
        feeds: TopicFeeds,
        hits: TopicHits,
        settings: Settings,
        reads: ReadLog,
        blocks: Blocks,
        directory: LocalDirectory,
    ) -> None:
        self._store = store
        self._tree = tree
        self._feeds = feeds
        self._hits = hits
        self._settings = settings
        self._reads = reads
        self._blocks = blocks
        self._directory = directory

    async def cmd_gettopichits(self, session: ChatSession, command: Command, wish: HitList) -> None:
        """Answer with what is unread, newest first, each with its message."""
        session.knows_topics = True
        user = session.user
        rows = [row for row in await self._store.read(unread_hits, user.id) if self._is_open(user, row)]
        limit = self._settings.search_limit
        most = limit if wish.max_results is None else min(wish.max_results, limit)
        messages = await self._store.read(hit_messages, [row.place for row in rows[:most]])
        found = list(self._found(user, rows[:most], messages))
        fitting = that_fit([[one.message for one in found]])[0]
        shown = [evolve(one, message=message) for one, message in zip(found, fitting, strict=False)]
        await self._reads.record(user, _reads(shown))
        # A right that goes in this very moment leaves a record of a read that was not answered.
        data = "".join([self._rendered(one) for one in shown if self._hits.may_read(user, one.room)])
        cut = len(rows) > most or len(fitting) < len(found)
        session.reply(command, ResponseCode.SUCCESS_OK, data + (limit_exceeded() if cut else ""))

    def _is_open(self, user: Principal, row: HitRow) -> bool:
        """Tell whether a hit may be shown, and whether a feed that caught it is still there."""
        return self._room_of(user, row) is not None and bool(self._feeds.existing(user.id, row.guids))

    def _room_of(self, user: Principal, row: HitRow) -> Room | None:
        """Find the room of a hit, if the user may read what is kept of it."""
        room = self._tree.room_by_id(row.room_id)
        return room if room is not None and room.logged and self._hits.may_read(user, room) else None

    def _found(
        self, user: Principal, rows: Sequence[HitRow], messages: Mapping[Place, StoredMessage]
    ) -> Iterator[_Hit]:
        for row in rows:
            room, message = self._room_of(user, row), messages.get(row.place)
            if room is not None and message is not None:
                yield _Hit(room, self._feeds.existing(user.id, row.guids), message)

    def _rendered(self, one: _Hit) -> str:
        author = self._directory.by_id(one.message.author_id)
        return hit(one.room.name, self._blocks.message(one.room, one.message, author), one.guids)


def _reads(shown: Sequence[_Hit]) -> list[Read]:
    """Tell what is read, room by room."""
    by_room: dict[Room, list[StoredMessage]] = {}
    for one in shown:
        by_room.setdefault(one.room, []).append(one.message)
    return [Read(room, {"query": "topics"}, messages) for room, messages in by_room.items()]
