"""Getting in without a password, or as somebody else."""

from __future__ import annotations

import base64
import struct
from typing import Any

from spnego._ntlm_raw import crypto
from spnego._ntlm_raw.messages import Authenticate
from twisted.trial.unittest import SynchronousTestCase

from pchat.auth.ntlm import nt_hash
from pchat.sip.message import Request, Response
from pchat.testing.memory import MemoryServer, now_or_never
from tests.auth import peer
from tests.security.support import ACTOR, PASSWORD, POOL, NtlmAttacker, make_server, reread, with_contact


def token_of(request: Request) -> str:
    """Cut the Authorization out of a REGISTER."""
    return request.headers.get("Authorization", "")


class SigningInTestCase(SynchronousTestCase):
    """A server with passwords, Alice's and Mallory's; Mallory does not know Alice's."""

    def setUp(self) -> None:
        self.server = make_server("ntlm", passwords=True, people=("alice", "mallory"))
        self.addCleanup(self.server.stop)

    def alice(self, **more: Any) -> NtlmAttacker:
        """Connect Alice, who knows her password."""
        return NtlmAttacker(self.server, "alice", host="192.0.2.7", **more)

    def guess(self, **more: Any) -> NtlmAttacker:
        """Try a wrong password for Alice's account; the answer may be delayed."""
        attacker = NtlmAttacker(self.server, "alice", "wrong", **more)
        attacker.register()
        return attacker

    def assert_turned_away(self, attacker: NtlmAttacker, received: list[Request | Response]) -> None:
        """Check that a request was refused and its connection closed."""
        self.assertEqual([message.status for message in received if isinstance(message, Response)], [403])
        self.assertTrue(attacker.closed)

    @property
    def signed_in(self) -> int:
        """How many users are in."""
        return int(now_or_never(self.server.parts.status())["sessions"]["users"])


