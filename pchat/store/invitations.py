"""Invitations: one live row a user and room, numbered for each user from 2 upwards.

Source: docs/spec/persistent-chat-server.md 4.7 (F-13); docs/spec/xccos.md section 3.7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pchat.interfaces import ITransaction
from pchat.store.changes import Stamp

#: COMPAT(pidgin-sipe): it always asks for what comes after 1, so nobody has an invitation with this number.
BEFORE_THE_FIRST = 1

#: People in one statement; more would gain nothing and make longer statements for the driver to keep.
_PEOPLE_AT_ONCE = 500


class Invitation(NamedTuple):
    """An invitation of a user; ``created_on`` in ticks."""

    invite_id: int
    room_id: int
    created_on: int


class InvitationPage(NamedTuple):
    """A user's invitations after a number, and the last number that he was ever given."""

    invitations: list[Invitation]
    last: int


async def invite(
    txn: ITransaction, stamp: Stamp, room_id: int, principal_ids: Iterable[int]
) -> dict[int, int]:
    """Invite people to a room; who is invited already gets a new number instead of the old one.

    Args:
        txn: The transaction of the change that made them members.
        stamp: Who invites, and when.
        room_id: The room.
        principal_ids: Users.

    Returns:
        The number of each one's invitation, by principal.
    """
    numbers: dict[int, int] = {}
    for some in _pieces(principal_ids):
        numbers.update(
            await txn.query(
                f"insert into last_invitations (principal_id, invite_id)"  # noqa: S608 – place holders only
                f" values {', '.join([f'(%s, {BEFORE_THE_FIRST + 1})'] * len(some))}"
                " on conflict (principal_id) do update set invite_id = last_invitations.invite_id + 1"
                " returning principal_id, invite_id",
                some,
            )
        )
        await txn.run(
            "insert into invitations (principal_id, room_id, invite_id, created_by, created_on)"  # noqa: S608 – place holders only
            " select principal_id, %s, invite_id, %s, %s from last_invitations"
            f" where principal_id in ({_places(some)})"
            " on conflict (principal_id, room_id) do update set invite_id = excluded.invite_id,"
            " created_by = excluded.created_by, created_on = excluded.created_on",
            (room_id, stamp.actor, stamp.now, *some),
        )
    return numbers


async def withdraw(txn: ITransaction, room_id: int, principal_ids: Iterable[int]) -> None:
    """Take back invitations to a room; their numbers are not given again.

    Args:
        txn: The transaction of the change that took the membership away.
        room_id: The room.
        principal_ids: Whose.
    """
    for some in _pieces(principal_ids):
        await txn.run(
            f"delete from invitations where room_id = %s and principal_id in ({_places(some)})",  # noqa: S608 – place holders only
            (room_id, *some),
        )


async def count(txn: ITransaction) -> int:
    """Count the live invitations of everybody (L-10)."""
    return int((await txn.query("select count(*) from invitations"))[0][0])


async def invitations_after(txn: ITransaction, principal_id: int, since: int, most: int) -> InvitationPage:
    """Read a user's invitations that have a higher number than the last one his client knows.

    Args:
        txn: The transaction.
        principal_id: The user.
        since: The number that the client knows.
        most: The most that are wanted.

    Returns:
        The oldest of them, in order, and the last number there is.
    """
    rows = await txn.query(
        "select invite_id, room_id, created_on from invitations"
        " where principal_id = %s and invite_id > %s order by invite_id limit %s",
        (principal_id, since, most),
    )
    last = await txn.query("select invite_id from last_invitations where principal_id = %s", (principal_id,))
    return InvitationPage([Invitation(*row) for row in rows], last[0][0] if last else BEFORE_THE_FIRST)


def _pieces(principal_ids: Iterable[int]) -> Iterator[Sequence[int]]:
    # Each once: a statement may touch a row only once. In order: writers then never wait in a ring.
    people = sorted(set(principal_ids))
    for start in range(0, len(people), _PEOPLE_AT_ONCE):
        yield people[start : start + _PEOPLE_AT_ONCE]


def _places(values: Sequence[int]) -> str:
    return ", ".join(["%s"] * len(values))
