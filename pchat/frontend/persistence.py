"""Presence and the store: only what outlives the process goes there.

Source: docs/spec/presence.md section 2 ("Restart of our server").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from pchat.frontend import room_setting
from pchat.frontend.containers import Container, Member, MemberType
from pchat.frontend.publications import ExpireType, Publication, PublicationKey
from pchat.interfaces import IStore, ITransaction
from pchat.store.publications import (
    ContainerRow,
    PublicationRow,
    change_publications,
    load_containers,
    load_publications,
    save_containers,
)
from pchat.store.topics import followed_by

#: Told the number of a user and those of all rooms he follows.
Followed = Callable[[int, tuple[int, ...]], None]


def _nobody_told(user_id: int, rooms: tuple[int, ...]) -> None:
    """Let nobody know of followed rooms."""


class PresenceRecords:
    """Reads and writes users' presence.

    Args:
        store: Keeps publications and containers.
        followed: Told which rooms a user follows, after a change is durable and whenever it is read.
    """

    def __init__(self, store: IStore, followed: Followed = _nobody_told) -> None:
        self._store = store
        self._followed = followed

    async def load(self, user_id: int) -> tuple[list[Publication], list[Container]]:
        """Read what a user's presence was; static and timed rows, expired ones included.

        Raises:
            StoreUnavailable: The store cannot be read now.
        """
        publications, containers, rooms = await self._store.read(_load, user_id)
        self._followed(user_id, rooms)
        rows = [_publication(row) for row in publications]
        return [row for row in rows if row.expire_type.durable], [_container(row) for row in containers]

    async def save(
        self,
        user_id: int,
        rows: Iterable[Publication] = (),
        removed: Iterable[PublicationKey] = (),
        containers: Iterable[Container] = (),
    ) -> None:
        """Write changes in one transaction; returns after its commit.

        Args:
            user_id: The user's number.
            rows: Publications that are new or replaced.
            removed: Keys of publications that go.
            containers: Containers whose members changed.

        Raises:
            StoreUnavailable: Certainly nothing was committed.
            OutcomeUnknown: Whether it was is not known.
        """
        replaced = [_publication_row(row) for row in rows]
        members = [ContainerRow(row.number, row.version, _members_text(row.members)) for row in containers]
        keys = [tuple(key) for key in removed]
        if replaced or members or keys:
            rooms = await self._store.write(_save, user_id, replaced, keys, members)
            if rooms is not None:
                self._followed(user_id, rooms)


async def _load(
    txn: ITransaction, user_id: int
) -> tuple[list[PublicationRow], list[ContainerRow], tuple[int, ...]]:
    return (
        await load_publications(txn, user_id),
        await load_containers(txn, user_id),
        await followed_by(txn, user_id),
    )


async def _save(
    txn: ITransaction,
    user_id: int,
    replaced: list[PublicationRow],
    removed: list[tuple[str, int, int]],
    members: list[ContainerRow],
) -> tuple[int, ...] | None:
    """Write it all; return the rooms that the user follows, None if nothing was said about them."""
    if members:
        await save_containers(txn, user_id, members)
    if not replaced and not removed:
        return None
    await change_publications(txn, user_id, replaced, removed)
    if all(key[0] != room_setting.CATEGORY for key in [*removed, *(row.key for row in replaced)]):
        return None
    return await room_setting.follow_published(txn, user_id)


def _publication(row: PublicationRow) -> Publication:
    return Publication(
        key=PublicationKey(*row.key),
        version=row.version,
        expire_type=ExpireType(row.expire_type),
        expires_at=row.expires_at,
        published_at=row.published_at,
        owner=row.owner,
        payload=row.payload,
    )


def _publication_row(row: Publication) -> PublicationRow:
    names_room = row.key.category == room_setting.CATEGORY
    return PublicationRow(
        *(*row.key, row.version, row.expire_type.value, row.expires_at, row.published_at, row.owner),
        row.payload,
        room_setting.followed_guid(row.payload) if names_room else None,
    )


def _members_text(members: Iterable[Member]) -> str:
    return json.dumps([[member.kind.value, member.value] for member in members])


def _container(row: ContainerRow) -> Container:
    members = tuple(Member(MemberType(kind), value) for kind, value in json.loads(row.members))
    return Container(row.container, row.version, members)
