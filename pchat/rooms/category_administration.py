"""Categories: their names, their switches and, above all, their scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pchat.directory.people import Principal
from pchat.errors import AdministrationRefused
from pchat.rooms.access import Access
from pchat.rooms.category import Category
from pchat.rooms.committing import ChangeDesk, Subject
from pchat.rooms.entry_limit import check_entries
from pchat.rooms.names import check_description, check_name, fold
from pchat.rooms.new_domains import NewDomains
from pchat.rooms.people_queries import PeopleQueries
from pchat.rooms.role_lists import RoleRules, grants
from pchat.rooms.room_words import changed
from pchat.rooms.scope import ScopeLists
from pchat.rooms.scope_plan import ScopeChange, carry_out, delete, insert
from pchat.rooms.scope_planning import ScopePlanner, scope_told
from pchat.rooms.shown import Shown, category_shown, removed_shown
from pchat.store.rooms import CategoryFields
from pchat.xccos.codes import ResponseCode

#: The lists of a category as the store names them, and as everybody else does.
LIST_NAMES = {"allow": "allowed_members", "deny": "denied_members", "create": "creators"}


def unknown_category(text: str) -> AdministrationRefused:
    """Make the refusal for a category that does not exist, or that somebody may not know."""
    return AdministrationRefused(ResponseCode.ERROR_NO_SUCH_NODE, f"there is no category {text[:80]!r}")


def taken(name: str) -> AdministrationRefused:
    """Make the refusal of a name that another room or category has."""
    return AdministrationRefused(
        ResponseCode.ERROR_DUPLICATE_NAME, f"another room or category has the name {name!r}"
    )


class CategoryAdministration:
    """The verbs of ``pchatctl category``.

    Args:
        desk: Commits the changes.
        people: Finds principals.
        access: Decides who is in scope.
        rules: Tells which roles a narrowed scope takes away.

    Source: docs/spec/persistent-chat-server.md sections 2.2 and 3.3 (P-2, P-11).
    """

    def __init__(self, desk: ChangeDesk, people: PeopleQueries, access: Access, rules: RoleRules) -> None:
        self._desk = desk
        self._people = people
        self._access = access
        self._planner = ScopePlanner(desk, access, rules)

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

        Returns:
            The category, and as ``new_domains`` the domains that nobody named before.

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
            self._planner.check_creators(lists, Category(0, "", "", fields.name), domains)
            check_entries(self._desk.tree, self._desk.settings, len(lists))
            guid = self._desk.new_guid()
            uri = self._desk.tree.category_uri(guid)
            added = grants(lists.pairs(), domains.uri)
            detail = scope_told(uri, fields.name, "created", added=added)
            event = self._desk.event("scope_change", actor, detail)
            scope = ScopeChange(sorted(lists.pairs()), events=(event,), domains=domains.records())
            subject = Subject("category", uri, "add", after=_told(fields) | _lists_told(added))
            await self._desk.commit(subject, actor, insert, guid, fields, scope)
            return self.show_category(fields.name) | {"new_domains": domains.names()}

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
            The category, as ``removed`` the role entries that were taken away without being named, and as
            ``new_domains`` the domains that nobody named before.

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
            lost = frozenset[int]()
            if creators is None:
                lists = self._planner.without_lost_creators(lists, category, domains)
                lost = category.creators - lists.creators
            else:
                self._planner.check_creators(lists, category, domains)
            scope = await self._planner.planned(actor, category, lists, domains, lost)
            creators_lost = removed_shown(category, [("creator", one) for one in lost], self._desk.directory)
            roles_lost = await self._commit_change(actor, category, fields, lists, scope)
            told = {"removed": creators_lost + roles_lost, "new_domains": domains.names()}
            return self._shown(category) | told

    async def _commit_change(
        self,
        actor: str,
        category: Category,
        fields: CategoryFields,
        lists: ScopeLists,
        scope: ScopeChange,
    ) -> list[Shown]:
        before, was = ScopeLists.of(category), _fields_of(category)
        check_entries(self._desk.tree, self._desk.settings, len(lists) - len(before))
        subject = self._subject(category, was, fields, scope)
        if not (subject.before or subject.after):
            return []
        await self._desk.commit(subject, actor, carry_out, category.id, fields, scope)
        rooms = self._desk.tree.rooms_in(category)
        if before.allowed - lists.allowed or lists.denied - before.denied:
            self._desk.tell("rights_narrowed", rooms)
        if (before.allowed, before.denied) != (category.allowed, category.denied):
            self._desk.tell("rights_changed", rooms)
        if _inherited(was) != _inherited(fields):
            for room in rooms:
                self._desk.tell("room_changed", room)
        return [
            entry
            for room in rooms
            if room.id in scope.purge.roles
            for entry in removed_shown(room, scope.purge.roles[room.id], self._desk.directory)
        ]

    def _subject(
        self, category: Category, was: CategoryFields, fields: CategoryFields, scope: ScopeChange
    ) -> Subject:
        old, new = changed(_told(was), _told(fields))
        uri_of = self._desk.directory.uri_of
        gone = _lists_told(grants(scope.removed, uri_of))
        names = {number: domain.uri for number, domain in scope.domains.items()}
        come = _lists_told(grants(scope.added, lambda number: names.get(number) or uri_of(number)))
        return Subject.of("category", category, "change", old | gone, new | come)

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
            event = self._desk.event(
                "scope_change", actor, scope_told(category.uri, category.name, "removed")
            )
            held = grants(ScopeLists.of(category).pairs(), self._desk.directory.uri_of)
            before = _told(_fields_of(category)) | _lists_told(held)
            subject = Subject.of("category", category, "remove", before)
            await self._desk.commit(subject, actor, delete, category.id, (event,))

    # -- rules

    def _check_free(self, name: str, own: Category | None = None) -> None:
        holder = self._desk.tree.name_taken(name)
        if holder is not None and holder is not own:
            raise taken(name)

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


def _fields_of(category: Category) -> CategoryFields:
    return CategoryFields(
        name=category.name,
        name_folded=fold(category.name),
        description=category.description,
        invitations=category.invitations,
        file_upload=category.file_upload,
        logged=category.logged,
    )


def _inherited(fields: CategoryFields) -> tuple[bool, bool, bool]:
    return fields.invitations, fields.file_upload, fields.logged


def _told(fields: CategoryFields) -> dict[str, Any]:
    """Write the attributes for the audit log."""
    return {
        "name": fields.name,
        "description": fields.description,
        "invitations": fields.invitations,
        "file_upload": fields.file_upload,
        "chat_history": fields.logged,
    }


def _lists_told(granted: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Write entries of lists for the audit log."""
    return {LIST_NAMES[name]: uris for name, uris in granted.items()}
