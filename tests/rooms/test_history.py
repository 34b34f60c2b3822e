"""Reading back: the last messages of a room, and that nobody reads without a trace."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.room import Room
from pchat.testing.memory import now_or_never
from tests.rooms.service_support import ACTOR, Reply, World


class Case(SynchronousTestCase):
    """Alice and Bob are in the closed room Ops, where Bob has said three things."""

    def setUp(self) -> None:
        self.begin(World())

    def begin(self, world: World) -> None:
        self.world = world
        self.store = self.world.store
        self.alice = self.world.person("alice")
        self.bob = self.world.person("bob")
        self.ops = self.world.add_room("Ops", "closed", ["alice", "bob"])
        self.bob.join(self.ops)
        for text in ("one", "two", "three"):
            self.bob.post(self.ops, text)
        self.world.settle(self.alice, self.bob)

    def texts(self, reply: Reply | None) -> list[str]:
        """What a reply shows."""
        assert reply is not None
        self.assertEqual(reply.code, 200)
        [room] = reply.data
        return [str(message[0].text) for message in room]

    def symbol(self, reply: Reply | None) -> str:
        """How a reply refuses."""
        assert reply is not None
        self.assertEqual(reply.data, [])
        return reply.symbol or ""

    def reads(self) -> list[dict[str, object]]:
        """What the archive knows of reads."""
        return [json.loads(detail) for kind, _, _, detail in self.world.server.events() if kind == "read"]


class Reading(Case):
    """What is read."""

    def test_last_messages_oldest_first(self) -> None:
        """The last messages come in the order in which they were said, without joining the room."""
        self.assertEqual(self.texts(self.alice.history(self.ops, 2)), ["two", "three"])
        self.assertEqual(self.reads(), [{"query": "context", "limit": 2, "count": 2, "chat_ids": [2, 3]}])

    def test_count_is_capped(self) -> None:
        """However many are asked for, no more than the search limit are read; unasked the default."""
        now_or_never(self.world.administration.settings.set_setting(ACTOR, "search-limit", "10"))
        for number in range(10):
            self.bob.post(self.ops, str(number))
        self.assertEqual(len(self.texts(self.alice.history(self.ops, 9999))), 10)
        reply = self.alice.command("bccontext", f'<chanib uri="{self.ops.uri}"/>')
        default = min(10, self.world.parts.base.settings.default_history)
        self.assertEqual(len(self.texts(reply)), default)

    def test_who_may_not(self) -> None:
        """Strangers to a closed room may not read it; a secret one does not exist for them."""
        carol = self.world.person("carol")
        secret = self.world.add_room("Secret", "secret")
        self.assertEqual(self.symbol(carol.history(self.ops)), "ERROR_PERMISSION")
        self.assertEqual(self.symbol(carol.history(secret)), "ERROR_NO_SUCH_NODE")
        unknown = carol.command("bccontext", '<chanib uri="ma-chan://example.com/nowhere"/>')
        self.assertEqual(self.symbol(unknown), "ERROR_NO_SUCH_NODE")
        self.assertEqual(self.reads(), [])

    def test_room_without_history(self) -> None:
        """Where nothing is kept, nothing is read, and that it was asked for is on record."""
        categories = self.world.administration.categories
        now_or_never(categories.add_category(ACTOR, "Silent", allowed=["example.com"], chat_history=False))
        room = self.world.add_room("Whispers", category="Silent")
        self.bob.join(room)
        self.bob.post(room, "gone with the wind")
        self.assertEqual(self.texts(self.bob.history(room)), [])
        self.assertEqual([read["count"] for read in self.reads()], [0])

    def test_author_who_is_no_more(self) -> None:
        """What somebody said stays readable with his name after his account was removed."""
        now_or_never(self.world.administration.people.remove_user(ACTOR, "sip:bob@example.com"))
        reply = self.alice.history(self.ops, 1)
        assert reply is not None
        self.assertEqual(reply.data[0][0].get("authdisp"), "Bob")


class Traces(Case):
    """Nobody reads without a trace, and rights count when the answer leaves."""

    def test_store_cannot_be_read(self) -> None:
        """The client is told that the store is in the way."""
        self.store.away = {"last_messages"}
        self.assertEqual(self.symbol(self.alice.history(self.ops)), "ERROR_DATABASE_CONNECTION")
        self.assertEqual(self.reads(), [])

    def test_trace_cannot_be_written(self) -> None:
        """What was read is not shown if the read cannot be recorded."""
        self.store.away = {"record"}
        self.assertEqual(self.symbol(self.alice.history(self.ops)), "ERROR_DATABASE_CONNECTION")
        self.store.away.clear()
        self.assertEqual(len(self.texts(self.alice.history(self.ops))), 3)

    def test_the_answer_waits_for_the_trace(self) -> None:
        """The reply leaves after the commit of the read event, not before."""
        self.store.slow = {"record"}
        self.assertIsNone(self.alice.history(self.ops))
        self.store.go()
        self.assertEqual(len(self.texts(self.alice.reply("bccontext"))), 3)

    def test_rights_that_go_meanwhile(self) -> None:
        """Who loses his right while messages are read does not get them."""
        for step in ("last_messages", "record"):
            self.world.add_member("Ops", "carol")
            carol = self.world.person("carol")
            self.store.slow = {step}
            carol.history(self.ops)
            self.world.remove_member("Ops", "carol")
            self.store.slow.clear()
            self.store.go()
            self.assertEqual(self.symbol(carol.reply("bccontext")), "ERROR_PERMISSION")

    def test_room_that_goes_meanwhile(self) -> None:
        """A room that is removed while it is read is gone for the reader too."""
        room = self.room_with_a_message()
        self.store.slow = {"last_messages"}
        self.alice.history(room)
        rooms = self.world.administration.rooms
        now_or_never(rooms.disable_room(ACTOR, room.name))
        now_or_never(rooms.remove_room(ACTOR, room.name))
        now_or_never(self.world.administration.rooms.add_room(ACTOR, room.name, category="Demo"))
        self.store.go()
        self.assertEqual(self.symbol(self.alice.reply("bccontext")), "ERROR_NO_SUCH_NODE")

    def room_with_a_message(self) -> Room:
        room = self.world.add_room("Short-lived")
        self.alice.join(room)
        self.alice.post(room, "hello")
        return room

    def test_dialog_ended_while_reading(self) -> None:
        """A reply to nobody is not sent; the read, which may have happened, is on record."""
        self.store.slow = {"last_messages"}
        self.alice.history(self.ops)
        self.alice.end_dialog()
        self.store.go()
        self.assertEqual([one for one in self.alice.hear() if one.get("id") == "rpl:bccontext"], [])
        self.assertEqual(len(self.reads()), 1)

    def test_connection_lost_while_reading(self) -> None:
        """The same when the connection is lost, and others can go on reading."""
        self.store.slow = {"last_messages"}
        self.alice.history(self.ops)
        self.alice.lose()
        self.store.slow.clear()
        self.store.go()
        self.assertEqual(len(self.texts(self.bob.history(self.ops))), 3)


class WithoutArchive(Case):
    """A server without compliance."""

    def setUp(self) -> None:
        self.begin(World(compliance=False))

    def test_no_traces(self) -> None:
        """Nothing is written when messages are read."""
        self.store.away = {"record"}
        self.assertEqual(len(self.texts(self.alice.history(self.ops))), 3)
