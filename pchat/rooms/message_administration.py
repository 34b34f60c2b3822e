"""Messages removed, replaced, cleared and searched by administrators; nobody else may (P-8).

Long work is done in pieces, each a short transaction of its own, so that people go on posting meanwhile.

Source: docs/spec/persistent-chat-server.md P-8 and section 7; docs/operating.md "Messages".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve, frozen
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from pchat import ticks
from pchat.errors import StoreUnavailable
from pchat.rooms.message_filter import MessageFilter, check_characters, refused
from pchat.rooms.reply_size import that_fit
from pchat.store.audit import AuditEntry
from pchat.store.messages import StoredMessage
from pchat.store.moderation import Piece, last_chat_id, record_search, take_back
from pchat.store.outbox import Event
from pchat.store.search import LOOKS, Found, HistoryQuery, count_messages, find_messages

if TYPE_CHECKING:
    from pchat.rooms.committing import ChangeDesk
    from pchat.rooms.room import Room
    from pchat.rooms.room_administration import RoomAdministration
    from pchat.rooms.search_gate import SearchGate
    from pchat.rooms.shown import Shown

    #: A message that was found, and its room.
    Hit = tuple[StoredMessage, Room]

log = Logger()

#: Messages that one transaction takes back: less than a tenth of a second, in which no post is committed.
PIECE_MESSAGES = 500
#: Chat ids that one call looks at: fewer than one search may look at.
PIECE_CHAT_IDS = LOOKS // 2
#: Rooms of one search; engines take some 30 000 arguments.
ROOMS_AT_ONCE = 10_000
REPLACEMENT = "This message was replaced by the Persistent Chat administrator."


@frozen
class Removal:
    """What is done to the messages that a filter lets pass.

    Args:
        action: ``remove``, ``replace`` or ``clear``.
        replacement: The new text of messages that are replaced.
        asked: What the administrator asked for.
    """

    action: str
    replacement: str | None
    asked: Shown


class MessageAdministration:
    """The verbs of ``pchatctl message``, and ``pchatctl room clear``.

    Args:
        desk: Store, people, rooms and observers.
        rooms: Finds rooms.
        gate: Lets searches into the store.
    """

    def __init__(self, desk: ChangeDesk, rooms: RoomAdministration, gate: SearchGate) -> None:
        self._desk = desk
        self._rooms = rooms
        self._gate = gate
        #: One piece at a time: between the search and the change nobody else changes a message.
        self._lock = DeferredLock()

    async def remove(
        self,
        actor: str,
        room: str,
        chosen: MessageFilter,
        *,
        everything: bool = False,
        after: int = 0,
        upto: int | None = None,
    ) -> Shown:
        """Remove a piece of the messages of a room that pass a filter.

        Args:
            actor: Who does it.
            room: The room.
            chosen: The filter.
            everything: That there is no filter on purpose.
            after: Only messages with a higher chat id: ``next`` of the piece before.
            upto: Only messages up to this chat id: ``upto`` of the first piece, so that what is posted
                meanwhile stays.

        Returns:
            ``changed`` (messages), ``examined`` (chat ids), ``next`` (None after the last piece), ``upto``,
            ``left`` (chat ids that are still to be looked at).

        Raises:
            AdministrationRefused: There is no such room or user, or the filter is wrong or missing.
        """
        self._check(chosen, everything)
        removal = Removal("remove", None, chosen.told())
        return await self._piece(actor, room, chosen, removal, after, upto)

    async def count(
        self,
        room: str,
        chosen: MessageFilter,
        *,
        everything: bool = False,
        after: int = 0,
        upto: int | None = None,
    ) -> Shown:
        """Count a piece of the messages that `remove` would remove; nothing is shown of them.

        So it is no read of messages, and no record tells of it.

        Args:
            room, chosen, everything, after, upto: See `remove`.

        Returns:
            ``messages``, and ``examined``, ``next``, ``upto`` and ``left`` as `remove` tells them.

        Raises:
            AdministrationRefused: See `remove`.
        """
        self._check(chosen, everything)
        number = self._rooms.room(room).id
        end, last = await self._stretch(number, after, upto)
        counted = 0
        if end > after:
            query = self._query(number, chosen, PIECE_CHAT_IDS)
            counted, end = await self._count_of(query, after + 1, end)
        return {"messages": counted, **_progress(after, end, last)}

    async def replace(
        self,
        actor: str,
        room: str,
        chosen: MessageFilter,
        *,
        text: str = REPLACEMENT,
        everything: bool = False,
        after: int = 0,
        upto: int | None = None,
    ) -> Shown:
        """Put a text in the place of a piece of the messages that pass a filter; see `remove`.

        Author, time and chat id stay, the formatting goes.

        Raises:
            AdministrationRefused: As with `remove`; or the text is empty or longer than a message may be.
        """
        self._check(chosen, everything)
        most = self._desk.settings.message_size_limit
        line = text.replace("\r\n", "\n").replace("\r", "\n")
        check_characters(line, "the new text")
        if not line.strip() or len(line.encode()) > most:
            raise refused(f"the new text must have 1 to {most} bytes")
        removal = Removal("replace", line, chosen.told())
        return await self._piece(actor, room, chosen, removal, after, upto)

    async def clear(
        self, actor: str, room: str, until: str, *, after: int = 0, upto: int | None = None
    ) -> Shown:
        """Remove a piece of all messages of a room up to and with a time; see `remove`.

        Raises:
            AdministrationRefused: There is no such room, or the time is none.
        """
        if not until:
            raise refused("until is missing")
        chosen = MessageFilter(until=until)
        return await self._piece(actor, room, chosen, Removal("clear", None, {"until": until}), after, upto)

    async def search(
        self, actor: str, rooms: Sequence[str], chosen: MessageFilter, limit: int | None = None
    ) -> Shown:
        """Find messages in some rooms or all, also in disabled ones.

        Args:
            actor: Who asks; every room that he is shown something of is a read event under his name.
            rooms: The rooms; none for all.
            chosen: What is sought.
            limit: The most messages wanted, the newest; the server's own limit caps it.

        Returns:
            ``messages``, oldest first, and ``exceeded``: whether there are more.

        Raises:
            AdministrationRefused: There is no such room or user, or the filter is wrong.
        """
        desk = self._desk
        named = {room.id: room for room in (map(self._rooms.room, rooms) if rooms else desk.tree.rooms())}
        most = desk.settings.search_limit
        count = most if limit is None else min(limit, most)
        query = HistoryQuery(
            rooms=tuple(named), limit=count, most=count, newest_first=True, **chosen.query(desk.directory)
        )
        found: dict[int, Found] = {}
        for start in range(0, len(named), ROOMS_AT_ONCE):
            found |= await self._find(evolve(query, rooms=query.rooms[start : start + ROOMS_AT_ONCE]))
        hits = [(message, named[number]) for number, one in found.items() for message in one.messages]
        hits.sort(key=lambda hit: (hit[0].ts, hit[1].id, hit[0].chat_id), reverse=True)
        hits = _that_fit(hits[:count])
        asked = chosen.told() | {
            "rooms": [room.uri for room in named.values()] if rooms else [],
            "limit": count,
        }
        await self._record_search(actor, asked, hits)
        exceeded = any(one.exceeded for one in found.values()) or len(hits) < sum(
            len(one.messages) for one in found.values()
        )
        return {"messages": [self._shown(*hit) for hit in reversed(hits)], "exceeded": exceeded}

    # -- pieces

    @staticmethod
    def _check(chosen: MessageFilter, everything: bool) -> None:
        if chosen.lets_all_pass and not everything:
            raise refused("say which messages: by time, user or words; or say that all are meant")
        if everything and not chosen.lets_all_pass:
            raise refused("all messages are meant, and yet some are chosen: one of the two is a mistake")

    async def _piece(
        self,
        actor: str,
        text: str,
        chosen: MessageFilter,
        removal: Removal,
        after: int,
        upto: int | None,
    ) -> Shown:
        async with self._lock:
            room = self._rooms.room(text)
            end, last = await self._stretch(room.id, after, upto)
            query = self._query(room.id, chosen, PIECE_MESSAGES)
            messages: list[StoredMessage] = []
            if end > after:
                messages, end = await self._first_of(query, after + 1, end)
            changed = await self._take_back(actor, room, removal, messages)
        return {"changed": changed, **_progress(after, end, last)}

    async def _stretch(self, room_id: int, after: int, upto: int | None) -> tuple[int, int]:
        """Tell the last chat id of a piece, and that of all pieces together."""
        highest: int = await self._desk.store.read(last_chat_id, room_id)
        last = highest if upto is None else min(upto, highest)
        return min(last, after + PIECE_CHAT_IDS), last

    def _query(self, room_id: int, chosen: MessageFilter, limit: int) -> HistoryQuery:
        filters = chosen.query(self._desk.directory)
        return HistoryQuery(rooms=(room_id,), limit=limit, most=limit, newest_first=False, **filters)

    async def _take_back(
        self, actor: str, room: Room, removal: Removal, messages: Sequence[StoredMessage]
    ) -> int:
        if not messages:
            return 0
        desk = self._desk
        desk.check_actor(actor)
        stamp = desk.stamp(actor)
        events = {message.chat_id: self._event(actor, room, removal, message) for message in messages}
        piece = Piece(room.id, removal.action, room.uri, removal.asked, events, removal.replacement)
        done: list[StoredMessage] = await desk.store.write(take_back, desk.store.server_id, stamp, piece)
        if done:
            log.info(
                "{actor}: {action} {count} messages of {uri}",
                actor=actor,
                action=removal.action,
                count=len(done),
                uri=room.uri,
            )
            if removal.replacement is None:
                desk.tell("messages_removed", room, [message.chat_id for message in done])
            else:
                desk.tell("messages_replaced", room, done)
        return len(done)

    def _event(self, actor: str, room: Room, removal: Removal, message: StoredMessage) -> Event:
        author = self._desk.directory.by_id(message.author_id)
        detail = {
            "author": author.uri if author else "",
            "author_name": author.shown_name if author else "",
            "time": ticks.to_iso(message.ts),
        }
        if removal.replacement is not None:
            detail["new_text"] = removal.replacement
        kind = "remove" if removal.replacement is None else "replace"
        event = self._desk.event(kind, actor, detail, room).at(self._desk.stamp(actor).now)
        return evolve(event, chat_id=message.chat_id)

    # -- searching

    async def _first_of(self, query: HistoryQuery, first: int, last: int) -> tuple[list[StoredMessage], int]:
        """Find the first messages of a stretch of one room.

        Returns:
            The messages, and the last chat id up to which there are no others.

        Raises:
            StoreUnavailable: One message alone takes too long, or the store cannot be read.
        """
        [room_id] = query.rooms
        while True:
            found = (await self._find(evolve(query, first_id=first, last_id=last)))[room_id]
            if not found.exceeded:
                return found.messages, last
            if found.messages:
                return found.messages, found.messages[-1].chat_id
            # It has looked at as much as one search may: what is behind that must not be passed over.
            if first == last:
                raise StoreUnavailable("the search takes too long")
            last = (first + last) // 2

    async def _count_of(self, query: HistoryQuery, first: int, last: int) -> tuple[int, int]:
        """Count messages of a stretch of one room; see `_first_of`."""
        while True:
            stretch = evolve(query, first_id=first, last_id=last)
            counted, upto = await self._gate.run(partial(self._desk.store.read, count_messages, stretch))
            if upto is None:
                return counted, last
            if counted:
                return counted, upto
            if first == last:
                raise StoreUnavailable("the search takes too long")
            last = (first + last) // 2

    async def _find(self, query: HistoryQuery) -> dict[int, Found]:
        store = self._desk.store
        found: dict[int, Found] = await self._gate.run(partial(store.read, find_messages, query))
        return found

    async def _record_search(self, actor: str, asked: Shown, hits: Sequence[Hit]) -> None:
        desk = self._desk
        desk.check_actor(actor)
        stamp = desk.stamp(actor)
        seen: dict[int, list[int]] = {}
        rooms = {room.id: room for _, room in hits}
        for message, room in reversed(hits):
            seen.setdefault(room.id, []).append(message.chat_id)
        events = []
        for number, chat_ids in seen.items():
            detail = {"query": "administrator"} | asked | {"count": len(chat_ids), "chat_ids": chat_ids}
            events.append(desk.event("read", actor, detail, rooms[number]).at(stamp.now))
        entry = AuditEntry("search", "messages", "", before=asked, after={"messages": len(hits)})
        await desk.store.write(record_search, desk.store.server_id, stamp, entry, events)

    def _shown(self, message: StoredMessage, room: Room) -> Shown:
        author = self._desk.directory.by_id(message.author_id)
        return {
            "room": room.name,
            "room_uri": room.uri,
            "chat_id": message.chat_id,
            "time": ticks.to_iso(message.ts),
            "author": author.uri if author else "",
            "text": message.chat,
            "alert": bool(message.alert),
        }


def _progress(after: int, end: int, last: int) -> Shown:
    """Tell how far a piece of long work came."""
    return {
        "examined": max(0, end - after),
        "next": end if end < last else None,
        "upto": last,
        "left": max(0, last - end),
    }


def _that_fit(hits: list[Hit]) -> list[Hit]:
    """Cut what was found to what one answer may hold."""
    [kept] = that_fit([[message._replace(rtf=None) for message, _ in hits]])
    return hits[: len(kept)]
