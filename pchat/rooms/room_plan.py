"""What a change makes of a room: decided whole in memory, carried out in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from pchat.errors import AdministrationRefused
from pchat.interfaces import ITransaction
from pchat.rooms.category import Category
from pchat.rooms.committing import ChangeEvent, Touched
from pchat.rooms.role_lists import RoleLists, RoomShape
from pchat.rooms.room import Behavior, Privacy, Room
from pchat.rooms.room_words import fields_of
from pchat.store.changes import Stamp
from pchat.store.indexing import forget_words
from pchat.store.invitations import count, invite, withdraw
from pchat.store.rooms import RoomFields, change_roles, delete_room, insert_room, update_room
from pchat.xccos.codes import ResponseCode

Pairs = Sequence[tuple[str, int]]


@frozen
class RoomState:
    """A room as it is, or as somebody wants it to be."""

    fields: RoomFields
    category: Category
    lists: RoleLists

    @classmethod
    def of(cls, room: Room) -> RoomState:
        """Take a room as it is."""
        return cls(fields_of(room), room.category, RoleLists.of(room))

    @property
    def shape(self) -> RoomShape:
        """What decides who may be on its lists."""
        return RoomShape(self.category, Privacy(self.fields.privacy), Behavior(self.fields.behavior))

    def on(self, room: Room) -> Room:
        """Make a copy of the room that is like this, to ask `pchat.rooms.access` about."""
        return evolve(
            room,
            category=self.category,
            privacy=Privacy(self.fields.privacy),
            behavior=Behavior(self.fields.behavior),
            invitations=self.fields.invitations,
            disabled=self.fields.disabled,
            members=self.lists.members,
            managers=self.lists.managers,
            presenters=self.lists.presenters,
        )


@frozen
class InvitationChange:
    """Whose invitations come and go with a change of a member list: numbers of users.

    Args:
        invited: Who is to be invited.
        withdrawn: Whose invitations are taken back.
        limit: How many invitations the pool may have.
    """

    invited: Sequence[int] = ()
    withdrawn: Sequence[int] = ()
    limit: int = 0


@frozen
class RoomPlan:
    """A decided change of a room.

    Args:
        fields: Its attributes; None if they stay.
        added, removed: Grants that come and go, as pairs of role and principal.
        purged: Whether some go because the room or its scope became narrower.
        invitations: What becomes of invitations.
        events: What compliance is told.
    """

    fields: RoomFields | None
    added: Pairs
    removed: Pairs
    purged: bool = False
    invitations: InvitationChange = InvitationChange()
    events: tuple[ChangeEvent, ...] = ()


async def insert(
    txn: ITransaction,
    stamp: Stamp,
    guid: str,
    fields: RoomFields,
    roles: Pairs,
    events: tuple[ChangeEvent, ...],
) -> Touched:
    """Store a new room with the roles that it begins with; transaction body."""
    number = await insert_room(txn, guid, fields, stamp)
    if roles:
        await change_roles(txn, number, roles, (), stamp)
    return Touched(rooms=[number], events=tuple(evolve(event, room_id=number) for event in events))


async def carry_out(txn: ITransaction, stamp: Stamp, number: int, plan: RoomPlan) -> Touched:
    """Store a planned change; transaction body."""
    if plan.fields is not None:
        await update_room(txn, number, plan.fields, stamp)
    if plan.added or plan.removed:
        await change_roles(txn, number, plan.added, plan.removed, stamp, purged=plan.purged)
    if plan.invitations.withdrawn:
        await withdraw(txn, number, plan.invitations.withdrawn)
    invited = await _invite(txn, stamp, number, plan.invitations) if plan.invitations.invited else {}
    return Touched(rooms=[number], events=plan.events, invited=invited)


async def _invite(
    txn: ITransaction, stamp: Stamp, number: int, change: InvitationChange
) -> Mapping[int, int]:
    invited = await invite(txn, stamp, number, change.invited)
    if await count(txn) > change.limit:
        raise AdministrationRefused(
            ResponseCode.ERROR_LIMIT_EXCEEDED,
            f"{len(invited)} people would be invited, and the pool may have {change.limit} invitations"
            " (invitation-limit); switch invitations off for the room, or raise the limit",
        )
    return invited


async def delete(txn: ITransaction, stamp: Stamp, number: int, event: ChangeEvent) -> Touched:
    """Delete a room with all that names it; transaction body."""
    await forget_words(txn, number)
    await delete_room(txn, number)
    return Touched(rooms=[number], events=(event,))


def change_word(after: Mapping[str, Any]) -> str:
    """Name a change for people: ``moved``, ``disabled``, ``enabled``, or ``changed`` for everything else.

    Args:
        after: The attributes that changed, as words.
    """
    if set(after) == {"disabled"}:
        return "disabled" if after["disabled"] else "enabled"
    return "moved" if set(after) == {"category", "category_name"} else "changed"
