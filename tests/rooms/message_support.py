"""Two people who talk, and an administrator who takes back what they said."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import AdministrationRefused
from pchat.interfaces import ITransaction
from pchat.rooms.message_filter import MessageFilter
from pchat.testing.memory import now_or_never
from pchat.xccos.codes import ResponseCode
from tests.rooms.service_support import ACTOR, World

Row = tuple[Any, ...]
BOB = "sip:bob@example.com"


async def rows(txn: ITransaction, sql: str) -> list[Row]:
    """Read anything."""
    return await txn.query(sql)


class MessageCase(SynchronousTestCase):
    """Alice and Bob talk in the Lobby; ten seconds lie between their messages."""

    def setUp(self) -> None:
        self.begin(World())

    def begin(self, world: World) -> None:
        """Take a server."""
        self.world = world
        self.messages = world.administration.messages
        self.enter()

    def enter(self) -> None:
        """Let both enter the Lobby."""
        self.alice, self.bob = self.world.person("alice"), self.world.person("bob")
        for person in (self.alice, self.bob):
            person.join(self.world.lobby)

    def say(self, *texts: str) -> None:
        """Let Bob and Alice say things, in turn."""
        for number, text in enumerate(texts):
            (self.alice if number % 2 else self.bob).post(self.world.lobby, text)
            self.world.clock.advance(10)
        self.world.settle(self.alice, self.bob)
        for person in (self.alice, self.bob):
            person.hear()

    def sql(self, statement: str) -> list[Row]:
        """Read from the store."""
        return now_or_never(self.world.store.read(rows, statement))

    def texts(self) -> dict[int, str]:
        """What the store holds."""
        return dict(self.sql("select chat_id, chat from messages order by chat_id"))

    def remove(self, chosen: MessageFilter, **more: Any) -> Any:
        """Remove messages."""
        return now_or_never(self.messages.remove(ACTOR, "Lobby", chosen, **more))

    def replace(self, chosen: MessageFilter, **more: Any) -> Any:
        """Replace messages."""
        return now_or_never(self.messages.replace(ACTOR, "Lobby", chosen, **more))

    def assert_refused(self, code: ResponseCode, work: Any) -> str:
        """Expect a refusal; return its words."""
        error = self.assertRaises(AdministrationRefused, now_or_never, work)
        self.assertIs(code, error.code, error)
        return str(error)

    def archive(self, *kinds: str) -> list[Row]:
        """What compliance knows: kind, who, chat id, text, detail."""
        found = self.sql("select kind, user_uri, chat_id, text, detail from outbox order by server_sequence")
        return [(*row[:4], json.loads(row[4])) for row in found if row[0] in kinds]

    def audit(self) -> list[Row]:
        """What the audit log knows of messages: who, what, about what, before and after."""
        found = self.sql("select actor, action, object, before, after from audit where kind = 'messages'")
        return [(*row[:3], json.loads(row[3]), json.loads(row[4])) for row in found]
