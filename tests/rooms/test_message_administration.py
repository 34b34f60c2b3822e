"""Messages that administrators remove, replace and clear, in pieces."""

from __future__ import annotations

from unittest import mock

from twisted.internet.defer import ensureDeferred

from pchat import ticks
from pchat.errors import StoreUnavailable, TookTooLong
from pchat.interfaces import ITransaction
from pchat.rooms import message_administration
from pchat.rooms.message_administration import REPLACEMENT
from pchat.rooms.message_filter import MessageFilter
from pchat.store import search
from pchat.store.transaction import DirectTransaction
from pchat.testing.memory import BEGINNING, now_or_never
from pchat.xccos.codes import ResponseCode
from tests.rooms.message_support import BOB, MessageCase
from tests.rooms.service_support import ACTOR


class Removing(MessageCase):
    """``remove``."""

    def test_by_words(self) -> None:
        """What holds the words goes, with the words that it was found by; the numbers stay used."""
        self.say("red fox", "red hen", "blue fox")
        piece = self.remove(MessageFilter(words="Red"))
        self.assertEqual({"changed": 2, "examined": 3, "next": None, "upto": 3, "left": 0}, piece)
        self.assertEqual({3: "blue fox"}, self.texts())
        self.assertEqual(0, self.remove(MessageFilter(words="red"))["changed"])
        self.say("red again")
        self.assertEqual({3: "blue fox", 4: "red again"}, self.texts())
        self.assertEqual([(4,)], self.sql("select last_chat_id from rooms"))

    def test_by_time_and_author(self) -> None:
        """Ends are included; the author is found by his address in any form."""
        self.say("one", "two", "three", "four")
        at = [ticks.to_iso(ticks.from_unix(BEGINNING + 10 * number)) for number in range(4)]
        self.remove(MessageFilter(since=at[1], until=at[2], users=["BOB@example.com"]))
        self.assertEqual([1, 2, 4], sorted(self.texts()))
        self.remove(MessageFilter(since=at[1], until=at[3]))
        self.assertEqual([1], sorted(self.texts()))

    def test_all(self) -> None:
        """All must be said, and said alone."""
        self.say("one", "two")
        invalid = ResponseCode.ERROR_INVALID_ARGUMENT
        self.assert_refused(invalid, self.messages.remove(ACTOR, "Lobby", MessageFilter()))
        self.assert_refused(invalid, self.messages.remove(ACTOR, "Lobby", MessageFilter(words=" ")))
        both = self.messages.remove(ACTOR, "Lobby", MessageFilter(words="one"), everything=True)
        self.assert_refused(invalid, both)
        self.assertEqual(2, self.remove(MessageFilter(), everything=True)["changed"])
        self.assertEqual({}, self.texts())

    def test_what_is_refused(self) -> None:
        """Mistakes are told, and nothing is lost by them."""
        self.say("one")
        invalid = ResponseCode.ERROR_INVALID_ARGUMENT
        for chosen, code in (
            (MessageFilter(since="soon"), invalid),
            (MessageFilter(until="2026-13-01"), invalid),
            (MessageFilter(since="2026-01-03", until="2026-01-02"), invalid),
            (MessageFilter(words="!?"), invalid),
            (MessageFilter(words="one \ud800"), invalid),
            (MessageFilter(users=["nobody@example.com"]), ResponseCode.ERROR_NO_SUCH_PRINCIPAL),
            (MessageFilter(words=" ".join(map(str, range(65)))), ResponseCode.ERROR_LIMIT_EXCEEDED),
        ):
            self.assert_refused(code, self.messages.remove(ACTOR, "Lobby", chosen))
        self.assert_refused(
            ResponseCode.ERROR_NO_SUCH_NODE, self.messages.remove(ACTOR, "x", MessageFilter(words="one"))
        )
        self.assertEqual({1: "one"}, self.texts())
        self.assertEqual([], self.audit())

    def test_removed_author(self) -> None:
        """What somebody wrote whose account is gone can be removed by his address."""
        self.say("one", "two")
        now_or_never(self.world.administration.people.remove_user(ACTOR, BOB))
        self.assertEqual(1, self.remove(MessageFilter(users=[BOB]))["changed"])
        self.assertEqual([2], sorted(self.texts()))

    def test_disabled_room(self) -> None:
        """A room that is disabled, or keeps no history any more, is cleaned like any other."""
        self.say("one", "two")
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, "Lobby"))
        self.assertEqual(1, self.remove(MessageFilter(words="one"))["changed"])

    def test_traces(self) -> None:
        """The archive keeps each text with its author, the audit log the order and how many it hit."""
        self.say("red fox", "hen", "red hen")
        self.remove(MessageFilter(words="red", match="any", case=True, users=[BOB]))
        detail = {"author": BOB, "author_name": "Bob"}
        self.assertEqual(
            [
                ("remove", ACTOR, 1, "red fox", {**detail, "time": "2026-01-02T03:04:05.0000000Z"}),
                ("remove", ACTOR, 3, "red hen", {**detail, "time": "2026-01-02T03:04:25.0000000Z"}),
            ],
            self.archive("remove"),
        )
        asked = {"users": [BOB], "words": "red", "match": "any", "case": True}
        after = {"messages": 2, "first": 1, "last": 3}
        self.assertEqual([(ACTOR, "remove", self.world.lobby.uri, asked, after)], self.audit())

    def test_all_or_nothing(self) -> None:
        """What cannot be recorded is not removed, and nobody is told."""
        self.say("one")
        self.world.store.away = {"take_back"}
        self.assertRaises(StoreUnavailable, self.remove, MessageFilter(words="one"))
        self.assertEqual({1: "one"}, self.texts())
        self.assertEqual([], self.bob.notices())
        self.world.store.away.clear()
        self.assertEqual(1, self.remove(MessageFilter(words="one"))["changed"])

    def test_hits_of_topics(self) -> None:
        """A notice of what is gone is gone too."""
        self.say("one", "two")

        async def hit(txn: ITransaction) -> None:
            await txn.run_many(
                "insert into topic_hits (principal_id, room_id, chat_id, guids, ts)"
                " values (1, %s, %s, '', 0)",
                [(self.world.lobby.id, 1), (self.world.lobby.id, 2)],
            )

        now_or_never(self.world.store.write(hit))
        self.remove(MessageFilter(words="one"))
        self.assertEqual([(2,)], self.sql("select chat_id from topic_hits"))


