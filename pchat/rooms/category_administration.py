"""Categories: their names, their switches and, above all, their scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from pchat.directory.people import Principal
from pchat.errors import AdministrationRefused
from pchat.interfaces import ITransaction
from pchat.rooms.access import Access
from pchat.rooms.category import Category
from pchat.rooms.committing import ChangeDesk, ChangeEvent, Subject, Touched
from pchat.rooms.names import check_description, check_name, fold
from pchat.rooms.new_domains import NewDomains, insert_domains, numbered
from pchat.rooms.people_administration import PeopleAdministration
from pchat.rooms.role_lists import RoleLists, RoleRules, RoomShape, grants
from pchat.rooms.room import Room
from pchat.rooms.scope import ScopeLists
from pchat.rooms.shown import Shown, category_shown, removed_shown
from pchat.store.changes import Stamp
from pchat.store.people import NewPrincipal
from pchat.store.rooms import (
    CategoryFields,
    change_roles,
    change_scope,
    delete_category,
    insert_category,
    update_category,
)
from pchat.xccos.codes import ResponseCode

Pairs = Sequence[tuple[str, int]]


@frozen
class Purge:
    """Roles that rooms lose, by number of room, and the events that tell of it."""

    roles: Mapping[int, Pairs]
    events: tuple[ChangeEvent, ...]


@frozen
class ScopeChange:
    """What is put on and taken from the lists of a category, and what follows from it."""

    added: Pairs
    removed: Pairs
    events: tuple[ChangeEvent, ...]
    purge: Purge = Purge({}, ())
    domains: Mapping[int, NewPrincipal] = field(factory=dict)


def unknown_category(text: str) -> AdministrationRefused:
    """Make the refusal for a category that does not exist, or that somebody may not know."""
    return AdministrationRefused(ResponseCode.ERROR_NO_SUCH_NODE, f"there is no category {text[:80]!r}")


def taken(name: str) -> AdministrationRefused:
    """Make the refusal of a name that another room or category has."""
    return AdministrationRefused(
        ResponseCode.ERROR_DUPLICATE_NAME, f"another room or category has the name {name!r}"
    )


async def _add(
    txn: ITransaction, stamp: Stamp, guid: str, fields: CategoryFields, scope: ScopeChange
) -> Touched:
    domains = await insert_domains(txn, stamp, scope.domains)
    number = await insert_category(txn, guid, fields, stamp)
    await change_scope(txn, number, numbered(scope.added, domains), (), stamp)
    return Touched([number], principals=domains.values(), events=scope.events)


async def _change(
    txn: ITransaction, stamp: Stamp, number: int, fields: CategoryFields, scope: ScopeChange
) -> Touched:
    domains = await insert_domains(txn, stamp, scope.domains)
    await update_category(txn, number, fields, stamp)
    await change_scope(txn, number, numbered(scope.added, domains), scope.removed, stamp)
    for room_id, pairs in scope.purge.roles.items():
        await change_roles(txn, room_id, (), pairs, stamp)
    events = (*scope.events, *scope.purge.events)
    return Touched([number], scope.purge.roles, domains.values(), events=events)


async def _remove(txn: ITransaction, stamp: Stamp, number: int, events: tuple[ChangeEvent, ...]) -> Touched:
    await delete_category(txn, number)
    return Touched(categories=[number], events=events)


class CategoryAdministration:
    """The verbs of ``pchatctl category``.

    Args:
        desk: Commits the changes.
        people: Finds principals.
        access: Decides who is in scope.
        rules: Tells which roles a narrowed scope takes away.

    Source: docs/spec/persistent-chat-server.md sections 2.2 and 3.3 (P-2, P-11).
    """

    def __init__(
        self, desk: ChangeDesk, people: PeopleAdministration, access: Access, rules: RoleRules
    ) -> None:
        self._desk = desk
        self._people = people
        self._access = access
        self._rules = rules

    # -- asking

    def found(self, text: str) -> Category | None:
        """Find a category by its name, its URI or its GUID, in any case; None if there is none."""
        tree = self._desk.tree
        return (
            tree.category_by_uri(text)
            or tree.category_by_name(text)
            or tree.category_by_uri(tree.category_uri(text.strip()))
        )

    def category(self, text: str) -> Category:
        """Find a category as `found` does.

        Raises:
            AdministrationRefused: There is none.
        """
        category = self.found(text)
        if category is None:
            raise unknown_category(text)
        return category

    def parent(self, text: str, user: Principal | None) -> Category:
        """Find a category that somebody may put a room into.

        Args:
            text: Its name, its URI or its GUID.
            user: He must be a creator there; None for an administrator.

        Raises:
            AdministrationRefused: There is none, it is the root, or the user may not. Who is outside its
                scope is told that there is none.

        Source: docs/spec/persistent-chat-server.md sections 2.1 and 3.3 (P-4, P-5).
        """
        if text.strip().lower() == self._desk.tree.root_uri:
            raise AdministrationRefused(
                ResponseCode.ERROR_NODE_HIERARCHY_VIOLATION, "rooms are in categories, not in the root"
            )
        category = self.category(text)
        if user is not None and not self._access.may_create(user, category):
            if not self._access.in_scope(user, category):
                raise unknown_category(text)
            raise AdministrationRefused(
                ResponseCode.ERROR_PERMISSION, f"only creators put rooms into {category.name!r}"
            )
        return category

    def list_categories(self) -> list[Shown]:
        """List all categories with their lists."""
        return [self._shown(category) for category in self._desk.tree.categories()]

    def show_category(self, text: str) -> Shown:
        """Show one category with its lists.

        Raises:
            AdministrationRefused: There is none.
        """
        return self._shown(self.category(text))

    def _shown(self, category: Category) -> Shown:
        return category_shown(category, len(self._desk.tree.rooms_in(category)), self._desk.directory)

    # -- changing

    async def add_category(
        self,
        actor: str,
        name: str,
        *,
        description: str = "",
        allowed: Iterable[str] = (),
        denied: Iterable[str] = (),
        creators: Iterable[str] = (),
        invitations: bool = False,
        file_upload: bool = False,
        chat_history: bool = True,
    ) -> Shown:
        """Make a category.

        Args:
            actor: Who does it.
            name: A name that no room and no other category has.
            description: One line.
            allowed, denied, creators: Addresses, groups or domains; nobody is in scope unless allowed.
            invitations: Whether members of its rooms are invited.
            file_upload: Whether files may be posted.
            chat_history: Whether messages are kept.

        Raises:
            AdministrationRefused: Name taken or bad, unknown principals, creators out of scope.
        """
        fields = _fields(
            name=name,
            description=description,
            invitations=invitations,
            file_upload=file_upload,
            logged=chat_history,
        )
        async with self._desk.lock:
            self._check_free(fields.name)
            domains = self._new_domains()
            lists = ScopeLists(*(self._numbers(texts, domains) for texts in (allowed, denied, creators)))
            self._check_creators(lists, Category(0, "", "", fields.name), domains)
            guid = self._desk.new_guid()
            uri = self._desk.tree.category_uri(guid)
            detail = {
                "category": uri,
                "name": fields.name,
                "change": "created",
                "added": grants(lists.pairs(), domains.uri),
                "removed": {},
            }
            event = self._desk.event("scope_change", actor, detail)
            scope = ScopeChange(sorted(lists.pairs()), (), (event,), domains=domains.records())
            await self._desk.commit(
                Subject("category", uri, "add", after=detail), actor, _add, guid, fields, scope
            )
            return self.show_category(fields.name)

    async def change_category(
        self,
        actor: str,
        text: str,
        *,
        name: str | None = None,
        description: str | None = None,
        allowed: Iterable[str] | None = None,
        denied: Iterable[str] | None = None,
        creators: Iterable[str] | None = None,
        invitations: bool | None = None,
        file_upload: bool | None = None,
        chat_history: bool | None = None,
    ) -> Shown:
        """Change a category; what is None stays as it is, a list replaces the whole list.

        A narrowed scope takes the roles of its rooms from those who fall out of it, and puts them out.

        Returns:
            The category, and as ``removed`` the role entries that were taken away without being named.

        Raises:
            AdministrationRefused: No such category, name taken or bad, unknown principals, creators out
                of scope.

        Source: docs/spec/persistent-chat-server.md section 3.3 (P-11).
        """
        async with self._desk.lock:
            category = self.category(text)
            fields = _fields(
                name=category.name if name is None else name,
                description=category.description if description is None else description,
                invitations=category.invitations if invitations is None else invitations,
                file_upload=category.file_upload if file_upload is None else file_upload,
                logged=category.logged if chat_history is None else chat_history,
            )
            self._check_free(fields.name, category)
            domains = self._new_domains()
            lists = ScopeLists(
                category.allowed if allowed is None else self._numbers(allowed, domains),
                category.denied if denied is None else self._numbers(denied, domains),
                category.creators if creators is None else self._numbers(creators, domains),
            )
            if creators is None:
                lists = self._without_lost_creators(lists, category, domains)
                lost = {("creator", number) for number in category.creators - lists.creators}
            else:
                self._check_creators(lists, category, domains)
                lost = set()
            removed = removed_shown(None, lost, self._desk.directory)
            removed += await self._commit_change(actor, category, fields, lists, domains)
            return self._shown(category) | {"removed": removed}

    async def _commit_change(
        self,
        actor: str,
        category: Category,
        fields: CategoryFields,
        lists: ScopeLists,
        domains: NewDomains,
    ) -> list[Shown]:
        before = ScopeLists.of(category)
        inherited = (category.invitations, category.file_upload, category.logged)
        scope = self._scope_change(actor, category, lists, domains)
        await self._desk.commit(
            Subject.of("category", category, "change"), actor, _change, category.id, fields, scope
        )
        rooms = self._desk.tree.rooms_in(category)
        if before.allowed - lists.allowed or lists.denied - before.denied:
            self._desk.tell("rights_narrowed", rooms)
        if inherited != (category.invitations, category.file_upload, category.logged):
            for room in rooms:
                self._desk.tell("room_changed", room)
        return [
            entry
            for room in rooms
            if room.id in scope.purge.roles
            for entry in removed_shown(room.uri, scope.purge.roles[room.id], self._desk.directory)
        ]

    def _scope_change(
        self, actor: str, category: Category, lists: ScopeLists, domains: NewDomains
    ) -> ScopeChange:
        before = ScopeLists.of(category).pairs()
        added, removed = sorted(lists.pairs() - before), sorted(before - lists.pairs())
        if not added and not removed:
            return ScopeChange((), (), ())
        detail = {
            "category": category.uri,
            "name": category.name,
            "change": "changed",
            "added": grants(added, domains.uri),
            "removed": grants(removed, domains.uri),
        }
        event = self._desk.event("scope_change", actor, detail)
        purge = self._purge(actor, category, domains.spelt_out(lists).on(category))
        return ScopeChange(added, removed, (event,), purge, domains.records())

    def _purge(self, actor: str, category: Category, proposed: Category) -> Purge:
        roles: dict[int, Pairs] = {}
        events = []
        # Looking at people first: a category may have 30 000 rooms, and few people fall out of its scope.
        tree = self._desk.tree
        for room in tree.rooms_naming(self._outside(tree.principals_named(), proposed)):
            lost = self._lost(room, proposed) if room.category is category else ()
            if lost:
                roles[room.id] = lost
                detail = {
                    "added": {},
                    "removed": grants(lost, self._desk.directory.uri_of),
                    "reason": "scope",
                }
                events.append(self._desk.event("role_change", actor, detail, room))
        return Purge(roles, tuple(events))

    def _lost(self, room: Room, proposed: Category) -> Pairs:
        held = RoleLists.of(room)
        kept = self._rules.settled(held, evolve(RoomShape.of(room), category=proposed))
        return sorted(held.pairs() - kept.pairs())

    async def remove_category(self, actor: str, text: str) -> None:
        """Remove a category that has no rooms (F-15).

        Raises:
            AdministrationRefused: No such category, or it has rooms.
        """
        async with self._desk.lock:
            category = self.category(text)
            rooms = len(self._desk.tree.rooms_in(category))
            if rooms:
                raise AdministrationRefused(
                    ResponseCode.ERROR_NODE_HIERARCHY_VIOLATION,
                    f"the category {category.name!r} has {rooms} rooms; move or remove them first",
                )
            detail = {"category": category.uri, "name": category.name, "change": "removed"}
            event = self._desk.event("scope_change", actor, detail)
            await self._desk.commit(
                Subject.of("category", category, "remove"), actor, _remove, category.id, (event,)
            )

    # -- rules

    def _check_free(self, name: str, own: Category | None = None) -> None:
        holder = self._desk.tree.name_taken(name)
        if holder is not None and holder is not own:
            raise taken(name)

    def _check_creators(self, lists: ScopeLists, category: Category, domains: NewDomains) -> None:
        outside = self._outside(lists.creators, domains.spelt_out(lists).on(category))
        if outside:
            raise AdministrationRefused(
                ResponseCode.ERROR_PRINCIPALS_NOT_IN_SCOPE,
                f"{min(map(domains.uri, outside))} cannot be a creator: not among those allowed, or denied",
            )

    def _without_lost_creators(
        self, lists: ScopeLists, category: Category, domains: NewDomains
    ) -> ScopeLists:
        lost = self._outside(lists.creators, domains.spelt_out(lists).on(category))
        return evolve(lists, creators=lists.creators - lost)

    def _outside(self, numbers: Iterable[int], proposed: Category) -> frozenset[int]:
        return frozenset(number for number in numbers if not self._inside(number, proposed))

    def _inside(self, number: int, proposed: Category) -> bool:
        if number < 0:  # a new domain is part of nothing but itself
            return number in proposed.allowed and number not in proposed.denied
        principal = self._desk.directory.by_id(number)
        return principal is not None and self._access.in_scope(principal, proposed)

    def _new_domains(self) -> NewDomains:
        return NewDomains(self._desk.directory, self._desk.new_guid)

    def _numbers(self, texts: Iterable[str], domains: NewDomains) -> frozenset[int]:
        # An empty text empties a list: ``--deny ''``.
        return self._people.numbers([text for text in texts if text.strip()], domains)


def _fields(*, name: str, description: str, **switches: Any) -> CategoryFields:
    checked = check_name(name, "category")
    return CategoryFields(
        name=checked, name_folded=fold(checked), description=check_description(description), **switches
    )
