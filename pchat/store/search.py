"""Searches in the history of many rooms at once: by words, authors, times and chat ids.

Rows of ``messages`` are numbered in the order of their commits. A search reads hits of all its rooms in that
order, from the end that is asked for, until it has what is wanted; so common words cost no more than seldom
ones. Only what hardly any of all messages can be is looked for room by room: messages of a few quiet rooms.

Source: docs/spec/persistent-chat-server.md F-11; docs/spec/xccos.md section 3.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from attrs import define, field, frozen

from pchat.errors import TookTooLong
from pchat.interfaces import ITransaction, Row, SqlValue
from pchat.store.messages import StoredMessage
from pchat.store.spans import Span, rooms_spans, rows_between, rows_of_span
from pchat.words import WordQuery, matches

#: Hits that one search looks at; then it tells that there may be more.
LOOKS = 50_000
#: Characters of texts that one search looks at again because case matters: under a second of work.
LOOKS_CHARACTERS = 4_000_000
#: Seconds after which a search begins no further statement; one may take `transaction.WORDS_SECONDS`.
SECONDS = 2.0
#: Hits of one statement, at most; fewer if their texts come with them.
STEP, STEP_OF_TEXTS = 5_000, 250
#: Rooms with a smaller part of all messages than one in so many are looked for by themselves.
QUIET = 50
#: Rooms that are looked for by themselves, at most; the limits of engines on one statement are near.
QUIET_ROOMS = 400
#: Messages of one statement.
MESSAGES_AT_ONCE = 500

_HIT = ("row_id", "room_id", "chat_id", "ts")


@frozen
class HistoryQuery:
    """What is looked for; every limit is the caller's to check against his settings.

    Args:
        rooms: The rooms, each once; whoever asks may read them.
        first_ts: Earliest time, in ticks, included; None for any.
        last_ts: Latest time, included; None for any.
        first_id: Lowest chat id, included; None for any.
        last_id: Highest chat id, included; None for any.
        words: What the messages must hold; None for anything. A query without terms finds nothing.
        authors: Numbers of principals, one of whom wrote the message; None for anybody.
        limit: The most messages of one room.
        newest_first: Which end is kept when there are more: the newest, else the oldest.
        most: The most messages of all rooms together.
    """

    rooms: tuple[int, ...]
    first_ts: int | None = None
    last_ts: int | None = None
    first_id: int | None = None
    last_id: int | None = None
    words: WordQuery | None = None
    authors: frozenset[int] | None = None
    limit: int = 999
    newest_first: bool = True
    most: int = 999


@frozen
class Found:
    """What was found in a room.

    Args:
        messages: At most ``limit`` messages, oldest first.
        total: How many were found: all there are, unless ``exceeded``.
        exceeded: Whether there may be more than are given here; then ``total`` is the least there are.
    """

    messages: list[StoredMessage]
    total: int
    exceeded: bool


@define(eq=False)
class _Room:
    """What was found in a room, in the order of the search, and whether that is all there is."""

    hits: list[int] = field(factory=list)  # chat ids
    done: bool = False


async def find_messages(txn: ITransaction, query: HistoryQuery) -> dict[int, Found]:
    """Find messages in the history of rooms.

    Args:
        txn: The transaction.
        query: What is looked for.

    Returns:
        One answer for each room asked for, in the order asked.
    """
    return await _Search(txn, query).run()


async def count_messages(txn: ITransaction, query: HistoryQuery) -> tuple[int, int | None]:
    """Count messages in the history of one room, and read none of them.

    Args:
        txn: The transaction.
        query: What is looked for, in one room and the oldest first.

    Returns:
        How many there are, and the chat id up to which they were counted: None if that is all.
    """
    return await _Search(txn, query).count()


class _Search:
    def __init__(self, txn: ITransaction, query: HistoryQuery) -> None:
        self._txn = txn
        self._query = query
        self._rooms = {room_id: _Room() for room_id in query.rooms}
        self._chosen: list[tuple[int, int]] = []  # room, chat id
        self._characters = 0

    async def run(self) -> dict[int, Found]:
        query = self._query
        if self._is_empty:
            return {room_id: Found([], 0, False) for room_id in query.rooms}
        await self._read()
        messages = await self._messages(self._chosen[: query.most])
        return {
            room_id: Found(
                messages=messages[room_id],
                total=len(room.hits),
                exceeded=not room.done or len(messages[room_id]) < len(room.hits),
            )
            for room_id, room in self._rooms.items()
        }

    async def count(self) -> tuple[int, int | None]:
        if self._is_empty:
            return 0, None
        await self._read()
        [room] = self._rooms.values()
        if room.done:
            return len(room.hits), None
        return len(room.hits), room.hits[-1] if room.hits else 0

    @property
    def _is_empty(self) -> bool:
        """Whether nothing can be found."""
        query = self._query
        wordless = query.words is not None and not query.words.terms
        return query.authors == frozenset() or wordless or min(query.limit, query.most, len(query.rooms)) < 1

    async def _read(self) -> None:
        """Read hits until it is known which messages are given, and whether there are more."""
        query, looks, end = self._query, 0, monotonic() + SECONDS
        cased = query.words is not None and query.words.cased is not None
        spans = await rooms_spans(self._txn, query.rooms)
        quiet = await self._are_quiet(spans)
        first, last = await self._rows(spans)
        most_at_once = STEP_OF_TEXTS if cased else STEP
        step = min(min(query.most, query.limit * len(query.rooms)) + 1, most_at_once)
        while True:
            waiting = [span for span in spans if len(self._rooms[span.room_id].hits) <= query.limit]
            try:
                rows = await self._hits(waiting, (first, last), step, quiet=quiet)
            except TookTooLong:
                # What was found so far is the answer, and that there may be more.
                break
            self._take(rows)
            looks += len(rows)
            if cased:
                self._characters += sum(len(row[-1]) for row in rows)
            if len(rows) < step:
                for span in waiting:
                    self._rooms[span.room_id].done = True
                break
            looked_enough = looks >= LOOKS or self._characters >= LOOKS_CHARACTERS or monotonic() > end
            if len(self._chosen) > query.most or looked_enough:
                break
            first, last = (first, rows[-1][0] - 1) if query.newest_first else (rows[-1][0] + 1, last)
            step = most_at_once
        for room_id in set(query.rooms) - {span.room_id for span in spans}:
            self._rooms[room_id].done = True

    def _take(self, rows: Sequence[Row]) -> None:
        words = self._query.words
        for _, room_id, chat_id, _, *chat in rows:
            if words is not None and chat and not matches(chat[0], words):
                continue
            hits = self._rooms[room_id].hits
            hits.append(chat_id)
            if len(hits) <= self._query.limit:
                self._chosen.append((room_id, chat_id))

    async def _are_quiet(self, spans: Sequence[Span]) -> bool:
        """Tell whether so little is said in the rooms that among all hits theirs would be far apart."""
        [(newest,)] = await self._txn.query("select coalesce(max(row_id), 0) from messages")
        return len(spans) <= QUIET_ROOMS and QUIET * sum(span.last for span in spans) < int(newest)

    async def _rows(self, spans: Sequence[Span]) -> tuple[int, int]:
        """Tell the first and the last row that must be looked at."""
        query = self._query
        if len(spans) == 1 and (query.first_id is not None or query.last_id is not None):
            return await rows_of_span(self._txn, self._clipped(spans[0]))
        return await rows_between(self._txn, query.first_ts, query.last_ts)

    def _clipped(self, span: Span) -> Span:
        first, last = self._query.first_id or 1, self._query.last_id
        return Span(span.room_id, max(span.first, first), span.last if last is None else min(span.last, last))

    async def _hits(
        self, spans: Sequence[Span], rows: tuple[int, int], limit: int, *, quiet: bool
    ) -> list[Row]:
        """Read the next hits: row, room, chat id, time and perhaps text of each."""
        query = self._query
        if not spans:
            return []
        where, args = self._conditions()
        if query.words is None and query.authors is None:
            if quiet:
                return await self._hits_of_each(spans, rows, where, args, limit)
            return await self._hits_of_all(spans, rows, where, args, limit)
        rooms = [span.room_id for span in spans]
        marks = ", ".join(["%s"] * len(rooms))
        return await self._txn.word_hits(
            query.words,
            query.authors or frozenset(),
            rooms if quiet else (),
            rows,
            f"and m.room_id in ({marks}){where}",
            (*rooms, *args),
            newest_first=query.newest_first,
            limit=limit,
        )

    def _conditions(self) -> tuple[str, list[SqlValue]]:
        query = self._query
        wanted = (
            ("m.chat_id >= %s", query.first_id),
            ("m.chat_id <= %s", query.last_id),
            ("m.ts >= %s", query.first_ts),
            ("m.ts <= %s", query.last_ts),
        )
        used = [(condition, value) for condition, value in wanted if value is not None]
        return "".join(f" and {condition}" for condition, _ in used), [value for _, value in used]

    @property
    def _order(self) -> str:
        return "desc" if self._query.newest_first else "asc"

    async def _hits_of_all(
        self, spans: Sequence[Span], rows: tuple[int, int], where: str, args: Sequence[SqlValue], limit: int
    ) -> list[Row]:
        """Read messages of whatever words in the order of their rows, leaving out those of other rooms."""
        marks = ", ".join(["%s"] * len(spans))
        return await self._txn.gather(
            _HIT,
            "select m.row_id as row_id, m.room_id as room_id, m.chat_id as chat_id, m.ts as ts "  # noqa: S608
            # The plus keeps the engine from going through the index of rooms.
            f"from messages m where m.row_id between %s and %s and +m.room_id in ({marks}){where} "
            f"order by m.row_id {self._order} limit %s",
            (*rows, *(span.room_id for span in spans), *args, limit),
        )

    async def _hits_of_each(
        self, spans: Sequence[Span], rows: tuple[int, int], where: str, args: Sequence[SqlValue], limit: int
    ) -> list[Row]:
        """Read messages of whatever words room by room, and put them in order."""
        part = (
            "select * from (select m.row_id, m.room_id, m.chat_id, m.ts from messages m "  # noqa: S608 – constants
            f"where m.room_id = %s and m.row_id between %s and %s{where} "
            f"order by m.chat_id {self._order} limit %s) part"
        )
        every = " union all ".join([part] * len(spans))
        return await self._txn.gather(
            _HIT,
            f"select {', '.join(_HIT)} from ({every}) parts order by row_id {self._order} limit %s",  # noqa: S608
            [value for span in spans for value in (span.room_id, *rows, *args, limit)] + [limit],
        )

    async def _messages(self, chosen: Sequence[tuple[int, int]]) -> dict[int, list[StoredMessage]]:
        """Read whole messages, oldest first."""
        found: dict[int, list[StoredMessage]] = {room_id: [] for room_id in self._query.rooms}
        columns = ("room_id", *StoredMessage._fields)
        for start in range(0, len(chosen), MESSAGES_AT_ONCE):
            part = chosen[start : start + MESSAGES_AT_ONCE]
            marks = ", ".join(["(%s, %s)"] * len(part))
            for room_id, *rest in await self._txn.gather(
                columns,
                f"with hit (room_id, chat_id) as (values {marks}) "  # noqa: S608 – marks and constants
                f"select {', '.join(f'm.{column} as {column}' for column in columns)} "
                "from hit cross join messages m where m.room_id = hit.room_id and m.chat_id = hit.chat_id",
                [value for hit in part for value in hit],
            ):
                found[room_id].append(StoredMessage._make(rest))
        for messages in found.values():
            messages.sort(key=lambda message: message.chat_id)
        return found
