"""Searches in the history of many rooms at once: by words, authors, times and chat ids.

Times of a room never go back while its chat ids grow, so a stretch of time is a stretch of chat ids, and is
found by halving. The hits of a room come in the order of its chat ids, from the end that is asked for first.
If no more messages are wanted than a room or all rooms have, rooms whose next hit would lie beyond the last
message that is wanted are not read any further; how many hits they have is then not counted.

Source: docs/spec/persistent-chat-server.md F-11; docs/spec/xccos.md section 3.8.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from attrs import define, evolve, field, frozen

from pchat.interfaces import ITransaction, Row
from pchat.store.indexing import room_and_chat_id, row_number
from pchat.store.messages import StoredMessage
from pchat.store.spans import Span, rooms_spans
from pchat.words import WordQuery, matches

#: Hits of the one look at all rooms together; what has more is looked for room by room.
SWEEP = 2000
#: From this number of rooms on the one look is worth it.
SWEEP_ROOMS = 4
#: Messages that one search looks at, at most; it tells that there may be more.
LOOKS = 20_000
#: First and last number of hits that are asked of each room in one go.
FIRST_STEP, LAST_STEP = 4, 2000
#: Rooms, and messages, of one statement.
ROOMS_AT_ONCE, MESSAGES_AT_ONCE = 100, 500


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
    """How far the search has come in a room: its hits, in that order, and what is left to look at."""

    span: Span
    hits: list[tuple[int, int]] = field(factory=list)  # time, chat id
    step: int = FIRST_STEP
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


class _Search:
    def __init__(self, txn: ITransaction, query: HistoryQuery) -> None:
        self._txn = txn
        self._query = query
        self._rooms: dict[int, _Room] = {}
        self._looks = 0

    async def run(self) -> dict[int, Found]:
        query = self._query
        impossible = query.authors == frozenset() or (query.words is not None and not query.words.terms)
        if not impossible and query.limit > 0 and query.most > 0 and not await self._sweep():
            await self._room_by_room()
        chosen = self._chosen()
        messages = await self._messages(chosen)
        return {room: self._found(room, chosen.get(room, []), messages) for room in query.rooms}

    async def _sweep(self) -> bool:
        """Look at all rooms together; False, with nothing found, when that is not worth while."""
        query = self._query
        if len(query.rooms) < SWEEP_ROOMS or (query.words is None and query.authors is None):
            return False
        every = (row_number(min(query.rooms), 0), row_number(max(query.rooms) + 1, 0) - 1)
        [rows] = await self._word_hits([every], SWEEP + 1)
        if len(rows) > SWEEP:
            return False
        first, last = query.first_id or 1, query.last_id
        wanted = set(query.rooms)
        hits = [
            (room, chat_id)
            for room, chat_id in map(room_and_chat_id, rows)
            if room in wanted and chat_id >= first and (last is None or chat_id <= last)
        ]
        for room, ts, chat_id in await self._confirmed(hits):
            if room not in self._rooms:
                self._rooms[room] = _Room(Span(room, 1, 0, 0), done=True)
            self._rooms[room].hits.append((ts, chat_id))
        return True

    async def _room_by_room(self) -> None:
        query = self._query
        spans = await rooms_spans(
            self._txn,
            query.rooms,
            first_id=query.first_id,
            last_id=query.last_id,
            first_ts=query.first_ts,
            last_ts=query.last_ts,
        )
        wanted = min(query.most, query.limit) + 1
        share = 2 * wanted // len(spans) if len(spans) > 1 else wanted
        step = max(FIRST_STEP, min(share, wanted, LAST_STEP))
        self._rooms = {span.room_id: _Room(span, step=step) for span in spans}
        while self._looks < LOOKS and (waiting := self._waiting()):
            step = waiting[0].step
            await self._look([room for room in waiting if room.step == step][:ROOMS_AT_ONCE], step)

    def _waiting(self) -> list[_Room]:
        """Tell which rooms must be read further, those first whose next hit may come first."""
        newest_first, most = self._query.newest_first, self._query.most
        sign = 1 if newest_first else -1
        best = heapq.nlargest(most + 1, (sign * ts for room in self._rooms.values() for ts, _ in room.hits))
        bar = best[most] if len(best) > most else None
        waiting = []
        for room in self._rooms.values():
            if room.done or len(room.hits) > self._query.limit:
                continue
            start = room.span.latest if newest_first else 0
            reach = sign * (room.hits[-1][0] if room.hits else start)
            if bar is None or reach > bar:
                waiting.append((reach, room.span.room_id, room))
        return [room for *_, room in sorted(waiting, reverse=True)]

    async def _look(self, rooms: Sequence[_Room], step: int) -> None:
        """Read rooms further by a number of hits each."""
        newest_first = self._query.newest_first
        if self._query.words is None and self._query.authors is None:
            found = await self._plain_hits(rooms, step)
        else:
            found = await self._indexed_hits(rooms, step)
        for room, chat_ids in zip(rooms, found, strict=True):
            self._looks += len(chat_ids)
            room.done = len(chat_ids) < step
            room.step = min(4 * step, LAST_STEP)
            if chat_ids and newest_first:
                room.span = evolve(room.span, last=chat_ids[-1] - 1)
            elif chat_ids:
                room.span = evolve(room.span, first=chat_ids[-1] + 1)
        hits = [
            (room.span.room_id, chat_id)
            for room, chat_ids in zip(rooms, found, strict=True)
            for chat_id in chat_ids
        ]
        for room_id, ts, chat_id in await self._confirmed(hits):
            self._rooms[room_id].hits.append((ts, chat_id))

    async def _plain_hits(self, rooms: Sequence[_Room], step: int) -> list[list[int]]:
        """Look up the next messages of rooms, whatever they hold."""
        order = "desc" if self._query.newest_first else "asc"
        part = (
            "select * from (select room_id, chat_id from messages where room_id = %s "  # noqa: S608 – a constant
            f"and chat_id between %s and %s order by chat_id {order} limit %s) part"
        )
        rows = await self._txn.gather(
            ("room_id", "chat_id"),
            " union all ".join([part] * len(rooms)),
            [value for room in rooms for value in (room.span.room_id, room.span.first, room.span.last, step)],
        )
        found: dict[int, list[int]] = {room.span.room_id: [] for room in rooms}
        for room_id, chat_id in rows:
            found[room_id].append(chat_id)
        return [sorted(chat_ids, reverse=self._query.newest_first) for chat_ids in found.values()]

    async def _indexed_hits(self, rooms: Sequence[_Room], step: int) -> list[list[int]]:
        spans = [room.span for room in rooms]
        found = await self._word_hits(
            [(row_number(span.room_id, span.first), row_number(span.room_id, span.last)) for span in spans],
            step,
        )
        return [[room_and_chat_id(row)[1] for row in rows] for rows in found]

    async def _word_hits(self, ranges: Sequence[tuple[int, int]], limit: int) -> list[list[int]]:
        return await self._txn.word_hits(
            self._query.words,
            self._query.authors or frozenset(),
            ranges,
            newest_first=self._query.newest_first,
            limit=limit,
        )

    async def _confirmed(self, hits: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
        """Look hits up in the history: which of them are there, at their times, and with the case asked for.

        Returns:
            Room, time and chat id of each, in the order given.
        """
        query = self._query
        cased = query.words if query.words is not None and query.words.cased is not None else None
        columns = ("room_id", "chat_id", "ts") if cased is None else ("room_id", "chat_id", "ts", "chat")
        times: dict[tuple[int, int], int] = {}
        for room_id, chat_id, ts, *chat in await self._rows(columns, hits):
            early = query.first_ts is not None and ts < query.first_ts
            late = query.last_ts is not None and ts > query.last_ts
            if not early and not late and (cased is None or matches(chat[0], cased)):
                times[room_id, chat_id] = ts
        return [(room_id, times[hit], chat_id) for hit in hits if hit in times for room_id, chat_id in [hit]]

    async def _rows(self, columns: Sequence[str], hits: Sequence[tuple[int, int]]) -> list[Row]:
        rows: list[Row] = []
        for start in range(0, len(hits), MESSAGES_AT_ONCE):
            part = hits[start : start + MESSAGES_AT_ONCE]
            marks = ",".join(["(%s, %s)"] * len(part))
            named = ", ".join(f"m.{column} as {column}" for column in columns)
            rows += await self._txn.gather(
                columns,
                f"with hit (room_id, chat_id) as (values {marks}) "  # noqa: S608 – marks and constants
                f"select {named} from hit cross join messages m "
                "where m.room_id = hit.room_id and m.chat_id = hit.chat_id",
                [value for hit in part for value in hit],
            )
        return rows

    def _chosen(self) -> dict[int, list[int]]:
        """Choose what is given: the first hits of the search, of each room and of all together."""
        query = self._query
        sign = 1 if query.newest_first else -1
        hits: Iterable[tuple[int, int, int]] = (
            (sign * ts, sign * chat_id, room_id)
            for room_id, room in self._rooms.items()
            for ts, chat_id in room.hits[: query.limit]
        )
        chosen: dict[int, list[int]] = {}
        for _, chat_id, room_id in heapq.nlargest(query.most, hits):
            chosen.setdefault(room_id, []).append(sign * chat_id)
        return chosen

    async def _messages(self, chosen: dict[int, list[int]]) -> dict[tuple[int, int], StoredMessage]:
        hits = [(room_id, chat_id) for room_id, chat_ids in chosen.items() for chat_id in sorted(chat_ids)]
        rows = await self._rows(("room_id", *StoredMessage._fields), hits)
        return {(row[0], row[1]): StoredMessage._make(row[1:]) for row in rows}

    def _found(
        self, room_id: int, chat_ids: Sequence[int], messages: dict[tuple[int, int], StoredMessage]
    ) -> Found:
        room = self._rooms.get(room_id)
        if room is None:
            return Found([], 0, False)
        given = [messages[room_id, chat_id] for chat_id in sorted(chat_ids)]
        return Found(given, len(room.hits), not room.done or len(given) < len(room.hits))
