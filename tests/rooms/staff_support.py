"""Three users and a category, for tests of what operators and managers do."""

from __future__ import annotations

import json
import uuid
from collections.abc import Coroutine
from typing import Any

from pchat.errors import AdministrationRefused
from pchat.interfaces import ITransaction
from pchat.rooms.room import Role
from pchat.store.messages import NewMessage, Stale
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

    def say(self, name: str, *texts: str, rtf: str | None = None) -> None:
        """Let Alice post messages in a room."""
        room, alice = self.rules.room(name), self.rules.user("alice")
        messages = [
            NewMessage(
                message_id=uuid.uuid4().hex,
                room_id=room.id,
                room_uri=room.uri,
                room_name=room.name,
                author_id=alice.id,
                author_uri=alice.uri,
                author_name="",
                chat=text,
                rtf=rtf,
                alert=False,
                logged=True,
                revision=self.rules.tree.revision,
            )
            for text in texts
        ]
        outcomes = self.successResultOf(self.rules.store.append(messages))
        assert not any(isinstance(outcome, Stale) for outcome in outcomes)
        room.last_chat_id += len(texts)

    def write(self, sql: str, *args: Any) -> None:
        """Write into the store what nobody who is tested here would write."""

        async def body(txn: ITransaction) -> None:
            await txn.run(sql, args)

        self.successResultOf(self.rules.store.write(body))

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
