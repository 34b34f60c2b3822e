"""How far users have read rooms, and how many messages of others each has there since.

A user without a marker in a room has read nothing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pchat.interfaces import ITransaction

#: The user's own messages that are passed over in a room before what is older counts as read.
OWN_MESSAGES = 10_000


class ReadState(NamedTuple):
    """How a user stands in a room.

    Args:
        read: Number of the last message that he has read; 0 for none.
        unread: Messages that others wrote after it, as far as they are kept.
    """

    read: int
    unread: int


async def read_states(
    txn: ITransaction, principal_id: int, room_ids: Iterable[int], most: int
) -> dict[int, ReadState]:
    """Tell how a user stands in rooms.

    Args:
        txn: The transaction.
        principal_id: The user.
        room_ids: The rooms.
        most: What is counted at most in a room, so that a long history costs no more than a short one.

    Returns:
        By room. Only the newest ``most + OWN_MESSAGES`` messages of a room are looked at: who wrote that
        many himself since has surely seen what is older, and nobody waits until all of his are counted.
    """
    states: dict[int, ReadState] = {}
    for room_id in room_ids:
        rows = await txn.query(
            "select marker.chat_id, (select count(*) from (select author_id from messages"
            " where room_id = %s and chat_id > marker.chat_id order by chat_id desc limit %s) as newest"
            " where author_id <> %s)"
            " from (select coalesce((select chat_id from read_markers"
            " where principal_id = %s and room_id = %s), 0) as chat_id) as marker",
            (room_id, most + OWN_MESSAGES, principal_id, principal_id, room_id),
        )
        states.update((room_id, ReadState(read, min(unread, most))) for read, unread in rows)
    return states


async def set_markers(
    txn: ITransaction, principal_id: int, markers: Mapping[int, int], now: int
) -> tuple[frozenset[int], frozenset[int]]:
    """Note how far a user has read rooms; a marker may go back.

    Args:
        txn: The transaction.
        principal_id: The user.
        markers: By room, the number of the last message read; 0 for none.
        now: The time, in ticks.

    Returns:
        The rooms whose marker is set, and those that have no message with so high a number. A room that
        is gone is in neither.
    """
    good: set[int] = set()
    beyond: set[int] = set()
    for room_id, chat_id in markers.items():
        last = await txn.query("select last_chat_id from rooms where room_id = %s", (room_id,))
        if last:
            (good if chat_id <= last[0][0] else beyond).add(room_id)
    await txn.run_many(
        "insert into read_markers (principal_id, room_id, chat_id, updated_on) values (%s, %s, %s, %s)"
        " on conflict (principal_id, room_id)"
        " do update set chat_id = excluded.chat_id, updated_on = excluded.updated_on",
        [(principal_id, room_id, markers[room_id], now) for room_id in sorted(good)],
    )
    return frozenset(good), frozenset(beyond)
