"""A channel service's memory and store for tests of its rules, without any network."""

from __future__ import annotations

import random
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal
from pchat.interfaces import Body, ITransaction
from pchat.rooms.access import Access
from pchat.rooms.administration import Administration
from pchat.rooms.category import Category
from pchat.rooms.names import fold
from pchat.rooms.observers import ChangeObserver, IChangeObserver
from pchat.rooms.room import Room
from pchat.rooms.settings import Settings
from pchat.rooms.slices import Pause, no_pause
from pchat.rooms.tree import NodeTree
from pchat.store.sqlite import SqliteStore

OPERATOR = "operator"
DOMAIN = "example.com"


def result(work: Coroutine[Any, Any, Any]) -> Any:
    """Run administrative work that does not wait; give its result, or raise what it raised."""
    found: list[Any] = []
    ensureDeferred(work).addBoth(found.append)
    if not found:
        raise AssertionError("the work waits for something")
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]


@implementer(IChangeObserver)
class NotingObserver(ChangeObserver):
    """Writes down what observers are told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        verifyObject(IChangeObserver, self)

    def room_changed(self, room: Room) -> None:
        self.told.append(("room_changed", room.name))

    def rights_narrowed(self, rooms: Iterable[Room]) -> None:
        self.told.append(("rights_narrowed", [room.name for room in rooms]))

    def rights_changed(self, rooms: Iterable[Room]) -> None:
        self.told.append(("rights_changed", [room.name for room in rooms]))

    def invited(self, room: Room, invitations: Mapping[int, int]) -> None:
        self.told.append(("invited", (room.name, dict(invitations))))

    def room_disabled(self, room: Room) -> None:
        self.told.append(("room_disabled", room.name))

    def room_removed(self, room: Room) -> None:
        self.told.append(("room_removed", room.name))

    def user_ended(self, principal: Principal, reason: str) -> None:
        self.told.append(("user_ended", (principal.uri, reason)))

    def user_changed(self, principal: Principal) -> None:
        self.told.append(("user_changed", principal.uri))

    def settings_changed(self) -> None:
        self.told.append(("settings_changed", None))

    def take(self) -> list[tuple[str, Any]]:
        """Give what was told since the last time."""
        told, self.told = self.told, []
        return told


class SlowStore:
    """A store that commits at once but tells so only when it is let."""

    def __init__(self, store: SqliteStore) -> None:
        self.server_id = store.server_id
        self.read = store.read
        self._store = store
        self._untold: list[tuple[Deferred[Any], Any]] = []

    def write(self, body: Body, *args: Any) -> Deferred[Any]:
        """Run a body, and keep its result back."""
        told: Deferred[Any] = Deferred()
        self._store.write(body, *args).addBoth(lambda found: self._untold.append((told, found)))
        return told

    def tell(self) -> None:
        """Give the first result that was kept back."""
        told, found = self._untold.pop(0)
        told.callback(found)


class Memory:
    """What a server knows, filled from a store: an `IStore`, or as much of one as a test needs."""

    def __init__(self, store: Any, clock: Clock, pause: Pause = no_pause) -> None:
        self.directory = LocalDirectory(DOMAIN)
        self.tree = NodeTree(DOMAIN)
        self.access = Access(self.directory)
        self.settings = Settings()
        self.administration = Administration(
            store=store,
            directory=self.directory,
            tree=self.tree,
            access=self.access,
            settings=self.settings,
            clock=clock,
            random=random.Random(7).randbytes,
            pause=pause,
        )
        result(self.administration.load())


class Rules(Memory):
    """An empty store in memory, what a server knows of it, and somebody who notes what is told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.store = SqliteStore(
            ":memory:",
            clock=self.clock,
            server_name="test",
            random=random.Random(8).randbytes,
            inline=True,
        )
        self.store.start().addErrback(Failure.raiseException)
        super().__init__(self.store, self.clock)
        self.people = self.administration.people
        self.groups = self.administration.groups
        self.categories = self.administration.categories
        self.rooms = self.administration.rooms
        self.observer = NotingObserver()
        self.administration.observe(self.observer)

    def reloaded(self) -> Memory:
        """Make what another server would know that has just started on the same store."""
        return Memory(self.store, self.clock)

    def query(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        """Ask the store."""

        async def body(txn: ITransaction) -> list[tuple[Any, ...]]:
            return await txn.query(sql, args)

        found: list[list[tuple[Any, ...]]] = []
        self.store.read(body).addCallback(found.append).addErrback(Failure.raiseException)
        return found[0]

    def user(self, name: str) -> Principal:
        """Give a user's principal; he is made, without a password, when first asked for."""
        uri = f"sip:{name}@{DOMAIN}"
        found = self.directory.by_uri(uri)
        if found is None:
            result(self.people.add_user(OPERATOR, uri))
            found = self.directory.by_uri(uri)
        assert found is not None
        return found

    def room(self, name: str) -> Room:
        """Give a room that exists."""
        found = self.tree.room_by_name(name)
        assert found is not None
        return found


class RulesCase(SynchronousTestCase):
    """A test that ends with memory being what a server that starts then would load."""

    def setUp(self) -> None:
        self.rules = Rules()
        self.addCleanup(lambda: self.assertEqual(state(self.rules), state(self.rules.reloaded())))


def state(memory: Memory) -> dict[str, Any]:
    """Write down all that a memory holds, in a form that can be compared."""
    principals = {
        number: (
            found.guid,
            found.uri,
            found.key,
            found.kind,
            found.name,
            found.display_name,
            found.state,
            found.description,
        )
        for number in range(1, 200)
        if (found := memory.directory.by_id(number)) is not None
    }
    users = list(memory.directory.users())
    return {
        "revision": memory.tree.revision,
        "principals": principals,
        "found": {key: memory.directory.by_uri(found[1]) is not None for key, found in principals.items()},
        "enabled": {user.uri: memory.directory.enabled(user) for user in users},
        "affiliations": {
            principal.uri: memory.directory.affiliations(principal)
            for principal in memory.directory.principals()
        },
        "groups": {
            group.uri: (
                memory.directory.members(group),
                memory.directory.groups_of(group),
                memory.directory.group_by_name(fold(group.name)) is group,
            )
            for group in memory.directory.groups()
        },
        "policies": memory.directory.policies(),
        "settings": memory.settings.shown(),
        "categories": [_fields(category) for category in memory.tree.categories()],
        "rooms": [_fields(room) | {"category": room.category.id} for room in memory.tree.rooms()],
        "in category": {
            category.name: [room.id for room in memory.tree.rooms_in(category)]
            for category in memory.tree.categories()
        },
        "naming": {number: [room.id for room in memory.tree.rooms_naming([number])] for number in principals},
        "names": {
            node.name: node is memory.tree.name_taken(node.name)
            for node in (*_named(memory.tree.categories()), *_named(memory.tree.rooms()))
        },
        "entries": memory.tree.entries,
        "addins": list(memory.administration.registered_addins),
        "uris": [memory.tree.room_by_uri(room.uri.upper()) is room for room in memory.tree.rooms()],
    }


def _named(nodes: Iterable[Category | Room]) -> Iterable[Category | Room]:
    return nodes


def _fields(node: Any) -> dict[str, Any]:
    return {name: getattr(node, name) for name in node.__slots__ if name not in {"__weakref__", "category"}}
