"""Add-ins: registered by administrators, chosen for rooms."""

from __future__ import annotations

from twisted.internet.defer import ensureDeferred

from pchat.rooms.room_queries import RoomFilter
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import OPERATOR, result
from tests.rooms.staff_support import StaffCase

WIKI, BOARD = "https://wiki.example.com/pane", "http://board.example.com"


class AddinTests(StaffCase):
    """The registry, and the rooms that have an add-in."""

    def setUp(self) -> None:
        super().setUp()
        self.addins = self.rules.administration.addins
        self.wiki = result(self.addins.add_addin(OPERATOR, " Wiki ", WIKI))
        self.add("Ops", addin="wiki")
        self.add("Den", addin=self.wiki["guid"].upper())
        self.add("Lobby")
        self.rules.observer.take()

    def test_shown(self) -> None:
        """An add-in has a GUID, and tells how many rooms have it; rooms name it."""
        stamp = "2023-11-14T22:13:20.0000000Z"
        expected = {
            "guid": self.wiki["guid"],
            "name": "Wiki",
            "url": WIKI,
            "number_of_chat_rooms": 2,
            "created_by": OPERATOR,
            "created_on": stamp,
            "updated_by": OPERATOR,
            "updated_on": stamp,
        }
        self.assertEqual(self.addins.list_addins(), [expected])
        for text in ("WIKI", self.wiki["guid"]):
            self.assertEqual(self.addins.show_addin(text), expected)
        self.assertEqual(self.rooms.show_room("Ops")["addin"], "Wiki")
        self.assertIsNone(self.rooms.show_room("Lobby")["addin"])
        found = [shown["name"] for shown in result(self.rooms.find_rooms(RoomFilter(addin="wiki")))]
        self.assertEqual(found, ["Ops", "Den"])

    def test_names_and_addresses(self) -> None:
        """Names are unique however written; addresses are those of web pages (L-2)."""
        self.refused(self.addins.add_addin(OPERATOR, "WIKI", BOARD), ResponseCode.ERROR_DUPLICATE_NAME)
        for name, url in (
            ("", BOARD),
            ("x" * 51, BOARD),
            ("a\nb", BOARD),
            ("Board", ""),
            ("Board", "ftp://board.example.com"),
            ("Board", "javascript:alert(1)"),
            ("Board", "https://"),
            ("Board", "https://board.example.com/" + "x" * 230),
        ):
            self.refused(self.addins.add_addin(OPERATOR, name, url), ResponseCode.ERROR_INVALID_ARGUMENT)
        result(self.addins.add_addin(OPERATOR, "x" * 50, "https://b.example.com/" + "x" * 233))
        # A room or category may have the same name: add-ins are in no tree.
        result(self.addins.add_addin(OPERATOR, "Ops", BOARD))

    def test_changed(self) -> None:
        """Rooms that have a changed add-in are told of, others not; its own name is free for itself."""
        result(self.addins.change_addin(OPERATOR, "Wiki", name="WIKI", url=BOARD))
        self.assertEqual(self.rules.observer.take(), [("room_changed", "Ops"), ("room_changed", "Den")])
        self.assertEqual(self.rooms.show_room("Ops")["addin"], "WIKI")
        result(self.addins.change_addin(OPERATOR, "Wiki"))
        self.assertEqual(self.rules.observer.take(), [])
        result(self.addins.add_addin(OPERATOR, "Board", BOARD))
        self.refused(
            self.addins.change_addin(OPERATOR, "Wiki", name="board"), ResponseCode.ERROR_DUPLICATE_NAME
        )
        self.refused(self.addins.change_addin(OPERATOR, "Wiki", url=""), ResponseCode.ERROR_INVALID_ARGUMENT)

    def test_chosen_and_given_up(self) -> None:
        """A room takes another add-in, or none with an empty text; compliance is told by name."""
        result(self.addins.add_addin(OPERATOR, "Board", BOARD))
        self.events()
        result(self.rooms.change_room(OPERATOR, "Ops", addin="Board"))
        result(self.rooms.change_room(OPERATOR, "Ops", addin=""))
        self.assertEqual(
            [(detail["before"], detail["after"]) for _, _, detail in self.events()],
            [({"addin": "Wiki"}, {"addin": "Board"}), ({"addin": "Board"}, {"addin": None})],
        )
        self.refused(
            self.rooms.change_room(OPERATOR, "Ops", addin="Nothing"), ResponseCode.ERROR_NO_SUCH_NODE
        )
        self.refused(
            self.rooms.change_room(OPERATOR, "Ops", addin="x" * 2_000_000), ResponseCode.ERROR_NO_SUCH_NODE
        )

    def test_removed(self) -> None:
        """An add-in that rooms have is kept, unless it is to be taken from them."""
        told = self.refused(self.addins.remove_addin(OPERATOR, "Wiki"), ResponseCode.ERROR_INVALID_ARGUMENT)
        self.assertIn("2 rooms", told)
        self.events()
        result(self.addins.remove_addin(OPERATOR, "Wiki", force=True))
        self.assertEqual(self.rules.observer.take(), [("room_changed", "Ops"), ("room_changed", "Den")])
        self.assertEqual([room for _, room, _ in self.events()], ["Ops", "Den"])
        self.assertEqual(self.addins.list_addins(), [])
        self.assertIsNone(self.rooms.show_room("Ops")["addin"])
        self.refused(self.addins.remove_addin(OPERATOR, "Wiki"), ResponseCode.ERROR_NO_SUCH_NODE)

    def test_changed_by_another_program(self) -> None:
        """What another program registers is known after a reload."""
        other = self.rules.reloaded().administration
        result(other.addins.add_addin("other", "Board", BOARD))
        result(other.addins.change_addin("other", "Wiki", name="Handbook"))
        ensureDeferred(self.rules.administration.reload())
        self.assertEqual([shown["name"] for shown in self.addins.list_addins()], ["Handbook", "Board"])
