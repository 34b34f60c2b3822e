"""Reading back: the last messages of a room, and what a query finds in several.

Rights count twice: when the question comes, and when the answer leaves. In between every read is recorded.

Source: docs/spec/persistent-chat-server.md F-10 to F-12; docs/spec/xccos.md 3.8 and chapter 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from pchat.errors import CommandRefused
from pchat.rooms.history_questions import asked_of, count_of, query_of
from pchat.rooms.reads import Read
from pchat.rooms.reply_size import that_fit
from pchat.store.messages import StoredMessage, last_messages
from pchat.store.search import Found, HistoryQuery, find_messages
from pchat.xccos.codes import ResponseCode
from pchat.xccos.history_writer import found_messages

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.interfaces import IStore
    from pchat.rooms.access import Access
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.reads import ReadLog
    from pchat.rooms.room import Room
    from pchat.rooms.search_gate import SearchGate
    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.xccos.arguments import RoomKey
    from pchat.xccos.blocks import MessageBlock
    from pchat.xccos.commands import Context
    from pchat.xccos.history_commands import HistoryWish
    from pchat.xccos.parser import Command


@define
class _Piece:
    """What is shown of one room: the most wanted first, and how much was found."""

    room: Room
    messages: list[StoredMessage] = field(factory=list)
    total: int = 0
    exceeded: bool = False

    def shown(self, *, reverse: bool) -> list[StoredMessage]:
        """Tell the messages, the least wanted first if asked for."""
        return self.messages[::-1] if reverse else self.messages


@define
class _Answers:
    """The rooms of a question: those that may be read, and those that may not, in the order asked.

    Args:
        keys: All of them, as they were named.
        pieces: What is shown.
        refused: What is not, and why.
    """

    keys: Sequence[RoomKey]
    pieces: dict[RoomKey, _Piece] = field(factory=dict)
    refused: dict[RoomKey, ResponseCode] = field(factory=dict)

    def refuse(self, key: RoomKey, code: ResponseCode) -> None:
        """Show a room no more."""
        self.pieces.pop(key, None)
        self.refused[key] = code

    def require_any(self) -> None:
        """Refuse the whole command if nothing can be shown, with the code of the first room asked for."""
        if not self.pieces:
            raise CommandRefused(self.refused[self.keys[0]], self.keys[0].guid)

    def failures(self) -> list[tuple[RoomKey, ResponseCode]]:
        """Tell what is refused."""
        return [(key, self.refused[key]) for key in self.keys if key in self.refused]


class History:
    """Answers questions about what was said.

    Args:
        store: The chat store.
        tree: The node tree.
        access: Who may read what.
        settings: Limits.
        blocks: Wire forms.
        directory: Authors.
        reads: Where reads are recorded.
        gate: Lets searches into the store.
    """

    def __init__(
        self,
        store: IStore,
        tree: NodeTree,
        access: Access,
        settings: Settings,
        blocks: Blocks,
        directory: LocalDirectory,
        reads: ReadLog,
        gate: SearchGate,
    ) -> None:
        self._store = store
        self._tree = tree
        self._access = access
        self._settings = settings
        self._blocks = blocks
        self._directory = directory
        self._reads = reads
        self._gate = gate

    # -- the last messages of a room

    async def cmd_bccontext(self, session: ChatSession, command: Command, wish: Context) -> None:
        """Answer ``cmd:bccontext``: the last messages of a room, oldest first."""
        answers = self._decide(session, [wish.room])
        [piece] = answers.pieces.values()
        room, count = piece.room, count_of(wish.count, self._settings)
        messages = await self._store.read(last_messages, room.id, count) if room.logged else []
        [piece.messages] = that_fit([messages[::-1]])
        await self._record(session, answers, {"query": "context", "limit": count}, newest_first=True)
        # Another one, and empty, if the room has lost its history meanwhile.
        [piece] = answers.pieces.values()
        shown = self._described(room, piece.shown(reverse=True))
        session.reply(command, ResponseCode.SUCCESS_OK, self._blocks.with_messages(room, shown))

    # -- queries

    async def cmd_bcbydate(self, session: ChatSession, command: Command, wish: HistoryWish) -> None:
        """Answer ``cmd:bcbydate``: what some rooms hold of a time, of words, of people."""
        await self._search(session, command, wish)

    async def cmd_bcbymsg(self, session: ChatSession, command: Command, wish: HistoryWish) -> None:
        """Answer ``cmd:bcbymsg``: the same from a message on, as clients page through history."""
        await self._search(session, command, wish)

    async def _search(self, session: ChatSession, command: Command, wish: HistoryWish) -> None:
        answers = self._decide(session, wish.rooms)
        kept = [piece.room for piece in answers.pieces.values() if piece.room.logged]
        query = query_of(wish, kept, self._directory, self._settings)
        found = await self._gate.run(partial(self._begin, session, query), session.user.id)
        if session.ended:
            return
        self._take(list(answers.pieces.values()), found, newest_first=wish.newest_first)
        await self._record(session, answers, asked_of(wish, query), newest_first=wish.newest_first)
        reverse = wish.newest_first is not wish.newest_on_top
        rendered = [self._found(piece, reverse=reverse) for piece in answers.pieces.values()]
        failures = self._blocks.failures(answers.failures(), session)
        session.reply(command, ResponseCode.SUCCESS_OK, "".join(rendered) + failures)

    def _begin(self, session: ChatSession, query: HistoryQuery) -> Deferred[dict[int, Found]]:
        # Whoever went away while he waited for his turn needs no answer.
        return succeed({}) if session.ended or not query.rooms else self._store.read(find_messages, query)

    @staticmethod
    def _take(pieces: Sequence[_Piece], found: Mapping[int, Found], *, newest_first: bool) -> None:
        """Take over what was found, as much as fits in one reply."""
        searched = [piece for piece in pieces if piece.room.id in found]
        hits = [found[piece.room.id] for piece in searched]
        shown = that_fit([hit.messages[::-1] if newest_first else hit.messages for hit in hits])
        for piece, hit, messages in zip(searched, hits, shown, strict=True):
            piece.messages, piece.total = messages, hit.total
            piece.exceeded = hit.exceeded or len(messages) < len(hit.messages)

    def _found(self, piece: _Piece, *, reverse: bool) -> str:
        room, shown = piece.room, self._described(piece.room, piece.shown(reverse=reverse))
        return found_messages(room.uri, room.name, shown, total=piece.total, exceeded=piece.exceeded)

    def _described(self, room: Room, messages: Iterable[StoredMessage]) -> list[MessageBlock]:
        by_id = self._directory.by_id
        return [self._blocks.message(room, message, by_id(message.author_id)) for message in messages]

    # -- rights and traces

    def _decide(self, session: ChatSession, keys: Sequence[RoomKey]) -> _Answers:
        """Find the rooms that may be read.

        Raises:
            CommandRefused: None of them may.
        """
        answers = _Answers(keys)
        for key in keys:
            room = self._tree.room(key.domain, key.guid)
            if room is None:
                answers.refuse(key, ResponseCode.ERROR_NO_SUCH_NODE)
            elif (refused := self._refusal(session, room)) is not None:
                answers.refuse(key, refused)
            else:
                answers.pieces[key] = _Piece(room)
        answers.require_any()
        return answers

    def _decide_again(self, session: ChatSession, answers: _Answers) -> None:
        """Rights may have gone while the messages were being read, and the room too."""
        for key, piece in list(answers.pieces.items()):
            refused = self._refusal(session, piece.room)
            if refused is not None:
                answers.refuse(key, refused)
            elif not piece.room.logged:
                answers.pieces[key] = _Piece(piece.room)
        answers.require_any()

    def _refusal(self, session: ChatSession, room: Room) -> ResponseCode | None:
        if self._tree.room_by_id(room.id) is not room:
            return ResponseCode.ERROR_NO_SUCH_NODE
        return self._access.refusal_to_read_history(session.user, room)

    async def _record(
        self, session: ChatSession, answers: _Answers, asked: Mapping[str, Any], *, newest_first: bool
    ) -> None:
        self._decide_again(session, answers)
        # The archive gets chat ids in their order, however they are shown.
        reads = [
            Read(piece.room, asked, piece.shown(reverse=newest_first)) for piece in answers.pieces.values()
        ]
        await self._reads.record(session.user, reads)
        # A right that goes in this very moment leaves a record of a read that was not answered.
        self._decide_again(session, answers)
