"""From a committed message to every session in its room.

A feed sends a room's messages in the order of their chat ids, each once. What was committed elsewhere,
or is reported out of order, is read from the store before anything later goes out.

Source: docs/way-of-a-message.md; docs/spec/xccos.md 3.9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pchat.sip.dialog import info_payload
from pchat.store.messages import StoredMessage, messages_between
from pchat.xccos.writer import EnvelopeIds, grpchat

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.interfaces import IStore
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.room import Room
    from pchat.rooms.roster import Rosters

log = Logger()

#: Messages that may wait for an earlier one to be read; more would mean that the store is far behind.
HELD_LIMIT = 10_000


@define(eq=False)
class Feed:
    """The live messages of one room on this server.

    Args:
        room: The room.
        delivered_upto: Chat id of the last message that was sent out here.
        deliver: Sends one message to every session in the room.
        read_between: Reads messages with first <= chat id <= last from the store.
    """

    room: Room
    delivered_upto: int
    deliver: Callable[[Room, StoredMessage], None]
    read_between: Callable[[Room, int, int], Deferred[list[StoredMessage]]]
    _held: dict[int, StoredMessage] = field(factory=dict)
    _reading: bool = False
    #: What administrators made of messages while a read of them was on its way; None: removed.
    _changed: dict[int, StoredMessage | None] = field(factory=dict)

    def take(self, message: StoredMessage) -> None:
        """Send a message out if it is the next one, or keep it until it is."""
        if message.chat_id <= self.delivered_upto:
            return
        if message.chat_id == self.delivered_upto + 1:
            self._send(message)
            if self._held:
                self._send_held()
            return
        if len(self._held) < HELD_LIMIT:
            self._held[message.chat_id] = message
        self.advance(message.chat_id)

    def advance(self, upto: int) -> None:
        """Learn that the room has reached a chat id; read what is missing from the store."""
        if self._reading or upto <= self.delivered_upto:
            return
        self._reading = True
        reading = self.read_between(self.room, self.delivered_upto + 1, upto)
        reading.addCallback(self._filled, upto)
        reading.addErrback(self._not_filled)

    def removed(self, chat_ids: Iterable[int]) -> None:
        """Learn that messages are gone from the store: those that wait here are not sent out."""
        for chat_id in chat_ids:
            self._held.pop(chat_id, None)
            if self._reading:
                self._changed[chat_id] = None

    def replaced(self, messages: Iterable[StoredMessage]) -> None:
        """Learn that messages have another text now: those that wait here are sent out with it."""
        for message in messages:
            if message.chat_id in self._held:
                self._held[message.chat_id] = message
            if self._reading:
                self._changed[message.chat_id] = message

    def _filled(self, messages: list[StoredMessage], upto: int) -> None:
        self._reading = False
        changed, self._changed = self._changed, {}
        for read in messages:
            message = changed.get(read.chat_id, read)
            # What was missing may have come by itself meanwhile.
            if message is not None and message.chat_id > self.delivered_upto:
                self._held.setdefault(message.chat_id, message)
        # Numbers that the store does not hold were removed, or never kept: nobody waits for them.
        for chat_id in range(self.delivered_upto + 1, upto + 1):
            message_held = self._held.pop(chat_id, None)
            if message_held is not None:
                self._send(message_held)
            self.delivered_upto = max(self.delivered_upto, chat_id)
        self._send_held()

    def _not_filled(self, failure: Failure) -> None:
        # The next message of the room asks again; nothing is lost, it is late.
        self._reading = False
        self._changed.clear()
        log.warn("{room}: messages could not be read: {error}", room=self.room.uri, error=str(failure.value))

    def _send_held(self) -> None:
        while (message := self._held.pop(self.delivered_upto + 1, None)) is not None:
            self._send(message)
        if self._held:
            self.advance(max(self._held))

    def _send(self, message: StoredMessage) -> None:
        self.delivered_upto = message.chat_id
        self.deliver(self.room, message)


class Feeds:
    """The feeds of all rooms that had traffic.

    Args:
        store: Where missing messages are read.
        rosters: Who is in which room.
        directory: Authors.
        blocks: Wire forms.
        envelope_ids: Numbers of our envelopes.
    """

    def __init__(
        self,
        store: IStore,
        rosters: Rosters,
        directory: LocalDirectory,
        blocks: Blocks,
        envelope_ids: EnvelopeIds,
    ) -> None:
        self._store = store
        self._rosters = rosters
        self._directory = directory
        self._blocks = blocks
        self._envelope_ids = envelope_ids
        self._by_room: dict[int, Feed] = {}
        self.posts = 0
        self.deliveries = 0

    def of(self, room: Room) -> Feed:
        """Return the feed of a room; the first use starts it where the room stands."""
        feed = self._by_room.get(room.id)
        if feed is None:
            feed = self._by_room[room.id] = Feed(room, room.last_chat_id, self._deliver, self._read_between)
        return feed

    def forget(self, room: Room) -> None:
        """Drop the feed of a room that was removed."""
        self._by_room.pop(room.id, None)

    def removed(self, room: Room, chat_ids: Iterable[int]) -> None:
        """Take back messages that were removed and not sent out yet."""
        feed = self._by_room.get(room.id)
        if feed is not None:
            feed.removed(chat_ids)

    def replaced(self, room: Room, messages: Iterable[StoredMessage]) -> None:
        """Take the new text of messages that were not sent out yet."""
        feed = self._by_room.get(room.id)
        if feed is not None:
            feed.replaced(messages)

    def _read_between(self, room: Room, first: int, last: int) -> Deferred[list[StoredMessage]]:
        messages: Deferred[list[StoredMessage]] = self._store.read(messages_between, room.id, first, last)
        return messages

    def _deliver(self, room: Room, message: StoredMessage) -> None:
        room.last_chat_id = message.chat_id
        self.posts += 1
        roster = self._rosters.find(room.id)
        if roster is None:
            return
        block = self._blocks.message(room, message, self._directory.by_id(message.author_id))
        # Rendered once; everybody in the room gets the same bytes behind his own header.
        payload = info_payload(grpchat(self._envelope_ids.next(), block))
        self.deliveries += len(roster.sessions)
        for session in list(roster.sessions):
            try:
                if session.arrivals:
                    session.tell_arrivals()
                session.dialog.send_info(payload)
            except Exception:
                # One receiver's trouble must not keep the message from the others.
                log.failure("{session}: not delivered", session=session.label)
                session.dialog.connection.abort("a message could not be sent")
