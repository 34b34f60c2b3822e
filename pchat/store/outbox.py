"""Compliance events, written in the transaction of what they record.

Source: docs/spec/persistent-chat-server.md section 8.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from pchat.interfaces import ITransaction


@frozen
class Event:
    """Something that the archive must know.

    Args:
        event_id: 32 hex digits, unique for ever.
        kind: ``join part post read upload download replace remove room_change role_change scope_change``.
        time_ticks: When it happened.
        room_id: The room's number, None where there is none.
        room_uri: ``ma-chan://DOMAIN/GUID``.
        room_name: The room's name at the time.
        user_id: Principal who did it, None where there is none.
        user_uri: ``sip:…``.
        user_name: The user's display name at the time.
        user_email: The user's mail address at the time, empty if none is known.
        chat_id: The message it is about, else 0.
        text: The message's text, else None.
        detail: A JSON object with what else the kind needs.
    """

    event_id: str
    kind: str
    time_ticks: int
    room_id: int | None = None
    room_uri: str = ""
    room_name: str = ""
    user_id: int | None = None
    user_uri: str = ""
    user_name: str = ""
    user_email: str = ""
    chat_id: int = 0
    text: str | None = None
    detail: str = "{}"


async def record(txn: ITransaction, server_id: int, events: Sequence[Event]) -> None:
    """Write events, numbered without gaps; nothing if the server's compliance is switched off.

    Args:
        txn: The transaction of what they record.
        server_id: Our row in ``servers``.
        events: The events, in their order.
    """
    if not events:
        return
    latest = max(event.time_ticks for event in events)
    rows = await txn.query(
        "update servers set last_sequence = last_sequence + %s, "
        "last_alive = case when last_alive < %s then %s else last_alive end "
        "where server_id = %s and records_events = 1 returning last_sequence",
        (len(events), latest, latest, server_id),
    )
    if not rows:
        return
    first = rows[0][0] - len(events) + 1
    await txn.run_many(
        "insert into outbox (server_id, server_sequence, event_id, kind, time_ticks, room_id, room_uri, "
        "room_name, user_id, user_uri, user_name, user_email, chat_id, text, detail) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                *(server_id, sequence, event.event_id, event.kind, event.time_ticks),
                *(event.room_id, event.room_uri, event.room_name),
                *(event.user_id, event.user_uri, event.user_name, event.user_email),
                *(event.chat_id, event.text, event.detail),
            )
            for sequence, event in enumerate(events, first)
        ],
    )


async def depth(txn: ITransaction) -> int:
    """Count the events that nobody has taken over yet."""
    count: int = (await txn.query("select count(*) from outbox"))[0][0]
    return count
