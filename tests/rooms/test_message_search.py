"""Administrators' searches, what people in the room see of removals, and that just the right messages go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import StoreUnavailable
from pchat.rooms import message_administration
from pchat.rooms.message_filter import MessageFilter
from pchat.testing.memory import now_or_never
from pchat.xccos.codes import ResponseCode
from tests.rooms.message_support import BOB, MessageCase
from tests.rooms.service_support import ACTOR, World
from tests.rooms.test_history_search import WORDS, picked


class Live(MessageCase):
    """People who are in the room while messages are taken back."""

    def test_posting_goes_on(self) -> None:
        """A post on its way while messages are removed is committed after them, and everybody gets it."""
        self.say("one", "two")
        self.world.store.slow = {"take_back"}
        removal = ensureDeferred(self.messages.remove(ACTOR, "Lobby", MessageFilter(), everything=True))
        self.bob.post(self.world.lobby, "three")
        self.world.store.go()
        self.assertEqual(2, self.successResultOf(removal)["changed"])
        self.assertEqual({3: "three"}, self.texts())
        self.alice.post(self.world.lobby, "four")
        self.world.settle(self.alice, self.bob)
        said = [request.body for request in self.bob.requests if b"grpchat" in request.body]
        self.assertTrue(b"three" in said[0] and b"msgremoved" in said[1] and b"four" in said[2], said)

    def test_large_notices(self) -> None:
        """Many messages are told of in several notices, none of which holds too much."""
        self.say(*["red"] * 120)
        self.replace(MessageFilter(words="red"))
        for person in (self.alice, self.bob):
            notices = [one for one in person.hear() if one.get("id") == "ntc:msgreplaced"]
            told = [[int(message.get("chatId", "0")) for message in one[0][0]] for one in notices]
            self.assertEqual([50, 50, 20], [len(part) for part in told])
            self.assertEqual(list(range(1, 121)), [number for part in told for number in part])

    def test_only_who_is_there(self) -> None:
        """Who left is told nothing."""
        self.say("red")
        self.alice.part(self.world.lobby)
        self.alice.hear()
        self.remove(MessageFilter(words="red"))
        self.assertEqual([], self.alice.notices())
        self.assertEqual(["ntc:msgremoved"], [name for name in self.bob.notices() if name != "ntc:part"])


class Searching(MessageCase):
    """``search``."""

    def search(self, chosen: MessageFilter, rooms: Sequence[str] = (), limit: int | None = None) -> Any:
        """Search as an administrator."""
        return now_or_never(self.messages.search(ACTOR, rooms, chosen, limit))

    def test_everywhere(self) -> None:
        """Every room is searched, also disabled and secret ones; the oldest hit stands first."""
        secret = self.world.add_room("Vault", "secret", ["bob"])
        self.bob.join(secret)
        self.say("red fox")
        self.bob.post(secret, "a red vault")
        self.world.clock.advance(10)
        self.say("red hen", "blue")
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, "Lobby"))
        found = self.search(MessageFilter(words="red"))
        self.assertFalse(found["exceeded"])
        self.assertEqual(
            [("Lobby", 1, "red fox"), ("Vault", 1, "a red vault"), ("Lobby", 2, "red hen")],
            [(one["room"], one["chat_id"], one["text"]) for one in found["messages"]],
        )
        self.assertEqual(
            {
                "room": "Vault",
                "room_uri": secret.uri,
                "chat_id": 1,
                "time": "2026-01-02T03:04:15.0000000Z",
                "author": BOB,
                "text": "a red vault",
                "alert": False,
            },
            found["messages"][1],
        )
        only = self.search(MessageFilter(words="red"), ["vault"])
        self.assertEqual(["Vault"], [one["room"] for one in only["messages"]])

    def test_limit(self) -> None:
        """The newest are given, and that there are more is told; the limit of all queries counts too."""
        self.say("one", "two", "three")
        found = self.search(MessageFilter(), limit=2)
        self.assertEqual(([2, 3], True), ([one["chat_id"] for one in found["messages"]], found["exceeded"]))
        now_or_never(self.world.administration.settings.set_setting(ACTOR, "search-limit", "1"))
        found = self.search(MessageFilter(), limit=2)
        self.assertEqual(([3], True), ([one["chat_id"] for one in found["messages"]], found["exceeded"]))

    def test_very_many_rooms(self) -> None:
        """More rooms than one statement takes are searched in groups; the newest of all are given."""
        garden = self.world.add_room("Garden")
        self.bob.join(garden)
        self.say("one")
        self.bob.post(garden, "two")
        self.world.clock.advance(10)
        self.say("three")
        self.patch(message_administration, "ROOMS_AT_ONCE", 1)
        found = self.search(MessageFilter(), limit=2)
        self.assertEqual(["two", "three"], [one["text"] for one in found["messages"]])
        self.assertTrue(found["exceeded"])

    def test_traces(self) -> None:
        """What he was shown is on record under his name, room by room, and what he asked for."""
        garden = self.world.add_room("Garden")
        self.bob.join(garden)
        self.say("red", "red")
        self.bob.post(garden, "blue")
        self.search(MessageFilter(words="red"))
        asked = {"words": "red", "match": "all", "case": False, "rooms": [], "limit": 999}
        [(_, who, _, _, detail)] = self.archive("read")
        self.assertEqual(ACTOR, who)
        self.assertEqual({"query": "administrator", **asked, "count": 2, "chat_ids": [1, 2]}, detail)
        self.assertEqual([(ACTOR, "search", "", asked, {"messages": 2})], self.audit())

    def test_no_answer_without_a_trace(self) -> None:
        """What cannot be recorded is not shown."""
        self.say("red")
        self.world.store.away = {"record_search"}
        self.assertRaises(StoreUnavailable, self.search, MessageFilter(words="red"))

    def test_what_is_refused(self) -> None:
        """Unknown rooms and users are mistakes."""
        work = self.messages.search(ACTOR, ["nowhere"], MessageFilter())
        self.assert_refused(ResponseCode.ERROR_NO_SUCH_NODE, work)
        work = self.messages.search(ACTOR, [], MessageFilter(users=["nobody@example.com"]))
        self.assert_refused(ResponseCode.ERROR_NO_SUCH_PRINCIPAL, work)
        self.assertEqual([], self.audit())


class WithoutArchive(MessageCase):
    """A server without compliance."""

    def setUp(self) -> None:
        self.begin(World(compliance=False))

    def test_no_events(self) -> None:
        """Messages go, and the audit log still knows it."""
        self.say("red")
        self.remove(MessageFilter(words="red"))
        self.assertEqual([], self.archive("remove"))
        self.assertEqual(["remove"], [row[1] for row in self.audit()])


class Exactness(SynchronousTestCase):
    """What goes is what a person would pick who reads everything; nothing else does."""

    @settings(deadline=None, max_examples=25)
    @given(
        st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), max_size=12),
        st.lists(
            st.tuples(
                st.lists(st.sampled_from(WORDS), max_size=2),
                st.sampled_from(["all", "any", "exact"]),
                st.booleans(),
                st.sampled_from([None, "alice", "bob"]),
                st.sampled_from(["remove", "replace"]),
            ),
            max_size=4,
        ),
    )
    def test_any(self, texts: list[list[str]], orders: list[Any]) -> None:
        """Any orders, one after the other."""
        case = MessageCase()
        case.setUp()
        case.say(*map(" ".join, texts))
        kept = {
            number: ("bob" if number % 2 else "alice", " ".join(words))
            for number, words in enumerate(texts, 1)
        }
        for words, how, cased, author, action in orders:
            chosen = MessageFilter(
                users=[f"{author}@example.com"] if author else [],
                words=" ".join(words),
                match=how,
                case=cased,
            )
            hits = picked([(number, *said) for number, said in kept.items()], words, how, cased, author)
            everything = chosen.lets_all_pass
            if action == "remove":
                done = case.remove(chosen, everything=everything)
                kept = {number: said for number, said in kept.items() if number not in hits}
            else:
                hits = [number for number in hits if kept[number][1] != "gone"]
                done = case.replace(chosen, everything=everything, text="gone")
                kept |= {number: (kept[number][0], "gone") for number in hits}
            case.assertEqual(len(hits), done["changed"])
            case.assertEqual({number: said[1] for number, said in kept.items()}, case.texts())
