"""What the archive and the log are told of changes: enough to understand them without the store."""

from __future__ import annotations

import json
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from pchat.errors import AdministrationRefused
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, RulesCase, result

ALICE, BOB = (f"sip:{name}@{DOMAIN}" for name in ("alice", "bob"))


class RecordCase(RulesCase):
    """Alice and bob, and a category for their domain."""

    def setUp(self) -> None:
        super().setUp()
        self.people = self.rules.people
        self.rooms, self.categories = self.rules.rooms, self.rules.categories
        result(self.people.set_policy(OPERATOR, True))
        for name in ("alice", "bob"):
            self.rules.user(name)
        result(self.categories.add_category(OPERATOR, "Staff", allowed=[DOMAIN]))
        self.staff = self.categories.show_category("Staff")["uri"]

    def details(self, kind: str) -> list[dict[str, Any]]:
        rows = self.rules.query("select kind, detail from outbox order by server_sequence")
        return [json.loads(detail) for found, detail in rows if found == kind]


class EventTests(RecordCase):
    """Compliance events of changes."""

    def test_a_room_is_recorded_with_its_category(self) -> None:
        """Who reads the archive later sees the category's name and URI, no number of the store."""
        result(self.rooms.add_room(OPERATOR, "Ops", category="Staff"))
        [made] = self.details("room_change")
        after = made["after"]
        self.assertEqual((after["category"], after["category_name"]), (self.staff, "Staff"))
        self.assertEqual([value for value in after.values() if type(value) in (int, float)], [])

    def test_a_move_is_recorded_with_both_categories(self) -> None:
        """A move tells from where and where to."""
        result(self.categories.add_category(OPERATOR, "Few", allowed=[ALICE]))
        few = self.categories.show_category("Few")["uri"]
        result(self.rooms.add_room(OPERATOR, "Ops", category="Staff"))
        result(self.rooms.move_room(OPERATOR, "Ops", "Few"))
        moved = self.details("room_change")[-1]
        self.assertEqual(
            (moved["before"], moved["after"]),
            (
                {"category": self.staff, "category_name": "Staff"},
                {"category": few, "category_name": "Few"},
            ),
        )

    def test_a_removed_user_is_recorded_like_any_narrowed_scope(self) -> None:
        """The scopes that a removed user stood in are told by name."""
        result(self.categories.change_category(OPERATOR, "Staff", denied=[BOB]))
        before = self.details("scope_change")[-1]
        result(self.people.remove_user(OPERATOR, BOB))
        removed = self.details("scope_change")[-1]
        self.assertEqual(
            removed,
            {
                "category": self.staff,
                "name": "Staff",
                "change": "changed",
                "added": {},
                "removed": {"deny": [BOB]},
            },
        )
        self.assertEqual(removed.keys(), before.keys())

    def test_who_changed_it_is_recorded_with_his_mail_address(self) -> None:
        """An event of a user's own change can be filed by his mail address."""
        carol = f"sip:carol@{DOMAIN}"
        result(self.people.add_user(OPERATOR, carol, display_name="Carol", email="c@mail.example.com"))
        result(self.rooms.add_room(carol, "Ops", category="Staff"))
        rows = self.rules.query(
            "select user_uri, user_name, user_email from outbox where kind = 'room_change'"
        )
        self.assertEqual(rows, [(carol, "Carol", "c@mail.example.com")])


class LogTests(RecordCase):
    """Log lines of changes."""

    def lines_of(self, *works: Any) -> list[str]:
        with capturedLogs() as events:
            for work in works:
                result(work)
        return [line for line in map(formatEvent, events) if line and line.startswith(f"{OPERATOR}: ")]

    def test_everything_is_named(self) -> None:
        """Each line says what was changed, also if it is new or has no number."""
        carol = f"sip:carol@{DOMAIN}"
        lines = self.lines_of(
            self.people.add_user(OPERATOR, carol),
            self.people.disable_user(OPERATOR, carol),
            self.people.set_policy(OPERATOR, False),
            self.people.set_policy(OPERATOR, True, uri=carol),
            self.categories.add_category(OPERATOR, "Few", allowed=[ALICE]),
            self.rooms.add_room(OPERATOR, "Ops", category="Few"),
            self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [ALICE]),
            self.rules.administration.settings.set_setting(OPERATOR, "default-history", "5"),
        )
        few, ops = self.categories.show_category("Few")["uri"], self.rules.room("Ops").uri
        self.assertEqual(
            lines,
            [
                f"{OPERATOR}: {what}"
                for what in (
                    *(
                        f"add user {carol}",
                        f"disable user {carol}",
                        "set policy global",
                        f"set policy {carol}",
                    ),
                    *(f"add category {few}", f"add room {ops}", f"change role {ops}"),
                    "set setting default-history",
                )
            ],
        )


