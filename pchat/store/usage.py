"""How much is said, where and by whom: counted from the messages that are kept.

Source: docs/spec/persistent-chat-server.md section 7 (ChatUsageReport, A-3).
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from pchat.interfaces import ITransaction
from pchat.ticks import TICKS_PER_DAY


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
    """Count the messages of a time, both ends included; it reads all messages, seconds for some millions.

    Args:
        txn: A reading transaction.
        first_ts, last_ts: The time, in ticks.
        most_users: The most users that are wanted.
    """
    rooms = await txn.query(
        "select r.room_id, coalesce(m.messages, 0), r.last_ts from rooms r left join"
        " (select room_id, count(*) as messages from messages where ts between %s and %s group by room_id) m"
        " on m.room_id = r.room_id order by 2 desc, r.room_id",
        (first_ts, last_ts),
    )
    users = await txn.query(
        "select author_id, count(*) from messages where ts between %s and %s"
        " group by author_id order by 2 desc, author_id limit %s",
        (first_ts, last_ts, most_users),
    )
    days = await txn.query(
        "select ts / %s, count(*) from messages where ts between %s and %s group by 1 order by 1",
        (TICKS_PER_DAY, first_ts, last_ts),
    )
    return Usage([RoomUsage(*row) for row in rooms], [(row[0], row[1]) for row in users], days)
