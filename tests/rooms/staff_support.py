"""Three users and a category, for tests of what operators and managers do."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any

from pchat.errors import AdministrationRefused
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, RulesCase, result

ALICE, BOB, CAROL = (f"sip:{name}@{DOMAIN}" for name in ("alice", "bob", "carol"))


class StaffCase(RulesCase):
    """Three users who may chat, and a category that is open to the domain."""

    def setUp(self) -> None:
        super().setUp()
        self.rooms, self.categories = self.rules.rooms, self.rules.categories
        result(self.rules.people.set_policy(OPERATOR, True))
        for name in ("alice", "bob", "carol"):
            self.rules.user(name)
        result(self.categories.add_category(OPERATOR, "Staff", allowed=[DOMAIN]))

    def add(self, name: str, **attributes: Any) -> None:
        result(self.rooms.add_room(OPERATOR, name, **({"category": "Staff"} | attributes)))

    def grant(self, name: str, role: Role, *uris: str) -> None:
        result(self.rooms.add_role(OPERATOR, name, role, uris))

    def holders(self, name: str, role: Role) -> list[str]:
        return [shown["uri"] for shown in self.rooms.list_role(name, role)]

    def refused(self, work: Coroutine[Any, Any, Any], code: ResponseCode) -> str:
        before = self.rules.query("select number from revision")
        error = self.assertRaises(AdministrationRefused, result, work)
        self.assertEqual(error.code, code, str(error))
        self.assertEqual(self.rules.query("select number from revision"), before)
        return str(error)

    def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Give the compliance events since the last time."""
        rows = self.rules.query("select kind, room_name, detail from outbox order by server_sequence")
        done = getattr(self, "_events_seen", 0)
        self._events_seen = len(rows)
        return [(kind, room, json.loads(detail)) for kind, room, detail in rows[done:]]