class WithoutPassword(SigningInTestCase):
    """What a stranger tries."""

    def test_every_other_request_first(self) -> None:
        """Before sign-in nothing is executed but REGISTER and OPTIONS."""
        for method in (
            "INVITE",
            "INFO",
            "SUBSCRIBE",
            "SERVICE",
            "BYE",
            "MESSAGE",
            "UPDATE",
            "CANCEL",
            "NOTIFY",
        ):
            stranger = NtlmAttacker(self.server, "alice")
            self.assert_turned_away(stranger, stranger.send(stranger.peer.request(method)))
        self.assertEqual(len(self.server.parts.dialogs), 0)

    def test_requests_behind_the_first_register(self) -> None:
        """What is sent together with the REGISTER, before its verdict, is not executed either."""
        stranger = NtlmAttacker(self.server, "alice")
        data = stranger.peer.first().to_bytes() + stranger.peer.request("INVITE", to=POOL).to_bytes()
        statuses = [message.status for message in stranger.send(data) if isinstance(message, Response)]
        self.assertEqual(statuses, [401, 403])
        self.assertTrue(stranger.closed)

    def test_answers_of_a_stranger(self) -> None:
        """A response before sign-in answers nothing and ends the connection."""
        stranger = NtlmAttacker(self.server, "alice")
        stranger.send(b"SIP/2.0 200 OK\r\nCall-ID: a\r\nCSeq: 1 INFO\r\nContent-Length: 0\r\n\r\n")
        self.assertTrue(stranger.closed)

    def test_the_other_schemes(self) -> None:
        """Schemes that are not configured are not taken, whatever the client says."""
        for value in ("Digest username=alice", "Kerberos gssapi-data=YII=", "Basic YWxpY2U6eA==", "none"):
            stranger = NtlmAttacker(self.server, "alice")
            received = stranger.send(
                with_contact(stranger.peer.request("REGISTER", f"Authorization: {value}"))
            )
            self.assertEqual(getattr(received[0], "status", 0), 401)
            received = stranger.send(
                with_contact(stranger.peer.request("REGISTER", f"Proxy-Authorization: {value}"))
            )
            self.assertIn(getattr(received[0], "status", 0), {401, 403})
        self.assertEqual(self.signed_in, 0)

    def test_an_answer_without_a_challenge(self) -> None:
        """An AUTHENTICATE that answers nothing begins the handshake anew, however good it is."""
        alice = self.alice()
        recorded = with_contact(alice.peer.third(alice.challenge()))
        stranger = NtlmAttacker(self.server, "alice")
        [answer] = stranger.send(recorded)
        self.assertEqual(getattr(answer, "status", 0), 401)
        self.assertEqual(self.signed_in, 0)

    def test_recorded_answer_to_another_challenge(self) -> None:
        """The proof for one connection's challenge is a wrong password on another's, whatever its opaque."""
        alice = self.alice()
        recorded = alice.peer.third(alice.challenge())
        stranger = NtlmAttacker(self.server, "alice")
        stranger.challenge()
        opaque = peer.parameters(stranger.challenge().headers.get("WWW-Authenticate", ""))["opaque"]
        forged = token_of(recorded).replace(alice.peer.opaque, opaque)
        request = with_contact(stranger.peer.request("REGISTER", f"Authorization: {forged}"))
        self.assertEqual(stranger.send(request), [])
        self.server.pass_time(2, step=1)
        [answer] = stranger.connection.receive()
        self.assertEqual(getattr(answer, "status", 0), 401)
        self.assertEqual(self.signed_in, 0)

    def test_a_challenge_is_spent_by_one_answer(self) -> None:
        """After a wrong answer the right one to the same challenge comes too late."""
        alice = self.alice()
        challenge = alice.challenge()
        alice.peer.password = "wrong"
        alice.send(alice.peer.third(challenge))
        self.server.pass_time(2, step=1)
        alice.connection.receive()
        alice.peer.password = PASSWORD
        [answer] = alice.send(with_contact(alice.peer.third(challenge)))
        self.assertEqual(getattr(answer, "status", 0), 401)
        self.assertEqual(self.signed_in, 0)

    def test_an_old_challenge(self) -> None:
        """A challenge is good for a minute."""
        alice = self.alice()
        request = with_contact(alice.peer.third(alice.challenge()))
        self.server.clock.advance(61)
        [answer] = alice.send(request)
        self.assertEqual(getattr(answer, "status", 0), 401)

    def test_challenge_sent_back(self) -> None:
        """The server's own CHALLENGE is no proof of anything."""
        stranger = NtlmAttacker(self.server, "alice")
        params = peer.parameters(stranger.challenge().headers.get("WWW-Authenticate", ""))
        value = (
            f'NTLM qop="auth", opaque="{params["opaque"]}", realm="{peer.REALM}", '
            f'targetname="{peer.TARGET}", gssapi-data="{params["gssapi-data"]}", version=4'
        )
        self.assert_turned_away(
            stranger, stranger.send(stranger.peer.request("REGISTER", f"Authorization: {value}"))
        )

    def _weak(self, **changed: Any) -> None:
        stranger = NtlmAttacker(self.server, "alice")
        params = peer.parameters(stranger.challenge().headers.get("WWW-Authenticate", ""))
        fields: dict[str, Any] = {
            "flags": peer.CLIENT_FLAGS,
            "lm_challenge_response": bytes(24),
            "nt_challenge_response": bytes(24),
            "domain_name": "",
            "username": "alice@example.com",
            "workstation": "VM",
            "encrypted_session_key": bytes(16),
        }
        fields.update(changed)
        token = base64.b64encode(bytes(Authenticate(**fields).pack())).decode()
        value = (
            f'NTLM qop="auth", opaque="{params["opaque"]}", realm="{peer.REALM}", '
            f'targetname="{peer.TARGET}", gssapi-data="{token}", version=4'
        )
        request = with_contact(stranger.peer.request("REGISTER", f"Authorization: {value}"))
        self.assert_turned_away(stranger, stranger.send(request))

    def test_ntlm_version_1_even_with_the_right_password(self) -> None:
        """The old answer is refused unread: it can be cracked."""
        answer, _ = crypto.compute_response_v1(
            peer.CLIENT_FLAGS & ~0x80000, nt_hash(PASSWORD), bytes(16), bytes(8), bytes(8), True
        )[:2]
        self._weak(nt_challenge_response=answer)

    def test_anonymous(self) -> None:
        """Nobody is let in as nobody."""
        self._weak(flags=peer.CLIENT_FLAGS | 0x800, username="", nt_challenge_response=b"")
        self._weak(username="", nt_challenge_response=b"", lm_challenge_response=b"\0")

    def test_lanman_only(self) -> None:
        """An answer without NT part is refused."""
        self._weak(nt_challenge_response=b"")

    def test_weak_keys(self) -> None:
        """Sessions without a signature, or with 56 bits, are refused before the password is looked at."""
        for flag in (0x10, 0x80000, 0x20000000, 0x40000000):
            self._weak(flags=peer.CLIENT_FLAGS & ~flag, nt_challenge_response=bytes(80))

    def test_fields_outside_the_token(self) -> None:
        """Offsets that point anywhere are refused, not followed."""
        for offset, length in ((0xFFFFFFF0, 200), (10, 200), (80, 0xFFFF)):
            stranger = NtlmAttacker(self.server, "alice")
            challenge = stranger.challenge()
            params = peer.parameters(challenge.headers.get("WWW-Authenticate", ""))
            token = bytearray(stranger.peer.answer(base64.b64decode(params["gssapi-data"])))
            struct.pack_into("<HHI", token, 20, length, length, offset)
            value = (
                f'NTLM qop="auth", opaque="{params["opaque"]}", realm="{peer.REALM}", '
                f'targetname="{peer.TARGET}", gssapi-data="{base64.b64encode(token).decode()}", version=4'
            )
            self.assert_turned_away(
                stranger, stranger.send(stranger.peer.request("REGISTER", f"Authorization: {value}"))
            )

    def test_another_version_than_challenged(self) -> None:
        """The version cannot be lowered between challenge and answer, to escape the signed REGISTER."""
        alice = self.alice(version=4)
        challenge = alice.challenge()
        alice.peer.version = 2
        self.assert_turned_away(alice, alice.send(with_contact(alice.peer.third(challenge, sign=False))))

    def test_unsigned_last_register(self) -> None:
        """In version 4 a right password without a right signature is not enough."""
        alice = self.alice()
        self.assert_turned_away(
            alice, alice.send(with_contact(alice.peer.third(alice.challenge(), sign=False)))
        )
        self.assertEqual(self.signed_in, 0)


