"""NTLMv2: published vectors, an independent client, and everything that must be refused."""

from __future__ import annotations

import struct
from typing import Any

import spnego
from hypothesis import given
from hypothesis import strategies as st
from spnego._ntlm_raw.messages import AvFlags, AvId, Challenge, TargetInfo
from twisted.trial.unittest import SynchronousTestCase

from pchat.auth import ntlm
from pchat.auth.ntlm import Authenticate, Flag, NtlmRefused, SigningKeys, TargetNames, make_challenge, verify
from pchat.auth.rc4 import rc4

from . import vectors
from .peer import CLIENT_FLAGS, POLICY, Client

TARGET = TargetNames("EXAMPLE", "FRONTEND", "example.com", "frontend.example.com")
NT = ntlm.nt_hash("secret1")


def challenge(number: int = 1) -> bytes:
    """Make a challenge with a known random part."""
    return make_challenge(bytes([number]) * 8, TARGET, vectors.TIMESTAMP)


def put(data: bytes, offset: int, value: bytes) -> bytes:
    """Overwrite bytes."""
    return data[:offset] + value + data[offset + len(value) :]


def field_at(data: bytes, index: int) -> tuple[int, int]:
    """Return offset and length of one of the six fields."""
    length, _allocated, offset = struct.unpack_from("<HHI", data, 12 + 8 * index)
    return offset, length


def set_field(data: bytes, index: int, offset: int, length: int) -> bytes:
    """Point a field somewhere else."""
    return put(data, 12 + 8 * index, struct.pack("<HHI", length, length, offset))


class VectorTest(SynchronousTestCase):
    """What others computed comes out of our functions."""

    def test_handshake_of_the_real_client(self) -> None:
        """The AUTHENTICATE of a real run proves its password and yields the session key."""
        authenticate = Authenticate.parse(vectors.AUTHENTICATE)
        self.assertEqual((authenticate.domain, authenticate.user), ("EXAMPLE", "alice"))
        self.assertEqual(authenticate.flags, vectors.FLAGS)
        self.assertIsNone(authenticate.mic)
        key = verify(authenticate, vectors.CHALLENGE, ntlm.nt_hash(vectors.PASSWORD))
        self.assertEqual(key, vectors.SESSION_KEY)

    def test_challenge_that_the_real_client_accepted(self) -> None:
        """Our CHALLENGE is byte for byte the one that the real client was seen to accept."""
        made = make_challenge(vectors.CHALLENGE[24:32], TARGET, vectors.TIMESTAMP)
        self.assertEqual(made, vectors.CHALLENGE)

    def test_keys_of_the_published_example(self) -> None:
        """MS-NLMP 4.2.4: both hashes, the proof, the session base key and the encrypted session key."""
        nt = ntlm.nt_hash("Password")
        self.assertEqual(nt.hex(), vectors.NLMP_NTOWFV1)
        self.assertEqual(ntlm.response_key(nt, "USER", "Domain").hex(), vectors.NLMP_NTOWFV2)
        encrypted = rc4(bytes.fromhex(vectors.NLMP_SESSION_BASE_KEY), bytes.fromhex(vectors.NLMP_SESSION_KEY))
        self.assertEqual(encrypted.hex(), vectors.NLMP_ENCRYPTED_KEY)

    def test_proof_of_the_published_example(self) -> None:
        """MS-NLMP 4.2.4 as a whole: its answer is accepted and yields the session key 55…55."""
        authenticate = Authenticate(
            domain="Domain",
            user="User",
            flags=0xE28A8233,
            nt_response=bytes.fromhex(vectors.NLMP_PROOF) + vectors.NLMP_TEMP,
            encrypted_key=bytes.fromhex(vectors.NLMP_ENCRYPTED_KEY),
            mic=None,
            raw=b"",
        )
        key = verify(authenticate, vectors.NLMP_CHALLENGE, ntlm.nt_hash("Password"))
        self.assertEqual(key and key.hex(), vectors.NLMP_SESSION_KEY)

    def test_signing_keys_of_the_published_example(self) -> None:
        """MS-NLMP 4.2.4.4: the client's sealing and signing keys."""
        keys = SigningKeys.to_server(bytes.fromhex(vectors.NLMP_SESSION_KEY))
        self.assertEqual(keys.seal.hex(), vectors.NLMP_CLIENT_SEAL_KEY)
        self.assertEqual(keys.sign.hex(), vectors.NLMP_CLIENT_SIGN_KEY)


