"""Entering and leaving rooms while the store is slow or away, and while rights go."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.membership import RETRY_SECONDS
from pchat.rooms.room import Room
from pchat.testing.memory import now_or_never
from tests.rooms.service_support import ACTOR, Person, Reply, World


class Case(SynchronousTestCase):
    """A world with a Lobby, and Alice and Bob."""

    def setUp(self) -> None:
        self.world = World()
        self.store = self.world.store
        self.lobby = self.world.lobby
        self.alice = self.world.person("alice")
        self.bob = self.world.person("bob")

    def settled(self, reply: Reply | None) -> Reply:
        """A reply that must have come."""
        assert reply is not None
        return reply

    def present(self, room: Room | None = None) -> list[str]:
        """Who is in a room as the server's memory has it."""
        roster = self.world.parts.channel.rosters.find((room or self.lobby).id)
        return [] if roster is None else [session.user.name for session in roster.sessions]

    def participants(self) -> list[tuple[str, str]]:
        """Who is in which room as the store has it."""

        async def read(txn: object) -> list[tuple[str, str]]:
            rows: list[tuple[str, str]] = await txn.query(  # type: ignore[attr-defined]  # an ITransaction
                "select u.name, r.name from participants p join rooms r on r.room_id = p.room_id "
                "join principals u on u.principal_id = p.principal_id order by 1, 2"
            )
            return rows

        return now_or_never(self.store.read(read))

    def events(self) -> list[str]:
        """Join and part events so far."""
        return self.world.events("join", "part")


class Joining(Case):
    """How a room is entered."""

    def test_unknown_room_and_forbidden_room(self) -> None:
        """A secret room is refused to strangers in the words for one that never was; a closed one is not."""
        secret = self.world.add_room("Secret", "secret", ["carol"])
        closed = self.world.add_room("Closed", "closed", ["carol"])
        gone = self.world.add_room("Gone")
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, "Gone"))
        now_or_never(self.world.administration.rooms.remove_room(ACTOR, "Gone"))
        found = [self.settled(self.alice.join(room)) for room in (secret, gone, closed)]
        self.assertEqual([reply.code for reply in found], [404, 404, 403])
        self.assertEqual(found[0].symbol, found[1].symbol)
        self.assertEqual(self.events(), [])

    def test_joining_twice(self) -> None:
        """A room that one is in already is shown once more; nobody is told and no event is written."""
        self.bob.join(self.lobby)
        self.alice.join(self.lobby)
        self.assertEqual(self.bob.notices(), ["ntc:join"])
        self.assertEqual(self.settled(self.alice.join(self.lobby)).code, 200)
        self.assertEqual(self.bob.notices(), [])
        self.assertEqual(self.events(), ["join bob Lobby", "join alice Lobby"])

    def test_bulk_join_partly_refused(self) -> None:
        """Of several rooms those allowed are entered, each other one is named, others hear one notice."""
        second = self.world.add_room("Second")
        closed = self.world.add_room("Closed", "closed")
        self.bob.join(self.lobby, second)
        self.bob.hear()
        reply = self.settled(self.alice.join(self.lobby, closed, second))
        self.assertEqual(reply.code, 200)
        self.assertEqual([block.get("name") for block in reply.named("chanib")], ["Lobby", "Second"])
        [failed] = reply.named("fib")
        self.assertIn(closed.guid, [str(value) for value in failed.attrib.values()])
        self.assertEqual(self.bob.notices(), ["ntc:bjoin"])
        self.assertEqual(
            self.participants(),
            [("alice", "Lobby"), ("alice", "Second"), ("bob", "Lobby"), ("bob", "Second")],
        )

    def test_bulk_join_all_refused(self) -> None:
        """When no room may be entered, the reply's code is that of the first."""
        rooms = [self.world.add_room("Closed", "closed"), self.world.add_room("Secret", "secret")]
        reply = self.settled(self.alice.join(*rooms))
        self.assertEqual((reply.code, len(reply.named("fib"))), (403, 2))

    def test_older_clients_know_one_failure(self) -> None:
        """The client with the older masks is told of refused rooms by the only key it knows."""
        self.alice.agent = "Purple/2.14 Sipe/1.25.0"
        self.alice.end_dialog()
        self.alice.invite(call_id="again")
        rooms = [self.world.add_room("Closed", "closed"), self.world.add_room("Secret", "secret")]
        ids = "".join(f'<chanid key="0" domain="example.com" value="{room.guid}"/>' for room in rooms)
        self.alice.info(f'<cmd id="cmd:bjoin" seqid="1"><data>{ids}</data></cmd>', call_id="again")
        reply = self.settled(self.alice.reply("bjoin"))
        self.assertEqual({block.get("key") for block in reply.named("fib")}, {"OPERATION_FAILED"})

    def test_part_without_join(self) -> None:
        """Leaving a room that one is not in is refused, whether it exists or not."""
        self.assertEqual(self.settled(self.alice.part(self.lobby)).symbol, "ERROR_USER_NOT_JOINED")
        unknown = self.alice.command("part", '<chanib uri="ma-chan://example.com/nowhere"/>')
        self.assertEqual(self.settled(unknown).symbol, "ERROR_USER_NOT_JOINED")


