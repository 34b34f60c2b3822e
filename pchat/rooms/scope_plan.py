"""What a change makes of a category and of the rooms in it, carried out in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from pchat.interfaces import ITransaction
from pchat.rooms.committing import ChangeEvent, Touched
from pchat.rooms.new_domains import insert_domains, numbered
from pchat.store.changes import Stamp
from pchat.store.invitations import withdraw
from pchat.store.people import NewPrincipal
from pchat.store.rooms import (
    CategoryFields,
    change_roles,
    change_scope,
    delete_category,
    insert_category,
    update_category,
)

Pairs = Sequence[tuple[str, int]]


@frozen
class Purge:
    """What rooms lose because their category's scope becomes narrower.

    Args:
        roles: Roles and principals, by number of room.
        invitations: Users whose invitations are taken back, by number of room.
        events: What compliance is told.
    """

    roles: Mapping[int, Pairs] = field(factory=dict)
    invitations: Mapping[int, Sequence[int]] = field(factory=dict)
    events: tuple[ChangeEvent, ...] = ()


@frozen
class ScopeChange:
    """What is put on and taken from the lists of a category, and what follows from it.

    Args:
        added, removed: Pairs of list, as the store names it, and principal.
        events: What compliance is told.
        purge: What rooms lose.
        purged: Whether anybody lost a role, or the right to create, that was not named.
        domains: Domains that the change makes known, by the numbers that stand for them.
    """

    added: Pairs = ()
    removed: Pairs = ()
    events: tuple[ChangeEvent, ...] = ()
    purge: Purge = Purge()
    purged: bool = False
    domains: Mapping[int, NewPrincipal] = field(factory=dict)


async def insert(
    txn: ITransaction, stamp: Stamp, guid: str, fields: CategoryFields, scope: ScopeChange
) -> Touched:
    """Store a new category with its lists; transaction body."""
    domains = await insert_domains(txn, stamp, scope.domains)
    number = await insert_category(txn, guid, fields, stamp)
    await change_scope(txn, number, numbered(scope.added, domains), (), stamp)
    return Touched([number], principals=domains.values(), events=scope.events)


async def carry_out(
    txn: ITransaction, stamp: Stamp, number: int, fields: CategoryFields, scope: ScopeChange
) -> Touched:
    """Store a planned change; transaction body."""
    domains = await insert_domains(txn, stamp, scope.domains)
    await update_category(txn, number, fields, stamp)
    added = numbered(scope.added, domains)
    await change_scope(txn, number, added, scope.removed, stamp, purged=scope.purged)
    for room_id, pairs in scope.purge.roles.items():
        await change_roles(txn, room_id, (), pairs, stamp, purged=True)
    for room_id, users in scope.purge.invitations.items():
        await withdraw(txn, room_id, users)
    events = (*scope.events, *scope.purge.events)
    return Touched([number], scope.purge.roles, domains.values(), events=events)


async def delete(txn: ITransaction, stamp: Stamp, number: int, events: tuple[ChangeEvent, ...]) -> Touched:
    """Delete a category that has no rooms; transaction body."""
    await delete_category(txn, number)
    return Touched(categories=[number], events=events)