class OtherImplementationTest(SynchronousTestCase):
    """pyspnego, written by other hands, is the client."""

    def test_it_reads_our_challenge(self) -> None:
        """Names, time, flags and random part arrive as they were meant."""
        read = Challenge.unpack(challenge(7))
        self.assertEqual(read.flags, 0xE2998255)
        self.assertEqual(read.server_challenge, bytes([7]) * 8)
        self.assertEqual(read.target_name, "EXAMPLE")
        info = read.target_info
        assert info is not None
        self.assertEqual(info[AvId.dns_computer_name], "frontend.example.com")
        self.assertEqual(info[AvId.nb_computer_name], "FRONTEND")

    def test_a_whole_client_signs_in(self) -> None:
        """Its public client, with its integrity code over all three messages, is accepted."""
        client: Any = spnego.client(
            "EXAMPLE\\alice",
            "secret1",
            protocol="ntlm",
            context_req=spnego.ContextReq.integrity | spnego.ContextReq.confidentiality,
        )
        negotiate = client.step()
        sent = challenge()
        authenticate = Authenticate.parse(client.step(sent))
        self.assertIsNotNone(authenticate.mic)
        self.assertEqual(verify(authenticate, sent, NT, negotiate), client.session_key)
        self.assertIsNone(verify(authenticate, sent, ntlm.nt_hash("wrong"), negotiate))
        self.assertIsNone(verify(authenticate, sent, NT, b"another negotiate"))

    @given(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
        st.sampled_from(["", "EXAMPLE", "example.com", "Münster"]),
        st.sampled_from(["alice", "Alice", "alice@example.com", "o'brien"]),
    )
    def test_any_name_and_password(self, password: str, domain: str, user: str) -> None:
        """Whatever the password and the form of the login: the right one opens, a longer one does not."""
        client = Client(user, domain, password)
        authenticate = Authenticate.parse(client.answer(challenge()))
        self.assertEqual(verify(authenticate, challenge(), ntlm.nt_hash(password)), client.session_key)
        self.assertIsNone(verify(authenticate, challenge(), ntlm.nt_hash(password + "x")))

    def test_names_beyond_ascii(self) -> None:
        """A name with an umlaut is accepted in either way of upper-casing that clients have."""
        for user in ("jürgen", "JÜRGEN"):
            client = Client(user, "EXAMPLE")
            authenticate = Authenticate.parse(client.answer(challenge()))
            self.assertEqual(verify(authenticate, challenge(), NT), client.session_key)
        self.assertEqual(ntlm._upper_cases("jürgen"), ["JüRGEN", "JÜRGEN"])
        self.assertEqual(ntlm._upper_cases("straße"), ["STRAßE"])


class WrongProofTest(SynchronousTestCase):
    """A proof is for one challenge, one account and one server."""

    def test_answer_to_another_challenge(self) -> None:
        """An answer recorded earlier is worth nothing for the next challenge."""
        authenticate = Authenticate.parse(Client().answer(challenge(1)))
        self.assertIsNone(verify(authenticate, challenge(2), NT))

    def test_user_or_domain_exchanged(self) -> None:
        """The names are part of the proof."""
        data = Client().answer(challenge())
        for index in (2, 3):
            offset, _length = field_at(data, index)
            self.assertIsNone(verify(Authenticate.parse(put(data, offset, b"X")), challenge(), NT))

    def test_target_of_another_server(self) -> None:
        """An answer made for a server that relays our challenge under its own name is refused."""
        info = Challenge.unpack(challenge()).target_info
        assert info is not None
        info[AvId.dns_computer_name] = "evil.example.net"
        authenticate = Authenticate.parse(Client().answer(challenge(), info=info))
        self.assertIsNone(verify(authenticate, challenge(), NT))

    def test_every_bit_of_the_proof_counts(self) -> None:
        """Whichever byte of the answer is changed, it is refused or proves nothing."""
        client = Client()
        data = client.answer(challenge())
        offset, length = field_at(data, 1)
        for position in range(offset, offset + length):
            changed = put(data, position, bytes([data[position] ^ 1]))
            try:
                self.assertIsNone(verify(Authenticate.parse(changed), challenge(), NT))
            except NtlmRefused:
                continue

    def test_announced_integrity_code_must_be_there_and_right(self) -> None:
        """Who announces an integrity code and leaves it out, or sends a wrong one, is refused."""
        info = Challenge.unpack(challenge()).target_info
        assert info is not None
        info[AvId.flags] = AvFlags.mic
        data = Client().answer(challenge(), info=info)
        with self.assertRaises(NtlmRefused):
            # Without a version the payload begins where the code should stand.
            Authenticate.parse(put(data, 60, struct.pack("<I", CLIENT_FLAGS & ~Flag.VERSION)))
        offset, length = field_at(data, 0)
        padded = set_field(data, 0, offset, length)
        shifted = _shift_payload(padded, 8)
        self.assertIsNone(verify(Authenticate.parse(shifted), challenge(), NT))


