"""Searches over the wire: rights, traces, limits, and hits that are the very ones a person would pick."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.room import Room
from pchat.rooms.search_gate import PATIENCE_SECONDS
from pchat.testing.memory import now_or_never
from tests.rooms.service_support import ACTOR, Person, Reply, World, local

REFUSED = {"fib": "key", "chanib": "name"}


def ask(person: Person, *rooms: Room, query: str = "", name: str = "bcbydate") -> Reply | None:
    """Search."""
    named = "".join(f'<chanib uri="{room.uri}"/>' for room in rooms)
    return person.command(name, f"{named}<bcq>{query}</bcq>")


def told(reply: Reply | None) -> list[tuple[str, list[int]]]:
    """Tell the rooms of a reply with the chat ids shown, and the codes of those refused."""
    assert reply is not None
    assert reply.code == 200, reply.symbol
    return [
        (str(one.get(REFUSED[local(one)])), [int(message.get("chatId", "0")) for message in one])
        for one in reply.data
    ]


class Case(SynchronousTestCase):
    """Alice and Bob are members of Ops, where Bob has said three things; everybody may read the Lobby."""

    def setUp(self) -> None:
        self.world = World()
        self.store = self.world.store
        self.alice = self.world.person("alice")
        self.bob = self.world.person("bob")
        self.ops = self.world.add_room("Ops", "closed", ["alice", "bob"])
        self.lobby = self.world.lobby
        self.bob.join(self.ops)
        self.bob.join(self.lobby)
        for text in ("one", "two", "three"):
            self.bob.post(self.ops, text)
        self.bob.post(self.lobby, "one in the lobby")
        self.world.settle(self.alice, self.bob)

    def reads(self) -> list[tuple[str, list[int]]]:
        """What the archive knows of reads: rooms and chat ids."""
        return [
            (room, json.loads(detail)["chat_ids"])
            for kind, _, room, detail in self.world.server.events()
            if kind == "read"
        ]


class Rights(Case):
    """Rights count when the question comes and when the answer leaves."""

    def test_one_room_is_lost_meanwhile(self) -> None:
        """Who loses a room while he waits gets the others, and that one is refused by its code."""
        for step in ("find_messages", "record"):
            self.world.add_member("Ops", "carol")
            carol = self.world.person("carol")
            self.store.slow = {step}
            self.assertIsNone(ask(carol, self.ops, self.lobby, query="<text>one</text>"))
            self.world.remove_member("Ops", "carol")
            self.store.slow.clear()
            self.store.go()
            self.assertEqual([("Lobby", [1]), ("ERROR_PERMISSION", [])], told(carol.reply("bcbydate")), step)
        # The second time it was read, on record, and not shown.
        self.assertEqual([("Lobby", [1]), ("Ops", [1]), ("Lobby", [1])], self.reads())

    def test_all_rooms_are_lost_meanwhile(self) -> None:
        """When nothing is left the whole search is refused."""
        self.store.slow = {"find_messages"}
        ask(self.alice, self.ops)
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, "Ops"))
        self.store.go()
        reply = self.alice.reply("bcbydate")
        self.assertEqual(("ERROR_NODE_DISABLED", []), (reply and reply.symbol, reply and reply.data))
        self.assertEqual([], self.reads())

    def test_room_is_removed_meanwhile(self) -> None:
        """A room that is gone is none, also if another one has its name now."""
        self.store.slow = {"find_messages"}
        ask(self.alice, self.ops, self.lobby)
        rooms = self.world.administration.rooms
        now_or_never(rooms.remove_room(ACTOR, "Ops"))
        now_or_never(rooms.add_room(ACTOR, "Ops", category="Demo"))
        self.store.go()
        self.assertEqual([("Lobby", [1]), ("ERROR_NO_SUCH_NODE", [])], told(self.alice.reply("bcbydate")))

    def test_history_is_switched_off_meanwhile(self) -> None:
        """Then nothing of it is shown any more."""
        categories = self.world.administration.categories
        now_or_never(categories.add_category(ACTOR, "Silent", allowed=["example.com"], chat_history=False))
        self.store.slow = {"find_messages"}
        ask(self.alice, self.ops)
        now_or_never(self.world.administration.rooms.move_room(ACTOR, "Ops", "Silent"))
        self.store.go()
        self.assertEqual([("Ops", [])], told(self.alice.reply("bcbydate")))
        self.assertEqual([("Ops", [])], self.reads())

    def test_author_who_is_no_more(self) -> None:
        """What a removed user wrote is found by his address, apart from nobody else's."""
        people = self.world.administration.people
        now_or_never(people.remove_user(ACTOR, "sip:bob@example.com"))
        self.world.add_user("bob")
        query = '<author uri="sip:bob@example.com"/>'
        self.assertEqual([("Ops", [1, 2, 3])], told(ask(self.alice, self.ops, query=query)))


