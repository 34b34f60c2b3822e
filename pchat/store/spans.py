"""Stretches of chat ids in which the messages of rooms are looked for, found from times by halving."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, frozen

from pchat.interfaces import ITransaction

#: Rooms of one statement.
_AT_ONCE = 500


@frozen
class Span:
    """A stretch of a room's history that is not empty.

    Args:
        room_id: The room.
        first: Lowest chat id, included.
        last: Highest chat id, included.
        latest: No message of it is later, in ticks.
    """

    room_id: int
    first: int
    last: int
    latest: int


async def rooms_spans(
    txn: ITransaction,
    rooms: Sequence[int],
    *,
    first_id: int | None,
    last_id: int | None,
    first_ts: int | None,
    last_ts: int | None,
) -> list[Span]:
    """Find out where in rooms the messages between two chat ids and two times are.

    Args:
        txn: The transaction.
        rooms: The rooms.
        first_id: Lowest chat id; None for any.
        last_id: Highest chat id; None for any.
        first_ts: Earliest time; None for any.
        last_ts: Latest time; None for any.

    Returns:
        The stretches; rooms without any are left out.
    """
    spans = []
    for room_id, newest, latest in await _ends(txn, rooms):
        first, last = max(1, first_id or 1), newest if last_id is None else min(newest, last_id)
        if first <= last and (first_ts is None or latest >= first_ts):
            spans.append(Span(room_id, first, last, latest))
    if first_ts is not None:
        starts = await _first_at(txn, spans, first_ts)
        spans = [evolve(span, first=start) for span, start in zip(spans, starts, strict=True)]
    if last_ts is not None:
        late = [span for span in spans if span.latest > last_ts and span.first <= span.last]
        ends = dict(zip(late, await _first_at(txn, late, last_ts + 1), strict=True))
        spans = [
            evolve(span, last=ends[span] - 1, latest=last_ts) if span in ends else span for span in spans
        ]
    return [span for span in spans if span.first <= span.last]


async def _ends(txn: ITransaction, rooms: Sequence[int]) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for start in range(0, len(rooms), _AT_ONCE):
        part = rooms[start : start + _AT_ONCE]
        marks = ",".join(["%s"] * len(part))
        rows = await txn.gather(
            ("room_id", "last_chat_id", "last_ts"),
            f"select room_id, last_chat_id, last_ts from rooms where room_id in ({marks})",  # noqa: S608 – marks
            part,
        )
        found += [(row[0], row[1], row[2]) for row in rows]
    return found


@define(eq=False)
class _Halving:
    room_id: int
    low: int  # every message below is too early
    high: int  # every message from here on is late enough

    @property
    def middle(self) -> int:
        return (self.low + self.high) // 2


async def _first_at(txn: ITransaction, spans: Sequence[Span], ts: int) -> list[int]:
    """Find in each stretch the first chat id whose message is not before a time, all rooms side by side.

    Returns:
        The chat ids; one beyond the end of a stretch that has none.
    """
    halvings = [_Halving(span.room_id, span.first, span.last + 1) for span in spans]
    while open_ones := [one for one in halvings if one.low < one.high]:
        for start in range(0, len(open_ones), _AT_ONCE):
            part = open_ones[start : start + _AT_ONCE]
            found = await _messages_from(txn, part)
            for number, one in enumerate(part):
                chat_id, found_ts = found.get(number, (one.high, ts))
                if found_ts >= ts:
                    one.high = one.middle
                else:
                    one.low = chat_id + 1
    return [one.high for one in halvings]


async def _messages_from(txn: ITransaction, halvings: Sequence[_Halving]) -> dict[int, tuple[int, int]]:
    """Look up the first message from the middle on: its chat id and time, for each that has one."""
    marks = ",".join(["(%s, %s, %s)"] * len(halvings))
    rows = await txn.gather(
        ("number", "chat_id", "ts"),
        f"with probe (number, room_id, chat_id) as (values {marks}) "  # noqa: S608 – marks
        "select probe.number, m.chat_id, m.ts from probe cross join messages m "
        "where m.room_id = probe.room_id and m.chat_id = (select min(n.chat_id) from messages n "
        "where n.room_id = probe.room_id and n.chat_id >= probe.chat_id)",
        [value for number, one in enumerate(halvings) for value in (number, one.room_id, one.middle)],
    )
    return {row[0]: (row[1], row[2]) for row in rows}