class StoreTroubles(Case):
    """Joins and parts while the store is slow or away."""

    def test_join_refused(self) -> None:
        """A join that cannot be recorded is refused, leaves no trace, and works once the store is back."""
        self.store.away = {"joined"}
        self.assertEqual(self.settled(self.alice.join(self.lobby)).symbol, "ERROR_DATABASE_CONNECTION")
        self.assertEqual((self.present(), list(self.world.parts.channel.rosters)), ([], []))
        self.store.away.clear()
        self.assertEqual(self.settled(self.alice.join(self.lobby)).code, 200)
        self.assertEqual(self.events(), ["join alice Lobby"])

    def test_not_in_the_room_before_the_commit(self) -> None:
        """Somebody whose join is being committed neither hears the room nor is seen there."""
        self.bob.join(self.lobby)
        self.store.slow = {"joined"}
        self.assertIsNone(self.alice.join(self.lobby))
        self.bob.post(self.lobby, "who is there?")
        self.assertEqual((self.alice.chats(), self.bob.notices(), self.present()), ([], [], ["bob"]))
        self.store.go()
        self.assertEqual(self.settled(self.alice.reply("join")).code, 200)
        self.assertEqual(self.present(), ["bob", "alice"])

    def test_dialog_ended_during_a_join(self) -> None:
        """Who ends his dialog while he joins has a join and a part event, and is nowhere."""
        self.store.slow = {"joined"}
        self.alice.join(self.lobby)
        self.alice.end_dialog()
        self.store.go()
        self.assertEqual((self.present(), self.participants()), ([], []))
        self.assertEqual(list(self.world.parts.channel.rosters), [])
        self.assertEqual(self.events(), ["join alice Lobby", "part alice Lobby left"])

    def test_removed_while_joining(self) -> None:
        """Rights that go while a join is being committed win: it is refused, and the archive shows both."""
        ops = self.world.add_room("Ops", "closed", ["alice"])
        self.store.slow = {"joined"}
        self.alice.join(ops)
        self.world.remove_member("Ops", "alice")
        self.store.go()
        self.assertEqual(self.settled(self.alice.reply("join")).code, 403)
        self.assertEqual((self.present(ops), self.participants()), ([], []))
        self.assertEqual(self.events(), ["join alice Ops", "part alice Ops kicked"])

    def test_room_removed_while_joining(self) -> None:
        """A room that is removed while somebody joins it does not exist for him."""
        self.store.slow = {"joined"}
        self.alice.join(self.lobby, self.world.add_room("Other"))
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, "Lobby"))
        self.store.away = {"parted"}  # a removed room has no row that a part could refer to
        self.store.go()
        reply = self.settled(self.alice.reply("bjoin"))
        self.assertEqual([block.get("name") for block in reply.named("chanib")], ["Other"])
        self.assertEqual(len(reply.named("fib")), 1)

    def test_kicked_from_one_room_while_joining_another(self) -> None:
        """A room that one was in, and was put out of while a bulk join went on, is not shown as joined."""
        ops = self.world.add_room("Ops", "closed", ["alice"])
        self.alice.join(ops)
        self.store.slow = {"joined"}
        self.alice.join(ops, self.lobby)
        self.world.remove_member("Ops", "alice")
        self.store.go()
        reply = self.settled(self.alice.reply("bjoin"))
        self.assertEqual([block.get("name") for block in reply.named("chanib")], ["Lobby"])
        self.assertEqual(len(reply.named("fib")), 1)
        self.assertEqual(self.alice.notices(), ["ntc:kick"])

    def test_parts_are_offered_until_the_store_takes_them(self) -> None:
        """Leaving cannot be refused: the event waits for the store, however long it is away."""
        self.alice.join(self.lobby)
        self.bob.join(self.lobby)
        self.alice.hear()
        self.store.away = {"parted"}
        self.assertEqual(self.settled(self.bob.part(self.lobby)).code, 200)
        self.assertEqual((self.alice.notices(), self.present()), (["ntc:part"], ["alice"]))
        self.assertEqual(self.world.parts.channel.membership.unrecorded_parts, 1)
        self.world.server.pass_time(60)
        self.assertEqual(self.events(), ["join alice Lobby", "join bob Lobby"])
        self.store.away.clear()
        self.clock_on()
        self.assertEqual(self.events()[2:], ["part bob Lobby left"])
        self.assertEqual(self.world.parts.channel.membership.unrecorded_parts, 0)
        self.assertEqual(self.participants(), [("alice", "Lobby")])

    def clock_on(self) -> None:
        self.world.clock.advance(RETRY_SECONDS)

    def test_joins_wait_behind_parts(self) -> None:
        """Who comes back while his leaving is not recorded yet, waits; then the archive has all in order."""
        self.alice.join(self.lobby)
        self.store.away = {"parted"}
        self.alice.part(self.lobby)
        self.assertIsNone(self.alice.join(self.lobby))
        self.clock_on()
        self.assertIsNone(self.alice.reply("join"))
        self.store.away.clear()
        self.clock_on()
        self.assertEqual(self.settled(self.alice.reply("join")).code, 200)
        self.assertEqual(self.events(), ["join alice Lobby", "part alice Lobby left", "join alice Lobby"])
        self.assertEqual(self.participants(), [("alice", "Lobby")])

    def test_a_part_overtaken_by_a_join(self) -> None:
        """A part fails while the join behind it is already on its way: still the part is recorded first."""
        self.alice.join(self.lobby)
        self.store.slow = {"parted", "joined"}
        self.alice.part(self.lobby)
        self.alice.join(self.lobby)
        self.store.slow.clear()
        self.store.go(failing=True)
        while self.store.waiting:
            self.store.go()
        self.clock_on()
        self.world.settle(self.alice)
        self.assertEqual(self.events(), ["join alice Lobby", "part alice Lobby left", "join alice Lobby"])
        self.assertEqual(self.participants(), [("alice", "Lobby")])
        self.assertEqual(self.present(), ["alice"])

    def test_session_ended_while_its_join_waits(self) -> None:
        """Who hangs up while his join waits for earlier parts was never in the room."""
        self.alice.join(self.lobby)
        self.store.away = {"parted"}
        self.alice.part(self.lobby)
        self.alice.join(self.lobby)
        self.alice.end_dialog()
        self.store.away.clear()
        self.clock_on()
        self.assertEqual(self.events(), ["join alice Lobby", "part alice Lobby left"])
        self.assertEqual((self.present(), list(self.world.parts.channel.rosters)), ([], []))

    def test_waiting_joins_share_one_roster(self) -> None:
        """Of two joins that waited, one fails: whoever gets in hears the room nevertheless."""
        for person in (self.alice, self.bob):
            person.join(self.lobby)
        self.store.away = {"parted"}
        for person in (self.alice, self.bob):
            person.part(self.lobby)
            person.join(self.lobby)
        self.store.away = set()
        failures = [True]

        def joined_once_failing(kind: str) -> bool:
            return kind == "joined" and bool(failures) and failures.pop()

        self.store.fails = joined_once_failing
        self.clock_on()
        replies = [self.settled(person.reply("join")).code for person in (self.alice, self.bob)]
        self.assertEqual(sorted(replies), [200, 503])
        inside = (self.alice, self.bob)[replies.index(200)]
        self.assertEqual(len(self.present()), 1)
        inside.post(self.lobby, "do I hear myself?")
        self.assertEqual(inside.chats(), ["do I hear myself?"])


