"""Where in the history of rooms a search must look: stretches of chat ids and of rows."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from pchat.interfaces import ITransaction

#: Rooms of one statement.
_AT_ONCE = 500
#: Places that are probed at once; each statement is a wait.
_PROBES = 32
#: More than any row has.
_BEYOND = (1 << 63) - 1


@frozen
class Span:
    """A stretch of a room's history that is not empty.

    Args:
        room_id: The room.
        first: Lowest chat id, included.
        last: Highest chat id, included.
    """

    room_id: int
    first: int
    last: int


async def rooms_spans(txn: ITransaction, rooms: Sequence[int]) -> list[Span]:
    """Tell how far the history of rooms goes; rooms without any, or that are not there, are left out."""
    spans: list[Span] = []
    for start in range(0, len(rooms), _AT_ONCE):
        part = rooms[start : start + _AT_ONCE]
        marks = ",".join(["%s"] * len(part))
        rows = await txn.gather(
            ("room_id", "last_chat_id"),
            f"select room_id, last_chat_id from rooms where last_chat_id > 0 and room_id in ({marks})",  # noqa: S608
            part,
        )
        spans += [Span(row[0], 1, row[1]) for row in rows]
    return spans


async def rows_of_span(txn: ITransaction, span: Span) -> tuple[int, int]:
    """Tell the first and the last row of a stretch of a room; within a room rows grow with chat ids."""
    among = "from messages where room_id = %s and chat_id between %s and %s order by chat_id"
    args = (span.room_id, span.first, span.last)
    first = await txn.query(f"select row_id {among} limit 1", args)
    last = await txn.query(f"select row_id {among} desc limit 1", args)
    return (first[0][0], last[0][0]) if first and last else (1, 0)


async def rows_between(txn: ITransaction, first_ts: int | None, last_ts: int | None) -> tuple[int, int]:
    """Tell the first and the last row that may hold messages between two times, of any rooms.

    Rows are in the order of time, but for what clocks were set back; the store knows how much that was.

    Args:
        txn: The transaction.
        first_ts: Earliest time, included; None for any.
        last_ts: Latest time, included; None for any.

    Returns:
        The rows; messages among them may still be too early or too late.
    """
    if first_ts is None and last_ts is None:
        return 0, _BEYOND
    [(back, newest)] = await txn.query(
        "select clock_back, (select coalesce(max(row_id), 0) from messages) from store_info"
    )
    first = 0 if first_ts is None else await _first_row_at(txn, first_ts - back, newest)
    last = _BEYOND if last_ts is None else await _first_row_at(txn, last_ts + back + 1, newest) - 1
    return first, last


async def _first_row_at(txn: ITransaction, ts: int, newest: int) -> int:
    """Find a row before which no message is at a time or later, by parting what is left into many pieces.

    Returns:
        The row; one beyond the newest if none is late enough.
    """
    low, high = 1, newest + 1  # rows before low are too early; the one at high, if any, is not
    while low < high:
        width = -(-(high - low) // _PROBES)
        probes = range(low, high, width)
        marks = ",".join(["(%s)"] * len(probes))
        rows = await txn.gather(
            ("row_id", "ts"),
            f"with probe (row_id) as (values {marks}) "  # noqa: S608 – marks
            "select m.row_id as row_id, m.ts as ts from probe cross join messages m "
            "where m.row_id = (select min(n.row_id) from messages n where n.row_id >= probe.row_id)",
            probes,
        )
        before = low, high
        for row_id, found in rows:
            if found >= ts:
                high = min(high, row_id)
            elif row_id < high:
                low = max(low, row_id + 1)
        if (low, high) == before:  # what is left has no messages but the one at its end
            return high
    return high
