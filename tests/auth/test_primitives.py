"""MD4 and RC4 against published vectors and an independent implementation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from spnego._ntlm_raw import crypto
from spnego._ntlm_raw.md4 import md4 as other_md4
from twisted.trial.unittest import SynchronousTestCase

from pchat.auth.md4 import md4
from pchat.auth.rc4 import rc4

MD4_VECTORS = {
    b"": "31d6cfe0d16ae931b73c59d7e0c089c0",
    b"a": "bde52cb31de33e46245e05fbdbd6fb24",
    b"abc": "a448017aaf21d8525fc10ae87aa6729d",
    b"message digest": "d9130a8164549fe818874806e1c7014b",
    b"abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789": "043f8582f241db351ce627e153e7f0e4",
    b"1234567890" * 8: "e33b4ddc9c38f2199c3e7b164fcc0536",
}
RC4_VECTORS = [
    (b"Key", b"Plaintext", "bbf316e8d940af0ad3"),
    (b"Wiki", b"pedia", "1021bf0420"),
    (b"Secret", b"Attack at dawn", "45a01f645fc35b383552544b9bf5"),
]


class Md4Test(SynchronousTestCase):
    """The hash under NTLM's password hash."""

    def test_vectors_of_the_rfc(self) -> None:
        """All seven digests of RFC 1320 A.5 come out."""
        for data, digest in MD4_VECTORS.items():
            self.assertEqual(md4(data).hex(), digest)

    @given(st.binary(max_size=300))
    def test_agrees_with_another_implementation(self, data: bytes) -> None:
        """Any input of any length gives what pyspnego computes."""
        self.assertEqual(md4(data), other_md4(data))

    def test_block_borders(self) -> None:
        """Lengths around the padding's borders are right too."""
        for length in (54, 55, 56, 57, 63, 64, 65, 119, 120, 128):
            self.assertEqual(md4(b"x" * length), other_md4(b"x" * length))


class Rc4Test(SynchronousTestCase):
    """The cipher that carries the session key."""

    def test_published_vectors(self) -> None:
        """The well-known key and text pairs come out."""
        for key, text, expected in RC4_VECTORS:
            self.assertEqual(rc4(key, text).hex(), expected)

    @given(st.binary(min_size=5, max_size=16), st.binary(max_size=100))
    def test_agrees_with_another_implementation(self, key: bytes, text: bytes) -> None:
        """Any key and text give what the cryptography library computes."""
        if len(key) in {5, 7, 8, 10, 16}:
            self.assertEqual(rc4(key, text), crypto.rc4k(key, text))
        self.assertEqual(rc4(key, rc4(key, text)), text)

    def test_impossible_keys_are_refused(self) -> None:
        """A key without bytes, or with more than the state holds, is an error and not a weak cipher."""
        for key in (b"", b"x" * 257):
            self.assertRaises(ValueError, rc4, key, b"text")