class NewDomainTests(RecordCase):
    """Domains become known when a scope first names them."""

    def domains(self) -> list[str]:
        return [row[0] for row in self.rules.query("select uri from principals where kind = 8 order by uri")]

    def refused(self, work: Any, code: ResponseCode) -> None:
        before = self.rules.query("select number from revision"), self.domains()
        error = self.assertRaises(AdministrationRefused, result, work)
        self.assertEqual(error.code, code)
        self.assertEqual((self.rules.query("select number from revision"), self.domains()), before)
        self.assertIsNone(self.rules.directory.by_uri("partner.example"))

    def test_a_refused_change_leaves_no_principal_behind(self) -> None:
        """A domain named in a change that is refused stays unknown, in the store and in memory."""
        outside = ResponseCode.ERROR_PRINCIPALS_NOT_IN_SCOPE
        unknown = ResponseCode.ERROR_NO_SUCH_PRINCIPAL
        add, change = self.categories.add_category, self.categories.change_category
        self.refused(add(OPERATOR, "X", allowed=["partner.example"], creators=[ALICE]), outside)
        self.refused(add(OPERATOR, "X", allowed=["partner.example"], denied=["sip:no@body.example"]), unknown)
        self.refused(add(OPERATOR, "X", creators=["partner.example"]), outside)
        self.refused(change(OPERATOR, "Staff", allowed=["partner.example"], creators=[ALICE]), outside)
        self.refused(
            change(OPERATOR, "Staff", denied=["partner.example"], creators=["partner.example"]), outside
        )

    def test_a_new_domain_is_known_with_the_change(self) -> None:
        """A domain that one command names for the first time on several lists is one principal."""
        before = self.rules.query("select number from revision")[0][0]
        result(
            self.categories.add_category(
                OPERATOR,
                "Partners",
                allowed=["Partner.Example", "other.example"],
                denied=["other.example"],
                creators=["partner.example"],
            )
        )
        self.assertEqual(self.rules.query("select number from revision"), [(before + 1,)])
        self.assertEqual(self.domains(), [DOMAIN, "other.example", "partner.example"])
        shown = self.rules.reloaded().administration.categories.show_category("Partners")
        self.assertEqual(shown, self.categories.show_category("Partners"))
        self.assertEqual(
            [
                [found["uri"] for found in shown[name]]
                for name in ("allowed_members", "denied_members", "creators")
            ],
            [["other.example", "partner.example"], ["other.example"], ["partner.example"]],
        )
        self.assertEqual(
            self.details("scope_change")[-1]["added"],
            {
                "allow": ["other.example", "partner.example"],
                "deny": ["other.example"],
                "create": ["partner.example"],
            },
        )

    def test_a_new_domain_covers_its_people_at_once(self) -> None:
        """People of a domain count as allowed or denied in the very command that first names their domain."""
        guest = "sip:guest@partner.example"
        result(self.people.add_user(OPERATOR, guest))
        result(self.categories.add_category(OPERATOR, "Open", allowed=["partner.example"], creators=[guest]))
        shown = self.categories.show_category("Open")
        self.assertEqual([found["uri"] for found in shown["creators"]], [guest])

    def test_denying_a_new_domain_takes_roles_away(self) -> None:
        """Who falls out of scope by a domain named for the first time loses his roles and is put out."""
        guest = "sip:guest@partner.example"
        result(self.people.add_user(OPERATOR, guest))
        result(self.categories.change_category(OPERATOR, "Staff", allowed=[DOMAIN, guest], creators=[guest]))
        result(self.rooms.add_room(OPERATOR, "Ops", category="Staff"))
        result(self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [guest, ALICE]))
        self.rules.observer.take()
        result(self.categories.change_category(OPERATOR, "Staff", denied=["partner.example"]))
        self.assertEqual([found["uri"] for found in self.rooms.list_role("Ops", Role.MEMBER)], [ALICE])
        self.assertEqual(self.categories.show_category("Staff")["creators"], [])
        self.assertIn(("rights_narrowed", ["Ops"]), self.rules.observer.take())
