"""What the usage report counts."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import AdministrationRefused
from pchat.testing.memory import now_or_never
from tests.rooms.service_support import ACTOR, World

DAY = 86_400


class UsageTests(SynchronousTestCase):
    """Two people, three rooms, and some days."""

    def setUp(self) -> None:
        self.world = World()
        self.alice, self.bob = self.world.person("alice"), self.world.person("bob")
        self.ops = self.world.add_room("Ops")
        self.world.add_room("Quiet")
        for person in (self.alice, self.bob):
            person.join(self.world.lobby)
            person.join(self.ops)

    def say(self, person: Any, room: Any, times: int) -> None:
        """Post some messages."""
        for number in range(times):
            self.assertEqual(person.post(room, f"message {number}").status, 200)
            self.world.settle(self.alice, self.bob)

    def pass_days(self, days: int) -> None:
        """Let days go by for the clock alone."""
        self.world.clock.rightNow += days * DAY

    def report(self, **wanted: int) -> dict[str, Any]:
        """Ask for the report."""
        found: dict[str, Any] = now_or_never(self.world.administration.usage.report(**wanted))
        return found

    def test_waits_for_its_turn(self) -> None:
        """Reports and searches share one reader of the store, so that joins find the other one."""
        searching: Deferred[None] = Deferred()
        ensureDeferred(self.world.administration.searches.run(lambda: searching))
        report = ensureDeferred(self.world.administration.usage.report())
        rooms = ensureDeferred(self.world.administration.rooms.find_rooms(exceeds_mb=0))
        self.assertNoResult(report)
        self.assertNoResult(rooms)
        searching.callback(None)
        self.assertEqual(self.successResultOf(report)["messages"], 0)
        self.assertEqual(list(self.successResultOf(rooms)), [])

    def test_who_and_where(self) -> None:
        """Rooms and authors are counted, the busiest first; a room without a message is silent."""
        self.say(self.alice, self.world.lobby, 3)
        self.say(self.bob, self.ops, 2)
        found = self.report()
        self.assertEqual(found["messages"], 5)
        self.assertEqual(
            [(room["name"], room["messages"]) for room in found["top_rooms"]], [("Lobby", 3), ("Ops", 2)]
        )
        self.assertEqual([room["name"] for room in found["least_active_rooms"]], ["Ops", "Lobby"])
        self.assertEqual(
            [(room["name"], room["last_message"]) for room in found["silent_rooms"]], [("Quiet", None)]
        )
        self.assertEqual(found["silent_rooms_total"], 1)
        self.assertEqual(
            [(user["uri"], user["messages"]) for user in found["top_users"]],
            [("sip:alice@example.com", 3), ("sip:bob@example.com", 2)],
        )

    def test_days(self) -> None:
        """What is older than the days asked for does not count; days without a message are there, with 0."""
        self.say(self.alice, self.world.lobby, 2)
        self.pass_days(3)
        self.say(self.alice, self.ops, 1)
        found = self.report(days=4)
        self.assertEqual([step["messages"] for step in found["daily"]], [2, 0, 0, 1])
        for name in ("weekly", "monthly"):
            self.assertEqual(sum(step["messages"] for step in found[name]), 3)
        found = self.report(days=3)
        self.assertEqual([step["messages"] for step in found["daily"]], [0, 0, 1])
        self.assertEqual([room["name"] for room in found["top_rooms"]], ["Ops"])
        silent = {room["name"]: room["last_message"] for room in found["silent_rooms"]}
        self.assertEqual(silent.keys(), {"Quiet", "Lobby"})
        self.assertIsNotNone(silent["Lobby"])

    def test_lists_are_as_long_as_asked_for(self) -> None:
        """Each list has so many entries; the number of silent rooms is told whole."""
        for number in range(4):
            self.world.add_room(f"Empty {number}")
        found = self.report(top=2)
        self.assertEqual((len(found["silent_rooms"]), found["silent_rooms_total"]), (2, 7))

    def test_numbers_out_of_range(self) -> None:
        """Other numbers are refused."""
        for wanted in ({"days": 0}, {"days": 3_661}, {"top": 0}, {"top": 1_001}):
            self.assertRaises(AdministrationRefused, self.report, **wanted)

    def test_without_history(self) -> None:
        """A room that keeps nothing is told to be in use by the time of its last message."""
        categories = self.world.administration.categories
        now_or_never(categories.add_category(ACTOR, "Fleeting", allowed=["example.com"], chat_history=False))
        fleeting = self.world.add_room("Talk", category="Fleeting")
        self.alice.join(fleeting)
        self.say(self.alice, fleeting, 1)
        [talk] = [room for room in self.report()["silent_rooms"] if room["name"] == "Talk"]
        self.assertIsNotNone(talk["last_message"])
