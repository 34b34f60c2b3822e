"""Names that are changed, policies that are taken back, and what the audit log keeps of people."""

from __future__ import annotations

import json
from typing import Any

from pchat.errors import AdministrationRefused
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, RulesCase, result

ALICE, BOB = f"sip:alice@{DOMAIN}", f"sip:bob@{DOMAIN}"
SECRET = "correct horse 1"


class PeopleCase(RulesCase):
    """Alice and bob."""

    def setUp(self) -> None:
        super().setUp()
        self.people = self.rules.people
        for name in ("alice", "bob"):
            self.rules.user(name)
        self.rules.observer.take()

    def refused(self, work: Any, code: ResponseCode) -> None:
        before = self.rules.query("select number from revision")
        error = self.assertRaises(AdministrationRefused, result, work)
        self.assertEqual(error.code, code)
        self.assertEqual(self.rules.query("select number from revision"), before)

    def audit(self) -> list[tuple[Any, ...]]:
        rows = self.rules.query("select action, kind, object, before, after from audit order by entry_id")
        return [(*row[:3], *(None if text is None else json.loads(text) for text in row[3:])) for row in rows]


class NameTests(PeopleCase):
    """What people read of a user."""

    def test_changed_names_are_told(self) -> None:
        """Clients are told of a new name; a change to what is there already is none."""
        shown = result(self.people.change_user(OPERATOR, ALICE, display_name="Alice A", company="Us"))
        self.assertEqual((shown["display_name"], shown["company"], shown["email"]), ("Alice A", "Us", ""))
        self.assertEqual(shown["updated_by"], OPERATOR)
        self.assertEqual(self.rules.observer.take(), [("user_changed", ALICE)])
        self.assertEqual(self.rules.user("alice").shown_name, "Alice A")
        result(self.people.change_user(OPERATOR, ALICE, display_name="Alice A"))
        result(self.people.change_user(OPERATOR, ALICE))
        self.assertEqual(self.rules.observer.take(), [])
        self.assertEqual([entry[0] for entry in self.audit()].count("change"), 1)

    def test_refused_names(self) -> None:
        """What cannot be shown in one line, or is too long, changes nothing; nor does an unknown user."""
        change, bad = self.people.change_user, ResponseCode.ERROR_INVALID_ARGUMENT
        self.refused(change(OPERATOR, ALICE, display_name="a\nb", company="Us"), bad)
        self.refused(change(OPERATOR, ALICE, email="x" * 257), bad)
        self.refused(change(OPERATOR, "nobody@example.com"), ResponseCode.ERROR_NO_SUCH_PRINCIPAL)
        self.assertEqual(self.rules.user("alice").company, "")


class PolicyTests(PeopleCase):
    """Policies that are changed and taken back."""

    def test_a_description_stays(self) -> None:
        """Switching chat on or off keeps the description, unless another is given."""
        set_policy = self.people.set_policy
        for uri in (None, ALICE):
            result(set_policy(OPERATOR, True, uri=uri, description="pilot"))
            self.assertEqual(result(set_policy(OPERATOR, False, uri=uri))["description"], "pilot")
            self.assertEqual(result(set_policy(OPERATOR, False, uri=uri, description=""))["description"], "")

    def test_without_his_own_the_global_one_is_in_force(self) -> None:
        """Taking a policy away may end somebody's sessions, or begin them."""
        result(self.people.set_policy(OPERATOR, True, uri=ALICE))
        self.rules.observer.take()
        result(self.people.remove_policy(OPERATOR, uri=ALICE))
        self.assertEqual(self.rules.observer.take(), [("user_ended", (ALICE, "policy"))])
        self.refused(self.people.remove_policy(OPERATOR, uri=ALICE), ResponseCode.ERROR_INVALID_ARGUMENT)
        result(self.people.set_policy(OPERATOR, False, uri=BOB))
        result(self.people.set_policy(OPERATOR, True))
        self.rules.observer.take()
        result(self.people.remove_policy(OPERATOR, uri=BOB))
        self.assertEqual(self.rules.observer.take(), [("user_changed", BOB)])
        result(self.people.remove_policy(OPERATOR))
        self.assertEqual(
            self.rules.observer.take(), [("user_ended", (user, "policy")) for user in (ALICE, BOB)]
        )


class AuditTests(PeopleCase):
    """What the audit log keeps of each verb: never a secret."""

    def test_accounts(self) -> None:
        """From the first day of an account to its last."""
        zoe = f"sip:zoe@{DOMAIN}"
        result(self.people.add_user(OPERATOR, zoe, password=SECRET, display_name="Zoe"))
        result(self.people.set_password(OPERATOR, zoe, SECRET + "2"))
        result(self.people.change_user(OPERATOR, zoe, email="z@mail.example.com", display_name="Zoe"))
        result(self.people.disable_user(OPERATOR, zoe))
        result(self.people.enable_user(OPERATOR, zoe))
        result(self.rules.categories.add_category(OPERATOR, "C", allowed=[zoe]))
        result(self.rules.rooms.add_room(OPERATOR, "Ops", category="C"))
        result(self.rules.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [zoe]))
        result(self.people.remove_user(OPERATOR, zoe))
        names = {"display_name": "Zoe", "company": "", "email": ""}
        mine = [entry for entry in self.audit() if entry[2] == zoe]
        self.assertEqual(
            mine[:5],
            [
                ("add", "user", zoe, None, names | {"password": "set"}),
                ("password", "user", zoe, None, {"password": "changed"}),
                ("change", "user", zoe, {"email": ""}, {"email": "z@mail.example.com"}),
                ("disable", "user", zoe, {"state": "active"}, {"state": "disabled"}),
                ("enable", "user", zoe, {"state": "disabled"}, {"state": "active"}),
            ],
        )
        action, _, _, before, after = mine[5]
        removed = before.pop("removed")
        self.assertEqual((action, after), ("remove", None))
        self.assertEqual(before, names | {"email": "z@mail.example.com", "state": "active"})
        self.assertEqual([entry["role"] for entry in removed], ["allowed", "member"])
        self.assertNotIn(SECRET, json.dumps(self.audit()))

    def test_policies(self) -> None:
        """What was in force before and after; None where there was no policy."""
        result(self.people.set_policy(OPERATOR, True, uri=BOB, description="pilot"))
        result(self.people.set_policy(OPERATOR, False, uri=BOB))
        result(self.people.remove_policy(OPERATOR, uri=BOB))
        result(self.people.set_policy(OPERATOR, True))
        result(self.people.remove_policy(OPERATOR))
        on, off = {"enabled": True, "description": "pilot"}, {"enabled": False, "description": "pilot"}
        default = {"enabled": False, "description": ""}
        self.assertEqual(
            self.audit()[-5:],
            [
                ("set", "policy", BOB, None, on),
                ("set", "policy", BOB, on, off),
                ("remove", "policy", BOB, off, None),
                ("set", "policy", "global", default, {"enabled": True, "description": ""}),
                ("reset", "policy", "global", {"enabled": True, "description": ""}, default),
            ],
        )
