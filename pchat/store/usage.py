"""How much is said, where and by whom: counted from the messages that are kept.

Source: docs/spec/persistent-chat-server.md section 7 (ChatUsageReport, A-3).
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from pchat.interfaces import ITransaction
from pchat.store.spans import rows_between
from pchat.ticks import TICKS_PER_DAY

_WITHIN = "row_id between %s and %s and ts between %s and %s"


@frozen
class RoomUsage:
    """One room: its number, the messages counted, and when the last message ever came (ticks, 0: never)."""

    room_id: int
    messages: int
    last_ts: int


@frozen
class Usage:
    """What was counted.

    Args:
        rooms: Every room that there is, the busiest first.
        users: Number of an author and how many messages he wrote, the busiest first.
        days: Days since 0001-01-01 on which something was said, with the number of messages, in order.
    """

    rooms: Sequence[RoomUsage]
    users: Sequence[tuple[int, int]]
    days: Sequence[tuple[int, int]]


async def count_usage(txn: ITransaction, first_ts: int, last_ts: int, most_users: int) -> Usage:
    """Count the messages of a time, both ends included; it reads all of them, seconds for some millions.

    Args:
        txn: A reading transaction.
        first_ts, last_ts: The time, in ticks.
        most_users: The most users that are wanted.
    """
    # No index knows times; rows come in their order, so that older messages need not be read.
    within = (*await rows_between(txn, first_ts, last_ts), first_ts, last_ts)
    rooms = await txn.query(
        f"select r.room_id, coalesce(m.messages, 0), r.last_ts from rooms r left join"  # noqa: S608 – a constant
        f" (select room_id, count(*) as messages from messages where {_WITHIN} group by room_id) m"
        " on m.room_id = r.room_id order by 2 desc, r.room_id",
        within,
    )
    users = await txn.query(
        f"select author_id, count(*) from messages where {_WITHIN}"  # noqa: S608 – a constant
        " group by author_id order by 2 desc, author_id limit %s",
        (*within, most_users),
    )
    days = await txn.query(
        f"select ts / %s, count(*) from messages where {_WITHIN} group by 1 order by 1",  # noqa: S608 – a constant
        (TICKS_PER_DAY, *within),
    )
    return Usage([RoomUsage(*row) for row in rooms], [(row[0], row[1]) for row in users], days)