class Endpoints(Case):
    """Several endpoints of one user are one person in a room."""

    def setUp(self) -> None:
        super().setUp()
        self.phone = self.world.person("alice")

    def test_exactly_one_join_and_one_part(self) -> None:
        """The first in and the last out are told and recorded, nothing in between."""
        self.bob.join(self.lobby)
        for person in (self.alice, self.phone):
            person.join(self.lobby)
        self.assertEqual(self.bob.notices(), ["ntc:join"])
        for person in (self.alice, self.phone):
            person.part(self.lobby)
        self.assertEqual(self.bob.notices(), ["ntc:part"])
        self.assertEqual(self.events(), ["join bob Lobby", "join alice Lobby", "part alice Lobby left"])

    def test_first_join_fails_and_the_second_does_not(self) -> None:
        """The store comes back between two joins of one user: who is in the room is in the archive too."""
        self.store.slow = {"joined"}
        self.alice.join(self.lobby)
        self.phone.join(self.lobby)
        self.store.slow.clear()
        self.store.go(failing=True)
        while self.store.waiting:
            self.store.go()
        self.assertEqual(self.settled(self.alice.reply("join")).code, 503)
        self.assertEqual(self.settled(self.phone.reply("join")).code, 200)
        self.assertEqual(self.events(), ["join alice Lobby"])
        self.assertEqual(self.participants(), [("alice", "Lobby")])

    def test_connection_lost_during_a_join(self) -> None:
        """Whose connection is lost before he is in has not left: the archive tells which it was."""
        self.store.slow = {"joined"}
        self.alice.join(self.lobby)
        self.alice.lose()
        self.store.slow.clear()
        self.store.go()
        self.assertEqual(self.events(), ["join alice Lobby", "part alice Lobby connection lost"])
        self.assertEqual(self.participants(), [])

    def test_the_first_hangs_up_while_both_join(self) -> None:
        """The endpoint that began to join first is gone before it is in: the user is there by the other."""
        self.store.slow = {"joined"}
        self.alice.join(self.lobby)
        self.phone.join(self.lobby)
        self.alice.lose()
        self.store.slow.clear()
        while self.store.waiting:
            self.store.go()
        self.assertEqual(self.settled(self.phone.reply("join")).code, 200)
        self.assertEqual(self.events(), ["join alice Lobby"])
        self.phone.part(self.lobby)
        self.assertEqual(self.events(), ["join alice Lobby", "part alice Lobby left"])

    @settings(max_examples=80, deadline=None)
    @given(
        steps=st.lists(
            st.tuples(
                st.integers(0, 2),
                st.sampled_from(["join", "other", "both", "part", "go", "fail", "time", "hang up"]),
            ),
            max_size=30,
        )
    )
    def test_any_overlap(self, steps: list[tuple[int, str]]) -> None:
        """However endpoints come, go and fail, the archive tells a user's joins and parts in turn."""
        world = World()
        world.add_room("Other")
        people = [world.person(name) for name in ("alice", "alice", "bob")]
        world.store.slow = {"joined", "parted"}
        for number, step in steps:
            self.step(world, people[number], step)
        world.store.slow.clear()
        for _ in range(20):
            while world.store.waiting:
                world.store.go()
            world.clock.advance(RETRY_SECONDS)
        world.settle(*(person for person in people if not person.lost))
        for room in world.parts.base.tree.rooms():
            self.check(world, people, room)
        self.assertEqual(world.parts.channel.membership.unrecorded_parts, 0)

    def step(self, world: World, person: Person, step: str) -> None:
        other = next(room for room in world.parts.base.tree.rooms() if room.name == "Other")
        if step in {"go", "fail"}:
            if world.store.waiting:
                world.store.go(failing=step == "fail")
        elif step == "time":
            world.clock.advance(RETRY_SECONDS)
        elif person.lost:
            pass
        elif step == "hang up":
            person.lose()
        elif step == "part":
            person.part(world.lobby)
        else:
            person.join(*{"join": [world.lobby], "other": [other], "both": [other, world.lobby]}[step])

    def check(self, world: World, people: list[Person], room: Room) -> None:
        """The archive's last word on each user, the roster and the sessions agree."""
        roster = world.parts.channel.rosters.find(room.id)
        sessions = () if roster is None else roster.sessions
        inside = {session.user.name for session in sessions}
        for name in ("alice", "bob"):
            events = [event.split() for event in world.events("join", "part")]
            kinds = [kind for kind, user, where, *_ in events if (user, where) == (name, room.name)]
            expected = ["join", "part"] * (len(kinds) // 2 + 1)
            self.assertEqual(kinds, expected[: len(kinds)], name)
            self.assertEqual(len(kinds) % 2 == 1, name in inside, name)
        for person in people:
            if not person.lost:
                self.assertIsNone(person.session.queue._waiting or None)
                self.assertEqual(room.id in person.session.rosters, person.session in sessions)


class ServerSide(Case):
    """What administrators do to people in rooms."""

    def test_kick(self) -> None:
        """Who loses his right is told so; the others see him leave."""
        ops = self.world.add_room("Ops", "closed", ["alice", "bob"])
        for person in (self.alice, self.bob):
            person.join(ops)
        self.world.settle(self.alice, self.bob)
        for person in (self.alice, self.bob):
            person.hear()
        self.world.remove_member("Ops", "alice")
        self.assertEqual((self.alice.notices(), self.bob.notices()), (["ntc:kick"], ["ntc:part"]))
        self.assertEqual(self.events()[-1], "part alice Ops kicked")

    def test_room_disabled(self) -> None:
        """Everybody in a room that is disabled has one notice, and a part event."""
        for person in (self.alice, self.bob):
            person.join(self.lobby)
        self.world.settle(self.alice, self.bob)
        for person in (self.alice, self.bob):
            person.hear()
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, "Lobby"))
        self.assertEqual(
            (self.alice.notices(), self.bob.notices()), (["ntc:chandisable"], ["ntc:chandisable"])
        )
        self.assertEqual(self.events()[2:], ["part alice Lobby kicked", "part bob Lobby kicked"])
        self.assertEqual(list(self.world.parts.channel.rosters), [])

    def test_empty_room(self) -> None:
        """To disable a room where nobody is tells nobody."""
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, "Lobby"))
        self.assertEqual((self.alice.notices(), self.events()), ([], []))
