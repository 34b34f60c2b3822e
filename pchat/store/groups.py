"""SQL of groups: their names, and who belongs to them directly."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from pchat.interfaces import ITransaction
from pchat.store.changes import Stamp


@frozen
class GroupRecord:
    """Who belongs to one group directly: numbers of users and of other groups."""

    group_id: int
    members: frozenset[int]


async def load_groups(txn: ITransaction) -> tuple[GroupRecord, ...]:
    """Read all groups that have members."""
    members: dict[int, set[int]] = {}
    for group, member in await txn.query("select group_id, member_id from group_members"):
        members.setdefault(group, set()).add(member)
    return tuple(GroupRecord(group, frozenset(numbers)) for group, numbers in members.items())


async def group_record(txn: ITransaction, group_id: int) -> GroupRecord:
    """Read one group, also one that has no members."""
    rows = await txn.query("select member_id from group_members where group_id = %s", (group_id,))
    return GroupRecord(group_id, frozenset(number for (number,) in rows))


async def set_group(
    txn: ITransaction, group_id: int, name: str, name_folded: str, description: str, stamp: Stamp
) -> None:
    """Replace the name and the description of a group."""
    await txn.run(
        "update principals set name = %s, name_folded = %s, description = %s,"
        " updated_by = %s, updated_on = %s where principal_id = %s",
        (name, name_folded, description, stamp.actor, stamp.now, group_id),
    )


async def change_members(
    txn: ITransaction, group_id: int, added: Iterable[int], removed: Iterable[int], stamp: Stamp
) -> None:
    """Add to and take from the members of a group, and stamp the group as changed.

    Args:
        txn: The transaction.
        group_id: The group.
        added, removed: Numbers of users and of other groups.
        stamp: Who does it, and when.
    """
    await txn.run_many(
        "delete from group_members where group_id = %s and member_id = %s",
        [(group_id, member) for member in removed],
    )
    await txn.run_many(
        "insert into group_members (group_id, member_id, granted_by, granted_on) values (%s, %s, %s, %s)",
        [(group_id, member, stamp.actor, stamp.now) for member in added],
    )
    await txn.run(
        "update principals set updated_by = %s, updated_on = %s where principal_id = %s",
        (stamp.actor, stamp.now, group_id),
    )
