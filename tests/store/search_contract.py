"""What every store must find: searches in history, each held against the history itself.

Engines may index as they like; `pchat.words.matches` and the plain list of messages are the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pchat.store.indexing import forget_words, remove_messages, replace_messages
from pchat.store.messages import StoredMessage, last_messages
from pchat.store.search import Found, HistoryQuery, find_messages
from pchat.ticks import from_unix
from pchat.words import Mode, WordQuery, matches, parse_query
from tests.store.contract import NOON, StoreCase
from tests.store.support import make_room, new_message

#: Pieces that texts and searches are made of, so that searches find something.
PIECES = (
    *("hello", "Hello", "world", "EUR/USD", "c++", "e-mail", "naïve", "NAIVE", "Straße", "STRASSE", "İz"),
    *("北京", "京", "我住在北京市", "東京都", "東", "カタカナ", "ｶﾀｶﾅ", "ひらがな", "年", "12月", "第3回"),
    *("สวัสดี", "สวัสดีครับ", "ກ", "السَّلامُ", "السلام", "أحمد", "احمد", "שָׁלוֹם", "שלום", "हिन्दी", "한국어"),
    *("👍", " ", "  ", ", ", "、", "\n", "-", "_", '"', "'", "*", "(", "NEAR", "OR", "AND", "NOT", "1", "٣"),
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6).map("".join)
MODES: st.SearchStrategy[Mode] = st.sampled_from(("all", "any", "exact"))
TICKS = st.none() | st.integers(0, 12).map(lambda second: from_unix(NOON + second))
IDS = st.none() | st.integers(1, 12)
#: Each engine's test case runs the same examples, on purpose.
FOR_EACH_ENGINE = settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])


class SearchCase(StoreCase):
    """Posts and searches, a second between two posts."""

    def post(self, *texts: str, room_id: int = 1, author_id: int = 1, later: float = 1) -> None:
        for text in texts:
            self.clock.rightNow += later
            self.result_of(self.store.append([new_message(room_id, text, author_id=author_id)]))

    def find(self, **wanted: Any) -> dict[int, Found]:
        found: dict[int, Found] = self.result_of(
            self.store.read(find_messages, HistoryQuery(**{"rooms": (1, 2), **wanted}))
        )
        return found

    def texts(self, **wanted: Any) -> list[str]:
        return [message.chat for found in self.find(**wanted).values() for message in found.messages]

    def all_of(self, room_id: int) -> list[StoredMessage]:
        messages: list[StoredMessage] = self.result_of(self.store.read(last_messages, room_id, 1000))
        return messages


class SearchContract(SearchCase):
    """Searches by words, authors, times and chat ids."""

    def test_words_in_any_script(self) -> None:
        """Everything that people would call the same is found, from one character on."""
        stories: Sequence[tuple[str, Sequence[str], Sequence[str]]] = (
            ("我住在北京市中心", ("北京", "京", "我", "心", "市中心"), ("北中", "上")),
            ("カタカナとひらがな", ("ｶﾀｶﾅ", "がな", "ナ"), ("カカ",)),
            ("สวัสดีครับ", ("สวัสดี", "ครับ", "บ"), ("สบ",)),
            ("السَّلامُ عليكم", ("السلام", "عليكم"), ("سلام",)),
            ("Die Straße ist naïve", ("strasse", "NAIVE", "straße"), ("strass",)),
            ("EUR/USD, C++, e-mail", ("eur/usd", "EUR USD", "c++", "mail", "USD,C"), ("usd/eur", "c++20")),
            ("今年12月25日", ("12月", "年12月", "月", "25", "日"), ("11月", "13月")),
        )
        for text, finding, missing in stories:
            self.post(text)
            for wanted in finding:
                self.assertIn(text, self.texts(words=parse_query(wanted, "all")), wanted)
            for wanted in missing:
                self.assertNotIn(text, self.texts(words=parse_query(wanted, "all")), wanted)

    def test_all_any_and_exact(self) -> None:
        """All words in any order, any of them, or the words as they stand."""
        self.post("red green", "green red", "red", "blue")
        stories: dict[Mode, list[str]] = {
            "all": ["red green", "green red"],
            "any": ["red green", "green red", "red"],
            "exact": ["green red"],
        }
        for mode, expected in stories.items():
            self.assertEqual(self.texts(words=parse_query("green red", mode)), expected, mode)

    def test_case_that_matters(self) -> None:
        """Who asks for case gets it, accents aside; totals count what is found then."""
        self.post("US budget", "tell us", "ÜS", "us and US")
        found = self.find(words=parse_query("US", "all", match_case=True), limit=2)[1]
        self.assertEqual([message.chat for message in found.messages], ["ÜS", "us and US"])
        self.assertTrue(found.exceeded)
        found = self.find(words=parse_query("US", "all", match_case=True))[1]
        self.assertEqual((found.total, found.exceeded), (3, False))

    def test_nothing_to_look_for(self) -> None:
        """A search for signs only, or for nobody's messages, finds nothing; unknown rooms are empty."""
        self.post("C++ +++")
        self.assertEqual(self.texts(words=parse_query("+++", "all")), [])
        self.assertEqual(self.texts(authors=frozenset()), [])
        self.assertEqual(self.texts(limit=0), [])
        self.assertEqual(self.find(rooms=(77,)), {77: Found([], 0, False)})
        self.assertEqual(self.find(rooms=()), {})

    def test_authors(self) -> None:
        """What some people wrote is found, with words or without, in whatever rooms."""
        self.post("one two", "two", author_id=12)
        self.post("one 12", author_id=1)
        self.post("one three", room_id=2, author_id=123)
        self.assertEqual(self.texts(authors=frozenset({12})), ["one two", "two"])
        self.assertEqual(self.texts(authors=frozenset({1, 123})), ["one 12", "one three"])
        one = parse_query("one", "all")
        self.assertEqual(self.texts(authors=frozenset({12, 123}), words=one), ["one two", "one three"])

    def test_the_newest_or_the_oldest(self) -> None:
        """When there are more than wanted one end is kept, always given oldest first."""
        self.post(*(f"word {number}" for number in range(1, 31)))
        for words in (None, parse_query("word", "all")):
            newest = self.find(words=words, limit=3)[1]
            self.assertEqual([message.chat_id for message in newest.messages], [28, 29, 30])
            oldest = self.find(words=words, limit=3, newest_first=False)[1]
            self.assertEqual([message.chat_id for message in oldest.messages], [1, 2, 3])
            self.assertTrue(newest.exceeded and oldest.exceeded)
            self.assertLessEqual(3, newest.total)
            exactly = self.find(words=words, limit=30, most=30)[1]
            self.assertEqual((exactly.total, exactly.exceeded), (30, False))

    def test_paging_from_a_message(self) -> None:
        """From a message on, in either direction."""
        self.post(*(f"word {number}" for number in range(1, 11)))
        after = self.find(first_id=4, limit=3, newest_first=False)[1]
        self.assertEqual([message.chat_id for message in after.messages], [4, 5, 6])
        before = self.find(last_id=4, limit=3)[1]
        self.assertEqual([message.chat_id for message in before.messages], [2, 3, 4])

    def test_the_newest_of_all_rooms(self) -> None:
        """When all rooms together have more than wanted, the newest of all are given."""
        for _ in range(10):
            self.post("hello", room_id=1)
            self.post("hello", room_id=2)
        self.post("hello", "hello", room_id=2)
        for words in (None, parse_query("hello", "all")):
            found = self.find(words=words, most=5)
            self.assertEqual([message.chat_id for message in found[1].messages], [10])
            self.assertEqual([message.chat_id for message in found[2].messages], [9, 10, 11, 12])
            self.assertTrue(found[1].exceeded and found[2].exceeded)

    def test_times_after_a_clock_was_set_back(self) -> None:
        """Every message between two times is found, although later ones of other rooms are earlier."""
        times = [(1, 5), (2, 1), (2, 3), (1, 6), (2, 4), (3, 2), (2, 7)]
        self.result_of(self.store.write(make_room, 3))
        for room_id, second in times:
            self.clock.rightNow = NOON + second
            self.post(f"at {second}", room_id=room_id, later=0)
        for words in (None, parse_query("at", "all")):
            for first in range(1, 8):
                for last in range(first, 8):
                    between = {"first_ts": from_unix(NOON + first), "last_ts": from_unix(NOON + last)}
                    found = self.texts(rooms=(1, 2, 3), words=words, **between)
                    expected = {f"at {second}" for _, second in times if first <= second <= last}
                    self.assertEqual(set(found), expected, (first, last))

    def test_removed_messages(self) -> None:
        """What was removed is not found by any way, and what is left is."""
        self.post("hello one", "hello two", "hello three")
        gone = self.result_of(self.store.write(remove_messages, 1, [2, 77]))
        self.assertEqual(gone, [2])
        for words in (None, parse_query("hello", "all")):
            self.assertEqual(self.texts(words=words), ["hello one", "hello three"])
        self.assertEqual(self.texts(words=parse_query("two", "all")), [])

    def test_replaced_messages(self) -> None:
        """A replaced message is found by its new words only, with its author and time."""
        self.post("the secret 北京", author_id=7)
        [before] = self.all_of(1)
        self.result_of(self.store.write(replace_messages, 1, [1], "replaced by the administrator"))
        self.assertEqual(self.texts(words=parse_query("secret", "all")), [])
        self.assertEqual(self.texts(words=parse_query("京", "all")), [])
        found = self.find(words=parse_query("administrator", "all"), authors=frozenset({7}))[1]
        self.assertEqual(found.messages, [before._replace(chat="replaced by the administrator")])

    def test_a_room_whose_words_are_forgotten(self) -> None:
        """Before a room is deleted its words go, so that a later room with its number has none of them."""
        self.post(*["hello"] * 3)
        self.post("hello", room_id=2)

        self.result_of(self.store.write(forget_words, 1))
        for words in (parse_query("hello", "all"), parse_query("hell hello", "any")):
            found = self.find(words=words)
            self.assertEqual((found[1].total, found[2].total), (0, 1))
        self.assertEqual(len(self.all_of(1)), 3)


