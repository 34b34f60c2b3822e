"""Who is in which room, with the join and part events that belong to it.

Source: docs/spec/persistent-chat-server.md section 8; joins and parts are per user,
see docs/way-of-a-message.md "Where things are kept".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256

from attrs import frozen

from pchat.interfaces import ITransaction
from pchat.store.outbox import Event, record


@frozen
class Participation:
    """A user who enters a room with the first endpoint, or leaves it with the last.

    Args:
        event_id: 32 hex digits, random.
        time_ticks: When.
        room_id: The room's number.
        room_uri: ``ma-chan://DOMAIN/GUID``.
        room_name: The room's name.
        user_id: The user's principal.
        user_uri: ``sip:…``.
        user_name: The user's display name.
        user_email: The user's mail address, empty if none is known.
    """

    event_id: str
    time_ticks: int
    room_id: int
    room_uri: str
    room_name: str
    user_id: int
    user_uri: str
    user_name: str
    user_email: str = ""

    def event(self, kind: str, detail: str = "{}") -> Event:
        """Make the compliance event, ``join`` or ``part``."""
        return Event(
            event_id=self.event_id,
            kind=kind,
            time_ticks=self.time_ticks,
            room_id=self.room_id,
            room_uri=self.room_uri,
            room_name=self.room_name,
            user_id=self.user_id,
            user_uri=self.user_uri,
            user_name=self.user_name,
            user_email=self.user_email,
            detail=detail,
        )


async def joined(txn: ITransaction, server_id: int, run_id: str, rows: Sequence[Participation]) -> None:
    """Note users who entered rooms, and record it.

    Args:
        txn: The transaction.
        server_id: Our row in ``servers``.
        run_id: This run of the server.
        rows: One a user and room.
    """
    await txn.run_many(
        "insert into participants (room_id, principal_id, server_id, run_id, joined_at) "
        "values (%s, %s, %s, %s, %s) on conflict (room_id, principal_id, server_id) "
        "do update set run_id = excluded.run_id, joined_at = excluded.joined_at",
        [(row.room_id, row.user_id, server_id, run_id, row.time_ticks) for row in rows],
    )
    await record(txn, server_id, [row.event("join") for row in rows])


async def parted(
    txn: ITransaction, server_id: int, rows: Sequence[Participation], reason: str = "left"
) -> None:
    """Note users who left rooms, and record it.

    Args:
        txn: The transaction.
        server_id: Our row in ``servers``.
        rows: One a user and room.
        reason: Goes into the event's detail, such as ``left``, ``kicked`` or ``stopped``.
    """
    await txn.run_many(
        "delete from participants where room_id = %s and principal_id = %s and server_id = %s",
        [(row.room_id, row.user_id, server_id) for row in rows],
    )
    detail = json.dumps({"reason": reason})
    await record(txn, server_id, [row.event("part", detail) for row in rows])


async def close_dead_runs(
    txn: ITransaction, server_id: int, run_id: str, last_alive: int, domain: str
) -> list[Participation]:
    """Part everybody whom an earlier run of this server left in rooms when it died.

    Args:
        txn: The transaction.
        server_id: Our row in ``servers``.
        run_id: The run that begins; its rows are left alone.
        last_alive: The last moment the dead run is known to have lived.
        domain: Domain of room URIs.

    Returns:
        Those who were parted.
    """
    rows = await txn.query(
        "select p.run_id, p.joined_at, p.room_id, r.guid, r.name, u.principal_id, u.uri, "
        "coalesce(nullif(u.display_name, ''), u.name), u.email "
        "from participants p join rooms r on r.room_id = p.room_id "
        "join principals u on u.principal_id = p.principal_id "
        "where p.server_id = %s and p.run_id <> %s order by p.joined_at, p.room_id, p.principal_id",
        (server_id, run_id),
    )
    gone = [
        Participation(
            # The same however often it is tried: there is nothing random at hand inside a transaction.
            event_id=sha256(f"crashed {server_id} {dead} {room_id} {user_id}".encode()).hexdigest()[:32],
            time_ticks=max(joined_at, last_alive),
            room_id=room_id,
            room_uri=f"ma-chan://{domain}/{guid}",
            room_name=room_name,
            user_id=user_id,
            user_uri=user_uri,
            user_name=user_name,
            user_email=user_email,
        )
        for dead, joined_at, room_id, guid, room_name, user_id, user_uri, user_name, user_email in rows
    ]
    await txn.run("delete from participants where server_id = %s and run_id <> %s", (server_id, run_id))
    await record(txn, server_id, [row.event("part", '{"reason": "crashed"}') for row in gone])
    return gone