class AsSomebodyElse(SigningInTestCase):
    """What somebody with an account of his own tries."""

    def test_register_the_address_of_another(self) -> None:
        """With one's own password only one's own address can be registered."""
        mallory = NtlmAttacker(self.server)
        mallory.peer.uri = "sip:alice@example.com"
        [answer] = mallory.register()
        self.assertEqual(getattr(answer, "status", 0), 403)
        self.assertEqual(self.signed_in, 0)

    def test_to_of_another(self) -> None:
        """Neither by To."""
        mallory = NtlmAttacker(self.server)
        request = mallory.peer.third(mallory.challenge())
        mallory = NtlmAttacker(self.server, version=3)
        request = with_contact(mallory.peer.third(mallory.challenge()))
        request.headers.set("To", "<sip:alice@example.com>")
        [answer] = mallory.send(reread(request))
        self.assertEqual(getattr(answer, "status", 0), 403)

    def test_from_of_another_in_a_session(self) -> None:
        """A signed request in another's name is refused; spellings of the own name are not another's."""
        mallory = NtlmAttacker(self.server).signed_in()
        mallory.peer.uri = "sip:alice@example.com"
        [answer] = mallory.send(mallory.signed("INVITE", to=POOL))
        self.assertEqual(getattr(answer, "status", 0), 403)
        self.assertEqual(len(self.server.parts.dialogs), 0)

    def test_asserted_identity(self) -> None:
        """A client's own assertion of who it is counts for nothing."""
        mallory = NtlmAttacker(self.server).signed_in()
        [answer] = mallory.send(
            mallory.signed("INVITE", "P-Asserted-Identity: <sip:alice@example.com>", to=POOL)
        )
        self.assertEqual(getattr(answer, "status", 0), 200)
        [dialog] = self.server.parts.dialogs
        self.assertEqual(dialog.user.uri, "sip:mallory@example.com")

    def test_second_sign_in_as_another(self) -> None:
        """A connection belongs to one user for ever."""
        mallory = NtlmAttacker(self.server).signed_in()
        mallory.peer.user, mallory.peer.uri = "alice@example.com", "sip:alice@example.com"
        received = mallory.register()
        self.assert_turned_away(mallory, received)

    def test_from_a_signed_session_back_to_an_unsigned_one(self) -> None:
        """Without a valid signature nothing is executed any more, and REGISTER only begins a handshake."""
        mallory = NtlmAttacker(self.server).signed_in()
        [answer] = mallory.send(with_contact(mallory.peer.first()))
        self.assertEqual(getattr(answer, "status", 0), 401)
        self.assert_turned_away(mallory, mallory.send(mallory.peer.request("INVITE", to=POOL)))

    def test_replay_on_the_same_connection(self) -> None:
        """A signed request is executed once."""
        mallory = NtlmAttacker(self.server).signed_in()
        request = mallory.signed("INVITE", to=POOL)
        self.assertEqual([getattr(m, "status", 0) for m in mallory.send(request)], [200])
        self.assert_turned_away(mallory, mallory.send(request))

    def test_an_older_request_after_a_newer(self) -> None:
        """Nor is one that was held back, once a later one was seen."""
        mallory = NtlmAttacker(self.server).signed_in()
        held_back = mallory.signed("INVITE", to=POOL)
        mallory.send(mallory.signed("OPTIONS"))
        self.assert_turned_away(mallory, mallory.send(held_back))

    def test_replay_on_another_connection(self) -> None:
        """Not even on another connection of the same user, nor on one that nobody signed in on."""
        alice = self.alice().signed_in()
        request = alice.signed("INVITE", to=POOL)
        for other in (self.alice().signed_in(), self.alice(), NtlmAttacker(self.server).signed_in()):
            self.assert_turned_away(other, other.send(request))
        self.assertEqual(len(self.server.parts.dialogs), 0)

    def test_tampered_fields(self) -> None:
        """Whatever the signature covers cannot be changed."""
        for name, value in (
            ("CSeq", "77 INVITE"),
            ("Call-ID", "another"),
            ("To", "<sip:ocschat@example.com>"),
            ("From", "<sip:mallory@example.com>;tag=other"),
            ("Expires", "5"),
            ("P-Asserted-Identity", "<sip:alice@example.com>"),
        ):
            mallory = NtlmAttacker(self.server).signed_in()
            request = mallory.signed("INVITE", to=POOL)
            request.headers.set(name, value)
            self.assert_turned_away(mallory, mallory.send(reread(request)))

    def test_brackets_that_move_a_border(self) -> None:
        """Angle brackets in a Call-ID could make two messages have one signed text."""
        mallory = NtlmAttacker(self.server).signed_in()
        request = mallory.peer.request("INVITE", to=POOL)
        request.headers.set("Call-ID", "a><1><INVITE")
        request = reread(request)
        request.headers.add("Authorization", mallory.peer.authorization(request))
        self.assert_turned_away(mallory, mallory.send(request))

    def test_second_register_while_the_first_is_checked(self) -> None:
        """Of two answers at once only one is looked at, so guesses cannot run side by side."""
        attacker = NtlmAttacker(self.server, "alice", "wrong")
        challenge = attacker.challenge()
        first, second = attacker.peer.third(challenge), attacker.peer.third(challenge)
        attacker.connection.send(first.to_bytes() + second.to_bytes())
        self.assertTrue(attacker.closed)
        self.server.pass_time(5, step=1)
        self.assertEqual(len(self.server.parts._throttle), 1)
        self.assertEqual(self.signed_in, 0)


