"""Users who make and change rooms themselves: creators and managers, and what neither may."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from pchat.errors import AdministrationRefused
from pchat.rooms.role_lists import RoleDelta
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, result
from tests.rooms.staff_support import ALICE, BOB, CAROL, StaffCase

Verb = Callable[[str], Coroutine[Any, Any, Any]]


class UserCase(StaffCase):
    """Alice may create rooms in Staff; nobody has a role yet."""

    def setUp(self) -> None:
        super().setUp()
        result(self.categories.change_category(OPERATOR, "Staff", creators=[ALICE]))
        self.alice, self.bob, self.carol = (self.rules.user(name) for name in ("alice", "bob", "carol"))

    def verbs(self) -> list[Verb]:
        """Everything that Bob can ask to be done to a room."""
        return [
            lambda text: self.rooms.change_room(BOB, text, description="x", user=self.bob),
            lambda text: self.rooms.change_room(BOB, text, disabled=True, user=self.bob),
            lambda text: self.rooms.move_room(BOB, text, "Staff", user=self.bob),
            lambda text: self.rooms.disable_room(BOB, text, user=self.bob),
            lambda text: self.rooms.change_room(BOB, text, lists={Role.MEMBER: [BOB]}, user=self.bob),
            lambda text: self.rooms.change_roles(
                BOB, text, {Role.MEMBER: RoleDelta(add=[BOB])}, user=self.bob
            ),
        ]


class CreatorTests(UserCase):
    """Making rooms."""

    def test_a_creator_becomes_manager(self) -> None:
        """P-4: who makes a room manages it; compliance and audit are told of both (M-6)."""
        self.events()
        shown = result(self.rooms.add_room(ALICE, "Ops", category="Staff", user=self.alice))
        self.assertEqual(shown["managers"], [{"uri": ALICE, "kind": "user"}])
        self.assertEqual((shown["members"], shown["presenters"]), ([], []))
        self.assertEqual(shown["created_by"], ALICE)
        kinds = [(kind, room) for kind, room, _ in self.events()]
        self.assertEqual(kinds, [("room_change", "Ops"), ("role_change", "Ops")])

    def test_creating_gives_no_right_in_other_rooms(self) -> None:
        """P-4: a creator does not manage the rooms of others in his category."""
        self.add("Ops")
        self.refused(
            self.rooms.change_room(ALICE, "Ops", name="Mine", user=self.alice), ResponseCode.ERROR_PERMISSION
        )

    def test_who_is_no_creator(self) -> None:
        """In scope without the right: refused. Out of scope: there is no such category."""
        self.refused(
            self.rooms.add_room(BOB, "Ops", category="Staff", user=self.bob), ResponseCode.ERROR_PERMISSION
        )
        result(self.categories.add_category(OPERATOR, "Board", allowed=[ALICE], creators=[ALICE]))
        outside = self.refused(
            self.rooms.add_room(BOB, "Ops", category="Board", user=self.bob), ResponseCode.ERROR_NO_SUCH_NODE
        )
        nowhere = self.refused(
            self.rooms.add_room(BOB, "Ops", category="Bored", user=self.bob), ResponseCode.ERROR_NO_SUCH_NODE
        )
        self.assertEqual(outside.replace("Board", "Bored"), nowhere)

    def test_the_root_holds_no_rooms(self) -> None:
        """Rooms are in categories: the root is refused as parent, for administrators too."""
        root = self.rules.tree.root_uri
        self.add("Ops")
        for work in (
            self.rooms.add_room(ALICE, "Den", category=root.upper(), user=self.alice),
            self.rooms.add_room(OPERATOR, "Den", category=root),
            self.rooms.move_room(OPERATOR, "Ops", root),
        ):
            self.refused(work, ResponseCode.ERROR_NODE_HIERARCHY_VIOLATION)

    def test_a_user_without_chat(self) -> None:
        """Who may not chat makes no rooms, whatever the lists say (P-16)."""
        result(self.rules.people.set_policy(OPERATOR, False, uri=ALICE))
        self.refused(
            self.rooms.add_room(ALICE, "Ops", category="Staff", user=self.alice),
            ResponseCode.ERROR_PERMISSION,
        )


class ManagerTests(UserCase):
    """Changing rooms."""

    def setUp(self) -> None:
        super().setUp()
        self.add("Ops")
        self.grant("Ops", Role.MANAGER, BOB)

    def test_a_manager_changes_everything(self) -> None:
        """P-5, P-6: name, description, privacy, type, invitations, and himself a member and presenter."""
        shown = result(
            self.rooms.change_room(
                BOB,
                "Ops",
                name="Night",
                description="Shift",
                privacy="secret",
                behavior="auditorium",
                invitations="false",
                lists={Role.MEMBER: [BOB, ALICE], Role.PRESENTER: [BOB]},
                user=self.bob,
            )
        )
        self.assertEqual(
            [shown[key] for key in ("name", "description", "privacy", "type", "invitations")],
            ["Night", "Shift", "secret", "auditorium", "false"],
        )
        self.assertIsNone(self.rules.access.refusal_to_post(self.bob, self.rules.room("Night")))
        result(
            self.rooms.change_roles(BOB, "Night", {Role.MANAGER: RoleDelta([ALICE], [BOB])}, user=self.bob)
        )
        self.assertEqual(self.holders("Night", Role.MANAGER), [ALICE])

    def test_moving(self) -> None:
        """P-5: a manager moves a room only where he may create rooms."""
        result(self.categories.add_category(OPERATOR, "Other", allowed=[DOMAIN]))
        result(self.categories.add_category(OPERATOR, "Board", allowed=[ALICE], creators=[ALICE]))
        self.refused(self.rooms.move_room(BOB, "Ops", "Other", user=self.bob), ResponseCode.ERROR_PERMISSION)
        self.refused(
            self.rooms.move_room(BOB, "Ops", "Board", user=self.bob), ResponseCode.ERROR_NO_SUCH_NODE
        )
        result(self.categories.change_category(OPERATOR, "Other", creators=[BOB]))
        shown = result(self.rooms.move_room(BOB, "Ops", "Other", user=self.bob))
        self.assertEqual(shown["category"], "Other")

    def test_naming_the_category_it_is_in_is_no_move(self) -> None:
        """P-5: a manager who names the room's own category changes nothing of it."""
        shown = result(self.rooms.change_room(BOB, "Ops", category="staff", name="Night", user=self.bob))
        self.assertEqual((shown["name"], shown["category"]), ("Night", "Staff"))

    def test_disabling_and_enabling(self) -> None:
        """P-7: a manager disables, and still manages; only an administrator enables."""
        result(self.rooms.disable_room(BOB, "Ops", user=self.bob))
        result(self.rooms.change_room(BOB, "Ops", description="Closed", user=self.bob))
        self.refused(
            self.rooms.change_room(BOB, "Ops", disabled=False, description="Open", user=self.bob),
            ResponseCode.ERROR_PERMISSION,
        )
        self.assertEqual(self.rules.room("Ops").description, "Closed")
        result(self.rooms.change_room(OPERATOR, "Ops", disabled=False))
        self.assertFalse(self.rules.room("Ops").disabled)

    def test_a_secret_room_is_not_told_from_none(self) -> None:
        """Whatever somebody asks of a secret room that he may not know, the answer is that for no room."""
        self.add("Vault", privacy="secret")
        self.grant("Vault", Role.MEMBER, ALICE)
        uri = self.rules.room("Vault").uri
        for name, other in (("Vault", "Fault"), (uri, uri[:-1] + "x")):
            for verb in self.verbs():
                there = self.refused(verb(name), ResponseCode.ERROR_NO_SUCH_NODE)
                nowhere = self.refused(verb(other), ResponseCode.ERROR_NO_SUCH_NODE)
                self.assertEqual(there.replace(name, other), nowhere)

    def test_a_room_that_may_be_known_is_refused(self) -> None:
        """Members and everybody in scope of a room that is not secret are told that they may not."""
        self.add("Den")
        self.add("Vault", privacy="secret")
        self.grant("Vault", Role.MEMBER, BOB)
        for name in ("Den", "Vault"):
            for verb in self.verbs():
                self.refused(verb(name), ResponseCode.ERROR_PERMISSION)

    def test_members_he_may_not_have(self) -> None:
        """P-2, P-3: a manager is bound by the scope and by the member list, like everybody."""
        result(self.categories.change_category(OPERATOR, "Staff", denied=[CAROL]))
        for role, who, code in (
            (Role.MEMBER, CAROL, "ERROR_PRINCIPALS_NOT_IN_SCOPE"),
            (Role.MANAGER, CAROL, "ERROR_PRINCIPALS_NOT_IN_SCOPE"),
            (Role.PRESENTER, BOB, "ERROR_INVALID_ARGUMENT"),
            (Role.MEMBER, "nobody@example.com", "ERROR_NO_SUCH_PRINCIPAL"),
        ):
            self.refused(
                self.rooms.change_roles(BOB, "Ops", {role: RoleDelta(add=[who])}, user=self.bob),
                ResponseCode[code],
            )

    def test_who_lost_the_role_meanwhile(self) -> None:
        """Rights are those of the moment when the change is made, not when it was asked for."""
        first = self.rooms.remove_role(OPERATOR, "Ops", Role.MANAGER, [BOB])
        second = self.rooms.change_room(BOB, "Ops", name="Mine", user=self.bob)
        result(first)
        self.assertRaises(AdministrationRefused, result, second)
        self.assertIsNone(self.rules.tree.room_by_name("Mine"))
