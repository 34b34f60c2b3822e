"""What people hear of newcomers when many come at once."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms import arrivals
from pchat.rooms.arrivals import BURST, GATHER_SECONDS, MOST_GATHERED, ONE_BY_ONE, Arrivals
from pchat.rooms.session import ChatSession
from tests.rooms.service_support import Person, World, local


class Morning(SynchronousTestCase):
    """Alice is in the Lobby when a crowd comes."""

    def setUp(self) -> None:
        self.world = World()
        self.lobby = self.world.lobby
        self.ops = self.world.add_room("Ops")
        self.alice = self.world.person("alice")
        self.alice.join(self.lobby, self.ops)
        self.alice.hear()

    def crowd(self) -> None:
        """From now on more notices go out than one by one."""
        self.patch(Arrivals, "crowded", lambda arrivals, notices: True)

    def heard(self, person: Person | None = None) -> list[tuple[str, list[str]]]:
        """What somebody has heard: each message by its name, with the people that it names."""
        return [
            (
                one.get("id", ""),
                [uib.get("uri", "").removeprefix("sip:").partition("@")[0] for uib in one.iter("{*}uib")],
            )
            for one in (person or self.alice).hear()
            if local(one) != "rpl"
        ]

    def test_gathered(self) -> None:
        """Newcomers of a moment are told in one notice, each with his rooms and masks."""
        self.crowd()
        for name, rooms in (("bob", [self.lobby]), ("carol", [self.lobby, self.ops])):
            self.world.person(name).join(*rooms)
        self.assertEqual(self.heard(), [])
        self.world.clock.advance(GATHER_SECONDS)
        [notice] = self.alice.hear()
        told = {
            uib.get("uri"): [(aib.get("key"), aib.get("value")) for aib in uib]
            for uib in notice.iter("{*}uib")
        }
        self.assertEqual(notice.get("id"), "ntc:bjoin")
        self.assertEqual(
            told,
            {
                "sip:bob@example.com": [("3456", self.lobby.guid)],
                "sip:carol@example.com": [("3456", self.lobby.guid), ("3456", self.ops.guid)],
            },
        )
        self.world.clock.advance(GATHER_SECONDS)
        self.assertEqual(self.heard(), [])

    def test_nobody_speaks_unannounced(self) -> None:
        """A message, a part or an answer goes out after the newcomers that wait, in the same moment."""
        self.crowd()
        bob = self.world.person("bob")
        bob.join(self.lobby)
        bob.post(self.lobby, "good morning")
        self.assertEqual(self.heard(), [("ntc:bjoin", ["bob"]), ("grpchat", [])])
        self.world.person("carol").join(self.lobby)
        bob.part(self.lobby)
        self.assertEqual(self.heard(), [("ntc:bjoin", ["carol"]), ("ntc:part", ["bob"])])
        self.world.person("dave").join(self.lobby)
        self.alice.history(self.lobby)
        self.assertEqual(self.heard(), [("ntc:bjoin", ["dave"])])

    def test_put_out(self) -> None:
        """Who is put out hears of the newcomers of before, then that he is out, and nothing more."""
        self.crowd()
        closed = self.world.add_room("Closed", "closed", ["alice", "bob", "carol"])
        self.alice.join(closed)
        self.world.person("bob").join(closed)
        self.world.remove_member("Closed", "alice")
        self.assertEqual(self.heard(), [("ntc:bjoin", ["bob"]), ("ntc:kick", [])])
        self.world.person("carol").join(closed)
        self.world.clock.advance(GATHER_SECONDS)
        self.assertEqual(self.heard(), [])

    def test_gone(self) -> None:
        """What waits for somebody who has gone is dropped."""
        self.crowd()
        self.world.person("bob").join(self.lobby)
        self.alice.lose()
        self.world.clock.advance(GATHER_SECONDS)
        self.assertEqual(self.heard(), [])

    def test_one_receiver_in_trouble(self) -> None:
        """A client that cannot be told is dropped, and the others are told."""
        self.crowd()
        carol = self.world.person("carol")
        carol.join(self.lobby)
        self.world.clock.advance(GATHER_SECONDS)
        for person in (self.alice, carol):
            self.heard(person)
        self.world.person("bob").join(self.lobby)

        self.patch(type(self.alice.session), "tell_arrivals", self._failing_for(self.alice.session))
        self.world.clock.advance(GATHER_SECONDS)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.heard(carol), [("ntc:bjoin", ["bob"]), ("ntc:part", ["alice"])])
        self.assertTrue(self.alice.closed)

    @staticmethod
    def _failing_for(unlucky: object) -> object:
        original = ChatSession.tell_arrivals

        def tell(session: ChatSession) -> None:
            if session is unlucky:
                raise RuntimeError("broken")
            original(session)

        return tell

    def test_bounded(self) -> None:
        """A client is told at the latest when enough newcomers wait."""
        self.crowd()
        self.patch(arrivals, "MOST_GATHERED", 3)
        for number in range(4):
            self.world.person(f"user{number}").join(self.lobby)
        self.assertEqual(self.heard(), [("ntc:bjoin", ["user0", "user1", "user2"])])
        self.world.clock.advance(GATHER_SECONDS)
        self.assertEqual(self.heard(), [("ntc:bjoin", ["user3"])])
        self.assertGreater(MOST_GATHERED, 3)

    def test_pace(self) -> None:
        """So many notices go out at once after a quiet time, and so many a second from then on."""
        pace = Arrivals(self.world.clock)
        self.assertFalse(pace.crowded(BURST))
        self.assertTrue(pace.crowded(1))
        self.world.clock.advance(0.5)
        self.assertFalse(pace.crowded(ONE_BY_ONE // 2))
        self.assertTrue(pace.crowded(1))
        self.world.clock.advance(1_000)
        self.assertTrue(pace.crowded(BURST + 1))
        self.assertFalse(pace.crowded(BURST))
