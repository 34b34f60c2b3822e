"""Changes of rooms that are made whole or not at all, and who is invited by them."""

from __future__ import annotations

import json
from typing import Any

from pchat.rooms.role_lists import RoleDelta
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, result
from tests.rooms.staff_support import ALICE, BOB, CAROL, StaffCase


class WholeChangeTests(StaffCase):
    """Several things at once."""

    def test_roles_in_one_transaction(self) -> None:
        """P-2, P-3: the result counts: a member and presenter of the same change; one bad name undoes all."""
        self.add("Hall", behavior="auditorium")
        changes = {Role.PRESENTER: RoleDelta(add=[ALICE]), Role.MEMBER: RoleDelta(add=[ALICE, BOB])}
        result(self.rooms.change_roles(OPERATOR, "Hall", changes))
        self.assertEqual(self.holders("Hall", Role.PRESENTER), [ALICE])
        bad = {Role.MEMBER: RoleDelta([CAROL], [BOB]), Role.MANAGER: RoleDelta(add=["nobody@example.com"])}
        self.refused(self.rooms.change_roles(OPERATOR, "Hall", bad), ResponseCode.ERROR_NO_SUCH_PRINCIPAL)
        self.assertEqual(self.holders("Hall", Role.MEMBER), [ALICE, BOB])
        swap = {Role.MEMBER: RoleDelta([CAROL], [ALICE])}
        shown = result(self.rooms.change_roles(OPERATOR, "Hall", swap))
        self.assertEqual(self.holders("Hall", Role.MEMBER), [BOB, CAROL])
        # P-3: who is no member any more presents no longer.
        gone = {"room": shown["uri"], "place": "Hall", "role": "presenter", "uri": ALICE}
        self.assertEqual(shown["removed"], [gone])

    def test_contradictions(self) -> None:
        """Nobody named, or somebody both put on a list and taken from it: refused."""
        self.add("Ops")
        for changes in (
            {},
            {Role.MEMBER: RoleDelta()},
            {Role.MEMBER: RoleDelta([ALICE], ["alice@example.com"])},
        ):
            self.refused(
                self.rooms.change_roles(OPERATOR, "Ops", changes), ResponseCode.ERROR_INVALID_ARGUMENT
            )

    def test_lists_replace_lists(self) -> None:
        """A list that is given is the whole list; an empty text empties it; others stay."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE, BOB)
        self.grant("Ops", Role.MANAGER, ALICE)
        result(self.rooms.change_room(OPERATOR, "Ops", lists={Role.MEMBER: [BOB, CAROL]}))
        self.assertEqual(self.holders("Ops", Role.MEMBER), [BOB, CAROL])
        self.assertEqual(self.holders("Ops", Role.MANAGER), [ALICE])
        result(self.rooms.change_room(OPERATOR, "Ops", lists={Role.MANAGER: [""], Role.MEMBER: [ALICE]}))
        self.assertEqual(self.holders("Ops", Role.MANAGER), [])
        self.assertEqual(self.holders("Ops", Role.MEMBER), [ALICE])

    def test_moved_with_new_lists(self) -> None:
        """Lists that come with a move must fit the new category; those that stay are purged (P-10)."""
        result(self.categories.add_category(OPERATOR, "Few", allowed=[ALICE]))
        self.add("Ops")
        self.grant("Ops", Role.MANAGER, ALICE, BOB)
        self.refused(
            self.rooms.change_room(OPERATOR, "Ops", category="Few", lists={Role.MEMBER: [BOB]}),
            ResponseCode.ERROR_PRINCIPALS_NOT_IN_SCOPE,
        )
        self.assertEqual(self.rules.room("Ops").category.name, "Staff")
        shown = result(self.rooms.change_room(OPERATOR, "Ops", category="Few", lists={Role.MEMBER: [ALICE]}))
        self.assertEqual(self.holders("Ops", Role.MEMBER), [ALICE])
        self.assertEqual([entry["uri"] for entry in shown["removed"]], [BOB])

    def test_somebody_changed_it_meanwhile(self) -> None:
        """A caller who knows an older state of the room changes nothing; every change makes a newer one."""
        self.add("Ops")
        read = self.rules.room("Ops").updated_on
        result(self.rooms.change_room(OPERATOR, "Ops", description="x", updated_on=read))
        later = self.rules.room("Ops").updated_on
        # The clock has not moved, yet the two states are told apart.
        self.assertGreater(later, read)
        change = {Role.MEMBER: RoleDelta(add=[ALICE])}
        for work in (
            self.rooms.change_room(OPERATOR, "Ops", description="y", updated_on=read),
            self.rooms.change_roles(OPERATOR, "Ops", change, updated_on=read),
            self.rooms.change_room(OPERATOR, "Ops", lists={Role.MEMBER: [ALICE]}, updated_on=read),
        ):
            self.refused(work, ResponseCode.ERROR_DATA_COLLISION)
        result(self.rooms.change_roles(OPERATOR, "Ops", change, updated_on=later))
        self.assertGreater(self.rules.room("Ops").updated_on, later)

    def test_names_of_categories_are_taken(self) -> None:
        """M-3: a room may not have the name of a category, nor of another room, however it is written."""
        self.add("Ops")
        for name in ("Staff", "STAFF"):
            self.refused(
                self.rooms.change_room(OPERATOR, "Ops", name=name), ResponseCode.ERROR_DUPLICATE_NAME
            )
        result(self.rooms.change_room(OPERATOR, "Ops", name="OPS"))

    def test_purges_are_dated(self) -> None:
        """P-10, P-11: a room and a category tell when roles were last taken away with a narrower scope."""
        result(self.categories.add_category(OPERATOR, "Few", allowed=[ALICE]))
        self.add("Ops")
        self.add("Den")
        self.grant("Ops", Role.MEMBER, ALICE, BOB)
        self.grant("Den", Role.MEMBER, CAROL)
        self.assertIsNone(self.rooms.show_room("Ops")["purged_on"])
        result(self.rooms.remove_role(OPERATOR, "Den", Role.MEMBER, [CAROL]))
        self.assertIsNone(self.rooms.show_room("Den")["purged_on"])
        self.grant("Den", Role.MEMBER, CAROL)
        self.rules.clock.advance(60)
        result(self.rooms.move_room(OPERATOR, "Ops", "Few"))
        self.assertEqual(self.rooms.show_room("Ops")["purged_on"], "2023-11-14T22:14:20.0000000Z")
        self.rules.clock.advance(60)
        result(self.categories.change_category(OPERATOR, "Staff", denied=[CAROL]))
        stamp = "2023-11-14T22:15:20.0000000Z"
        self.assertEqual(self.rooms.show_room("Den")["purged_on"], stamp)
        self.assertEqual(self.categories.show_category("Staff")["purged_on"], stamp)
        self.assertIsNone(self.categories.show_category("Few")["purged_on"])

    def test_audit_has_what_was_and_what_is(self) -> None:
        """The log of all changes has the attributes that changed, and the entries that came and went."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE)
        result(
            self.rooms.change_room(
                OPERATOR, "Ops", privacy="secret", lists={Role.MEMBER: [BOB], Role.MANAGER: [ALICE]}
            )
        )
        self.assertEqual(
            self.audit(),
            (
                "change",
                "room",
                self.rules.room("Ops").uri,
                {"privacy": "closed", "member": [ALICE]},
                {"privacy": "secret", "member": [BOB], "manager": [ALICE]},
            ),
        )
        result(self.categories.change_category(OPERATOR, "Staff", name="Crew", denied=[CAROL]))
        self.assertEqual(
            self.audit()[3:],
            ({"name": "Staff"}, {"name": "Crew", "denied_members": [CAROL]}),
        )
        uri = self.rules.room("Ops").uri
        result(self.rooms.remove_room(OPERATOR, "Ops"))
        action, kind, what, before, after = self.audit()
        self.assertEqual((action, kind, what, after), ("remove", "room", uri, None))
        self.assertEqual((before["name"], before["category_name"], before["member"]), ("Ops", "Crew", [BOB]))
        result(self.rules.administration.settings.set_setting(OPERATOR, "search-limit", "7"))
        self.assertEqual(
            self.audit(), ("set", "setting", "search-limit", {"search-limit": 999}, {"search-limit": 7})
        )

    def audit(self) -> tuple[Any, ...]:
        """Give the last entry of the audit log."""
        row = self.rules.query(
            "select action, kind, object, before, after from audit order by entry_id desc limit 1"
        )[0]
        return (*row[:3], *(None if value is None else json.loads(value) for value in row[3:]))


