"""Presence categories that clients publish, and the members of their containers.

Source: docs/spec/presence.md sections 1 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from pchat.interfaces import ITransaction


@frozen
class PublicationRow:
    """One publication of a user.

    Args:
        category: Name of the category, such as ``roomSetting``.
        container: Number of the container.
        instance: Number of the instance.
        version: Version after the last change.
        expire_type: ``static``, ``endpoint``, ``user`` or ``time``.
        expires_at: Ticks, for ``time`` only.
        published_at: Ticks.
        owner: Registration of the endpoint that published it.
        payload: XML, as it came.
        room_guid: GUID of the room that it names as one that is followed, None if it names none.
    """

    category: str
    container: int
    instance: int
    version: int
    expire_type: str
    expires_at: int | None
    published_at: int
    owner: str
    payload: bytes
    room_guid: str | None = None

    @property
    def key(self) -> PublicationKey:
        """What names it among its user's publications."""
        return self.category, self.container, self.instance


PublicationKey = tuple[str, int, int]
"""Category, container, instance."""


@frozen
class ContainerRow:
    """A container of a user.

    Args:
        container: Its number.
        version: Version after the last change.
        members: The members, in the form that the front end writes and reads.
    """

    container: int
    version: int
    members: str


async def load_publications(txn: ITransaction, principal_id: int) -> list[PublicationRow]:
    """Read all publications of a user, ordered by category, container, instance."""
    rows = await txn.query(
        "select category, container, instance, version, expire_type, expires_at, published_at, owner, "
        "payload, room_guid from publications where principal_id = %s order by category, container, instance",
        (principal_id,),
    )
    # A driver may give the payload as a memoryview.
    plain: list[tuple[Any, ...]] = [(*row[:8], bytes(row[8]), row[9]) for row in rows]
    return [PublicationRow(*row) for row in plain]


async def rooms_named(txn: ITransaction, principal_id: int, category: str) -> list[str]:
    """Tell the GUIDs of the rooms that a user's publications of one category name."""
    rows = await txn.query(
        "select room_guid from publications"
        " where principal_id = %s and category = %s and room_guid is not null",
        (principal_id, category),
    )
    return [row[0] for row in rows]


async def publishers(txn: ITransaction, category: str) -> list[int]:
    """Tell who has publications of a category, by number."""
    rows = await txn.query(
        "select distinct principal_id from publications where category = %s order by principal_id",
        (category,),
    )
    return [row[0] for row in rows]


async def change_publications(
    txn: ITransaction,
    principal_id: int,
    replaced: Sequence[PublicationRow],
    removed: Sequence[PublicationKey] = (),
) -> None:
    """Put rows in the place of those with the same key, and remove others: all of it or nothing.

    Args:
        txn: The transaction.
        principal_id: The user.
        replaced: New and changed rows.
        removed: Keys of rows to remove; one that is not there is no error.
    """
    await txn.run_many(
        "delete from publications "
        "where principal_id = %s and category = %s and container = %s and instance = %s",
        [(principal_id, *key) for key in removed],
    )
    await txn.run_many(
        "insert into publications (principal_id, category, container, instance, version, expire_type, "
        "expires_at, published_at, owner, payload, room_guid) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "on conflict (principal_id, category, container, instance) do update set "
        "version = excluded.version, expire_type = excluded.expire_type, expires_at = excluded.expires_at, "
        "published_at = excluded.published_at, owner = excluded.owner, payload = excluded.payload, "
        "room_guid = excluded.room_guid",
        [
            (
                *(principal_id, row.category, row.container, row.instance, row.version),
                *(row.expire_type, row.expires_at, row.published_at, row.owner, row.payload, row.room_guid),
            )
            for row in replaced
        ],
    )


async def load_containers(txn: ITransaction, principal_id: int) -> list[ContainerRow]:
    """Read all containers of a user, ordered by number."""
    rows = await txn.query(
        "select container, version, members from container_members "
        "where principal_id = %s order by container",
        (principal_id,),
    )
    return [ContainerRow(*row) for row in rows]


async def save_containers(txn: ITransaction, principal_id: int, rows: Sequence[ContainerRow]) -> None:
    """Put containers in the place of those with the same number."""
    await txn.run_many(
        "insert into container_members (principal_id, container, version, members) "
        "values (%s, %s, %s, %s) on conflict (principal_id, container) "
        "do update set version = excluded.version, members = excluded.members",
        [(principal_id, row.container, row.version, row.members) for row in rows],
    )
