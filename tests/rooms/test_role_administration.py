"""What operators do to role lists, and what follows from it."""

from __future__ import annotations

from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, result
from tests.rooms.staff_support import ALICE, BOB, StaffCase


class RoleTests(StaffCase):
    """Role lists."""

    def test_only_people_in_scope(self) -> None:
        """Nobody outside the scope gets a role, and then nobody of the command does (P-2)."""
        result(self.categories.change_category(OPERATOR, "Staff", denied=[BOB]))
        self.add("Ops")
        for role in (Role.MEMBER, Role.MANAGER):
            self.refused(
                self.rooms.add_role(OPERATOR, "Ops", role, [ALICE, BOB]),
                ResponseCode.ERROR_PRINCIPALS_NOT_IN_SCOPE,
            )
            self.assertEqual(self.holders("Ops", role), [])

    def test_refusals(self) -> None:
        """Twice, unknown, nobody, not there, no such room: each has its own code."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE)
        for work, code in [
            (
                self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [BOB, ALICE]),
                "ERROR_PRINCIPALS_ALREADY_DEFINED",
            ),
            (
                self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, ["dave@example.com"]),
                "ERROR_NO_SUCH_PRINCIPAL",
            ),
            (self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, []), "ERROR_INVALID_ARGUMENT"),
            (self.rooms.remove_role(OPERATOR, "Ops", Role.MEMBER, [ALICE, BOB]), "ERROR_NO_SUCH_PRINCIPAL"),
            (self.rooms.add_role(OPERATOR, "Opus", Role.MEMBER, [ALICE]), "ERROR_NO_SUCH_NODE"),
        ]:
            self.refused(work, ResponseCode[code])
        self.assertEqual(self.holders("Ops", Role.MEMBER), [ALICE])

    def test_named_twice_in_one_command(self) -> None:
        """Two spellings of one person are one person."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE, "ALICE@example.com", "sips:alice@EXAMPLE.com:5061")
        self.assertEqual(self.holders("Ops", Role.MEMBER), [ALICE])

    def test_presenters_are_members_of_auditoriums(self) -> None:
        """A normal room has no presenters; in an auditorium they must be members (P-3)."""
        self.add("Ops")
        self.add("Hall", behavior="auditorium")
        self.grant("Ops", Role.MEMBER, ALICE)
        self.refused(
            self.rooms.add_role(OPERATOR, "Ops", Role.PRESENTER, [ALICE]), ResponseCode.ERROR_INVALID_ARGUMENT
        )
        self.refused(
            self.rooms.add_role(OPERATOR, "Hall", Role.PRESENTER, [ALICE]),
            ResponseCode.ERROR_PRESENTER_NOT_MEMBER,
        )
        self.grant("Hall", Role.MEMBER, DOMAIN)
        self.grant("Hall", Role.PRESENTER, ALICE)
        self.assertIsNone(
            self.rules.access.refusal_to_post(self.rules.user("alice"), self.rules.room("Hall"))
        )
        self.assertIsNotNone(
            self.rules.access.refusal_to_post(self.rules.user("bob"), self.rules.room("Hall"))
        )

    def test_presenters_of_an_open_auditorium_need_no_membership(self) -> None:
        """In an open room whoever is in scope counts as member; closed, only listed presenters stay."""
        self.add("Hall", behavior="auditorium", privacy="open")
        self.grant("Hall", Role.MEMBER, ALICE)
        self.grant("Hall", Role.PRESENTER, ALICE, BOB)
        result(self.rooms.change_room(OPERATOR, "Hall", privacy="closed"))
        self.assertEqual(self.holders("Hall", Role.PRESENTER), [ALICE])
        result(self.rooms.change_room(OPERATOR, "Hall", behavior="normal"))
        self.assertEqual(self.holders("Hall", Role.PRESENTER), [])
        self.assertEqual(self.holders("Hall", Role.MEMBER), [ALICE])

    def test_removed_member_is_no_presenter_and_leaves(self) -> None:
        """Taking a member off the list takes his presenter role too, and puts him out."""
        self.add("Hall", behavior="auditorium")
        self.grant("Hall", Role.MEMBER, ALICE, BOB)
        self.grant("Hall", Role.PRESENTER, ALICE)
        self.rules.observer.take()
        self.events()
        shown = result(self.rooms.remove_role(OPERATOR, "Hall", Role.MEMBER, [ALICE]))
        self.assertEqual(shown, [{"uri": BOB, "kind": "user"}])
        self.assertEqual(self.holders("Hall", Role.PRESENTER), [])
        self.assertEqual(
            self.rules.observer.take(), [("rights_narrowed", ["Hall"]), ("rights_changed", ["Hall"])]
        )
        removed = {"member": [ALICE], "presenter": [ALICE]}
        self.assertEqual(self.events(), [("role_change", "Hall", {"added": {}, "removed": removed})])
        self.assertIsNotNone(
            self.rules.access.refusal_to_join(self.rules.user("alice"), self.rules.room("Hall"))
        )

    def test_member_list_of_an_open_room(self) -> None:
        """Members of an open room are kept, without effect until the room is closed."""
        self.add("Lobby", privacy="open")
        self.grant("Lobby", Role.MEMBER, ALICE)
        bob, room = self.rules.user("bob"), self.rules.room("Lobby")
        self.assertIsNone(self.rules.access.refusal_to_join(bob, room))
        result(self.rooms.change_room(OPERATOR, "Lobby", privacy="closed"))
        self.assertIsNotNone(self.rules.access.refusal_to_join(bob, room))
        self.assertIsNone(self.rules.access.refusal_to_join(self.rules.user("alice"), room))

    def test_manager_who_is_no_member_does_not_join(self) -> None:
        """Managing a closed room is not being in it (P-6)."""
        self.add("Ops")
        self.grant("Ops", Role.MANAGER, ALICE)
        alice, room = self.rules.user("alice"), self.rules.room("Ops")
        self.assertEqual(self.rules.access.refusal_to_join(alice, room), ResponseCode.ERROR_PERMISSION)
        self.assertIsNone(self.rules.access.refusal_to_manage(alice, room))
