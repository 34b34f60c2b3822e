"""Passwords that may be set, and what is kept of them."""

from __future__ import annotations

import hashlib

from twisted.trial.unittest import SynchronousTestCase

from pchat.auth.passwords import check_password, ha1, scrypt_matches, verifiers
from pchat.errors import OperatorError


class CheckPasswordTest(SynchronousTestCase):
    """A password that a client would cut is refused before it is stored."""

    def test_good_passwords(self) -> None:
        """Letters, digits, blanks and all ASCII punctuation are fine, up to 256 characters."""
        for text in (
            "secret1",
            "correct horse battery staple",
            "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
            "x" * 256,
        ):
            check_password(text)

    def test_refusals_say_why_and_do_not_repeat_the_password(self) -> None:
        """Each refusal names the reason; none of them shows the password."""
        for text, words in (
            ("", "empty"),
            ("pässwörd", "ASCII"),
            ("пароль", "ASCII"),
            ("secret\u200bone", "ASCII"),
            ("se\tcret", "control"),
            ("secret\n", "control"),
            ("sec\x00ret", "control"),
            ("sec\x7fret", "control"),
            ("y" * 257, "256"),
        ):
            error = self.assertRaises(OperatorError, check_password, text)
            self.assertIn(words, str(error))
            if text:
                self.assertNotIn(text, str(error))


class VerifiersTest(SynchronousTestCase):
    """What is stored in the place of a password."""

    def test_all_three(self) -> None:
        """NT hash, HA1 of the sign-in name in the domain, and a salted hash."""
        found = verifiers("sip:alice@example.com", "Password")
        self.assertEqual(found[("ntlm", "")].hex(), "a4f49c406510bdcab6824ee7c30fd852")
        expected = hashlib.md5(b"alice@example.com:example.com:Password").digest()
        self.assertEqual(found[("digest", "example.com")], expected)
        self.assertEqual(ha1("alice@example.com", "example.com", "Password"), expected)
        self.assertEqual(set(found), {("ntlm", ""), ("digest", "example.com"), ("scrypt", "")})

    def test_domain_in_capitals(self) -> None:
        """The realm is the domain in lower case, however the account's URI is written."""
        found = verifiers("sip:alice@EXAMPLE.com", "Password")
        self.assertEqual(
            found[("digest", "example.com")], ha1("alice@example.com", "example.com", "Password")
        )

    def test_salted_hash(self) -> None:
        """It accepts its password and no other, and differs for two users with the same password."""
        one = verifiers("sip:alice@example.com", "secret1")[("scrypt", "")]
        two = verifiers("sip:bob@example.com", "secret1")[("scrypt", "")]
        self.assertNotEqual(one, two)
        self.assertTrue(scrypt_matches(one, "secret1"))
        self.assertFalse(scrypt_matches(one, "secret2"))

    def test_damaged_salted_hash(self) -> None:
        """A damaged or strange verifier accepts nothing and costs nothing."""
        good = verifiers("sip:alice@example.com", "secret1", bytes)[("scrypt", "")]
        for bad in (b"", b"\xff", b"md5$1$1$1$00$00", good.replace(b"$14$", b"$40$"), good[:-1], good + b"$"):
            self.assertFalse(scrypt_matches(bad, "secret1"))

    def test_impossible_uris(self) -> None:
        """An account needs a user and a domain."""
        for uri in ("alice", "sip:example.com", "sip:@example.com", "sip:alice@", ""):
            self.assertRaises(OperatorError, verifiers, uri, "secret1")