class SearchTruthContract(SearchCase):
    """Random texts and searches, whose hits must be those of the plain rules."""

    @FOR_EACH_ENGINE
    @given(st.lists(TEXTS, min_size=1, max_size=8), TEXTS, MODES, st.booleans())
    def test_engine_and_truth_agree(
        self, texts: list[str], wanted: str, mode: Mode, match_case: bool
    ) -> None:
        """The engine finds the messages that match, and no others."""
        self.store = self.started()
        self.post(*texts)
        query = parse_query(wanted, mode, match_case=match_case)
        expected = [text for text in texts if matches(text, query)]
        self.assertEqual(self.texts(words=query), expected)

    @FOR_EACH_ENGINE
    @given(
        posts=st.lists(
            st.tuples(
                st.sampled_from((1, 2)),
                st.integers(1, 2),
                st.sampled_from(("a", "b", "a b")),
                st.sampled_from((1, 1, 1, 3, 0, -4)),  # seconds until the post; clocks are set back
            ),
            max_size=12,
        ),
        wanted=st.fixed_dictionaries(
            {
                "rooms": st.sampled_from(((1,), (1, 2), (1, 2, 3, 4, 5))),
                "first_ts": TICKS,
                "last_ts": TICKS,
                "first_id": IDS,
                "last_id": IDS,
                "words": st.sampled_from(
                    (None, parse_query("a", "all"), parse_query("A", "all", match_case=True))
                ),
                "authors": st.none() | st.frozensets(st.integers(1, 2)),
                "limit": st.integers(1, 13),
                "newest_first": st.booleans(),
                "most": st.integers(1, 13),
            }
        ),
        removed=st.sets(st.integers(1, 12)),
    )
    def test_searches_agree_with_the_plain_history(
        self, posts: list[tuple[int, int, str, int]], wanted: dict[str, Any], removed: set[int]
    ) -> None:
        """Whatever is combined, a search gives what reading the whole history gives."""
        self.clock.rightNow = NOON
        self.store = self.started()
        order: dict[tuple[int, int], int] = {}
        for place, (room_id, author_id, text, later) in enumerate(posts):
            self.post(text, room_id=room_id, author_id=author_id, later=later)
            order[room_id, sum(post[0] == room_id for post in posts[: place + 1])] = place
        self.result_of(self.store.write(remove_messages, 1, sorted(removed)))
        query = HistoryQuery(**wanted)
        found = self.find(**wanted)
        self.assertEqual(list(found), list(query.rooms))
        self.check_against(query, found, {room: self.all_of(room) for room in query.rooms}, order)

    def check_against(
        self,
        query: HistoryQuery,
        found: dict[int, Found],
        history: dict[int, list[StoredMessage]],
        order: dict[tuple[int, int], int],
    ) -> None:
        true = {
            room: [message for message in messages if _wanted(query, message)]
            for room, messages in history.items()
        }
        ends = {
            room: messages[-query.limit :] if query.newest_first else messages[: query.limit]
            for room, messages in true.items()
        }
        together = sorted(order[room, message.chat_id] for room in ends for message in ends[room])
        kept = set(together[-query.most :] if query.newest_first else together[: query.most])
        for room, answer in found.items():
            expected = [message for message in ends[room] if order[room, message.chat_id] in kept]
            self.assertEqual(answer.messages, expected)
            if answer.exceeded:
                self.assertLessEqual(answer.total, len(true[room]))
            else:
                self.assertEqual(answer.total, len(true[room]))
            self.assertTrue(answer.exceeded or answer.total == len(answer.messages))


def _wanted(query: HistoryQuery, message: StoredMessage) -> bool:
    words: WordQuery | None = query.words
    return (
        (query.first_ts is None or message.ts >= query.first_ts)
        and (query.last_ts is None or message.ts <= query.last_ts)
        and (query.first_id is None or message.chat_id >= query.first_id)
        and (query.last_id is None or message.chat_id <= query.last_id)
        and (query.authors is None or message.author_id in query.authors)
        and (words is None or matches(message.chat, words))
    )
