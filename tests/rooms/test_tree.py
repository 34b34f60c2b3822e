"""Finding rooms and categories."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.tree import NodeTree
from pchat.store.rooms import CategoryRecord, NodeChange, RoomRecord

GUID = "3f2a0c1e-0000-4000-8000-00000000000a"
STAFF = CategoryRecord(1, "c-1", "Staff", "", False, False, True, "a", 1, "a", 1, 0, *[frozenset[int]()] * 3)
LOBBY = RoomRecord(
    *(7, GUID, 1, "Lobby", "", 6, 4, None, None, False, 3, "a", 1, "a", 1, 0),
    members=frozenset({5}),
    managers=frozenset(),
    presenters=frozenset(),
)


class TreeTests(SynchronousTestCase):
    """A tree with one category and one room."""

    def setUp(self) -> None:
        self.tree = NodeTree("Example.COM")
        self.tree.load(NodeChange(4, (STAFF,), (LOBBY,)))

    def test_uris_in_any_case(self) -> None:
        """A room is found by its URI in any case and named in the stored form."""
        room = self.tree.room_by_uri(f"MA-CHAN://EXAMPLE.com/{GUID.upper()}")
        assert room is not None
        self.assertEqual(room.uri, f"ma-chan://example.com/{GUID}")
        self.assertIs(self.tree.room("example.com", GUID.upper()), room)

    def test_what_is_no_uri_of_ours(self) -> None:
        """Foreign domains, other schemes and pieces of URIs find nothing."""
        for text in (
            *("", GUID, "ma-chan://", "ma-chan://example.com", "ma-chan://example.com/"),
            f"ma-chan://example.org/{GUID}",
            f"ma-cat://example.com/{GUID}",
            f"ma-chan://example.com/{GUID}/",
            f"ma-chan://example.com/{GUID} ",
        ):
            self.assertIsNone(self.tree.room_by_uri(text), text)
        self.assertIsNone(self.tree.category_by_uri(self.tree.root_uri))
        self.assertIsNone(self.tree.category_by_uri("ma-cat://example.org/c-1"))

    def test_root_is_the_same_on_every_server(self) -> None:
        """The root's URI depends on the domain only."""
        self.assertEqual(NodeTree("example.com").root_uri, self.tree.root_uri)
        self.assertNotEqual(NodeTree("example.org").root_guid, self.tree.root_guid)

    def test_a_change_keeps_the_object(self) -> None:
        """Sessions hold on to a room while it changes; its message count is not set back."""
        room = self.tree.room_by_id(7)
        assert room is not None
        room.last_chat_id = 9
        self.tree.apply(NodeChange(5, rooms=(evolve(LOBBY, name="Hall", members=frozenset({6})),)))
        self.assertIs(self.tree.room_by_name("HALL"), room)
        self.assertIsNone(self.tree.room_by_name("Lobby"))
        self.assertEqual(room.last_chat_id, 9)
        self.assertEqual(self.tree.rooms_naming([5]), [])
        self.assertEqual(self.tree.rooms_naming([5, 6]), [room])
        self.assertEqual(self.tree.revision, 5)

    def test_order_of_names(self) -> None:
        """Rooms are told in the order of their names whatever was added, renamed or removed since."""

        def told() -> list[str]:
            return [room.name for room in self.tree.rooms_by_name()]

        other = evolve(LOBBY, room_id=8, guid="g-8", name="attic")
        self.tree.apply(NodeChange(5, rooms=(other,)))
        self.assertEqual(told(), ["attic", "Lobby"])
        self.tree.apply(NodeChange(6, rooms=(evolve(other, name="Yard"),)))
        self.assertEqual(told(), ["Lobby", "Yard"])
        self.tree.apply(NodeChange(7, removed_rooms=(7,)))
        self.assertEqual(told(), ["Yard"])

    def test_open_rooms(self) -> None:
        """The open rooms of a category follow privacy, moves and removal."""
        cellar = evolve(STAFF, category_id=2, guid="c-2", name="Cellar")
        self.tree.apply(NodeChange(5, categories=(cellar,)))
        categories = [self.tree.category_by_name(name) for name in (STAFF.name, "Cellar")]

        def told() -> list[list[str]]:
            return [
                [room.name for room in self.tree.open_rooms_in(category)]
                for category in categories
                if category is not None
            ]

        self.assertEqual(told(), [["Lobby"], []])
        self.tree.apply(NodeChange(6, rooms=(evolve(LOBBY, category_id=2),)))
        self.assertEqual(told(), [[], ["Lobby"]])
        self.tree.apply(NodeChange(7, rooms=(evolve(LOBBY, category_id=2, privacy=3),)))
        self.assertEqual(told(), [[], []])
        self.tree.apply(NodeChange(8, rooms=(evolve(LOBBY, privacy=6),)))
        self.tree.apply(NodeChange(9, removed_rooms=(7,)))
        self.assertEqual(told(), [[], []])

    def test_names_that_change_places(self) -> None:
        """Two rooms may swap names between two loads."""
        other = evolve(LOBBY, room_id=8, guid="g-8", name="Hall")
        self.tree.load(NodeChange(5, (STAFF,), (LOBBY, other)))
        self.tree.load(NodeChange(6, (STAFF,), (evolve(LOBBY, name="Hall"), evolve(other, name="Lobby"))))
        for number, name in ((7, "Hall"), (8, "Lobby")):
            self.assertIs(self.tree.room_by_name(name), self.tree.room_by_id(number))

    def test_what_is_gone_after_a_load_is_gone(self) -> None:
        """A load forgets rooms and categories that the store no longer has."""
        self.tree.load(NodeChange(5))
        self.assertEqual((list(self.tree.rooms()), list(self.tree.categories())), ([], []))
        self.assertIsNone(self.tree.name_taken("Lobby"))
        self.assertIsNone(self.tree.room("example.com", GUID))