def _shift_payload(data: bytes, count: int) -> bytes:
    """Insert zeros before the payload, so that version and integrity code have room."""
    spans = [field_at(data, index) for index in range(6)]
    start = min(offset for offset, length in spans if length)
    for index, (offset, length) in enumerate(spans):
        data = set_field(data, index, offset + count, length)
    return data[:start] + bytes(count) + data[start:]


class StrictParsingTest(SynchronousTestCase):
    """AUTHENTICATE is read as a hostile message."""

    def refused(self, data: bytes, text: str) -> None:
        """Expect a refusal whose text has these words."""
        error = self.assertRaises(NtlmRefused, Authenticate.parse, data)
        self.assertIn(text, str(error))

    def test_neither_signature_nor_type_may_differ(self) -> None:
        """Other messages of the protocol, or other protocols, are refused."""
        data = vectors.AUTHENTICATE
        self.refused(put(data, 0, b"X"), "not an AUTHENTICATE")
        self.refused(put(data, 8, b"\x01"), "not an AUTHENTICATE")
        self.refused(vectors.CHALLENGE, "not an AUTHENTICATE")

    def test_lengths(self) -> None:
        """Nothing, a bare head, and more than the limit are refused."""
        self.refused(b"", "length")
        self.refused(vectors.AUTHENTICATE[:63], "length")
        self.refused(vectors.AUTHENTICATE + bytes(ntlm.MAX_TOKEN_BYTES), "length")

    def test_every_truncation(self) -> None:
        """A message cut off anywhere is refused, never read beyond its end."""
        for length in range(len(vectors.AUTHENTICATE)):
            self.assertRaises(NtlmRefused, Authenticate.parse, vectors.AUTHENTICATE[:length])

    def test_field_beyond_the_end(self) -> None:
        """Offset or length that leads out of the message is refused, also near 2**32."""
        data = vectors.AUTHENTICATE
        for index in range(6):
            self.refused(set_field(data, index, len(data) - 4, 5), "")
            self.refused(set_field(data, index, 0xFFFFFFF0, 0x20), "beyond")
            self.refused(set_field(data, index, len(data), 0xFFFF), "beyond")

    def test_fields_may_not_overlap(self) -> None:
        """A byte belongs to one field: neither the head nor another field may be covered twice."""
        data = vectors.AUTHENTICATE
        user, length = field_at(data, 3)
        self.refused(set_field(data, 2, user, length), "overlap")
        self.refused(set_field(data, 4, 0, 4), "overlap")
        self.refused(set_field(data, 4, 68, 4), "overlap")
        self.refused(set_field(data, 4, field_at(data, 1)[0] + 20, 4), "overlap")

    def test_old_answers(self) -> None:
        """NTLMv1, NTLM2 session and LM-only answers are refused."""
        data = vectors.AUTHENTICATE
        offset, _length = field_at(data, 1)
        self.refused(set_field(data, 1, offset, 24), "only NTLMv2")
        self.refused(set_field(data, 1, 0, 0), "only NTLMv2")
        self.refused(put(data, offset + 16, b"\x02"), "only NTLMv2")

    def test_weak_flags(self) -> None:
        """A session without signing, key exchange or 128 bits, and an anonymous one, are refused."""
        for flag in (
            Flag.SIGN,
            Flag.KEY_EXCHANGE,
            Flag.KEY_128,
            Flag.EXTENDED_SESSION_SECURITY,
            Flag.UNICODE,
        ):
            data = put(vectors.AUTHENTICATE, 60, struct.pack("<I", vectors.FLAGS & ~flag))
            self.refused(data, "too weak")
        data = put(vectors.AUTHENTICATE, 60, struct.pack("<I", vectors.FLAGS | Flag.ANONYMOUS))
        self.refused(data, "too weak")

    def test_session_key_must_have_16_bytes(self) -> None:
        """Neither no key nor a short one."""
        offset, _length = field_at(vectors.AUTHENTICATE, 5)
        self.refused(set_field(vectors.AUTHENTICATE, 5, offset, 8), "16 bytes")
        self.refused(set_field(vectors.AUTHENTICATE, 5, 0, 0), "16 bytes")

    def test_names(self) -> None:
        """Half a character, a lone surrogate, a line end and an endless name are refused."""
        data = vectors.AUTHENTICATE
        offset, length = field_at(data, 3)
        self.refused(set_field(data, 3, offset, length - 1), "UTF-16")
        self.refused(put(data, offset, b"\x00\xd8"), "UTF-16")
        self.refused(put(data, offset, b"\n\x00"), "control")
        longer = data + bytes(600)
        self.refused(set_field(longer, 3, len(data), 600), "too long")

    def test_attribute_lists(self) -> None:
        """A list without an end, with a kind twice, or cut off, is refused."""
        pair = struct.pack("<HH", 1, 2) + b"ab"
        end = bytes(4)
        self.assertEqual(list(ntlm.av_pairs(pair + end)), [(1, b"ab")])
        for data in (b"", pair, pair + pair + end, struct.pack("<HH", 1, 9) + b"ab", b"\0\0\1\0"):
            self.assertRaises(NtlmRefused, list, ntlm.av_pairs(data))
        many = b"".join(struct.pack("<HH", kind, 0) for kind in range(1, 30))
        self.assertRaises(NtlmRefused, list, ntlm.av_pairs(many + end))

    @given(st.binary(max_size=200))
    def test_anything_behind_a_good_head(self, payload: bytes) -> None:
        """Random bytes are refused by our own error, never by another."""
        data = vectors.AUTHENTICATE[:12] + payload
        try:
            Authenticate.parse(data)
        except NtlmRefused:
            return
        self.assertGreaterEqual(len(data), 64 + 16)

    @given(st.integers(0, len(vectors.AUTHENTICATE) - 1), st.binary(min_size=1, max_size=4))
    def test_real_message_with_changed_bytes(self, offset: int, value: bytes) -> None:
        """Parsing and checking a damaged real message raises nothing but our own error."""
        data = put(vectors.AUTHENTICATE, offset, value)[: len(vectors.AUTHENTICATE)]
        try:
            authenticate = Authenticate.parse(data)
            verify(authenticate, vectors.CHALLENGE, ntlm.nt_hash(vectors.PASSWORD))
        except NtlmRefused:
            return


class SecretTest(SynchronousTestCase):
    """What may be logged by mistake holds no secret."""

    def test_representations(self) -> None:
        """Neither keys nor the answer show in the representation."""
        text = repr(Authenticate.parse(vectors.AUTHENTICATE))
        self.assertIn("alice", text)
        self.assertNotIn("nt_response", text)
        self.assertNotIn("key", repr(SigningKeys.to_server(vectors.SESSION_KEY)).replace("SigningKeys", ""))

    def test_target_names_of_the_policy(self) -> None:
        """The computer name is the first label of the host name, in capitals."""
        self.assertEqual(POLICY.target, TARGET)

    def test_target_info_type(self) -> None:
        """pyspnego's target information is what the tests change."""
        self.assertIsInstance(Challenge.unpack(challenge()).target_info, TargetInfo)
