"""Whatever happens to rights, feeds show exactly what a reader of the rules expects, and no byte more."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from pchat.testing.memory import now_or_never
from tests.rooms.service_support import ACTOR, Person, World, local
from tests.topics.support import follow, publish

READERS = ("bob", "carol")
readers = st.sampled_from(READERS)
rooms = st.sampled_from(("Ops", "Vault"))


class Expectations(RuleBasedStateMachine):
    """Alice, an outsider to all changes, writes everybody's name in two rooms; others come, follow and go."""

    @initialize()
    def begin(self) -> None:
        """Two rooms, one of them without history, and two readers who follow nothing yet."""
        self.world = World()
        categories = self.world.administration.categories
        now_or_never(categories.add_category(ACTOR, "Silent", allowed=["example.com"], chat_history=False))
        self.people = {name: self.world.person(name) for name in ("alice", *READERS)}
        self.rooms = {
            "Ops": self.world.add_room("Ops", "closed", members=["alice"]),
            "Vault": self.world.add_room("Vault", "closed", members=["alice"], category="Silent"),
        }
        self.privacy = dict.fromkeys(self.rooms, "closed")
        self.members: dict[str, set[str]] = {name: {"alice"} for name in self.rooms}
        self.barred = {name: set[str]() for name in self.rooms}
        self.following: set[tuple[str, str]] = set()
        self.joined: set[tuple[str, str]] = set()
        self.chatting = set(READERS)
        self.kept: dict[str, list[tuple[str, str]]] = {name: [] for name in READERS}
        self.count = 0
        for reader in READERS:
            self.people[reader].command("gettopics")
        self.people["alice"].join(*self.rooms.values())

    # -- the rules, told once more

    def may_read(self, name: str, room: str) -> bool:
        """Chat is on for him, the scope does not bar him, and the room is open or has him as a member."""
        allowed = self.privacy[room] == "open" or name in self.members[room]
        return name in self.chatting and name not in self.barred[room] and allowed

    def settle(self) -> None:
        """Who may no longer read is no longer in the room."""
        self.joined = {pair for pair in self.joined if self.may_read(*pair)}

    # -- what changes

    @rule(name=readers, room=rooms)
    def follow(self, name: str, room: str) -> None:
        """Somebody follows a room, whether he may see it or not, or no longer does."""
        if name not in self.chatting:
            return
        if (name, room) in self.following:
            assert publish(self.people[name], self.rooms[room].id, None) == 200
        else:
            follow(self.people[name], self.rooms[room])
        self.following ^= {(name, room)}

    @rule(name=readers, room=rooms)
    def change_members(self, name: str, room: str) -> None:
        """Somebody becomes a member, or is one no longer."""
        if name in self.barred[room]:
            return  # nobody outside the scope becomes a member
        change: Callable[[str, str], None] = self.world.add_member
        if name in self.members[room]:
            change = self.world.remove_member
        change(room, name)
        self.members[room] ^= {name}
        self.settle()

    @rule(room=rooms, privacy=st.sampled_from(("open", "closed", "secret")))
    def change_privacy(self, room: str, privacy: str) -> None:
        """A room becomes open, closed or secret."""
        if privacy != self.privacy[room]:
            administration = self.world.administration.rooms
            now_or_never(administration.change_room(ACTOR, room, privacy=privacy))
            self.privacy[room] = privacy
            self.settle()

    @rule(name=readers)
    def change_policy(self, name: str) -> None:
        """Chat is switched off for somebody, or on again."""
        uri = f"sip:{name}@example.com"
        people = self.world.administration.people
        now_or_never(people.set_policy(ACTOR, name not in self.chatting, uri=uri))
        self.chatting ^= {name}
        self.settle()
        if name in self.chatting:
            self.people[name] = self.world.person(name)
            self.people[name].command("gettopics")

    @rule(room=rooms, denied=st.sets(readers))
    def change_scope(self, room: str, denied: set[str]) -> None:
        """A scope denies other people; whoever it denies loses his membership for good."""
        category = self.rooms[room].category.name
        uris = [f"sip:{name}@example.com" for name in sorted(denied)]
        categories = self.world.administration.categories
        now_or_never(categories.change_category(ACTOR, category, denied=uris))
        self.barred[room] = set(denied)
        self.members[room] -= denied
        self.settle()

    @rule(name=readers, room=rooms)
    def join(self, name: str, room: str) -> None:
        """Somebody enters a room, if he may, or leaves it."""
        if name not in self.chatting:
            return
        person = self.people[name]
        if (name, room) in self.joined:
            person.part(self.rooms[room])
            self.joined.discard((name, room))
            return
        reply = person.join(self.rooms[room])
        assert reply is not None
        assert (reply.code == 200) == self.may_read(name, room), (reply.symbol, name, room)
        if reply.code == 200:
            self.joined.add((name, room))

    @rule(room=rooms)
    def post(self, room: str) -> None:
        """Alice names everybody: those are told who follow the room, may read it and are not there."""
        for person in self.people.values():
            person.hear()
        self.count += 1
        text = f"Bob and Carol: {room} {self.count}"
        answer = self.people["alice"].post(self.rooms[room], text)
        assert answer is not None
        assert answer.status == 200
        for name in READERS:
            told = (name, room) in self.following and (name, room) not in self.joined
            expected = told and self.may_read(name, room)
            if expected and room == "Ops":
                self.kept[name].append((room, text))
            if name in self.chatting:
                self.check_heard(self.people[name], text, expected, (name, room) in self.joined)

    @staticmethod
    def check_heard(person: Person, text: str, told: bool, joined: bool) -> None:
        """One endpoint got the notice, or the message, or nothing that holds a byte of it."""
        person.world.settle(person)
        bodies = [request.body for request in person.requests if text.encode() in request.body]
        kinds = [one.get("id") for one in person.hear() if local(one) in {"ntc", "grpchat"}]
        expected = ["ntc:topic"] if told else ["grpchat"] if joined else []
        assert kinds == expected, (kinds, expected)
        assert len(bodies) == len(expected), bodies

    @invariant()
    def listed(self) -> None:
        """The list holds what was caught, as far as it may be read now; newest first."""
        for name in READERS if hasattr(self, "chatting") else ():
            if name not in self.chatting:
                continue
            reply = self.people[name].command("gettopichits")
            assert reply is not None
            shown = [(str(one.get("name")), str(one[0][0].text)) for one in reply.named("chanib")]
            expected = [hit for hit in self.kept[name] if self.may_read(name, hit[0])]
            assert sorted(shown) == sorted(expected), (name, shown, expected)

    def teardown(self) -> None:
        """The server ends."""
        if hasattr(self, "world"):
            self.world.server.stop()


class Rights(SynchronousTestCase):
    """Feeds and rights."""

    def test_at_random(self) -> None:
        """Thirty stories of twenty-five steps."""
        run_state_machine_as_test(
            Expectations, settings=settings(max_examples=30, stateful_step_count=25, deadline=None)
        )
