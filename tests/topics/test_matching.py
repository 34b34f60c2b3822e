"""Which filters catch a message: the index finds what looking at every filter finds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from pchat.topics.definition import phrase_query
from pchat.topics.matching import Filter, FilterIndex, Postings
from pchat.words import matches

#: Few words, so that phrases meet texts often: several scripts, accents, nothing at all.
WORDS = ["bob", "Bob", "BÓB", "interest", "rates", "北京", "北", "京", "上海", "ไทย", "ท", "café", ":-)", "x"]
phrases = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).flatmap(
    lambda words: st.sampled_from(["", " ", "-"]).map(lambda between: between.join(words))
)
texts = st.lists(st.sampled_from([*WORDS, "bobby", "在北京开会", "京都", "the"]), max_size=8).flatmap(
    lambda words: st.sampled_from(["", " ", ", "]).map(lambda between: between.join(words))
)
people = st.integers(1, 4)
filters = st.lists(
    st.tuples(st.lists(phrases, max_size=3), st.lists(people, max_size=2)).map(
        lambda parts: (tuple(parts[0]), tuple(parts[1]))
    ),
    max_size=3,
).map(lambda made: [Filter(f"feed {number}", *parts) for number, parts in enumerate(made)])


def found_by_looking(wanted: dict[int, list[Filter]], author: int, text: str) -> dict[int, tuple[str, ...]]:
    """Look at every phrase of everybody."""

    def caught(wish: Filter) -> bool:
        queries = filter(None, map(phrase_query, wish.phrases))
        return author in wish.people or any(matches(text, query) for query in queries)

    found = {user: tuple(wish.guid for wish in wishes if caught(wish)) for user, wishes in wanted.items()}
    return {user: guids for user, guids in found.items() if guids}


class IndexAndLooking(RuleBasedStateMachine):
    """Users change their filters in any order; after each change both ways find the same."""

    def __init__(self) -> None:
        super().__init__()
        self.index = FilterIndex()
        self.wanted: dict[int, list[Filter]] = {}

    @rule(user=people, made=filters)
    def change(self, user: int, made: list[Filter]) -> None:
        """Somebody has other filters, or none."""
        self.index.set_filters(user, made)
        self.wanted[user] = made

    @rule(author=people, text=texts, deaf=st.sets(people))
    def post(self, author: int, text: str, deaf: set[int]) -> None:
        """A message is caught by the same filters, of those who listen."""
        expected = found_by_looking(self.wanted, author, text)
        expected = {user: guids for user, guids in expected.items() if user not in deaf}
        self.assert_equal(self.index.caught(author, text, lambda user: user not in deaf), expected)

    @invariant()
    def only_who_watches(self) -> None:
        """Who has no filters takes no place."""
        self.assert_equal(len(self.index), sum(1 for made in self.wanted.values() if made))

    @staticmethod
    def assert_equal(got: object, expected: object) -> None:
        """Compare, and tell both."""
        assert got == expected, (got, expected)

    def teardown(self) -> None:
        """When everybody is gone nothing is left in the index."""
        for user in self.wanted:
            self.index.set_filters(user, ())
        self.assert_equal((len(self.index), self.index.size), (0, 0))


class Matching(SynchronousTestCase):
    """What catches what, at random and by example."""

    def test_index_finds_what_looking_finds(self) -> None:
        """Sixty stories of filters that come, change and go between messages."""
        run_state_machine_as_test(
            IndexAndLooking, settings=settings(max_examples=60, stateful_step_count=20, deadline=None)
        )

    def caught(self, phrase: str, text: str) -> bool:
        """Tell whether a phrase catches a text."""
        index = FilterIndex()
        index.set_filters(1, [Filter("feed", (phrase,), ())])
        return bool(index.caught(2, text, lambda user: True))

    def test_words(self) -> None:
        """Case and accents make no difference; a part of a word is not the word."""
        self.assertTrue(self.caught("cafe", "au CAFÉ!"))
        self.assertFalse(self.caught("bob", "Bobby"))

    def test_phrases(self) -> None:
        """The words of a phrase follow each other, whatever stands between them."""
        self.assertTrue(self.caught("EUR/USD", "buy eur-usd now"))
        self.assertFalse(self.caught("EUR/USD", "usd, eur"))

    def test_scripts_without_blanks(self) -> None:
        """A word of one or more characters is found anywhere in a run, also at its end."""
        for phrase in ("北京", "北", "京", "在北京", "北京开会"):
            self.assertTrue(self.caught(phrase, "明天在北京开会"), phrase)
        for phrase in ("会", "会议", "明天北京"):
            self.assertEqual(self.caught(phrase, "明天在北京开会"), phrase == "会", phrase)

    def test_nothing_to_find(self) -> None:
        """A phrase without letters catches nothing, not even itself, nor does one beyond all bounds."""
        self.assertFalse(self.caught(":-)", ":-)"))
        self.assertFalse(self.caught("\ufdfa" * 100, "\ufdfa" * 100))

    def test_order_of_feeds(self) -> None:
        """Several feeds that catch a message are named in the order of their owner."""
        index = FilterIndex()
        wanted = [Filter("ego", ("bob",), ()), Filter("a", (), (2,)), Filter("b", ("x",), ())]
        index.set_filters(1, wanted)
        self.assertEqual(index.caught(2, "bob", lambda user: True), {1: ("ego", "a")})

    def test_a_common_word_leads_to_nobody(self) -> None:
        """A phrase is kept under its rarest word: who writes the common one asks nobody."""
        index = FilterIndex()
        for user in range(1, 50):
            index.set_filters(user, [Filter("ego", (f"the user{user}",), ())])
        asked: list[int] = []

        def listens(user: int) -> bool:
            asked.append(user)
            return True

        self.assertEqual(index.caught(99, "the user7", listens), {7: ("ego",)})
        # The first one could not know how common his word would be.
        self.assertLessEqual(set(asked), {1, 7})


class PostingsOfUsers(SynchronousTestCase):
    """Users by what they watch for."""

    @given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(1, 4))))
    def test_as_a_set_of_pairs(self, changes: list[tuple[bool, str, int]]) -> None:
        """It holds what a set of pairs would, however often a pair is added or taken away."""
        postings: Postings[str] = Postings()
        pairs: set[tuple[str, int]] = set()
        for added, key, user in changes:
            (postings.add if added else postings.discard)(key, user)
            (pairs.add if added else pairs.discard)((key, user))
        for key in "abc":
            expected = {user for other, user in pairs if other == key}
            self.assertEqual(postings.users({key}), expected)
            self.assertEqual(postings.count(key), len(expected))
        self.assertEqual(len(postings), len({key for key, _ in pairs}))
        self.assertEqual(postings.users({"a", "b", "x"}), {user for key, user in pairs if key != "c"})
