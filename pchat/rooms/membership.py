"""Entering and leaving rooms: join, bjoin, part, kicks, and what the others in the room are told.

Source: docs/spec/persistent-chat-server.md F-2 to F-6, P-12; docs/spec/xccos.md 3.5, 3.6 and chapter 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import define
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pchat import ticks
from pchat.endings import at_the_end
from pchat.errors import CommandRefused, OutcomeUnknown, StoreUnavailable
from pchat.rooms.access import Right
from pchat.rooms.notices import Notices
from pchat.store.participants import Participation, joined, parted
from pchat.xccos.arguments import RoomKey
from pchat.xccos.codes import ResponseCode
from pchat.xccos.commands import Join, Part
from pchat.xccos.parser import Command
from pchat.xccos.writer import room_reference

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.interfaces import IStore, Random
    from pchat.rooms.access import Access
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.read_markers import ReadStates
    from pchat.rooms.room import Room
    from pchat.rooms.roster import CatchUp, Roster, Rosters
    from pchat.rooms.session import ChatSession
    from pchat.rooms.tree import NodeTree
    from pchat.store.read_markers import ReadState

log = Logger()

#: Seconds until events that the store could not take are offered again.
RETRY_SECONDS = 2.0


@define
class _Entry:
    """One room of a join: where it stands, and whether the others must hear of it."""

    key: RoomKey
    room: Room | None
    code: ResponseCode
    announce: bool = False


class Membership:
    """Who is in which room.

    Args:
        store: Keeps participants and their join and part events.
        tree: The node tree.
        access: Who may join what.
        rosters: Who is in which room on this server.
        blocks: Wire forms of rooms and users.
        notices: Tells the others.
        states: Counts what is unread.
        clock: Time, for retries.
        random: Unpredictable bytes, for event ids.
    """

    def __init__(
        self,
        store: IStore,
        tree: NodeTree,
        access: Access,
        rosters: Rosters,
        blocks: Blocks,
        notices: Notices,
        states: ReadStates,
        clock: IReactorTime,
        random: Random,
    ) -> None:
        self._store = store
        self._tree = tree
        self._access = access
        self._rosters = rosters
        self._blocks = blocks
        self._notices = notices
        self._states = states
        self._clock = clock
        self._random = random
        self.unrecorded_parts = 0
        # Room and user of the events that the store is being told of: never two of one pair at a time.
        self._joining: set[tuple[int, int]] = set()
        self._parting: set[tuple[int, int]] = set()
        self._waiting: list[Deferred[None]] = []

    # -- cmd:join, cmd:bjoin, cmd:part

    async def cmd_join(self, session: ChatSession, command: Command, wish: Join) -> None:
        """Enter one room, or be told by name why not."""
        states = await self._read_states(session, wish.rooms)
        entries = await self._enter(session, wish.rooms)
        room = entries[0].room
        if room is None:
            raise CommandRefused(entries[0].code, entries[0].key.guid)
        session.reply(command, ResponseCode.SUCCESS_OK, self._blocks.joined([room], session, states))
        self._tell_joined(session, entries, batch=False)

    async def cmd_bjoin(self, session: ChatSession, command: Command, wish: Join) -> None:
        """Enter several rooms; each refused one is named in the reply."""
        states = await self._read_states(session, wish.rooms)
        entries = await self._enter(session, wish.rooms)
        entered = [entry.room for entry in entries if entry.room is not None]
        refused = [(entry.key, entry.code) for entry in entries if entry.room is None]
        code = ResponseCode.SUCCESS_OK if entered else refused[0][1]
        data = self._blocks.joined(entered, session, states) + self._blocks.failures(refused, session)
        session.reply(command, code, data)
        self._tell_joined(session, entries, batch=True)

    async def cmd_part(self, session: ChatSession, command: Command, wish: Part) -> None:
        """Leave one room."""
        room = self._tree.room(wish.room.domain, wish.room.guid)
        left_already = session.put_out_of.pop(wish.room.guid, None)
        if left_already is not None:
            # COMPAT(pidgin-sipe): it ignores the notice that put it out, and if its own part were refused
            # now it would never join the room again.
            session.reply(command, ResponseCode.SUCCESS_OK, room_reference(left_already))
            return
        if room is None or room.id not in session.rosters:
            raise CommandRefused(ResponseCode.ERROR_USER_NOT_JOINED, wish.room.guid)
        self._leave(session, [session.rosters[room.id]], "left")
        session.reply(command, ResponseCode.SUCCESS_OK, self._blocks.reference(room))

    # -- entering

    async def _read_states(self, session: ChatSession, keys: Sequence[RoomKey]) -> Mapping[int, ReadState]:
        # Before he enters: from then on messages come, which must not come before the reply.
        rooms = [self._tree.room(key.domain, key.guid) for key in keys]
        return await self._states.of(session.user, [room for room in rooms if room is not None])

    async def _enter(self, session: ChatSession, keys: Sequence[RoomKey]) -> list[_Entry]:
        await self._earlier_parts(session, keys)
        entries = [self._resolve(session, key) for key in keys]
        if session.ended:
            return entries
        new = {
            entry.room.id: self._rosters.of(entry.room)
            for entry in entries
            if entry.room is not None and entry.room.id not in session.rosters
        }
        await self._record_joins(session, list(new.values()))
        if session.ended:
            self._record_parts(session, list(new.values()), session.end_reason)
            return entries
        for entry in entries:
            if entry.room is None:
                continue
            roster = new.pop(entry.room.id, None)
            if roster is not None:
                self._complete(session, entry, roster)
            elif entry.room.id not in session.rosters:
                # He was in this room already, and was put out of it while others were being entered.
                again = self._resolve(session, entry.key)
                entry.room = None
                entry.code = ResponseCode.ERROR_USER_NOT_JOINED if again.room is not None else again.code
        return entries

    def _resolve(self, session: ChatSession, key: RoomKey) -> _Entry:
        room = self._tree.room(key.domain, key.guid)
        refused = (
            ResponseCode.ERROR_NO_SUCH_NODE
            if room is None
            else self._access.refusal_to_join(session.user, room)
        )
        if refused is not None:
            return _Entry(key, None, refused)
        return _Entry(key, room, ResponseCode.SUCCESS_OK)

    def _complete(self, session: ChatSession, entry: _Entry, roster: Roster) -> None:
        # Rights may have gone, and the room too, while the join was being committed.
        room = roster.room
        mask = self._access.mask(session.user, room)
        refused = None if mask & Right.JOIN else self._access.refusal_to_join(session.user, room)
        if self._tree.room_by_id(room.id) is not room:
            refused = ResponseCode.ERROR_NO_SUCH_NODE
        if refused is not None:
            self._record_parts(session, [roster], "kicked")
            entry.room, entry.code = None, refused
            return
        session.rosters[room.id] = roster
        session.put_out_of.pop(room.guid, None)
        entry.announce = roster.add(session, mask)

    def _tell_joined(self, session: ChatSession, entries: Iterable[_Entry], *, batch: bool) -> None:
        rooms = [entry.room for entry in entries if entry.room is not None and entry.announce]
        self._notices.joined(session, rooms, batch=batch)

    # -- leaving

    def session_ended(self, session: ChatSession, reason: str) -> None:
        """Leave every room of a dialog that is over."""
        self._leave(session, list(session.rosters.values()), reason)

    def kick(self, session: ChatSession, room: Room) -> None:
        """Put a session out of a room whose rights it lost."""
        self._leave(session, [session.rosters[room.id]], "kicked")
        session.put_out_of[room.guid] = room.uri
        self._notices.kicked(session, room)

    def empty(self, room: Room) -> None:
        """Put everybody out of a room that was disabled or removed: one notice each, nothing else."""
        roster = self._rosters.find(room.id)
        if roster is None:
            return
        for session in list(roster.sessions):
            del session.rosters[room.id]
            roster.remove(session)
            self._record_parts(session, [roster], "kicked")
            session.put_out_of[room.guid] = room.uri
            self._notices.disabled(session, room)

    def _leave(self, session: ChatSession, rosters: Sequence[Roster], reason: str) -> None:
        if not rosters:
            return
        for roster in rosters:
            del session.rosters[roster.room.id]
            tell, catch_up = roster.remove(session)
            if tell:
                self._notices.parted(session.user, roster)
            self.catch_up(roster, catch_up)
        self._record_parts(session, rosters, reason)

    def catch_up(self, roster: Roster, entries: Iterable[CatchUp]) -> None:
        """Tell the sessions of a room that is no longer large what they missed."""
        for entry in entries:
            self._notices.catch_up(roster, entry)

    # -- what the store is told

    def _participations(self, session: ChatSession, rosters: Iterable[Roster]) -> list[Participation]:
        user = session.user
        now = ticks.from_unix(self._clock.seconds())
        rosters = list(rosters)
        # All ids in one draw: each asks the system, which costs more than the event.
        ids = self._random(16 * len(rosters)).hex()
        return [
            Participation(
                event_id=ids[32 * place : 32 * place + 32],
                time_ticks=now,
                room_id=roster.room.id,
                room_uri=roster.room.uri,
                room_name=roster.room.name,
                user_id=user.id,
                user_uri=user.uri,
                user_name=user.shown_name,
                user_email=user.email,
            )
            for place, roster in enumerate(rosters)
        ]

    async def _record_joins(self, session: ChatSession, rosters: Sequence[Roster]) -> None:
        user_id = session.user.id
        for roster in rosters:
            roster.reserve(user_id)
        try:
            while missing := [roster for roster in rosters if user_id not in roster.recorded]:
                mine = [roster for roster in missing if (roster.room.id, user_id) not in self._joining]
                if mine:
                    await self._write_joins(session, mine)
                else:
                    # Another endpoint's join is on its way; if that fails, this one has to be written.
                    await self._next_outcome()
        except StoreUnavailable:
            for roster in rosters:
                roster.release(user_id)
                self._rosters.forget_if_idle(roster)
            raise

    async def _write_joins(self, session: ChatSession, rosters: Sequence[Roster]) -> None:
        user_id = session.user.id
        pairs = {(roster.room.id, user_id) for roster in rosters}
        rows = self._participations(session, rosters)
        self._joining |= pairs

        def outcome_known() -> None:
            self._joining -= pairs
            self._tell_outcome()

        with at_the_end(outcome_known):
            await self._store.write(joined, self._store.server_id, self._store.run_id, rows)
            for roster in rosters:
                roster.recorded.add(user_id)

    async def _earlier_parts(self, session: ChatSession, keys: Sequence[RoomKey]) -> None:
        """Wait until the user's parts from these rooms are recorded: a join comes after them."""
        while self._parting:
            rooms = [self._tree.room(key.domain, key.guid) for key in keys]
            if not any(room is not None and (room.id, session.user.id) in self._parting for room in rooms):
                return
            await self._next_outcome()

    async def _next_outcome(self) -> None:
        told: Deferred[None] = Deferred()
        self._waiting.append(told)
        await told

    def _tell_outcome(self) -> None:
        waiting, self._waiting = self._waiting, []
        for told in waiting:
            told.callback(None)

    def _record_parts(self, session: ChatSession, rosters: Sequence[Roster], reason: str) -> None:
        last = [roster for roster in rosters if roster.release(session.user.id)]
        for roster in rosters:
            self._rosters.forget_if_idle(roster)
        if last:
            ensureDeferred(self._write_parts(self._participations(session, last), reason))

    async def _write_parts(self, parts: list[Participation], reason: str) -> None:
        # Leaving cannot be refused, so the event is offered until the store takes it.
        pairs = {(part.room_id, part.user_id) for part in parts}
        self.unrecorded_parts += len(parts)
        self._parting |= pairs
        while not await self._written(parts, reason):
            pause: Deferred[None] = deferLater(self._clock, RETRY_SECONDS, lambda: None)
            await pause
        self.unrecorded_parts -= len(parts)
        self._parting -= pairs
        self._tell_outcome()

    async def _written(self, parts: list[Participation], reason: str) -> bool:
        try:
            await self._store.write(parted, self._store.server_id, parts, reason)
        except StoreUnavailable as error:
            log.warn("part events wait for the store: {error}", error=str(error))
            return False
        except OutcomeUnknown:
            # The store has stopped; if they are not in it, the next start closes what is left over.
            log.warn("part events: the store stopped before it told whether it has them")
        return True