class Traces(Case):
    """Every room that was read is on record, all in one transaction, before the answer leaves."""

    def test_all_or_nothing(self) -> None:
        """A search whose reads cannot be recorded shows nothing and leaves no trace."""
        self.store.away = {"record"}
        reply = ask(self.alice, self.ops, self.lobby)
        self.assertEqual("ERROR_DATABASE_CONNECTION", reply and reply.symbol)
        self.assertEqual([], self.reads())

    def test_the_answer_waits(self) -> None:
        """The answer leaves after the commit."""
        self.store.slow = {"record"}
        self.assertIsNone(ask(self.alice, self.ops, self.lobby))
        self.store.go()
        self.assertEqual([("Ops", [1, 2, 3]), ("Lobby", [1])], told(self.alice.reply("bcbydate")))

    def test_chat_ids_in_their_order(self) -> None:
        """However the answer is sorted, the archive lists the lowest chat id first."""
        for search in ("asc", "desc"):
            for sort in ("asc", "desc"):
                ask(self.alice, self.ops, query=f'<order search="{search}" sort="{sort}"/>')
        self.assertEqual([("Ops", [1, 2, 3])] * 4, self.reads())

    def test_what_was_asked(self) -> None:
        """The archive knows what was sought."""
        ask(
            self.alice,
            self.ops,
            query='<date from="2020-01-01" to="2030-01-01T00:00:00Z"/><text matchcase="1">two</text>'
            '<author uri="sip:bob@example.com"/><limit cnt="5"/>',
        )
        [detail] = [detail for kind, _, _, detail in self.world.server.events() if kind == "read"]
        self.assertEqual(
            {
                "query": "bydate",
                "limit": 5,
                "from": "2020-01-01T00:00:00.0000000Z",
                "to": "2030-01-01T00:00:00.0000000Z",
                "words": "two",
                "match": "all",
                "case": True,
                "authors": ["sip:bob@example.com"],
                "search": "desc",
                "count": 1,
                "chat_ids": [2],
            },
            json.loads(detail),
        )


class Load(Case):
    """Searches are bounded."""

    def test_contexts_go_first(self) -> None:
        """While a search is under way others wait for it, and contexts do not."""
        self.store.slow = {"find_messages"}
        self.assertIsNone(ask(self.alice, self.ops))
        self.assertIsNone(ask(self.bob, self.ops))
        self.assertEqual((1, 1), (self.store.waiting, self.world.administration.searches.waiting))
        context = self.world.person("carol").history(self.lobby)
        self.assertEqual([("Lobby", [1])], told(context))
        self.store.go()
        self.store.slow.clear()
        self.store.go()
        for person in (self.alice, self.bob):
            self.assertEqual([("Ops", [1, 2, 3])], told(person.reply("bcbydate")))

    def test_who_waited_too_long(self) -> None:
        """He is told that the store is busy; the next one is not held up by it."""
        self.store.slow = {"find_messages"}
        ask(self.alice, self.ops)
        ask(self.bob, self.ops)
        self.world.clock.advance(PATIENCE_SECONDS)
        reply = self.bob.reply("bcbydate")
        self.assertEqual("ERROR_DATABASE_CONNECTION", reply and reply.symbol)

    def test_too_many(self) -> None:
        """Where too many wait already the next one is told at once."""
        self.patch(self.world.administration.searches, "_waiting_limit", 0)
        reply = ask(self.alice, self.ops)
        self.assertEqual("ERROR_DATABASE_CONNECTION", reply and reply.symbol)

    def test_who_went_away(self) -> None:
        """Nothing is searched, nor on record, for somebody who hung up while he waited for his turn."""
        self.store.slow = {"find_messages"}
        ask(self.alice, self.ops)
        ask(self.bob, self.ops)
        self.bob.end_dialog()
        self.store.go()
        self.assertEqual(0, self.store.waiting)
        self.assertEqual([("Ops", [1, 2, 3])], told(self.alice.reply("bcbydate")))
        self.assertEqual([("Ops", [1, 2, 3])], self.reads())

    def test_large_answers(self) -> None:
        """Where stories are too long for one reply the newest are shown, and that there are more is told."""
        now_or_never(self.world.administration.settings.set_setting(ACTOR, "story-size-limit", "262144"))
        story = "[STORY]" + "x" * 250_000
        for _ in range(5):
            self.bob.post(self.ops, story)
        reply = ask(self.alice, self.ops, self.lobby)
        self.assertEqual([("Ops", [5, 6, 7, 8]), ("Lobby", [1])], told(reply))
        assert reply is not None
        self.assertEqual(["true", "false"], [one.get("exceeded") for one in reply.data])

    def test_many_rooms(self) -> None:
        """A query over several rooms finds no more messages in all than the limit of any query."""
        now_or_never(self.world.administration.settings.set_setting(ACTOR, "search-limit", "2"))
        found = told(ask(self.alice, self.ops, self.lobby))
        self.assertEqual(2, sum(len(chat_ids) for _, chat_ids in found))


