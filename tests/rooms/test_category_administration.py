"""What operators do to categories, and what follows from it."""

from __future__ import annotations

from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, result
from tests.rooms.staff_support import ALICE, BOB, CAROL, StaffCase


class CategoryTests(StaffCase):
    """Categories and their scope."""

    def test_shown_as_made(self) -> None:
        """A new category keeps history, takes no files, sends no invitations, and shows its lists."""
        result(
            self.categories.add_category(
                "alice", " Legal ", description="Law", allowed=[DOMAIN, ALICE], denied=[BOB], creators=[ALICE]
            )
        )
        shown = self.categories.show_category("LEGAL")
        self.assertTrue(shown.pop("uri").startswith("ma-cat://example.com/"))
        stamp = "2023-11-14T22:13:20.0000000Z"
        self.assertEqual(
            shown,
            {
                "name": "Legal",
                "description": "Law",
                "invitations": False,
                "file_upload": False,
                "chat_history": True,
                "allowed_members": [
                    {"uri": DOMAIN, "kind": "domain"},
                    {"uri": ALICE, "kind": "user"},
                ],
                "denied_members": [{"uri": BOB, "kind": "user"}],
                "creators": [{"uri": ALICE, "kind": "user"}],
                "number_of_chat_rooms": 0,
                "created_by": "alice",
                "created_on": stamp,
                "updated_by": "alice",
                "updated_on": stamp,
                "purged_on": None,
            },
        )

    def test_a_list_replaces_the_list_and_an_empty_text_empties_it(self) -> None:
        """``--allow`` replaces all that was allowed; ``--deny ''`` takes everybody off."""
        result(self.categories.change_category(OPERATOR, "Staff", allowed=[ALICE, BOB], denied=[BOB]))
        result(self.categories.change_category(OPERATOR, "Staff", denied=[""]))
        shown = self.categories.show_category("Staff")
        self.assertEqual([found["uri"] for found in shown["allowed_members"]], [ALICE, BOB])
        self.assertEqual(shown["denied_members"], [])

    def test_names_are_unique_in_the_pool(self) -> None:
        """A category may have neither another category's name nor a room's, in any case (M-3)."""
        self.add("Lobby")
        for name in ("STAFF", "lobby"):
            self.refused(
                self.categories.add_category(OPERATOR, name, allowed=[DOMAIN]),
                ResponseCode.ERROR_DUPLICATE_NAME,
            )
        self.refused(
            self.rooms.add_room(OPERATOR, "staff", category="Staff"), ResponseCode.ERROR_DUPLICATE_NAME
        )
        self.refused(
            self.categories.change_category(OPERATOR, "Staff", name="LOBBY"),
            ResponseCode.ERROR_DUPLICATE_NAME,
        )
        result(self.categories.change_category(OPERATOR, "Staff", name="STAFF"))

    def test_creators_must_be_in_scope(self) -> None:
        """Nobody outside Allowed minus Denied can be a creator (P-2); narrowing takes creators along."""
        for denied in ([ALICE], [DOMAIN]):
            self.refused(
                self.categories.change_category(OPERATOR, "Staff", denied=denied, creators=[ALICE]),
                ResponseCode.ERROR_PRINCIPALS_NOT_IN_SCOPE,
            )
        result(self.categories.change_category(OPERATOR, "Staff", creators=[ALICE, BOB]))
        result(self.categories.change_category(OPERATOR, "Staff", denied=[ALICE]))
        self.assertEqual(self.categories.show_category("Staff")["creators"], [{"uri": BOB, "kind": "user"}])

    def test_unknown_people(self) -> None:
        """A mistyped user, group or single word is refused and leaves no principal behind."""
        for text in ("dave@example.com", "alice", "ma-grp:1234@u.g", "a b.c"):
            self.refused(
                self.categories.add_category(OPERATOR, "New", allowed=[CAROL, text]),
                ResponseCode.ERROR_NO_SUCH_PRINCIPAL,
            )

    def test_narrowed_scope_purges_roles_and_tells(self) -> None:
        """Who falls out of the scope loses his roles; observers look at every room of the category (P-11)."""
        self.add("Ops")
        self.add("Hall", privacy="open")
        self.grant("Ops", Role.MEMBER, ALICE, BOB)
        self.grant("Ops", Role.MANAGER, BOB)
        self.events()
        self.rules.observer.take()
        result(self.categories.change_category(OPERATOR, "Staff", denied=[BOB]))
        self.assertEqual(self.holders("Ops", Role.MEMBER), [ALICE])
        self.assertEqual(self.holders("Ops", Role.MANAGER), [])
        self.assertEqual(
            self.rules.observer.take(),
            [("rights_narrowed", ["Ops", "Hall"]), ("rights_changed", ["Ops", "Hall"])],
        )
        (scope, _, scope_detail), (role, room, role_detail) = self.events()
        self.assertEqual(
            (scope, scope_detail["added"], scope_detail["removed"]), ("scope_change", {"deny": [BOB]}, {})
        )
        self.assertEqual((role, room), ("role_change", "Ops"))
        self.assertEqual(role_detail["removed"], {"manager": [BOB], "member": [BOB]})

    def test_widened_scope_narrows_nothing(self) -> None:
        """Nobody loses a right when more are allowed; what people may do is told again."""
        self.add("Ops")
        self.rules.observer.take()
        result(self.categories.change_category(OPERATOR, "Staff", allowed=[DOMAIN, ALICE]))
        self.assertEqual(self.rules.observer.take(), [("rights_changed", ["Ops"])])

    def test_switches_change_every_room(self) -> None:
        """Rooms show the inherited switches at once."""
        self.add("Ops")
        self.rules.observer.take()
        result(self.categories.change_category(OPERATOR, "Staff", chat_history=False, invitations=True))
        room = self.rules.room("Ops")
        self.assertEqual((room.logged, room.invitations_on), (False, True))
        self.assertEqual(self.rules.observer.take(), [("room_changed", "Ops")])

    def test_only_empty_categories_go(self) -> None:
        """A category with rooms stays (F-15)."""
        self.add("Ops")
        self.refused(
            self.categories.remove_category(OPERATOR, "Staff"), ResponseCode.ERROR_NODE_HIERARCHY_VIOLATION
        )
        result(self.rooms.remove_room(OPERATOR, "Ops"))
        result(self.categories.remove_category(OPERATOR, "Staff"))
        self.assertEqual(self.categories.list_categories(), [])
        self.refused(self.rooms.add_room(OPERATOR, "Ops", category="Staff"), ResponseCode.ERROR_NO_SUCH_NODE)
