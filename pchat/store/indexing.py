"""What of a message stands in the index of words, and how it is kept true when messages go or change."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pchat.interfaces import ITransaction, SqlValue, WordsRow
from pchat.words import cut

#: Messages taken out of the index in one step.
_AT_ONCE = 1000


class Indexed(NamedTuple):
    """What of a message the index is made from; ``row_id``, its row in ``messages``, grows with time."""

    row_id: int
    room_id: int
    chat_id: int
    author_id: int
    chat: str


def author_mark(author_id: int) -> str:
    """Tell what stands among the extras for the author of a message; no word begins so."""
    return f"@{author_id}"


def room_mark(room_id: int) -> str:
    """Tell what stands among the extras for the room of a message; no word begins so."""
    return f"#{room_id}"


def words_row(message: Indexed) -> WordsRow:
    """Make a message's row for the index of words."""
    words, extras = cut(message.chat)
    marks = (author_mark(message.author_id), room_mark(message.room_id))
    return message.row_id, " ".join(words), " ".join([*marks, *extras])


async def index(txn: ITransaction, messages: Iterable[Indexed]) -> None:
    """Put messages into the index of words."""
    await txn.index_words([words_row(message) for message in messages])


async def unindex(txn: ITransaction, messages: Iterable[Indexed]) -> None:
    """Take messages out of the index of words, exactly as they were put in."""
    await txn.unindex_words([words_row(message) for message in messages])


async def forget_words(
    txn: ITransaction, room_id: int, first_id: int = 1, last_id: int | None = None
) -> None:
    """Take the messages of a room out of the index; call it before they are deleted.

    Args:
        txn: The transaction. A thousand messages hold it up for some hundredths of a second, so a caller who
            clears a long history does it in pieces, newest last.
        room_id: The room.
        first_id: Lowest chat id.
        last_id: Highest chat id; None for the last there is.
    """
    while found := await _some(
        txn,
        "room_id = %s and chat_id between %s and %s order by chat_id limit %s",
        (room_id, first_id, sys.maxsize if last_id is None else last_id, _AT_ONCE),
    ):
        await unindex(txn, found)
        first_id = found[-1].chat_id + 1


async def remove_messages(txn: ITransaction, room_id: int, chat_ids: Sequence[int]) -> list[int]:
    """Remove messages, with their words.

    Returns:
        The chat ids that were there.
    """
    found = await _texts(txn, room_id, chat_ids)
    await unindex(txn, found)
    await txn.run_many(
        "delete from messages where room_id = %s and chat_id = %s",
        [(room_id, message.chat_id) for message in found],
    )
    return [message.chat_id for message in found]


async def replace_messages(txn: ITransaction, room_id: int, chat_ids: Sequence[int], chat: str) -> list[int]:
    """Put another text in the place of messages; their formatting goes.

    Returns:
        The chat ids that were there.
    """
    found = await _texts(txn, room_id, chat_ids)
    await unindex(txn, found)
    await txn.run_many(
        "update messages set chat = %s, rtf = null where room_id = %s and chat_id = %s",
        [(chat, room_id, message.chat_id) for message in found],
    )
    await index(txn, [message._replace(chat=chat) for message in found])
    return [message.chat_id for message in found]


async def _texts(txn: ITransaction, room_id: int, chat_ids: Sequence[int]) -> list[Indexed]:
    found: list[Indexed] = []
    ordered = sorted(set(chat_ids))
    for start in range(0, len(ordered), _AT_ONCE):
        part = ordered[start : start + _AT_ONCE]
        marks = ",".join(["%s"] * len(part))
        found += await _some(txn, f"room_id = %s and chat_id in ({marks}) order by chat_id", (room_id, *part))
    return found


async def _some(txn: ITransaction, which: str, args: Sequence[SqlValue]) -> list[Indexed]:
    columns = Indexed._fields
    rows = await txn.gather(columns, f"select {', '.join(columns)} from messages where {which}", args)  # noqa: S608
    return [Indexed._make(row) for row in rows]
