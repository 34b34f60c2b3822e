"""Messages that administrators remove or replace: the messages, all that names them, and what is told of it.

Source: docs/spec/persistent-chat-server.md P-8 and section 7 (Remove-CsPersistentChatMessage,
Clear-CsPersistentChatRoom).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from pchat.interfaces import ITransaction
from pchat.store.audit import AuditEntry, write_audit
from pchat.store.changes import Stamp
from pchat.store.indexing import remove_messages, replace_messages
from pchat.store.messages import StoredMessage
from pchat.store.outbox import Event, record

_COLUMNS = ("chat_id", "ts", "author_id", "alert", "chat", "rtf")


@frozen
class Piece:
    """Messages of a room that are taken back together.

    Args:
        room_id: The room.
        action: ``remove``, ``replace`` or ``clear``, for the audit log.
        object: The room's URI, for the audit log.
        asked: What the administrator asked for, for the audit log.
        events: By chat id, the compliance event of each message, without its text.
        replacement: What is put in their place; None if they are removed.
    """

    room_id: int
    action: str
    object: str
    asked: Mapping[str, Any]
    events: Mapping[int, Event]
    replacement: str | None = None


async def take_back(txn: ITransaction, server_id: int, stamp: Stamp, piece: Piece) -> list[StoredMessage]:
    """Remove or replace messages.

    Args:
        txn: The transaction.
        server_id: Our row in ``servers``.
        stamp: Who does it, and when.
        piece: Which messages.

    Returns:
        Those that were there and did not have the new text already, as they are now, or as they were if they
        are gone.
    """
    found = [message for message in await _messages(txn, piece) if not _done(message, piece.replacement)]
    if not found:
        return []
    chat_ids = [message.chat_id for message in found]
    await txn.run_many(
        "delete from topic_hits where room_id = %s and chat_id = %s",
        [(piece.room_id, chat_id) for chat_id in chat_ids],
    )
    if piece.replacement is None:
        await remove_messages(txn, piece.room_id, chat_ids)
    else:
        await replace_messages(txn, piece.room_id, chat_ids, piece.replacement)
    # The text as it was goes to the archive: there it must stay, or nobody could tell what was taken back.
    await record(
        txn, server_id, [evolve(piece.events[message.chat_id], text=message.chat) for message in found]
    )
    told = {"messages": len(found), "first": chat_ids[0], "last": chat_ids[-1]}
    after = told if piece.replacement is None else {**told, "text": piece.replacement}
    entry = AuditEntry(piece.action, "messages", piece.object, before=piece.asked, after=after)
    await write_audit(txn, stamp, entry)
    if piece.replacement is None:
        return found
    return [message._replace(chat=piece.replacement, rtf=None) for message in found]


async def last_chat_id(txn: ITransaction, room_id: int) -> int:
    """Tell the number of the last message of a room, whoever committed it; 0 if it has none or is gone."""
    rows = await txn.query("select last_chat_id from rooms where room_id = %s", (room_id,))
    return rows[0][0] if rows else 0


async def record_search(
    txn: ITransaction, server_id: int, stamp: Stamp, entry: AuditEntry, events: Sequence[Event]
) -> None:
    """Write down that an administrator searched, and what he was shown."""
    await write_audit(txn, stamp, entry)
    await record(txn, server_id, events)


async def _messages(txn: ITransaction, piece: Piece) -> list[StoredMessage]:
    wanted = sorted(piece.events)
    marks = ",".join(["%s"] * len(wanted))
    rows = await txn.gather(
        _COLUMNS,
        f"select {', '.join(_COLUMNS)} from messages "  # noqa: S608 – constants and marks
        f"where room_id = %s and chat_id in ({marks}) order by chat_id",
        (piece.room_id, *wanted),
    )
    return [StoredMessage._make(row) for row in rows]


def _done(message: StoredMessage, replacement: str | None) -> bool:
    return replacement is not None and message.chat == replacement and message.rtf is None