class Guessing(SigningInTestCase):
    """What guessing passwords costs, and what it tells."""

    def delay(self, attacker: NtlmAttacker) -> float:
        """Measure after how many seconds an answer comes, or the connection is closed."""
        before = self.server.clock.seconds()
        while not attacker.connection.receive() and not attacker.closed:
            self.server.clock.advance(0.5)
            self.assertLess(self.server.clock.seconds() - before, 130)
        return float(self.server.clock.seconds() - before)

    def test_reconnecting_does_not_help(self) -> None:
        """The delay grows over connections and stays below a minute."""
        delays = [self.delay(self.guess()) for _ in range(9)]
        self.assertEqual(delays[:6], [1, 2, 4, 8, 16, 32])
        self.assertLess(max(delays), 60)

    def test_another_spelling_does_not_help(self) -> None:
        """Escapes, ports, parameters and case name one account: they share one count."""
        spellings = (
            "alice@example.com", "ALICE@EXAMPLE.COM", "%61lice@example.com", "%41lic%65@example.com",
            "alice@example.com:5061", "alice@example.com:99", "alice@example.com;x=1",
            "alice:secret@example.com",
        )  # fmt: skip
        for spelling in spellings:
            self.guess(login=spelling)
            self.server.pass_time(70)
        self.assertEqual(len(self.server.parts._throttle), 1)

    def test_guesses_side_by_side(self) -> None:
        """A hundred connections at once try one password, not a hundred."""
        attackers = [NtlmAttacker(self.server, "alice", "wrong") for _ in range(100)]
        requests = [attacker.peer.third(attacker.challenge()) for attacker in attackers]
        for attacker, request in zip(attackers, requests, strict=True):
            attacker.connection.send(request.to_bytes())
        [count] = [entry.count for entry in self.server.parts._throttle._failures.values()]
        self.assertEqual(count, 1)
        self.server.pass_time(1.5, step=0.5)
        [count] = [entry.count for entry in self.server.parts._throttle._failures.values()]
        self.assertEqual(count, 2)

    def test_the_owner_is_not_locked_out(self) -> None:
        """From another address Alice signs in at once while Mallory guesses."""
        for _ in range(8):
            self.guess()
            self.server.pass_time(70)
        self.guess()
        self.alice().signed_in()

    def test_throttle_is_bounded(self) -> None:
        """Ten thousand names and more fill a table of fixed size."""
        throttle = self.server.parts._throttle
        for number in range(25_000):
            throttle.failed(f"user{number}@example.com", "192.0.2.66")
        self.assertLessEqual(len(throttle), 10_000)

    def _refusal(self, name: str) -> tuple[float, list[str]]:
        attacker = NtlmAttacker(self.server, name, "wrong", host=f"198.51.100.{len(name)}")
        attacker.register()
        before = self.server.clock.seconds()
        received: list[Request | Response] = []
        while not received:
            self.server.clock.advance(0.25)
            received = attacker.connection.receive()
        [answer] = received
        lines = [f"{key}: {value}" for key, value in answer.headers if key not in {"From", "To", "Via"}]
        return self.server.clock.seconds() - before, lines

    def test_whether_an_account_exists(self) -> None:
        """Known, unknown, disabled, and known without a password: one answer after one delay."""
        people = self.server.administration.people
        now_or_never(people.add_user(ACTOR, "sip:trent@example.com", password=None))
        now_or_never(people.add_user(ACTOR, "sip:victor@example.com", password=PASSWORD))
        now_or_never(people.disable_user(ACTOR, "sip:victor@example.com"))
        known = self._refusal("alice")
        for name in ("nobodyx", "trent", "victor"):
            self.assertEqual(self._refusal(name), known, name)


