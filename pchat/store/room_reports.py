"""SQL of what is told of rooms and is too much, or too seldom asked for, to be held in memory."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from pchat.interfaces import ITransaction

# Characters and bytes differ, and a size in megabytes is one of bytes.
_BYTES = "coalesce(sum(octet_length(chat) + coalesce(octet_length(rtf), 0)), 0)"


@frozen
class Grant:
    """Who gave a principal a role, and when (ticks)."""

    granted_by: str
    granted_on: int


@frozen
class RoomSize:
    """How much a room holds."""

    messages: int
    content_bytes: int


async def role_grants(txn: ITransaction, room_id: int) -> Mapping[tuple[str, int], Grant]:
    """Read who granted the roles of a room, by role and principal."""
    rows = await txn.query(
        "select role, principal_id, granted_by, granted_on from room_roles where room_id = %s", (room_id,)
    )
    return {(role, principal): Grant(by, on) for role, principal, by, on in rows}


async def room_size(txn: ITransaction, room_id: int) -> RoomSize:
    """Count the messages of a room and the bytes of their texts."""
    rows = await txn.query(
        f"select count(*), {_BYTES} from messages where room_id = %s",  # noqa: S608
        (room_id,),
    )
    return RoomSize(*rows[0])


async def rooms_exceeding(txn: ITransaction, content_bytes: int) -> frozenset[int]:
    """Tell the rooms whose messages have more than so many bytes; every message is read for it."""
    rows = await txn.query(
        f"select room_id from messages group by room_id having {_BYTES} > %s",  # noqa: S608
        (content_bytes,),
    )
    return frozenset(number for (number,) in rows)