class InvitationTests(StaffCase):
    """Adding members invites them, if category and room say so."""

    def setUp(self) -> None:
        super().setUp()
        result(self.categories.change_category(OPERATOR, "Staff", invitations=True))
        self.add("Ops")
        self.numbers = {name: self.rules.user(name).id for name in ("alice", "bob", "carol")}
        self.rules.observer.take()

    def invited(self) -> list[tuple[str, dict[int, int]]]:
        """Tell of whom observers were told since the last time."""
        return [what for event, what in self.rules.observer.take() if event == "invited"]

    def waiting(self) -> list[int]:
        """Tell whose invitations the store has."""
        return [number for (number,) in self.rules.query("select principal_id from invitations order by 1")]

    def test_members_are_invited(self) -> None:
        """Each new member gets an invitation, numbered from 2 for himself; managers get none."""
        self.grant("Ops", Role.MEMBER, ALICE, BOB)
        self.grant("Ops", Role.MANAGER, CAROL)
        alice, bob = self.numbers["alice"], self.numbers["bob"]
        self.assertEqual(self.invited(), [("Ops", {alice: 2, bob: 2})])
        self.assertEqual(self.waiting(), sorted([alice, bob]))

    def test_a_domain_invites_everybody_who_is_new(self) -> None:
        """A domain on the list invites its people, but not who is a member already, nor whose chat is off."""
        self.grant("Ops", Role.MEMBER, ALICE)
        result(self.rules.people.set_policy(OPERATOR, False, uri=CAROL))
        self.rules.observer.take()
        self.grant("Ops", Role.MEMBER, DOMAIN)
        self.assertEqual(self.invited(), [("Ops", {self.numbers["bob"]: 2})])

    def test_switched_off(self) -> None:
        """A room that refuses, a category that does not invite, a disabled room: nobody is invited."""
        result(self.rooms.change_room(OPERATOR, "Ops", invitations="false"))
        self.grant("Ops", Role.MEMBER, ALICE)
        result(self.rooms.change_room(OPERATOR, "Ops", invitations="inherit", disabled=True))
        self.grant("Ops", Role.MEMBER, BOB)
        result(self.rooms.enable_room(OPERATOR, "Ops"))
        result(self.categories.change_category(OPERATOR, "Staff", invitations=False))
        self.grant("Ops", Role.MEMBER, CAROL)
        self.assertEqual((self.invited(), self.waiting()), ([], []))

    def test_taken_back(self) -> None:
        """Who is no member any more has no invitation, whatever took the membership; a member keeps his."""
        self.grant("Ops", Role.MEMBER, ALICE, DOMAIN)
        result(self.rooms.remove_role(OPERATOR, "Ops", Role.MEMBER, [ALICE]))
        self.assertEqual(len(self.waiting()), 3)
        result(self.rooms.change_room(OPERATOR, "Ops", lists={Role.MEMBER: [BOB, CAROL]}))
        self.assertEqual(self.waiting(), [self.numbers["bob"], self.numbers["carol"]])
        result(self.categories.change_category(OPERATOR, "Staff", denied=[CAROL]))
        self.assertEqual(self.waiting(), [self.numbers["bob"]])
        result(self.categories.add_category(OPERATOR, "Few", allowed=[ALICE]))
        result(self.rooms.move_room(OPERATOR, "Ops", "Few"))
        self.assertEqual(self.waiting(), [])

    def test_limit(self) -> None:
        """L-10: too many invitations refuse the whole change."""
        result(self.rules.administration.settings.set_setting(OPERATOR, "invitation-limit", "2"))
        self.refused(
            self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [DOMAIN]), ResponseCode.ERROR_LIMIT_EXCEEDED
        )
        self.assertEqual((self.holders("Ops", Role.MEMBER), self.waiting()), ([], []))
        self.grant("Ops", Role.MEMBER, ALICE, BOB)
        self.assertEqual(len(self.waiting()), 2)


