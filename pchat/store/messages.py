"""Messages: what is appended, what comes of it, and how history is read back.

The values are named tuples: one is made and taken apart for each post, on the path where time counts.
"""

from __future__ import annotations

from typing import NamedTuple

from pchat.interfaces import ITransaction


class NewMessage(NamedTuple):
    """A post whose author was found to be allowed, ready for the store.

    Args:
        message_id: 32 hex digits, random; the id of its compliance event as well.
        room_id: The room's number in the store.
        room_uri: ``ma-chan://DOMAIN/GUID``, for the compliance event.
        room_name: The room's name at the time, for the compliance event.
        author_id: The author's principal.
        author_uri: ``sip:…``, for the compliance event.
        author_name: The author's display name, for the compliance event.
        chat: Plain text, line ends as LF.
        rtf: The formatted form, if the client sent one.
        alert: Whether it is marked as high importance.
        logged: Whether the room's category keeps history.
        revision: The revision at which it was decided that the author may post.
        detail: A JSON object, kept with the compliance event.
        author_email: The author's mail address, for the compliance event.
        hits: Users whose topic feeds catch it, each with the feeds (`pchat.store.topics.hit_guids`).
    """

    message_id: str
    room_id: int
    room_uri: str
    room_name: str
    author_id: int
    author_uri: str
    author_name: str
    chat: str
    rtf: str | None
    alert: bool
    logged: bool
    revision: int
    detail: str = "{}"
    author_email: str = ""
    hits: tuple[tuple[int, str], ...] = ()


class Appended(NamedTuple):
    """The message is committed.

    Args:
        chat_id: Its number in the room.
        ts: Its time in ticks; never before that of the message before.
    """

    chat_id: int
    ts: int


class Stale(NamedTuple):
    """The message was not committed: a right or a room may have changed since the decision.

    Args:
        revision: The revision in the store; the caller decides anew at it, or at a later one.
    """

    revision: int


AppendOutcome = Appended | Stale


class StoredMessage(NamedTuple):
    """A message read back from history; ``ts`` in ticks."""

    chat_id: int
    ts: int
    author_id: int
    alert: int
    chat: str
    rtf: str | None


_COLUMNS = ", ".join(StoredMessage._fields)


async def last_messages(txn: ITransaction, room_id: int, count: int) -> list[StoredMessage]:
    """Read a room's last messages.

    Args:
        txn: The transaction.
        room_id: The room.
        count: The most that are wanted.

    Returns:
        The messages, oldest first.
    """
    rows = await txn.gather(
        StoredMessage._fields,
        f"select {_COLUMNS} from messages where room_id = %s order by chat_id desc limit %s",  # noqa: S608 – constant
        (room_id, count),
    )
    return [StoredMessage._make(row) for row in reversed(rows)]


async def messages_between(
    txn: ITransaction, room_id: int, first_id: int, last_id: int
) -> list[StoredMessage]:
    """Read the messages of a room from one chat id to another, both included.

    Returns:
        The messages that are there, oldest first; removed ones leave gaps.
    """
    rows = await txn.gather(
        StoredMessage._fields,
        f"select {_COLUMNS} from messages where room_id = %s and chat_id between %s and %s order by chat_id",  # noqa: S608
        (room_id, first_id, last_id),
    )
    return [StoredMessage._make(row) for row in rows]
