"""Deciding on a change of a room: who may be on its lists then, what is written, what is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve

from pchat.rooms.access import Access
from pchat.rooms.committing import ChangeDesk, ChangeEvent, Subject
from pchat.rooms.guests import Guests
from pchat.rooms.role_lists import RoleRules, grants
from pchat.rooms.room import Role, Room
from pchat.rooms.room_plan import InvitationChange, Pairs, RoomPlan, RoomState, change_word
from pchat.rooms.room_words import changed, told

#: Whom a change puts on role lists, or on lists that it replaces.
Given = Mapping[Role, frozenset[int]]
#: What the audit log calls a change that compliance is told of by the word on the left.
ACTIONS = {"moved": "move", "disabled": "disable", "enabled": "enable", "changed": "change"}


class RoomPlanner:
    """Decides changes of rooms on what is in memory.

    Args:
        desk: Has what is decided on.
        access: Decides who is covered by a list and who may see a room.
        rules: Checks and settles role lists.

    Source: docs/spec/persistent-chat-server.md section 3.3 (P-2, P-3, P-10).
    """

    def __init__(self, desk: ChangeDesk, access: Access, rules: RoleRules) -> None:
        self._desk = desk
        self._rules = rules
        self._guests = Guests(access, desk.directory, desk.pause)

    def settled(self, room: Room, wanted: RoomState, given: Given) -> RoomState:
        """Refuse whoever may not be on a list, and drop who only may not stay there.

        Args:
            room: The room as it is.
            wanted: What somebody wants it to be.
            given: Whom he puts on lists; they must be in scope (P-2) and presenters be members (P-3). Others
                are dropped where the room becomes narrower (P-10).

        Raises:
            AdministrationRefused: Somebody who is given may not be where he is put.
        """
        for role in Role:
            named = sorted(given.get(role, ()))
            known = [who for number in named if (who := self._desk.directory.by_id(number)) is not None]
            if known:
                self._rules.check_grant(role, known, wanted.shape, wanted.lists)
        now = RoomState.of(room)
        if wanted.shape != now.shape:
            lists = self._rules.settled(wanted.lists, wanted.shape)
        elif now.lists.members - wanted.lists.members:
            lists = self._rules.with_fitting_presenters(wanted.lists, wanted.shape)
        else:
            # Nobody's standing is worse than before: long lists are not gone through again.
            lists = wanted.lists
        return evolve(wanted, lists=lists)

    async def planned(
        self, actor: str, room: Room, after: RoomState, purged: Pairs
    ) -> tuple[Subject, RoomPlan]:
        """Write down what is to be done, and what compliance and the audit log are told of it.

        Args:
            actor: Who does it.
            room: The room as it is.
            after: What becomes of it.
            purged: Grants that go without being named.
        """
        before, uri_of = RoomState.of(room), self._desk.directory.uri_of
        old, new = changed(self._told(before), self._told(after))
        added = sorted(after.lists.pairs() - before.lists.pairs())
        removed = sorted(before.lists.pairs() - after.lists.pairs())
        only_roles = bool(added or removed) and not new
        # What P-3 takes from somebody together with his membership is part of taking that.
        narrowed = purged if before.shape != after.shape else ()
        subject = Subject.of(
            "role" if only_roles else "room",
            room,
            ACTIONS[change_word(new)],
            old | grants(removed, uri_of),
            new | grants(added, uri_of),
        )
        plan = RoomPlan(
            fields=None if only_roles else after.fields,
            added=added,
            removed=removed,
            purged=bool(narrowed),
            invitations=await self._invitations(room, before, after),
            events=tuple(self._events(actor, room, (old, new), (added, removed), narrowed)),
        )
        return subject, plan

    def _told(self, state: RoomState) -> dict[str, Any]:
        return told(state.fields, state.category, self._desk.addins)

    def _events(
        self,
        actor: str,
        room: Room,
        attributes: tuple[Mapping[str, Any], Mapping[str, Any]],
        roles: tuple[Pairs, Pairs],
        narrowed: Pairs,
    ) -> Iterator[ChangeEvent]:
        uri_of = self._desk.directory.uri_of
        (old, new), (added, removed) = attributes, roles
        word = change_word(new)
        if new:
            detail = {"change": word, "before": old, "after": new}
            yield self._desk.event("room_change", actor, detail, room)
        named = [pair for pair in removed if pair not in set(narrowed)]
        if added or named:
            detail = {"added": grants(added, uri_of), "removed": grants(named, uri_of)}
            yield self._desk.event("role_change", actor, detail, room)
        if narrowed:
            detail = {"added": {}, "removed": grants(narrowed, uri_of), "reason": word}
            yield self._desk.event("role_change", actor, detail, room)

    async def _invitations(self, room: Room, before: RoomState, after: RoomState) -> InvitationChange:
        return InvitationChange(
            invited=await self._guests.invited(room, after.on(room)),
            withdrawn=await self._guests.withdrawn(before.lists.members, after.lists.members),
            limit=self._desk.settings.invitation_limit,
        )