class EntryLimitTests(StaffCase):
    """L-10: scopes and role lists of the pool have an upper limit together."""

    def test_limit(self) -> None:
        """What would go above it is refused; what shortens lists is not, even while they are too long."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE)
        self.assertEqual(self.rules.tree.entries, 2)
        settings = self.rules.administration.settings
        result(settings.set_setting(OPERATOR, "ace-limit", "3"))
        self.grant("Ops", Role.MANAGER, ALICE)
        for work in (
            self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [BOB]),
            self.rooms.change_room(OPERATOR, "Ops", lists={Role.MEMBER: [BOB, CAROL]}),
            self.categories.change_category(OPERATOR, "Staff", creators=[ALICE]),
            self.categories.add_category(OPERATOR, "Few", allowed=[ALICE]),
        ):
            self.refused(work, ResponseCode.ERROR_LIMIT_EXCEEDED)
        result(self.rooms.change_room(OPERATOR, "Ops", lists={Role.MEMBER: [BOB]}))
        result(settings.set_setting(OPERATOR, "ace-limit", "0"))
        result(self.rooms.remove_role(OPERATOR, "Ops", Role.MEMBER, [BOB]))
        self.assertEqual(self.rules.tree.entries, 2)

    def test_a_creator_takes_an_entry(self) -> None:
        """A room that a user makes needs an entry for its manager."""
        result(self.categories.change_category(OPERATOR, "Staff", creators=[ALICE]))
        result(self.rules.administration.settings.set_setting(OPERATOR, "ace-limit", "2"))
        self.refused(
            self.rooms.add_room(ALICE, "Den", category="Staff", user=self.rules.user("alice")),
            ResponseCode.ERROR_LIMIT_EXCEEDED,
        )
        self.add("Den")
