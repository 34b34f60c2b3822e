"""The matrix of section 3.4 of the reference account, cell by cell.

Administrators are not asked about here: they use the administration interface, whose tests are elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pchat.directory.people import Principal
from pchat.errors import AdministrationRefused
from pchat.rooms.room import Role, Room
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, RulesCase, result

#: Who a column of the matrix is about, in its order.
PEOPLE = ("denied", "outsider", "visitor", "member", "presenter", "manager", "creator")


def row(cells: str) -> Mapping[str, bool]:
    """Read a row: Y may, - may not; a column a person, denied and outsider first."""
    return dict(zip(PEOPLE, (cell == "Y" for cell in cells.split()), strict=True))


class MatrixTests(RulesCase):
    """One person for each column, and rooms of each kind in one category."""

    def setUp(self) -> None:
        super().setUp()
        rules = self.rules
        result(rules.people.set_policy(OPERATOR, True))
        self.people = {name: rules.user(name) for name in PEOPLE}
        inside = [self.people[name].uri for name in PEOPLE if name != "outsider"]
        result(
            rules.categories.add_category(
                OPERATOR,
                "Staff",
                allowed=inside,
                creators=[self.people["creator"].uri],
            )
        )
        result(rules.categories.add_category(OPERATOR, "Other", allowed=[DOMAIN]))
        for privacy in ("open", "closed", "secret"):
            for behavior in ("normal", "auditorium"):
                self._make_room(privacy, behavior)
        # Denied comes last: it purges nobody, since nobody denied has a role, and beats being allowed (P-1).
        result(rules.categories.change_category(OPERATOR, "Staff", denied=[self.people["denied"].uri]))

    def _make_room(self, privacy: str, behavior: str) -> None:
        name = f"{privacy} {behavior}"
        rooms = self.rules.rooms
        result(rooms.add_room(OPERATOR, name, category="Staff", privacy=privacy, behavior=behavior))
        lists = {
            Role.MEMBER: [self.people["member"].uri, self.people["presenter"].uri],
            Role.MANAGER: [self.people["manager"].uri],
        }
        if behavior == "auditorium":
            lists[Role.PRESENTER] = [self.people["presenter"].uri]
        result(rooms.change_room(OPERATOR, name, lists=lists))

    def room(self, privacy: str, behavior: str = "normal") -> Room:
        return self.rules.room(f"{privacy} {behavior}")

    def check(self, expected: Mapping[str, bool], allowed: Any, about: str) -> None:
        """Compare a row with what people may."""
        found = {name: allowed(person) for name, person in self.people.items()}
        self.assertEqual(found, expected, about)

    def refused(self, work: Any) -> ResponseCode | None:
        """Do something; tell the code of its refusal, None if it was done."""
        try:
            result(work)
        except AdministrationRefused as error:
            return error.code
        return None

    def test_finding_and_looking(self) -> None:
        """P-13: find a room, see its card and its member list (rows 1 to 3)."""
        access = self.rules.access
        for privacy, cells in (
            ("open", "- - Y Y Y Y Y"),
            ("closed", "- - Y Y Y Y Y"),
            ("secret", "- - - Y Y Y -"),
        ):
            room = self.room(privacy)
            self.check(row(cells), lambda person, room=room: access.may_see(person, room), privacy)
            self.check(
                row(cells), lambda person, room=room: access.refusal_to_see(person, room) is None, privacy
            )

    def test_joining_reading_posting(self) -> None:
        """P-6: join, read history, see who is in, post in a normal room (rows 4, 5, 7 to 9, 11)."""
        access = self.rules.access
        for privacy, cells in (
            ("open", "- - Y Y Y Y Y"),
            ("closed", "- - - Y Y - -"),
            ("secret", "- - - Y Y - -"),
        ):
            room = self.room(privacy)
            for question in (
                access.refusal_to_join,
                access.refusal_to_post,
                access.refusal_to_read_history,
                access.refusal_to_see_roster,
            ):
                self.check(
                    row(cells),
                    lambda person, question=question, room=room: question(person, room) is None,
                    f"{privacy} {question.__name__}",
                )

    def test_posting_in_an_auditorium(self) -> None:
        """P-3, P-9: only presenters post in an auditorium, open or not (row 6)."""
        for privacy in ("open", "closed", "secret"):
            room = self.room(privacy, "auditorium")
            self.check(
                row("- - - - Y - -"),
                lambda person, room=room: self.rules.access.refusal_to_post(person, room) is None,
                privacy,
            )

    def test_editing(self) -> None:
        """P-5: properties and lists are a manager's; a creator's only where he is manager (row 13)."""
        for privacy in ("open", "closed", "secret"):
            name = self.room(privacy).name
            self.check(
                row("- - - - - Y -"),
                lambda person, name=name: (
                    self.refused(self.rules.rooms.change_room(person.uri, name, description="x", user=person))
                    is None
                ),
                privacy,
            )

    def test_a_secret_room_is_unknown(self) -> None:
        """To whoever may not see a secret room every verb and every question says: there is none."""
        room = self.room("secret")
        for name in ("denied", "outsider", "visitor", "creator"):
            person = self.people[name]
            work = self.rules.rooms.disable_room(person.uri, room.uri, user=person)
            self.assertIs(self.refused(work), ResponseCode.ERROR_NO_SUCH_NODE, name)
            for question in (self.rules.access.refusal_to_see, self.rules.access.refusal_to_join):
                self.assertIs(question(person, room), ResponseCode.ERROR_NO_SUCH_NODE, name)

    def test_changing_the_category(self) -> None:
        """P-5: a manager moves a room only if he is a creator of the target (row 14)."""

        def moves(person: Principal) -> bool:
            work = self.rules.rooms.move_room(person.uri, "closed normal", "Other", user=person)
            return self.refused(work) is None

        self.check(row("- - - - - - -"), moves, "nobody creates there")
        everybody = [person.uri for person in self.people.values()]
        result(self.rules.categories.change_category(OPERATOR, "Other", creators=everybody))
        self.check(row("- - - - - Y -"), moves, "everybody creates there")

    def test_disabling_and_enabling(self) -> None:
        """P-7: a manager disables; no user enables (rows 15 and 16)."""
        rooms, name = self.rules.rooms, "closed normal"

        def disables(person: Principal) -> bool:
            done = self.refused(rooms.change_room(person.uri, name, disabled=True, user=person)) is None
            result(rooms.change_room(OPERATOR, name, disabled=False))
            return done

        self.check(row("- - - - - Y -"), disables, "disable")
        result(rooms.disable_room(OPERATOR, name))
        self.check(
            row("- - - - - - -"),
            lambda person: (
                self.refused(rooms.change_room(person.uri, name, disabled=False, user=person)) is None
            ),
            "enable",
        )

    def test_disabled_is_found_by_nobody(self) -> None:
        """F-14: a disabled room is seen, joined and read by nobody."""
        result(self.rules.rooms.disable_room(OPERATOR, "open normal"))
        room, access = self.room("open"), self.rules.access
        nobody = row("- - - - - - -")
        self.check(nobody, lambda person: access.may_see(person, room), "see")
        self.check(nobody, lambda person: access.refusal_to_join(person, room) is None, "join")
        self.check(nobody, lambda person: access.refusal_to_read_history(person, room) is None, "read")

    def test_creating(self) -> None:
        """P-4: only creators of the category make rooms in it (row 18)."""
        self.check(
            row("- - - - - - Y"),
            lambda person: (
                self.refused(
                    self.rules.rooms.add_room(person.uri, f"of {person.name}", category="Staff", user=person)
                )
                is None
            ),
            "create",
        )

    def test_without_a_policy(self) -> None:
        """P-16: chat is off for everybody until a policy switches it on, whatever the lists say."""
        result(self.rules.people.set_policy(OPERATOR, False))
        nobody = row("- - - - - - -")
        for room in self.rules.tree.rooms():
            self.check(
                nobody, lambda person, room=room: bool(self.rules.access.rights(person, room)), room.name
            )