class Disabled(SigningInTestCase):
    """Accounts that are disabled at the worst moment."""

    def test_disabled_while_the_password_is_looked_up(self) -> None:
        """Whoever was read from the store as enabled and is disabled by now does not get in."""
        alice = self.alice()
        request = with_contact(alice.peer.third(alice.challenge()))
        held = HeldLookups(self.server)
        alice.connection.send(request.to_bytes())
        now_or_never(self.server.administration.people.disable_user(ACTOR, "sip:alice@example.com"))
        held.release()
        alice.connection.receive()
        self.assertEqual(self.signed_in, 0)
        self.assertTrue(alice.closed)


class HeldLookups:
    """Holds back what the store answers to lookups of accounts, as a busy disk does."""

    def __init__(self, server: MemoryServer) -> None:
        from twisted.internet.defer import Deferred

        self._held: list[Any] = []
        credentials = server.parts._credentials
        lookup = credentials.lookup

        def later(user: str, domain: str) -> Any:
            account = now_or_never(lookup(user, domain))
            waiting: Deferred[Any] = Deferred()
            self._held.append((waiting, account))
            return waiting

        credentials.lookup = later  # type: ignore[method-assign]  # what a test does

    def release(self) -> None:
        """Let the answers go."""
        for waiting, account in self._held:
            waiting.callback(account)
