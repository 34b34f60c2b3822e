"""Nobody reads without a trace: each read is a compliance event, committed before it is answered.

Source: docs/spec/persistent-chat-server.md F-12 and section 8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from pchat import ticks
from pchat.store.outbox import Event, record

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.directory.people import Principal
    from pchat.interfaces import IStore, Random
    from pchat.rooms.room import Room
    from pchat.store.messages import StoredMessage


@frozen
class Read:
    """What somebody is about to be shown of one room, and what he asked for."""

    room: Room
    asked: Mapping[str, Any]
    messages: Sequence[StoredMessage]

    def detail(self) -> str:
        """Write it down: the question, and which messages the answer holds."""
        chat_ids = [message.chat_id for message in self.messages]
        told = {**self.asked, "count": len(chat_ids), "chat_ids": chat_ids}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


class ReadLog:
    """Records reads.

    Args:
        store: The chat store.
        clock: Time of the events.
        random: Unpredictable bytes, for event ids.
        enabled: Whether reads are compliance events.
    """

    def __init__(self, store: IStore, clock: IReactorTime, random: Random, *, enabled: bool) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._enabled = enabled

    async def record(self, reader: Principal, reads: Sequence[Read]) -> None:
        """Commit the events of some reads, all or none.

        Raises:
            StoreError: They are not recorded, so nothing may be shown.
        """
        if self._enabled and reads:
            events = [self._event(reader, read) for read in reads]
            await self._store.write(record, self._store.server_id, events)

    def _event(self, reader: Principal, read: Read) -> Event:
        return Event(
            event_id=self._random(16).hex(),
            kind="read",
            time_ticks=ticks.from_unix(self._clock.seconds()),
            room_id=read.room.id,
            room_uri=read.room.uri,
            room_name=read.room.name,
            user_id=reader.id,
            user_uri=reader.uri,
            user_name=reader.shown_name,
            user_email=reader.email,
            detail=read.detail(),
        )
