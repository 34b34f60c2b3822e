"""How texts are cut into words, and which texts a search finds."""

from __future__ import annotations

import sys
import time
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat import characters
from pchat.words import (
    QUERY_TERMS,
    QUERY_WORDS,
    TEXT_LENGTH,
    WORD_LENGTH,
    Cut,
    Mode,
    QueryTooLong,
    cut,
    matches,
    parse_query,
)

#: Letters with blanks between their words, letters without, marks, digits and what parts words.
ALPHABET = st.sampled_from("aBéßøİ京都カｶﾞถ้ำกि한ู٣٢ـّأﷺ\u0301\u0f73\u200d_ -/'") | st.characters(
    exclude_categories=["Cs"]
)
TEXTS = st.text(ALPHABET, max_size=30)


class Cutting(SynchronousTestCase):
    """What is a word."""

    def test_words_of_scripts_with_blanks(self) -> None:
        """Case, accents, harakat, points, width and digits make no difference."""
        stories = {
            "Hello, World": "hello world",
            "naïve ÅNGSTRÖM Łódź": "naive angstrom lodz",
            "Straße STRASSE ﬁne": "strasse strasse fine",
            "İstanbul ISTANBUL ıstanbul": "istanbul istanbul istanbul",
            "Σίσυφος ΣΊΣΥΦΟΣ": "σισυφοσ σισυφοσ",
            "ёлка ЙОД": "елка иод",
            "السَّلامُ عليكم أحمد ـــ": "السلام عليكم احمد",
            "می‌خواهم": "ميخواهم",
            "שָׁלוֹם": "שלום",
            "हिन्दी में": "हिन्दी में",
            "한국어 문장": "한국어 문장",
            "ＡＢＣ１２ ٣٤ ५": "abc12 34 5",
            "soft\u00adhyphen": "softhyphen",
        }
        for text, words in stories.items():
            self.assertEqual(cut(text), Cut(words.split(), []), text)

    def test_what_parts_words(self) -> None:
        """Everything but letters, digits and marks; names with signs are words that follow each other."""
        stories = {
            "EUR/USD C++ C#": "eur usd c c",
            "e-mail foo_bar don't": "e mail foo bar don t",
            "bob@example.com https://x.example/y?z=1": "bob example com https x example y z 1",
            "3.14 10,000": "3 14 10 000",
            "👍 ♥ “quoted”…": "quoted",
            "": "",
        }
        for text, words in stories.items():
            self.assertEqual(cut(text), Cut(words.split(), []), text)

    def test_scripts_without_blanks(self) -> None:
        """A run becomes pairs, and its last character an extra; one character alone is a word too."""
        self.assertEqual(cut("我住在北京"), Cut(["我住", "住在", "在北", "北京"], ["京"]))
        self.assertEqual(cut("12月号"), Cut(["12", "月号"], ["号"]))
        self.assertEqual(cut("A京B"), Cut(["a", "京", "b"], ["京"]))
        self.assertEqual(cut("ｶﾞｽ"), Cut(["ガス"], ["ス"]))
        self.assertEqual(cut("がす"), cut("か\u3099す"))
        self.assertEqual(cut("ไทย、ลาว"), Cut(["ไท", "ทย", "ลา", "าว"], ["ย", "ว"]))

    def test_case_kept(self) -> None:
        """For searches where case matters only case is kept."""
        self.assertEqual(cut("Ärger IN Łódź", keep_case=True), Cut(["Arger", "IN", "Lodz"], []))

    def test_long_words_go_on(self) -> None:
        """A word that never ends is cut into pieces, and found whole."""
        word = "x" * (2 * WORD_LENGTH + 1)
        for text in (word, word + "é"):
            self.assertEqual([len(piece) for piece in cut(text).words][:2], [WORD_LENGTH, WORD_LENGTH])
            self.assertTrue(matches(text, parse_query(text, "all")))

    def test_hostile_texts_take_no_time(self) -> None:
        """The largest message there can be is cut at once, whatever it is made of."""
        pieces = (
            "a",
            "\u0316\u0301",
            "\u0f73\uff9e",
            "\u093e",
            "\u094d\u093c",
            "ﷺ",
            "京",
            "กำ",
            "a\u093e",
            "_",
        )
        for piece in pieces:
            text = piece * (262_144 // len(piece.encode()))
            began = time.process_time()
            found = cut(text)
            self.assertLess(time.process_time() - began, 2.0, piece)
            self.assertLessEqual(sum(map(len, found.words)), 2 * TEXT_LENGTH)

    def test_every_mark_that_moves_is_known(self) -> None:
        """No mark of Unicode escapes the bound on marks: ordering a long run would take minutes."""
        for code in range(sys.maxunicode + 1):
            char = chr(code)
            if unicodedata.combining(unicodedata.normalize("NFKD", char)[0]):
                folded = characters.bounded_marks("a" + char * 100)
                self.assertLess(len(folded), 20, hex(code))

    @given(TEXTS)
    def test_folding_twice_changes_nothing(self, text: str) -> None:
        """What is folded is folded for good."""
        folded = characters.fold(text)
        self.assertEqual(characters.fold(folded), folded)

    @given(TEXTS)
    def test_words_hold_no_signs(self, text: str) -> None:
        """An index may part words at blanks, and write them between quotes, without a second look."""
        found = cut(text)
        for word in [*found.words, *found.extras]:
            self.assertTrue(word)
            self.assertTrue(all(char > "\x7f" or char.isalnum() for char in word), word)
            self.assertEqual(word.split(), [word])
        self.assertTrue(all(len(extra) == 1 for extra in found.extras))

    @given(TEXTS)
    def test_forms_of_unicode_are_alike(self, text: str) -> None:
        """Composed or not, a text has the same words."""
        self.assertEqual(cut(unicodedata.normalize("NFD", text)), cut(unicodedata.normalize("NFC", text)))


class Searching(SynchronousTestCase):
    """What a search finds."""

    def found(self, text: str, wanted: str, mode: Mode = "all", *, match_case: bool = False) -> bool:
        return matches(text, parse_query(wanted, mode, match_case=match_case))

    def test_terms(self) -> None:
        """All, any, or exactly; whole words only."""
        self.assertTrue(self.found("one two three", "three one"))
        self.assertFalse(self.found("one two three", "one four"))
        self.assertTrue(self.found("one two three", "four one", "any"))
        self.assertFalse(self.found("one two three", "one three", "exact"))
        self.assertTrue(self.found("one, two!", "ONE TWO", "exact"))
        self.assertFalse(self.found("ones", "one"))
        self.assertFalse(self.found("one", "ones"))

    def test_a_term_with_signs_is_a_phrase(self) -> None:
        """The parts of EUR/USD must follow each other."""
        self.assertTrue(self.found("EUR-USD", "eur/usd"))
        self.assertFalse(self.found("USD EUR", "eur/usd"))

    def test_parts_of_runs_without_blanks(self) -> None:
        """Any part is found, from one character on, also beside words of other scripts."""
        for text, wanted in (
            ("我住在北京市", "北京"),
            ("我住在北京市", "住在北京"),
            ("我住在北京市", "市"),
            ("A京都B", "A京"),
            ("北京B1", "京B1"),
            ("今年12月", "年12月"),
        ):
            for mode in ("all", "exact"):
                self.assertTrue(self.found(text, wanted, mode), (text, wanted))
        for text, wanted in (
            ("我住在北京市", "京北"),
            ("北京", "北 B"),
            ("京B", "A京B"),
            ("年の12月", "年12月"),
        ):
            self.assertFalse(self.found(text, wanted), (text, wanted))

    def test_case(self) -> None:
        """Case matters if asked for, and then still not accents."""
        self.assertTrue(self.found("Ask the US", "US", match_case=True))
        self.assertFalse(self.found("ask us", "US", match_case=True))
        self.assertTrue(self.found("ÜS", "US", match_case=True))

    def test_a_text_that_was_cut_before(self) -> None:
        """Who has cut a message for many searches need not do it again."""
        self.assertTrue(matches(cut("Hello World"), parse_query("world", "all")))
        self.assertFalse(matches(cut("Hello World"), parse_query("word", "all")))

    def test_nothing_asked_for(self) -> None:
        """A search for nothing but signs finds nothing."""
        for mode in ("all", "any", "exact"):
            self.assertFalse(self.found("+++", "+++", mode))

    def test_too_much_asked_for(self) -> None:
        """A search is bounded in terms and in words, and says so."""
        terms = [f"w{number}" for number in range(QUERY_TERMS + 1)]
        parse_query(" ".join(terms[:-1]), "all")
        for text in (" ".join(terms), "/".join(["a"] * (QUERY_WORDS + 1))):
            with self.assertRaises(QueryTooLong):
                parse_query(text, "all")

    @given(TEXTS, st.sampled_from(("all", "exact")), st.booleans())
    def test_a_text_finds_itself(self, text: str, mode: Mode, match_case: bool) -> None:
        """What was written is found by writing it again."""
        if cut(text).words:
            self.assertTrue(self.found(text, text, mode, match_case=match_case))

    @given(st.text("京都北市東", min_size=1, max_size=8), st.integers(0, 7), st.integers(1, 8))
    def test_any_part_of_a_run(self, text: str, start: int, length: int) -> None:
        """In scripts without blanks every part is found, and nothing that is no part."""
        part = text[start : start + length] or text
        self.assertTrue(self.found(text, part))
        self.assertEqual(self.found(text, part[::-1]), part[::-1] in text)