class Replacing(MessageCase):
    """``replace``."""

    def test_text(self) -> None:
        """The text is another, in history and for searches; author, time and number stay, formatting goes."""
        self.bob.post(self.world.lobby, "rude words", "<rtf>{rude}</rtf>", 'alert="true"')
        self.say("fine")
        before = self.sql("select chat_id, ts, author_id, alert from messages where chat_id = 1")
        self.assertEqual(1, self.replace(MessageFilter(words="rude"))["changed"])
        self.assertEqual({1: REPLACEMENT, 2: "fine"}, self.texts())
        self.assertEqual(
            before, self.sql("select chat_id, ts, author_id, alert from messages where rtf is null limit 1")
        )
        self.assertEqual(0, self.replace(MessageFilter(words="rude"))["changed"])
        self.assertEqual(1, self.remove(MessageFilter(words="persistent administrator"))["changed"])

    def test_again(self) -> None:
        """What has the new text already is left alone, so that an order given twice is done once."""
        self.say("one", "two")
        self.assertEqual(2, self.replace(MessageFilter(), everything=True, text="gone")["changed"])
        self.assertEqual(0, self.replace(MessageFilter(), everything=True, text="gone")["changed"])
        self.assertEqual(2, len(self.archive("replace")))
        self.assertEqual(1, len(self.audit()))

    def test_traces(self) -> None:
        """The archive has the old text and the new one."""
        self.say("one")
        self.replace(MessageFilter(words="one"), text="first\r\nsecond")
        [(kind, actor, chat_id, text, detail)] = self.archive("replace")
        self.assertEqual(("replace", ACTOR, 1, "one"), (kind, actor, chat_id, text))
        self.assertEqual((BOB, "first\nsecond"), (detail["author"], detail["new_text"]))
        [(*_, after)] = self.audit()
        self.assertEqual({"messages": 1, "first": 1, "last": 1, "text": "first\nsecond"}, after)

    def test_bad_text(self) -> None:
        """The new text is a message like any other."""
        self.say("one")
        for text in ("", " \n", "ä" * 4_001, "\ud800", "\x00"):
            self.assert_refused(
                ResponseCode.ERROR_INVALID_ARGUMENT,
                self.messages.replace(ACTOR, "Lobby", MessageFilter(words="one"), text=text),
            )
        self.assertEqual({1: "one"}, self.texts())


