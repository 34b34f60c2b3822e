"""Deciding on a change of a scope: who may be a creator, and who loses roles in the rooms of the category."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from pchat.errors import AdministrationRefused
from pchat.rooms.access import Access
from pchat.rooms.category import Category
from pchat.rooms.committing import ChangeDesk
from pchat.rooms.guests import Guests
from pchat.rooms.new_domains import NewDomains
from pchat.rooms.role_lists import RoleLists, RoleRules, RoomShape, grants
from pchat.rooms.room import Room
from pchat.rooms.scope import ScopeLists
from pchat.rooms.scope_plan import Pairs, Purge, ScopeChange
from pchat.xccos.codes import ResponseCode


class ScopePlanner:
    """Decides changes of scopes on what is in memory.

    Args:
        desk: Has what is decided on.
        access: Decides who is in scope.
        rules: Tells which roles a narrowed scope takes away.

    Source: docs/spec/persistent-chat-server.md section 3.3 (P-2, P-11).
    """

    def __init__(self, desk: ChangeDesk, access: Access, rules: RoleRules) -> None:
        self._desk = desk
        self._access = access
        self._rules = rules
        self._guests = Guests(access, desk.directory, desk.pause)

    def check_creators(self, lists: ScopeLists, category: Category, domains: NewDomains) -> None:
        """Refuse creators that are outside the scope (P-2).

        Raises:
            AdministrationRefused: There are such.
        """
        outside = self._outside(lists.creators, domains.spelt_out(lists).on(category))
        if outside:
            raise AdministrationRefused(
                ResponseCode.ERROR_PRINCIPALS_NOT_IN_SCOPE,
                f"{min(map(domains.uri, outside))} cannot be a creator: not among those allowed, or denied",
            )

    def without_lost_creators(self, lists: ScopeLists, category: Category, domains: NewDomains) -> ScopeLists:
        """Drop the creators that are outside the scope."""
        lost = self._outside(lists.creators, domains.spelt_out(lists).on(category))
        return evolve(lists, creators=lists.creators - lost)

    async def planned(
        self,
        actor: str,
        category: Category,
        lists: ScopeLists,
        domains: NewDomains,
        lost_creators: frozenset[int],
    ) -> ScopeChange:
        """Write down what is to be done with lists, and what compliance is told of it.

        Args:
            actor: Who does it.
            category: The category as it is.
            lists: What its lists become.
            domains: Domains that the change makes known.
            lost_creators: Those of the creators that go without being named.
        """
        before = ScopeLists.of(category).pairs()
        added, removed = sorted(lists.pairs() - before), sorted(before - lists.pairs())
        if not added and not removed:
            return ScopeChange()
        detail = scope_told(
            category.uri,
            category.name,
            "changed",
            added=grants(added, domains.uri),
            removed=grants(removed, domains.uri),
        )
        event = self._desk.event("scope_change", actor, detail)
        purge = await self._purge(actor, category, domains.spelt_out(lists).on(category))
        purged = bool(purge.roles or lost_creators)
        return ScopeChange(added, removed, (event,), purge, purged, domains.records())

    async def _purge(self, actor: str, category: Category, proposed: Category) -> Purge:
        roles: dict[int, Pairs] = {}
        invitations: dict[int, list[int]] = {}
        events = []
        # Looking at people first: a category may have 30 000 rooms, and few people fall out of its scope.
        tree, uri_of = self._desk.tree, self._desk.directory.uri_of
        for room in tree.rooms_naming(self._outside(tree.principals_named(), proposed)):
            if room.category is not category:
                continue
            held, kept = RoleLists.of(room), self._kept(room, proposed)
            if held == kept:
                continue
            roles[room.id] = lost = sorted(held.pairs() - kept.pairs())
            users = await self._guests.withdrawn(held.members, kept.members)
            if users:
                invitations[room.id] = users
            detail = {"added": {}, "removed": grants(lost, uri_of), "reason": "scope"}
            events.append(self._desk.event("role_change", actor, detail, room))
        return Purge(roles, invitations, tuple(events))

    def _kept(self, room: Room, proposed: Category) -> RoleLists:
        return self._rules.settled(RoleLists.of(room), evolve(RoomShape.of(room), category=proposed))

    def _outside(self, numbers: Iterable[int], proposed: Category) -> frozenset[int]:
        return frozenset(number for number in numbers if not self._inside(number, proposed))

    def _inside(self, number: int, proposed: Category) -> bool:
        if number < 0:  # a new domain is part of nothing but itself
            return number in proposed.allowed and number not in proposed.denied
        principal = self._desk.directory.by_id(number)
        return principal is not None and self._access.in_scope(principal, proposed)


def scope_told(
    uri: str,
    name: str,
    change: str,
    *,
    added: Mapping[str, list[str]] | None = None,
    removed: Mapping[str, list[str]] | None = None,
) -> dict[str, Any]:
    """Write a change of a scope for compliance.

    Args:
        uri, name: The category.
        change: ``created``, ``changed`` or ``removed``.
        added, removed: Principals that came and went, by list; None if the whole category went.
    """
    told: dict[str, Any] = {"category": uri, "name": name, "change": change}
    return told if added is None else told | {"added": added, "removed": removed or {}}
