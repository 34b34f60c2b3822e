"""Names of rooms and categories."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import AdministrationRefused
from pchat.rooms.names import NAME_CHARACTERS, check_description, check_name, fold

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


class FoldTests(SynchronousTestCase):
    """When two names are the same name."""

    def test_case_and_normal_form(self) -> None:
        """Names that people read as the same are the same."""
        for one, other in [
            ("Lobby", "LOBBY"),
            ("Caf\u00e9", "Cafe\u0301"),
            ("STRASSE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("\u212bngstr\u00f6m", "\u00e5ngstro\u0308m"),
            ("\ufb03", "FFI"),
        ]:
            self.assertEqual(fold(one), fold(other), (one, other))

    def test_different_names_stay_different(self) -> None:
        """Accents and blanks make another name."""
        self.assertNotEqual(fold("Cafe"), fold("Café"))
        self.assertNotEqual(fold("A B"), fold("AB"))

    @given(texts)
    def test_folding_again_changes_nothing(self, text: str) -> None:
        """What is stored as folded is found by folding it once more."""
        self.assertEqual(fold(fold(text)), fold(text))

    @given(texts, st.sampled_from(["NFC", "NFD"]))
    def test_every_spelling_is_the_same_name(self, text: str, form: str) -> None:
        """Normal form and simple case changes never make a second room of one name."""
        spelt = unicodedata.normalize(form, text)  # type: ignore[arg-type]  # hypothesis gives str
        self.assertEqual(fold(spelt), fold(text))
        self.assertEqual(fold(text.casefold()), fold(text))

    @given(texts)
    def test_a_checked_name_is_the_name_that_was_typed(self, text: str) -> None:
        """What is stored compares equal to what was typed, blanks around it aside."""
        try:
            name = check_name(text, "room")
        except AdministrationRefused:
            return
        self.assertEqual(fold(name), fold(unicodedata.normalize("NFC", text).strip()))
        self.assertEqual(check_name(name, "room"), name)


class CheckTests(SynchronousTestCase):
    """What may be a name."""

    def test_length(self) -> None:
        """256 characters are a name, 257 are not, and none is not."""
        self.assertEqual(check_name("x" * NAME_CHARACTERS, "room"), "x" * 256)
        for bad in ("", "   ", "x" * 257, "x" * 1_000_000):
            self.assertRaises(AdministrationRefused, check_name, bad, "room")

    def test_composed_characters_are_counted(self) -> None:
        """256 letters typed with separate accents fit."""
        self.assertEqual(len(check_name("e\u0301" * 256, "room")), 256)

    def test_characters_that_cannot_be_shown(self) -> None:
        """Control characters, line breaks, surrogates and non-characters are refused, and told."""
        for bad in ("\x00", "\x1f", "\x7f", "\x85", "\n", "\t", "\u2028", "\u2029", "\ud800", "\uffff"):
            error = self.assertRaises(AdministrationRefused, check_name, f"a{bad}b", "room")
            self.assertIn(f"U+{ord(bad):04X}", str(error))

    def test_description_may_be_empty(self) -> None:
        """A description is optional, but has the same limits."""
        self.assertEqual(check_description("  "), "")
        self.assertRaises(AdministrationRefused, check_description, "x" * 257)

    def test_any_script(self) -> None:
        """Names in any script are kept as typed."""
        for name in ("北京 会议室", "กรุงเทพ", "غرفة", "Кухня", "🐈 cats"):
            self.assertEqual(check_name(name, "room"), name)
