"""How far users have read: markers that their clients set, and counts of what is new to them.

Source: docs/xccos-extensions.md, "Read markers".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from attrs import define
from twisted.logger import Logger

from pchat import ticks
from pchat.errors import StoreError
from pchat.sip.dialog import info_payload
from pchat.store.read_markers import ReadState, read_states, set_markers
from pchat.xccos.codes import ResponseCode
from pchat.xccos.person_commands import ReadMarks
from pchat.xccos.person_writer import read_state
from pchat.xccos.writer import EnvelopeIds, notice, room_reference

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.directory.people import Principal
    from pchat.interfaces import IStore
    from pchat.rooms.access import Access
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.room import Room
    from pchat.rooms.service import Sessions
    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.xccos.arguments import RoomKey
    from pchat.xccos.parser import Command

log = Logger()


@define
class _Mark:
    """One room of a ``setread``: where it stands."""

    key: RoomKey
    chat_id: int
    room: Room | None = None
    code: ResponseCode = ResponseCode.SUCCESS_OK

    def refuse(self, code: ResponseCode) -> None:
        """It is not marked, for this reason."""
        self.room, self.code = None, code


class ReadStates:
    """Tells how a user stands in rooms, for their blocks.

    Args:
        store: Keeps markers and messages.
        access: Who may read what.
        settings: What is counted at most.
    """

    def __init__(self, store: IStore, access: Access, settings: Settings) -> None:
        self._store = store
        self._access = access
        self._settings = settings

    async def of(self, user: Principal, rooms: Iterable[Room]) -> Mapping[int, ReadState]:
        """Tell how a user stands in those of some rooms that he may read, by their numbers.

        It never fails: nobody shall be kept out of a room because its messages could not be counted. Then
        nothing is told. Whether he still has the rooms when the store has answered, the caller asks.
        """
        readable = [room.id for room in rooms if self._access.refusal_to_read_history(user, room) is None]
        if not readable:
            return {}
        try:
            states: Mapping[int, ReadState] = await self._store.read(
                read_states, user.id, readable, self._settings.search_limit
            )
        except StoreError as error:
            log.warn("{user}: unread messages are not counted: {error}", user=user.uri, error=str(error))
            return {}
        return states


class ReadMarkers:
    """Answers ``setread``, and tells the user's other endpoints.

    Args:
        store: Keeps the markers.
        tree: The node tree.
        access: Who may read what.
        blocks: Wire forms.
        sessions: The user's other endpoints.
        states: Counts what is unread then.
        clock: Server time.
        envelope_ids: Numbers of our envelopes.
    """

    def __init__(
        self,
        store: IStore,
        tree: NodeTree,
        access: Access,
        blocks: Blocks,
        sessions: Sessions,
        states: ReadStates,
        clock: IReactorTime,
        envelope_ids: EnvelopeIds,
    ) -> None:
        self._store = store
        self._tree = tree
        self._access = access
        self._blocks = blocks
        self._sessions = sessions
        self._states = states
        self._clock = clock
        self._envelope_ids = envelope_ids

    async def cmd_setread(self, session: ChatSession, command: Command, wish: ReadMarks) -> None:
        """Set markers; each refused room is named in the reply."""
        marks = [_Mark(key, chat_id) for key, chat_id in wish.marks.items()]
        self._decide(session.user, marks)
        await self._keep(session.user, marks)
        states = await self._states.of(session.user, _rooms(marks))
        # Rights may have gone while the store was busy, and rooms too.
        self._decide(session.user, marks)
        data = "".join([_shown(mark.room, mark.chat_id, states) for mark in marks if mark.room is not None])
        refused = [(mark.key, mark.code) for mark in marks if mark.room is None]
        code = ResponseCode.SUCCESS_OK if data else refused[0][1]
        session.reply(command, code, data + self._blocks.failures(refused, session))
        if data:
            self._tell_others(session, data)

    def _decide(self, user: Principal, marks: Iterable[_Mark]) -> None:
        """Find the rooms that may be marked, and note why others may not; what was refused stays so."""
        for mark in marks:
            if mark.code is not ResponseCode.SUCCESS_OK:
                continue
            mark.room = self._tree.room(mark.key.domain, mark.key.guid)
            refused = (
                ResponseCode.ERROR_NO_SUCH_NODE
                if mark.room is None
                else self._access.refusal_to_read_history(user, mark.room)
            )
            if refused is not None:
                mark.refuse(refused)

    async def _keep(self, user: Principal, marks: Iterable[_Mark]) -> None:
        """Store what is allowed; numbers that no message of a room has yet are refused."""
        wanted = {mark.room.id: mark.chat_id for mark in marks if mark.room is not None}
        if not wanted:
            return
        now = ticks.from_unix(self._clock.seconds())
        kept, beyond = await self._store.write(set_markers, user.id, wanted, now)
        for mark in marks:
            if mark.room is not None and mark.room.id in beyond:
                mark.refuse(ResponseCode.ERROR_INVALID_ARGUMENT)
            elif mark.room is not None and mark.room.id not in kept:
                mark.refuse(ResponseCode.ERROR_NO_SUCH_NODE)

    def _tell_others(self, session: ChatSession, data: str) -> None:
        others = [other for other in self._sessions.of(session.user) if other is not session]
        if others:
            payload = info_payload(notice(self._envelope_ids.next(), "read", data))
            for other in others:
                other.send(payload)


def _rooms(marks: Iterable[_Mark]) -> list[Room]:
    return [mark.room for mark in marks if mark.room is not None]


def _shown(room: Room, chat_id: int, states: Mapping[int, ReadState]) -> str:
    state = states.get(room.id)
    infos = read_state(chat_id, None) if state is None else read_state(state.read, state.unread)
    return room_reference(room.uri, infos)
