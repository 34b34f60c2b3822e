"""Followed rooms, topic feeds, and the messages that feeds caught.

Source: docs/xccos-extensions.md ("Topic feeds"); docs/spec/presence.md section 6.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from enum import Enum

from attrs import frozen

from pchat.interfaces import ITransaction
from pchat.store.messages import StoredMessage, messages_between

#: Hits of one user that are kept; the oldest go first.
HITS_PER_USER = 1_000

Place = tuple[int, int]
"""Where a message is: room and chat id."""


@frozen
class FeedRow:
    """A topic feed as it is stored.

    Args:
        principal_id: Its owner.
        guid: Its name among the feeds of its owner.
        name: What he reads.
        enabled: Whether it catches messages.
        words: Words and phrases, any of which is enough.
        people: Numbers of authors, any of whom is enough.
        version: 1 for the first one, one more with each change.
    """

    principal_id: int
    guid: str
    name: str
    enabled: bool
    words: tuple[str, ...]
    people: tuple[int, ...]
    version: int


@frozen
class HitRow:
    """A message that a feed caught, without its text; ``ts`` in ticks."""

    room_id: int
    chat_id: int
    guids: tuple[str, ...]
    ts: int

    @property
    def place(self) -> Place:
        """Where the message is."""
        return self.room_id, self.chat_id


class Saved(Enum):
    """What became of a feed that was to be saved or deleted."""

    YES = "saved"
    COLLISION = "somebody else changed it meanwhile"
    FULL = "its owner has as many as he may"
    MISSING = "it is not there"


# -- followed rooms


async def load_followed(txn: ITransaction) -> list[tuple[int, int]]:
    """Read who follows what: pairs of principal and room, in their order."""
    rows = await txn.query("select principal_id, room_id from followed_rooms order by principal_id, room_id")
    return [(principal_id, room_id) for principal_id, room_id in rows]


async def followed_by(txn: ITransaction, principal_id: int) -> tuple[int, ...]:
    """Read the numbers of the rooms that a user follows, in their order."""
    rows = await txn.query(
        "select room_id from followed_rooms where principal_id = %s order by room_id", (principal_id,)
    )
    return tuple(row[0] for row in rows)


async def replace_followed(
    txn: ITransaction, principal_id: int, room_guids: Iterable[str]
) -> tuple[int, ...]:
    """Make a user follow exactly these rooms, as far as they exist.

    Args:
        txn: The transaction.
        principal_id: The user.
        room_guids: GUIDs in their stored form.

    Returns:
        The numbers of the rooms, in their order.
    """
    found: set[int] = set()
    for guid in set(room_guids):
        found.update(row[0] for row in await txn.query("select room_id from rooms where guid = %s", (guid,)))
    before = set(await followed_by(txn, principal_id))
    await txn.run_many(
        "delete from followed_rooms where principal_id = %s and room_id = %s",
        [(principal_id, room_id) for room_id in sorted(before - found)],
    )
    await txn.run_many(
        "insert into followed_rooms (principal_id, room_id) values (%s, %s)",
        [(principal_id, room_id) for room_id in sorted(found - before)],
    )
    return tuple(sorted(found))


# -- feeds


_FEED = "principal_id, guid, name, enabled, words, people, version"


async def load_feeds(txn: ITransaction) -> list[FeedRow]:
    """Read everybody's feeds, each owner's in the order of their GUIDs."""
    rows = await txn.query(f"select {_FEED} from topic_feeds order by principal_id, guid")  # noqa: S608 – constant
    return [
        FeedRow(
            owner, guid, name, bool(enabled), tuple(json.loads(words)), tuple(json.loads(people)), version
        )
        for owner, guid, name, enabled, words, people, version in rows
    ]


async def _version_of(txn: ITransaction, principal_id: int, guid: str) -> int:
    rows = await txn.query(
        "select version from topic_feeds where principal_id = %s and guid = %s", (principal_id, guid)
    )
    return int(rows[0][0]) if rows else 0


async def save_feed(txn: ITransaction, feed: FeedRow, most: int, now: int) -> Saved:
    """Store a feed, new or in the place of its last version.

    Args:
        txn: The transaction.
        feed: The feed; its version is one more than that which its owner knew.
        most: Feeds that a user may have.
        now: Ticks.
    """
    if await _version_of(txn, feed.principal_id, feed.guid) != feed.version - 1:
        return Saved.COLLISION
    others = await txn.query(
        "select count(*) from topic_feeds where principal_id = %s and guid <> %s",
        (feed.principal_id, feed.guid),
    )
    if others[0][0] >= most:
        return Saved.FULL
    await txn.run(
        "insert into topic_feeds (principal_id, guid, name, enabled, words, people, version, updated_on)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict (principal_id, guid) do update set"
        " name = excluded.name, enabled = excluded.enabled, words = excluded.words,"
        " people = excluded.people, version = excluded.version, updated_on = excluded.updated_on",
        (
            *(feed.principal_id, feed.guid, feed.name, int(feed.enabled)),
            *(json.dumps(feed.words, ensure_ascii=False), json.dumps(feed.people), feed.version, now),
        ),
    )
    return Saved.YES


async def delete_feed(txn: ITransaction, principal_id: int, guid: str, version: int | None) -> Saved:
    """Delete a feed with the hits that are its alone.

    Args:
        txn: The transaction.
        principal_id: Its owner.
        guid: The feed.
        version: The version that its owner knew; None if it is all the same to him.
    """
    current = await _version_of(txn, principal_id, guid)
    if current == 0:
        return Saved.MISSING
    if version is not None and version != current:
        return Saved.COLLISION
    await txn.run("delete from topic_feeds where principal_id = %s and guid = %s", (principal_id, guid))
    await txn.run(
        "delete from topic_hits where principal_id = %s and guids = %s", (principal_id, hit_guids([guid]))
    )
    return Saved.YES


# -- hits; they are inserted where the message is (pchat.store.bulk)


def hit_guids(guids: Sequence[str]) -> str:
    """Write the feeds that caught a message, as ``topic_hits.guids`` holds them."""
    return json.dumps(guids, separators=(",", ":"))


async def unread_hits(txn: ITransaction, principal_id: int) -> list[HitRow]:
    """Read a user's hits that he has not read and that are still there, newest first."""
    rows = await txn.query(
        "select h.room_id, h.chat_id, h.guids, h.ts from topic_hits h"
        " join messages m on m.room_id = h.room_id and m.chat_id = h.chat_id"
        " left join read_markers r on r.principal_id = h.principal_id and r.room_id = h.room_id"
        " where h.principal_id = %s and (r.chat_id is null or h.chat_id > r.chat_id)"
        " order by h.ts desc, h.room_id, h.chat_id desc limit %s",
        (principal_id, HITS_PER_USER),
    )
    return [HitRow(room_id, chat_id, tuple(json.loads(guids)), ts) for room_id, chat_id, guids, ts in rows]


async def hit_messages(txn: ITransaction, places: Iterable[Place]) -> dict[Place, StoredMessage]:
    """Read messages that lie scattered over rooms; those that are gone are left out."""
    found = {}
    for room_id, chat_id in places:
        for message in await messages_between(txn, room_id, chat_id, chat_id):
            found[room_id, chat_id] = message
    return found


async def trim_hits(txn: ITransaction, principal_ids: Iterable[int]) -> None:
    """Forget what users have read, and their oldest hits above `HITS_PER_USER`."""
    for principal_id in principal_ids:
        await txn.run(
            "delete from topic_hits where principal_id = %s and chat_id <="
            " (select r.chat_id from read_markers r"
            " where r.principal_id = topic_hits.principal_id and r.room_id = topic_hits.room_id)",
            (principal_id,),
        )
        await txn.run(
            "delete from topic_hits where principal_id = %s and ts <= (select ts from topic_hits"
            " where principal_id = %s order by ts desc, room_id, chat_id desc limit 1 offset %s)",
            (principal_id, principal_id, HITS_PER_USER),
        )