class Clearing(MessageCase):
    """``clear``."""

    def test_until(self) -> None:
        """Everything up to and with a time goes; a date alone is its whole day."""
        self.say("one", "two", "three")
        self.world.clock.advance(86_400)
        self.enter()  # their sessions ended long ago
        self.say("next day")
        until = ticks.to_iso(ticks.from_unix(BEGINNING + 10))
        self.assertEqual(2, now_or_never(self.messages.clear(ACTOR, "Lobby", until))["changed"])
        self.assertEqual([3, 4], sorted(self.texts()))
        self.assertEqual(1, now_or_never(self.messages.clear(ACTOR, "Lobby", "2026-01-02"))["changed"])
        self.assertEqual([4], sorted(self.texts()))
        self.assertEqual([1, 2, 3], [row[2] for row in self.archive("remove")])
        self.assertEqual(["clear", "clear"], [row[1] for row in self.audit()])

    def test_bad_time(self) -> None:
        """Without a time nothing is cleared."""
        for until in ("", "yesterday"):
            work = self.messages.clear(ACTOR, "Lobby", until)
            self.assert_refused(ResponseCode.ERROR_INVALID_ARGUMENT, work)


class Pieces(MessageCase):
    """Long work is done in pieces."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(message_administration, "PIECE_MESSAGES", 2)
        self.patch(message_administration, "PIECE_CHAT_IDS", 5)

    def test_until_the_end(self) -> None:
        """Each piece says where the next one begins, and what is left; what is posted meanwhile stays."""
        self.say(*["red"] * 3, *["blue"] * 6, "red")
        chosen = MessageFilter(words="red")
        first = self.remove(chosen)
        self.assertEqual({"changed": 2, "examined": 2, "next": 2, "upto": 10, "left": 8}, first)
        self.say("red")
        second = self.remove(chosen, after=2, upto=10)
        self.assertEqual({"changed": 1, "examined": 5, "next": 7, "upto": 10, "left": 3}, second)
        third = self.remove(chosen, after=7, upto=10)
        self.assertEqual({"changed": 1, "examined": 3, "next": None, "upto": 10, "left": 0}, third)
        self.assertEqual({11: "red"}, {n: text for n, text in self.texts().items() if text == "red"})

    def test_search_that_gives_up(self) -> None:
        """A search that must read texts, since case counts, gives up some time; nothing is passed over."""
        self.patch(search, "LOOKS_CHARACTERS", 4)
        self.patch(search, "STEP_OF_TEXTS", 2)
        self.say(*["red"] * 7, "Red", "red", "Red")
        chosen = MessageFilter(words="Red", case=True)
        after: int | None = 0
        while after is not None:
            after = self.remove(chosen, after=after, upto=10)["next"]
        self.assertEqual({**dict.fromkeys(range(1, 8), "red"), 9: "red"}, self.texts())

    def test_search_that_gets_nowhere(self) -> None:
        """What cannot be searched, however little of it at a time, is no reason to go on for ever."""
        self.say("red", "red")
        with mock.patch.object(DirectTransaction, "word_hits", side_effect=TookTooLong("interrupted")):
            self.assertRaises(StoreUnavailable, self.remove, MessageFilter(words="red"))
        self.assertEqual(2, self.remove(MessageFilter(words="red"))["changed"])

    def test_nothing_left(self) -> None:
        """A place beyond the end, or an empty room, is the end."""
        done = {"changed": 0, "examined": 0, "next": None, "left": 0}
        self.assertEqual(done | {"upto": 0}, self.remove(MessageFilter(words="red")))
        self.say("red")
        self.assertEqual(done | {"upto": 1}, self.remove(MessageFilter(words="red"), after=10, upto=99))
        self.assertEqual({1: "red"}, self.texts())

    def test_side_by_side(self) -> None:
        """Two administrators who remove the same remove it once."""
        self.say("red", "red")
        self.world.store.slow = {"find_messages"}
        both = [
            ensureDeferred(self.messages.remove(ACTOR, "Lobby", MessageFilter(words="red"))) for _ in range(2)
        ]
        self.world.store.slow.clear()
        self.world.store.go()
        self.assertEqual([2, 0], [self.successResultOf(one)["changed"] for one in both])
        self.assertEqual([1, 2], [row[2] for row in self.archive("remove")])
