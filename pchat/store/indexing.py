"""What of a message stands in the index of words, and how it is kept true when messages go or change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pchat.interfaces import ITransaction, WordsRow
from pchat.words import cut

#: A row of the index is numbered by room and chat id, so that the hits of a room lie together, in its order.
CHAT_ID_BITS = 40
#: Messages taken out of the index in one step.
_AT_ONCE = 1000


def row_number(room_id: int, chat_id: int) -> int:
    """Tell the number of a message's row in the index of words."""
    return room_id << CHAT_ID_BITS | chat_id


def room_and_chat_id(row: int) -> tuple[int, int]:
    """Tell the message of a row in the index of words."""
    return row >> CHAT_ID_BITS, row & (1 << CHAT_ID_BITS) - 1


def author_mark(author_id: int) -> str:
    """Tell what stands among the extras for the author of a message; no word begins so."""
    return f"@{author_id}"


def words_row(room_id: int, chat_id: int, author_id: int, chat: str) -> WordsRow:
    """Make a message's row for the index of words."""
    words, extras = cut(chat)
    return row_number(room_id, chat_id), " ".join(words), " ".join([author_mark(author_id), *extras])


async def index(txn: ITransaction, room_id: int, messages: Iterable[tuple[int, int, str]]) -> None:
    """Put messages into the index; each is chat id, author and text."""
    await txn.index_words([words_row(room_id, *message) for message in messages])


async def unindex(txn: ITransaction, room_id: int, messages: Iterable[tuple[int, int, str]]) -> None:
    """Take messages out of the index; each is chat id, author and text, exactly as it was put in."""
    await txn.unindex_words([words_row(room_id, *message) for message in messages])


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
    last = (1 << CHAT_ID_BITS) - 1 if last_id is None else last_id
    while rows := await txn.gather(
        ("chat_id", "author_id", "chat"),
        "select chat_id, author_id, chat from messages where room_id = %s and chat_id between %s and %s "
        "order by chat_id limit %s",
        (room_id, first_id, last, _AT_ONCE),
    ):
        await unindex(txn, room_id, [(row[0], row[1], row[2]) for row in rows])
        first_id = rows[-1][0] + 1


async def remove_messages(txn: ITransaction, room_id: int, chat_ids: Sequence[int]) -> list[int]:
    """Remove messages, with their words.

    Returns:
        The chat ids that were there.
    """
    found = await _texts(txn, room_id, chat_ids)
    await unindex(txn, room_id, found)
    await txn.run_many(
        "delete from messages where room_id = %s and chat_id = %s", [(room_id, row[0]) for row in found]
    )
    return [row[0] for row in found]


async def replace_messages(txn: ITransaction, room_id: int, chat_ids: Sequence[int], chat: str) -> list[int]:
    """Put another text in the place of messages; their formatting goes.

    Returns:
        The chat ids that were there.
    """
    found = await _texts(txn, room_id, chat_ids)
    await unindex(txn, room_id, found)
    await txn.run_many(
        "update messages set chat = %s, rtf = null where room_id = %s and chat_id = %s",
        [(chat, room_id, row[0]) for row in found],
    )
    await index(txn, room_id, [(row[0], row[1], chat) for row in found])
    return [row[0] for row in found]


async def _texts(txn: ITransaction, room_id: int, chat_ids: Sequence[int]) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    ordered = sorted(set(chat_ids))
    for start in range(0, len(ordered), _AT_ONCE):
        part = ordered[start : start + _AT_ONCE]
        marks = ",".join(["%s"] * len(part))
        rows = await txn.gather(
            ("chat_id", "author_id", "chat"),
            "select chat_id, author_id, chat from messages "  # noqa: S608 – marks
            f"where room_id = %s and chat_id in ({marks}) order by chat_id",
            (room_id, *part),
        )
        found += [(row[0], row[1], row[2]) for row in rows]
    return found
