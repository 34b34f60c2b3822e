"""Removing what a room holds, a piece at a time, so that posts in other rooms go on meanwhile."""

from __future__ import annotations

from pchat.interfaces import IStore, ITransaction
from pchat.rooms.room import Room
from pchat.store.indexing import forget_words

#: Messages that one transaction removes: some hundredths of a second's work.
PIECE = 1_000


async def _remove_piece(txn: ITransaction, room_id: int, first: int, last: int) -> None:
    await forget_words(txn, room_id, first, last)
    await txn.run(
        "delete from messages where room_id = %s and chat_id between %s and %s", (room_id, first, last)
    )


def is_large(room: Room) -> bool:
    """Tell whether a room holds more than one transaction should remove."""
    return room.last_chat_id > PIECE


async def empty(store: IStore, room: Room) -> None:
    """Remove the messages of a room for good, oldest first; nobody may post in it meanwhile.

    Args:
        store: The chat store.
        room: The room.
    """
    for first in range(1, room.last_chat_id + 1, PIECE):
        await store.write(_remove_piece, room.id, first, first + PIECE - 1)
