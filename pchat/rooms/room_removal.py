"""Removing what a room holds, a piece at a time, so that posts in other rooms go on meanwhile."""

from __future__ import annotations

from pchat.interfaces import ITransaction
from pchat.rooms.committing import ChangeDesk, ChangeEvent
from pchat.rooms.room import Room
from pchat.store.audit import AuditEntry, write_audit
from pchat.store.changes import Stamp
from pchat.store.indexing import forget_words
from pchat.store.outbox import record

#: Messages that one transaction removes: some hundredths of a second's work.
PIECE = 1_000


async def _remove_piece(
    txn: ITransaction, server_id: int, stamp: Stamp, event: ChangeEvent, room_id: int, first: int, last: int
) -> None:
    await forget_words(txn, room_id, first, last)
    removed = await txn.run(
        "delete from messages where room_id = %s and chat_id between %s and %s", (room_id, first, last)
    )
    if removed:
        after = {"messages": removed, "first": first, "last": last}
        await write_audit(txn, stamp, AuditEntry("remove", "messages", event.room_uri, after=after))
        await record(txn, server_id, [event.at(stamp.now)])


def is_large(room: Room) -> bool:
    """Tell whether a room holds more than one transaction should remove."""
    return room.last_chat_id > PIECE


async def empty(desk: ChangeDesk, actor: str, room: Room) -> None:
    """Remove the messages of a room for good, oldest first; nobody may post in it meanwhile.

    Each piece is on record with it: the room may be enabled, or the server killed, before it is gone too.

    Args:
        desk: Store, and who may change it.
        actor: Who removes the room.
        room: The room.

    Raises:
        AdministrationRefused: The actor is not obeyed any more; what was removed before stays so.
    """
    for first in range(1, room.last_chat_id + 1, PIECE):
        if not room.disabled:
            return  # somebody wants to keep what is left
        desk.check_actor(actor)
        last = first + PIECE - 1
        event = desk.event("room_change", actor, {"change": "emptied", "first": first, "last": last}, room)
        store, stamp = desk.store, desk.stamp(actor)
        await store.write(_remove_piece, store.server_id, stamp, event, room.id, first, last)
