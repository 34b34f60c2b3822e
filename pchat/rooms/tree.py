"""The node tree in memory: root, categories, rooms, and the ways to find them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence, Set

from pchat.rooms.category import Category
from pchat.rooms.names import fold
from pchat.rooms.room import Privacy, Room
from pchat.store.rooms import CategoryRecord, NodeChange, RoomRecord

ROOM_SCHEME = "ma-chan://"
CATEGORY_SCHEME = "ma-cat://"


class NodeTree:
    """All categories and rooms of the pool; it holds exactly what the store holds at `revision`.

    Args:
        domain: The SIP domain that stands in the URIs of nodes.

    Source: docs/spec/persistent-chat-server.md section 2.1.
    """

    def __init__(self, domain: str) -> None:
        self.domain = domain.lower()
        #: The root cannot be edited, so it needs no row: every server of the domain derives the same one.
        self.root_guid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{CATEGORY_SCHEME}{self.domain}"))
        self.root_uri = self.category_uri(self.root_guid)
        self.revision = 0
        #: Entries in all scopes and role lists, counted as they come and go.
        self.entries = 0
        self._categories: dict[int, Category] = {}
        self._categories_by_guid: dict[str, Category] = {}
        self._rooms: dict[int, Room] = {}
        self._rooms_by_guid: dict[str, Room] = {}
        self._by_name: dict[str, Category | Room] = {}
        self._in_category: dict[int, set[Room]] = {}
        self._open_in: dict[int, set[Room]] = {}
        self._naming: dict[int, set[Room]] = {}
        #: All rooms in the order of their names; None when a name has changed since.
        self._sorted: Sequence[Room] | None = None

    def room_uri(self, guid: str) -> str:
        """Write the URI of a room."""
        return f"{ROOM_SCHEME}{self.domain}/{guid}"

    def category_uri(self, guid: str) -> str:
        """Write the URI of a category."""
        return f"{CATEGORY_SCHEME}{self.domain}/{guid}"

    def load(self, whole: NodeChange) -> None:
        """Take over the whole tree from the store; nodes already known keep their objects."""
        categories = {record.category_id for record in whole.categories}
        rooms = {record.room_id for record in whole.rooms}
        for number in [number for number in self._rooms if number not in rooms]:
            self._forget_room(number)
        self._apply(whole)
        for number in [number for number in self._categories if number not in categories]:
            self._forget_category(number)

    def apply(self, change: NodeChange) -> None:
        """Take over a change after its commit; changes come in the order of their revisions."""
        for number in change.removed_rooms:
            self._forget_room(number)
        self._apply(change)
        for number in change.removed_categories:
            self._forget_category(number)

    def _apply(self, change: NodeChange) -> None:
        for category_record in change.categories:
            self._apply_category(category_record)
        for room_record in change.rooms:
            self._apply_room(room_record)
        self.revision = change.revision

    def _apply_category(self, record: CategoryRecord) -> None:
        category = self._categories.get(record.category_id)
        if category is None:
            category = Category(record.category_id, record.guid, self.category_uri(record.guid), record.name)
            self._categories[category.id] = category
            self._categories_by_guid[category.guid] = category
            self._in_category[category.id] = set()
            self._open_in[category.id] = set()
        self._forget_name(category)
        self.entries -= _scope_entries(category)
        category.take_over(record)
        self.entries += _scope_entries(category)
        self._by_name[fold(category.name)] = category

    def _apply_room(self, record: RoomRecord) -> None:
        category = self._categories[record.category_id]
        room = self._rooms.get(record.room_id)
        if room is None:
            room = Room(record.room_id, record.guid, self.room_uri(record.guid), category, record.name)
            room.last_chat_id = record.last_chat_id
            self._rooms[room.id] = room
            self._rooms_by_guid[room.guid] = room
        self._unlink_room(room)
        before = room.name_folded
        room.take_over(record, category)
        self.entries += _role_entries(room)
        if room.name_folded != before:
            self._sorted = None
        self._by_name[room.name_folded] = room
        self._in_category[category.id].add(room)
        if room.privacy is Privacy.OPEN:
            self._open_in[category.id].add(room)
        for principal in room.members | room.managers | room.presenters:
            self._naming.setdefault(principal, set()).add(room)

    def _unlink_room(self, room: Room) -> None:
        self._forget_name(room)
        self.entries -= _role_entries(room)
        self._in_category[room.category.id].discard(room)
        self._open_in[room.category.id].discard(room)
        for principal in room.members | room.managers | room.presenters:
            named_in = self._naming.get(principal)
            if named_in is not None:
                named_in.discard(room)
                if not named_in:
                    del self._naming[principal]

    def _forget_name(self, node: Category | Room) -> None:
        # A load may give the old name of this node to another one before this node gets its new name.
        if self._by_name.get(fold(node.name)) is node:
            del self._by_name[fold(node.name)]

    def _forget_room(self, number: int) -> None:
        room = self._rooms.pop(number)
        del self._rooms_by_guid[room.guid]
        self._sorted = None
        self._unlink_room(room)

    def _forget_category(self, number: int) -> None:
        category = self._categories.pop(number)
        del self._categories_by_guid[category.guid]
        del self._in_category[number]
        del self._open_in[number]
        self._forget_name(category)
        self.entries -= _scope_entries(category)

    def rooms(self) -> Iterator[Room]:
        """Go through all rooms, disabled ones too, by number."""
        return (self._rooms[number] for number in sorted(self._rooms))

    def categories(self) -> Iterator[Category]:
        """Go through all categories by number."""
        return (self._categories[number] for number in sorted(self._categories))

    def room_by_id(self, number: int) -> Room | None:
        """Find a room by its number in the store."""
        return self._rooms.get(number)

    def room(self, domain: str, guid: str) -> Room | None:
        """Find a room by the two parts of its URI, in any case; None for a foreign domain."""
        if domain.lower() != self.domain:
            return None
        return self._rooms_by_guid.get(guid.lower())

    def room_by_uri(self, uri: str) -> Room | None:
        """Find a room by its ``ma-chan://`` URI, in any case."""
        parts = _split(uri, ROOM_SCHEME)
        return self.room(*parts) if parts else None

    def category_by_uri(self, uri: str) -> Category | None:
        """Find a category by its ``ma-cat://`` URI, in any case; the root is none."""
        parts = _split(uri, CATEGORY_SCHEME)
        if not parts or parts[0].lower() != self.domain:
            return None
        return self._categories_by_guid.get(parts[1].lower())

    def room_by_name(self, name: str) -> Room | None:
        """Find a room by its name, whatever its case and normal form."""
        node = self._by_name.get(fold(name.strip()))
        return node if isinstance(node, Room) else None

    def category_by_name(self, name: str) -> Category | None:
        """Find a category by its name, whatever its case and normal form."""
        node = self._by_name.get(fold(name.strip()))
        return node if isinstance(node, Category) else None

    def name_taken(self, name: str) -> Category | Room | None:
        """Tell which room or category has a name; the pool has each name once (M-3)."""
        return self._by_name.get(fold(name))

    def rooms_in(self, category: Category) -> Sequence[Room]:
        """Tell the rooms of a category, by number."""
        return sorted(self._in_category[category.id], key=_number)

    def open_rooms_in(self, category: Category) -> Set[Room]:
        """Tell the open rooms of a category; not to be changed, nor kept."""
        return self._open_in[category.id]

    def rooms_by_name(self) -> Sequence[Room]:
        """Tell all rooms, disabled ones too, in the order of their folded names."""
        if self._sorted is None:
            self._sorted = sorted(self._rooms.values(), key=_name)
        return self._sorted

    def rooms_naming(self, principals: Iterable[int]) -> Sequence[Room]:
        """Tell the rooms that have any of some principals on a role list, by number."""
        found: set[Room] = set()
        for principal in principals:
            found |= self._naming.get(principal, set())
        return sorted(found, key=_number)

    def principals_named(self) -> Sequence[int]:
        """Tell every principal that stands on a role list of any room."""
        return sorted(self._naming)


def _number(room: Room) -> int:
    return room.id


def _name(room: Room) -> str:
    return room.name_folded


def _scope_entries(category: Category) -> int:
    return len(category.allowed) + len(category.denied) + len(category.creators)


def _role_entries(room: Room) -> int:
    return len(room.members) + len(room.managers) + len(room.presenters)


def _split(uri: str, scheme: str) -> tuple[str, str] | None:
    if uri[: len(scheme)].lower() != scheme:
        return None
    domain, slash, guid = uri[len(scheme) :].partition("/")
    return (domain, guid) if slash and guid else None