WORDS = ("red", "Red", "fox", "hen", "北京", "café")
MESSAGES = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)),
    max_size=12,
)


def picked(
    messages: list[tuple[int, str, str]], words: list[str], how: str, case: bool, author: str | None
) -> list[int]:
    """Pick messages by hand: number, author and text of each."""

    def seen(text: str) -> str:
        return text if case else text.casefold()

    def holds(text: str) -> bool:
        cut, wanted = seen(text).split(), [seen(word) for word in words]
        if how == "exact":
            return any(cut[at : at + len(wanted)] == wanted for at in range(len(cut)))
        return (any if how == "any" else all)(word in cut for word in wanted)

    return [
        number
        for number, who, text in messages
        if (author is None or who == author) and (not words or holds(text))
    ]


class Exactness(SynchronousTestCase):
    """What is found is what a person would pick who reads everything."""

    @settings(deadline=None, max_examples=25)
    @given(
        MESSAGES,
        st.lists(
            st.tuples(
                st.lists(st.sampled_from(WORDS), max_size=3),
                st.sampled_from(["all", "any", "exact"]),
                st.booleans(),
                st.sampled_from([None, "alice", "bob"]),
                st.integers(1, 6),
                st.booleans(),
                st.none() | st.integers(1, 14),
            ),
            min_size=1,
            max_size=8,
        ),
    )
    def test_any(self, messages: list[tuple[bool, bool, list[str]]], questions: list[Any]) -> None:
        """Words in any way, by anybody, from any message on, in either direction, cut by any limit."""
        world = World()
        people = {name: world.person(name) for name in ("alice", "bob")}
        rooms = {False: world.lobby, True: world.add_room("Garden")}
        for person in people.values():
            for room in rooms.values():
                person.join(room)
        said: dict[bool, list[tuple[int, str, str]]] = {False: [], True: []}
        for place, who, words in messages:
            author = "alice" if who else "bob"
            people[author].post(rooms[place], " ".join(words))
            said[place].append((len(said[place]) + 1, author, " ".join(words)))
        for words, how, case, author, count, newest, start in questions:
            reply = ask(
                people["alice"],
                *rooms.values(),
                query=self.query(words, how, case, author, count, newest, start),
                name="bcbydate" if start is None else "bcbymsg",
            )
            expected, exceeded = [], []
            for place, room in rooms.items():
                hits = picked(said[place], words, how, case, author)
                if start is not None:
                    hits = [number for number in hits if (number <= start if newest else number >= start)]
                expected.append((room.name, hits[-count:] if newest else hits[:count]))
                exceeded.append("true" if len(hits) > count else "false")
            self.assertEqual(expected, told(reply))
            assert reply is not None
            self.assertEqual(exceeded, [one.get("exceeded") for one in reply.data])

    @staticmethod
    def query(
        words: list[str],
        how: str,
        case: bool,
        author: str | None,
        count: int,
        newest: bool,
        start: int | None,
    ) -> str:
        """Write a query."""
        flags = {"all": 'matchall="true"', "any": 'matchall="false"', "exact": 'matchexact="true"'}[how]
        return (
            (f'<msgid id="{start}"/>' if start is not None else "")
            + f'<text {flags} matchcase="{str(case).lower()}">{" ".join(words)}</text>'
            + (f'<author uri="sip:{author}@example.com"/>' if author else "")
            + f'<limit cnt="{count}"/><order search="{"desc" if newest else "asc"}"/>'
        )
