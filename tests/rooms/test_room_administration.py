"""What operators do to rooms, and what follows from it."""

from __future__ import annotations

import json
from typing import Any

from pchat.errors import AdministrationRefused
from pchat.rooms.room import Role
from pchat.rooms.room_queries import MEGABYTE, RoomFilter
from pchat.rooms.room_removal import PIECE
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, result
from tests.rooms.staff_support import ALICE, BOB, StaffCase

#: Tables that name a room, and what else a row of each must have.
EXTRA_COLUMNS = {
    "invitations": (", invite_id, created_by, created_on", ", 2, 'x', 1"),
    "read_markers": (", chat_id, updated_on", ", 1, 1"),
    "followed_rooms": ("", ""),
    "topic_hits": (", chat_id, guids, ts", ", 1, '[]', 1"),
}


class RoomTests(StaffCase):
    """Rooms and their attributes."""

    def test_shown_as_made(self) -> None:
        """A new room is closed, normal, inherits invitations, and nobody is on its lists (M-6)."""
        self.add("Ops", description="Night shift")
        shown = self.rooms.show_room("ops")
        uri = shown["uri"]
        self.assertRegex(uri, r"^ma-chan://example\.com/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertEqual(
            [shown[key] for key in ("name", "category", "description", "privacy", "type", "invitations")],
            ["Ops", "Staff", "Night shift", "closed", "normal", "inherit"],
        )
        self.assertEqual([shown[key] for key in ("members", "managers", "presenters")], [[], [], []])
        self.assertFalse(shown["disabled"])
        for text in (uri, uri.upper(), "OPS", uri.rpartition("/")[2].upper()):
            self.assertEqual(self.rooms.room(text).uri, uri)

    def test_uri_never_changes(self) -> None:
        """Renamed and moved, a room keeps its URI (M-4) and is found by its new name only."""
        self.add("Ops")
        uri = self.rules.room("Ops").uri
        result(self.categories.add_category(OPERATOR, "Other", allowed=[DOMAIN]))
        result(self.rooms.change_room(OPERATOR, "Ops", name="Night"))
        result(self.rooms.move_room(OPERATOR, "Night", "Other"))
        self.assertEqual(self.rooms.show_room("Night")["uri"], uri)
        self.assertEqual(self.rooms.show_room("Night")["category"], "Other")
        self.assertRaises(AdministrationRefused, self.rooms.show_room, "Ops")

    def test_words(self) -> None:
        """Unknown words are refused."""
        words: list[dict[str, Any]] = [
            *({"privacy": "hidden"}, {"behavior": "loud"}, {"invitations": "true"})
        ]
        for bad in words:
            self.refused(
                self.rooms.add_room(OPERATOR, "Ops", category="Staff", **bad),
                ResponseCode.ERROR_INVALID_ARGUMENT,
            )
        self.refused(
            self.rooms.add_room(OPERATOR, "Ops", category="Staff", addin="x"), ResponseCode.ERROR_NO_SUCH_NODE
        )
        for name in ("", "x" * 257, "a\nb"):
            self.refused(
                self.rooms.add_room(OPERATOR, name, category="Staff"), ResponseCode.ERROR_INVALID_ARGUMENT
            )

    def test_filters(self) -> None:
        """Listings can be narrowed by every attribute."""
        self.add("Ops", description="Night shift")
        self.add("Lobby", privacy="open")
        self.add("Hall", behavior="auditorium")
        self.grant("Ops", Role.MEMBER, DOMAIN)
        self.grant("Hall", Role.MANAGER, ALICE)
        result(self.rooms.disable_room(OPERATOR, "Hall"))

        def names(**filters: Any) -> list[str]:
            return [shown["name"] for shown in result(self.rooms.find_rooms(RoomFilter(**filters)))]

        self.assertEqual(names(), ["Ops", "Lobby", "Hall"])
        self.assertEqual(names(text="NIGHT"), [])
        self.assertEqual(names(text="NIGHT", search_description=True), ["Ops"])
        self.assertEqual(names(member=BOB), ["Ops"])
        self.assertEqual(names(manager=ALICE), ["Hall"])
        self.assertEqual(names(privacy="open"), ["Lobby"])
        self.assertEqual(names(behavior="auditorium"), ["Hall"])
        self.assertEqual(names(disabled=True), ["Hall"])
        self.assertEqual(names(disabled=False, category="staff"), ["Ops", "Lobby"])

    def test_closing_a_room_tells_who_decides(self) -> None:
        """Those who lose the right go before the others see the new properties."""
        self.add("Lobby", privacy="open")
        self.rules.observer.take()
        self.events()
        result(self.rooms.change_room(OPERATOR, "Lobby", privacy="secret"))
        self.assertEqual(
            self.rules.observer.take(),
            [("rights_narrowed", ["Lobby"]), ("rights_changed", ["Lobby"]), ("room_changed", "Lobby")],
        )
        self.assertEqual(
            self.events(),
            [
                (
                    "room_change",
                    "Lobby",
                    {"change": "changed", "before": {"privacy": "open"}, "after": {"privacy": "secret"}},
                )
            ],
        )
        result(self.rooms.change_room(OPERATOR, "Lobby", description="x"))
        self.assertEqual(self.rules.observer.take(), [("room_changed", "Lobby")])

    def test_disable_and_enable(self) -> None:
        """Nobody finds or joins a disabled room; enabled again, all is as before (F-14)."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE)
        self.rules.observer.take()
        result(self.rooms.disable_room(OPERATOR, "Ops"))
        alice, room = self.rules.user("alice"), self.rules.room("Ops")
        self.assertEqual(self.rules.observer.take(), [("room_disabled", "Ops")])
        self.assertEqual(self.rules.access.refusal_to_join(alice, room), ResponseCode.ERROR_NODE_DISABLED)
        self.assertFalse(self.rules.access.may_see(alice, room))
        self.refused(self.rooms.disable_room(OPERATOR, "Ops"), ResponseCode.ERROR_INVALID_ARGUMENT)
        result(self.rooms.enable_room(OPERATOR, "Ops"))
        self.assertIsNone(self.rules.access.refusal_to_post(alice, room))
        self.refused(self.rooms.enable_room(OPERATOR, "Ops"), ResponseCode.ERROR_INVALID_ARGUMENT)

    def test_remove(self) -> None:
        """A removed room is gone with its messages, and its name is free."""
        self.add("Ops")
        number = self.rules.room("Ops").id
        self.say("Ops", "x")
        for table, (columns, values) in EXTRA_COLUMNS.items():
            self.write(f"insert into {table} (principal_id, room_id{columns}) values (1, %s{values})", number)
        result(self.rooms.remove_room(OPERATOR, "Ops"))
        for table in EXTRA_COLUMNS:
            self.assertEqual(self.rules.query(f"select count(*) from {table}"), [(0,)], table)
        self.assertIn(("room_removed", "Ops"), self.rules.observer.take())
        self.assertEqual(self.rules.query("select count(*) from messages"), [(0,)])
        self.assertIsNone(self.rules.tree.room_by_id(number))
        self.add("Ops")

    def test_moving_purges_roles(self) -> None:
        """Whom the new category does not allow loses his roles; the others keep theirs (P-10)."""
        result(self.categories.add_category(OPERATOR, "Few", allowed=[ALICE]))
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE, BOB)
        self.grant("Ops", Role.MANAGER, BOB)
        self.rules.observer.take()
        result(self.rooms.move_room(OPERATOR, "Ops", "Few"))
        self.assertEqual(self.holders("Ops", Role.MEMBER), [ALICE])
        self.assertEqual(self.holders("Ops", Role.MANAGER), [])
        self.assertEqual(
            self.rules.observer.take(),
            [("rights_narrowed", ["Ops"]), ("rights_changed", ["Ops"]), ("room_changed", "Ops")],
        )

    def test_a_large_room_is_emptied_piece_by_piece(self) -> None:
        """A room with many messages is disabled first; its messages go in several transactions, then it."""
        self.add("Ops")
        self.say("Ops", *["x"] * (2 * PIECE + 1))
        self.rules.observer.take()
        result(self.rooms.remove_room(OPERATOR, "Ops"))
        self.assertEqual(self.rules.observer.take(), [("room_disabled", "Ops"), ("room_removed", "Ops")])
        self.assertEqual(self.rules.query("select count(*) from messages"), [(0,)])

    def test_a_room_that_is_enabled_while_it_is_emptied(self) -> None:
        """Who enables it keeps what is left; what is gone is in the audit log and on record."""
        self.add("Ops")
        self.say("Ops", *["x"] * (2 * PIECE + 1))
        result(self.rooms.disable_room(OPERATOR, "Ops"))
        store = self.rules.store
        write = store.write

        def write_and_enable(work: Any, *args: Any) -> Any:
            self.patch(store, "write", write)
            done = write(work, *args)
            result(self.rooms.enable_room(OPERATOR, "Ops"))
            return done

        self.patch(store, "write", write_and_enable)
        refusal = self.assertRaises(AdministrationRefused, result, self.rooms.remove_room(OPERATOR, "Ops"))
        self.assertIs(ResponseCode.ERROR_DATA_COLLISION, refusal.code)
        self.assertEqual(self.rules.query("select count(*) from messages"), [(PIECE + 1,)])
        after = json.dumps({"first": 1, "last": PIECE, "messages": PIECE})
        self.assertEqual(
            self.rules.query("select actor, action, after from audit where kind = 'messages'"),
            [(OPERATOR, "remove", after)],
        )
        details = [json.loads(row[0]) for row in self.rules.query("select detail from outbox")]
        self.assertIn({"change": "emptied", "first": 1, "last": PIECE}, details)

    def test_size_and_grants(self) -> None:
        """A room alone tells how much it holds, and who granted its roles; large ones can be looked for."""
        self.add("Ops")
        self.add("Den")
        self.grant("Ops", Role.MEMBER, ALICE)
        self.say("Ops", "\N{SNOWMAN}" * 1000, rtf="x" * (MEGABYTE - 2999))
        shown = result(self.rooms.describe_room("Ops"))
        self.assertEqual((shown["messages"], shown["content_bytes"]), (1, MEGABYTE + 1))
        granted = {"granted_by": OPERATOR, "granted_on": "2023-11-14T22:13:20.0000000Z"}
        self.assertEqual(shown["members"], [{"uri": ALICE, "kind": "user", **granted}])
        self.assertEqual(result(self.rooms.describe_role("Ops", Role.MEMBER)), shown["members"])
        for megabytes, names in ((0, ["Ops"]), (1, ["Ops"]), (2, [])):
            found = result(self.rooms.find_rooms(exceeds_mb=megabytes))
            self.assertEqual([room["name"] for room in found], names)
