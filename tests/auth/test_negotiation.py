"""Sign-in as a conversation: a client of other hands on one side, our negotiation on the other."""

from __future__ import annotations

import base64
import hashlib
import itertools
import struct
from typing import TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pchat.auth.accounts import Account, ICredentials, SignInPolicy
from pchat.auth.handshake import CHALLENGE_SECONDS, MAX_STEPS
from pchat.auth.negotiation import SIGN_IN, Negotiation, Session
from pchat.auth.ntlm import make_challenge
from pchat.auth.signature import Association
from pchat.auth.throttle import LoginThrottle
from pchat.auth.verdicts import Admitted, Challenged, Turned, Verdict
from pchat.errors import ConfigError, StoreUnavailable
from pchat.sip.message import Request, Response

from .peer import POLICY, Accounts, Client, account, parameters

_Kind = TypeVar("_Kind", Admitted, Challenged, Turned)
VERSIONS = (4, 3, 2, None)


class NegotiationCase(SynchronousTestCase):
    """One connection to a server with the accounts alice, bob and the disabled carol."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.accounts = Accounts(
            account(), account("bob", number=2), account("carol", disabled=True, number=3)
        )
        self.throttle = LoginThrottle(self.clock)
        self.counter = itertools.count(1)
        self.server = self.connect()

    def connect(self, source: str = "192.0.2.1", policy: SignInPolicy = POLICY) -> Negotiation:
        """Open another connection."""
        return Negotiation(policy, self.accounts, self.throttle, self.clock, self.random, source)

    def random(self, count: int) -> bytes:
        """Return bytes that are never the same."""
        return next(self.counter).to_bytes(count, "big")

    def register(self, request: Request, expected: type[_Kind], server: Negotiation | None = None) -> _Kind:
        """Send a REGISTER that is answered at once."""
        verdict = self.successResultOf((server or self.server).register(request))
        self.assertIsInstance(verdict, expected, verdict)
        assert isinstance(verdict, expected)
        return verdict

    def challenge(self, client: Client, server: Negotiation | None = None) -> Response:
        """Go through the first two steps."""
        self.register(client.first(), Challenged, server)
        return self.register(client.second(), Challenged, server).response

    def sign_in(self, client: Client, server: Negotiation | None = None) -> Admitted:
        """Go through the whole handshake."""
        return self.register(client.third(self.challenge(client, server)), Admitted, server)

    def fails(self, client: Client, delay: float, server: Negotiation | None = None) -> Verdict:
        """Sign in with a wrong password; the answer comes after this delay and not before."""
        answer = (server or self.server).register(client.third(self.challenge(client, server)))
        if delay > 0.1:
            self.clock.advance(delay - 0.1)
            self.assertNoResult(answer)
        self.clock.advance(0.2)
        return self.successResultOf(answer)

    def turned(self, verdict: Verdict, status: int, *, close: bool) -> Response:
        """Expect that a request was turned away with this status."""
        self.assertIsInstance(verdict, Turned, verdict)
        assert isinstance(verdict, Turned)
        assert verdict.response is not None
        self.assertEqual((verdict.response.status, verdict.close), (status, close), verdict.reason)
        return verdict.response


class HandshakeTest(NegotiationCase):
    """The way to a signed session."""

    def test_first_offer(self) -> None:
        """A REGISTER without credentials is told realm, target name and version 4."""
        response = self.register(Client().first(), Challenged).response
        self.assertEqual(response.status, 401)
        self.assertEqual(
            response.headers.get("WWW-Authenticate"),
            'NTLM realm="SIP Communications Service", targetname="frontend.example.com", version=4',
        )
        self.assertTrue(response.to.tag)
        self.assertNotIn("Authentication-Info", response.headers)

    def test_every_version(self) -> None:
        """Versions 4, 3, 2 and none: signed in, and both directions are signed as that version says."""
        for version in VERSIONS:
            server = self.connect()
            client = Client(version=version)
            admitted = self.sign_in(client, server)
            self.assertEqual(admitted.account.uri, "sip:alice@example.com")
            assert admitted.association is not None
            self.assertIs(server.association, admitted.association)
            self.assertEqual(admitted.association.version, version)
            answer = client.request("REGISTER").response(200, to_tag="B0", headers=[("Expires", "7200")])
            answer.headers.set("Authentication-Info", admitted.association.authentication_info(answer))
            self.assertTrue(client.accepts(answer))
            self.assertIsInstance(
                server.check(client.request("SUBSCRIBE", "Expires: 0", sign=True)), Admitted
            )
            self.assertIsInstance(server.check(client.request("ACK", sign=True)), Admitted)
            self.assertTrue(server.check_response(client.response()))
            self.register(client.request("REGISTER", sign=True), Admitted, server)
            self.register(client.request("REGISTER", "Expires: 0", sign=True), Admitted, server)

    def test_version_decides_what_is_signed(self) -> None:
        """A client that says 2 and signs as 4 does, or the other way round, is refused."""
        for said, done in ((2, 4), (4, 2), (None, 4)):
            server = self.connect()
            client = Client(version=said)
            self.sign_in(client, server)
            client.version = done
            self.turned(server.check(client.request("INFO", sign=True)), 403, close=True)

    def test_version_above_ours(self) -> None:
        """A client of the future gets what we have."""
        admitted = self.sign_in(Client(version=7))
        assert admitted.association is not None
        self.assertEqual(admitted.association.version, 4)

    def test_nonsense_version(self) -> None:
        """A version that is no number is refused."""
        client = Client()
        request = client.request("REGISTER", 'Authorization: NTLM gssapi-data="", version=four')
        self.turned(self.register(request, Turned), 403, close=True)

    def test_last_register_of_version_4_is_signed(self) -> None:
        """Without its signature, or with a wrong one, nobody is signed in although the password is right."""
        for version, tamper in ((4, False), (4, True), (2, True)):
            server = self.connect()
            client = Client(version=version)
            request = client.third(self.challenge(client, server), sign=tamper)
            if tamper:
                request.headers.set("Call-ID", "other")
            self.turned(self.register(request, Turned, server), 403, close=True)
            self.assertIsNone(server.account)
            self.assertIsNone(server.association)

    def test_version_changed_on_the_way(self) -> None:
        """Who opens as one version cannot answer as a lower one to sign less."""
        for opened, answered in ((4, 2), (3, 2), (3, None), (None, 3)):
            server = self.connect()
            client = Client(version=opened)
            challenged = self.challenge(client, server)
            client.version = answered
            self.turned(self.register(client.third(challenged), Turned, server), 403, close=True)

    def test_login_forms(self) -> None:
        """`user@domain` without a domain, `NETBIOS\\user`, in any case; all of them are one account."""
        for user, domain in (
            ("alice@example.com", ""),
            ("Alice@Example.COM", ""),
            ("alice", "EXAMPLE"),
            ("ALICE", "example"),
            ("alice", "example.com"),
        ):
            self.sign_in(Client(user, domain), self.connect())
        self.assertEqual(set(self.accounts.asked), {("alice", "example.com")})

    def test_logins_that_are_none(self) -> None:
        """A user without a domain, or of another domain, is as unknown as any other."""
        for user, domain in (("alice", ""), ("alice", "OTHER"), ("alice@example.net", ""), ("", "")):
            self.assertIsInstance(self.fails(Client(user, domain), 1, self.connect()), Challenged)

    def test_account_of_somebody_else(self) -> None:
        """With bob's password nobody registers alice; neither by From nor by To."""
        verdict = self.register_third(Client("bob", uri="sip:alice@example.com"))
        response = self.turned(verdict, 403, close=True)
        self.assertIn("does not belong", response.headers.get("Warning", ""))
        self.assertIsNone(self.server.account)
        client = Client()
        self.sign_in(client)
        request = client.request("REGISTER", sign=True, to="sip:bob@example.com")
        self.turned(self.register(request, Turned), 403, close=True)
        client.uri = "sip:bob@example.com"
        request = client.request("REGISTER", sign=True, to="sip:alice@example.com")
        self.turned(self.register(request, Turned), 403, close=True)

    def register_third(self, client: Client) -> Verdict:
        """Go through the handshake, whatever its end."""
        return self.successResultOf(self.server.register(client.third(self.challenge(client))))

    def test_spelling_of_the_address(self) -> None:
        """Case and scheme of the sign-in address make no difference."""
        self.sign_in(Client(uri="sip:Alice@EXAMPLE.com"))
        self.sign_in(Client(uri="sips:alice@example.com"), self.connect())

    def test_disabled_account(self) -> None:
        """After the right password the client is shown why; after a wrong one it learns nothing."""
        carol = Client("carol", uri="sip:carol@example.com")
        response = self.turned(self.register_third(carol), 403, close=True)
        text = "This account is disabled, ask your administrator"
        self.assertEqual(response.headers.get("Warning"), f'399 frontend.example.com "{text}"')
        public = response.headers.get("ms-diagnostics-public", "")
        self.assertEqual(public, f'20102;reason="{text}";source="frontend.example.com"')
        wrong = Client("carol", password="wrong", uri="sip:carol@example.com")
        verdict = self.fails(wrong, 1, self.connect())
        self.assertIsInstance(verdict, Challenged)
        self.assertIsNone(self.server.account)

    def test_account_without_that_verifier(self) -> None:
        """An account that has no NT hash cannot sign in by NTLM, not even with an empty one."""
        self.accounts.accounts = [Account("sip:alice@example.com", 1)]
        self.assertIsInstance(self.fails(Client(), 1), Challenged)

    def test_what_stands_in_for_an_unknown_account(self) -> None:
        """Even if its random verifier were somebody's password, nobody would be signed in by it."""
        decoy = account().nt_hash
        assert decoy is not None
        for known in ([], [Account("sip:alice@example.com", 1)]):
            self.accounts.accounts = known
            with_decoy = Negotiation(
                POLICY,
                self.accounts,
                LoginThrottle(self.clock),
                self.clock,
                lambda count: decoy[:count],
                "192.0.2.1",
            )
            self.assertIsInstance(self.fails(Client(), 1, with_decoy), Challenged)

    def test_store_down(self) -> None:
        """While accounts cannot be read a client is told to come again, and may do so on this connection."""
        client = Client()
        challenged = self.challenge(client)
        unavailable: Deferred[Account | None] = fail(StoreUnavailable("busy"))
        self.patch(self.accounts, "lookup", lambda user, domain: unavailable)
        response = self.turned(self.register(client.third(challenged), Turned), 503, close=False)
        self.assertEqual(response.headers.get("Retry-After"), "5")

    def test_random_part_differs(self) -> None:
        """No two challenges are the same."""
        seen = set()
        for _ in range(5):
            response = self.challenge(Client(), self.connect())
            params = parameters(response.headers.get("WWW-Authenticate", ""))
            seen.add((params["opaque"], base64.b64decode(params["gssapi-data"])[24:32]))
        self.assertEqual(len({opaque for opaque, _ in seen}), 5)
        self.assertEqual(len({challenge for _, challenge in seen}), 5)


class BadTokenTest(NegotiationCase):
    """Hostile credentials."""

    def test_malformed_tokens(self) -> None:
        """What is no base64, no AUTHENTICATE, too long or too weak is refused, and the connection closed."""
        weak = struct.pack("<I", 0)
        for token in ("!!!", "AAAA", "A" * 10000, "TlRMTVNTUAADAAAA", base64.b64encode(weak * 30).decode()):
            server = self.connect()
            client = Client()
            params = parameters(self.challenge(client, server).headers.get("WWW-Authenticate", ""))
            value = f'NTLM opaque="{params["opaque"]}", gssapi-data="{token}", version=4'
            verdict = self.register(client.request("REGISTER", f"Authorization: {value}"), Turned, server)
            self.turned(verdict, 403, close=True)
        self.assertEqual(self.accounts.asked, [])

    def test_malformed_header(self) -> None:
        """A header that cannot be read is refused with a status that clients understand."""
        request = Client().request("REGISTER", "Authorization: NTLM =,=")
        self.turned(self.register(request, Turned), 403, close=True)

    def test_answer_used_again(self) -> None:
        """A recorded third REGISTER opens nothing: neither on its own connection nor on another."""
        client = Client()
        recorded = client.third(self.challenge(client))
        self.register(recorded, Admitted)
        self.assertEqual(self.register(recorded, Challenged).response.status, 401)
        fresh = self.connect()
        self.register(recorded, Challenged, fresh)
        self.challenge(Client(), fresh)
        self.register(recorded, Challenged, fresh)
        self.assertIsNone(fresh.account)
        self.assertEqual(len(self.accounts.asked), 1)

    def test_challenge_is_used_up_by_any_answer(self) -> None:
        """After one wrong answer the right one for the same challenge comes too late."""
        client = Client()
        challenged = self.challenge(client)
        wrong = Client(password="wrong").third(challenged)
        answer = self.server.register(wrong)
        self.clock.advance(1)
        self.assertIsInstance(self.successResultOf(answer), Challenged)
        self.register(client.third(challenged), Challenged)
        self.assertIsNone(self.server.account)

    def test_challenge_is_replaced_by_the_next(self) -> None:
        """Only the newest challenge counts, so asking for many leaves nothing behind."""
        client = Client()
        old = self.challenge(client)
        self.register(client.second(), Challenged)
        self.register(client.third(old), Challenged)

    def test_challenge_expires(self) -> None:
        """An answer after a minute begins anew."""
        client = Client()
        challenged = self.challenge(client)
        self.clock.advance(CHALLENGE_SECONDS + 1)
        self.register(client.third(challenged), Challenged)
        self.sign_in(client)

    def test_endless_handshake(self) -> None:
        """A client that only asks for challenges is turned away."""
        client = Client()
        for _ in range(MAX_STEPS):
            self.register(client.second(), Challenged)
        self.turned(self.register(client.second(), Turned), 403, close=True)

    def test_two_answers_at_once(self) -> None:
        """While one answer is checked, another REGISTER is refused and not queued."""
        self.accounts.waiting = Deferred()
        client = Client()
        pending = self.server.register(client.third(self.challenge(client)))
        for request in (client.first(), client.second()):
            self.turned(self.register(request, Turned), 403, close=True)
        value = 'NTLM opaque="1", gssapi-data="AAAA"'
        self.turned(
            self.register(client.request("REGISTER", f"Authorization: {value}"), Turned), 403, close=True
        )
        self.assertNoResult(pending)
        self.accounts.waiting.callback(None)
        self.assertIsInstance(self.successResultOf(pending), Admitted)


class WrongPasswordTest(NegotiationCase):
    """What a wrong password costs."""

    def test_delays_and_end(self) -> None:
        """401 after one second, 401 after two, 403 after four and the connection is closed."""
        client = Client(password="wrong")
        for delay in (1, 2):
            verdict = self.fails(client, delay)
            assert isinstance(verdict, Challenged)
            value = verdict.response.headers.get("WWW-Authenticate", "")
            self.assertNotIn("gssapi-data", value)
            self.assertEqual(verdict.response.status, 401)
        response = self.turned(self.fails(client, 4), 403, close=True)
        self.assertIn("Wrong user name or password", response.headers.get("ms-diagnostics-public", ""))

    def test_right_password_afterwards(self) -> None:
        """After a wrong one the right one works on the same connection, at once, and clears the record."""
        self.fails(Client(password="wrong"), 1)
        self.sign_in(Client())
        self.fails(Client(password="wrong"), 1, self.connect())

    def test_delay_follows_the_account_to_other_connections(self) -> None:
        """Reconnecting does not help, however the login is written; another address is not slowed."""
        self.fails(Client(password="wrong"), 1)
        self.fails(Client("alice@example.com", "", "wrong"), 2, self.connect())
        self.fails(Client("ALICE", "example.com", "wrong"), 4, self.connect())
        self.fails(Client(password="wrong"), 1, self.connect("192.0.2.2"))
        self.sign_in(Client(), self.connect("192.0.2.3"))

    def test_many_connections_at_once(self) -> None:
        """While a delay runs no further password is looked at, not even the right one."""
        wrong, right = Client(password="wrong"), Client()
        servers = [self.connect() for _ in range(3)]
        challenges = [self.challenge(right, server) for server in servers]
        first = servers[0].register(wrong.third(challenges[0]))
        second = servers[1].register(wrong.third(challenges[1]))
        third = servers[2].register(right.third(challenges[2]))
        self.assertEqual(len(self.accounts.asked), 1)
        self.clock.advance(1)
        self.assertIsInstance(self.successResultOf(first), Challenged)
        self.assertNoResult(second)
        self.assertEqual(len(self.accounts.asked), 2)
        response = self.turned(self.successResultOf(third), 503, close=True)
        self.assertEqual(response.headers.get("Retry-After"), "3")
        self.clock.advance(2)
        self.assertIsInstance(self.successResultOf(second), Challenged)
        self.sign_in(Client(), self.connect())

    def test_passwords_tried_side_by_side(self) -> None:
        """Of many passwords whose accounts are looked up at the same time, one is looked at."""
        self.accounts.waiting = Deferred()
        answers = []
        for number in range(5):
            server = self.connect()
            client = Client(password=f"guess{number}" if number < 4 else "secret1")
            answers.append(server.register(client.third(self.challenge(client, server))))
        self.accounts.waiting.callback(None)
        for answer in answers[1:]:
            self.turned(self.successResultOf(answer), 503, close=True)
        self.assertNoResult(answers[0])
        self.clock.advance(1)
        self.assertIsInstance(self.successResultOf(answers[0]), Challenged)

    def test_right_password_waits_for_the_delay_of_others(self) -> None:
        """Behind one address a right password waits as long as the wrong one before it, then works."""
        other = self.connect()
        challenged = self.challenge(right := Client(), other)
        failing = self.server.register(Client(password="wrong").third(self.challenge(Client())))
        waiting = other.register(right.third(challenged))
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.assertIsInstance(self.successResultOf(failing), Challenged)
        self.assertIsInstance(self.successResultOf(waiting), Admitted)

    def test_unknown_user_is_a_wrong_password(self) -> None:
        """Status, headers, texts, delays and the number of tries are the same for both."""
        answers = []
        for name in ("alice", "nobody"):
            server = self.connect()
            client = Client(name, password="wrong", uri="sip:alice@example.com")
            verdicts = [self.fails(client, delay, server) for delay in (1, 2, 4)]
            seen = []
            for verdict in verdicts:
                assert isinstance(verdict, Challenged | Turned)
                assert verdict.response is not None
                response = verdict.response
                response.headers.remove("To")
                response.headers.remove("CSeq")
                seen.append((type(verdict), response.to_bytes(), getattr(verdict, "close", None)))
            answers.append(seen)
        self.assertEqual(answers[0], answers[1])

    def test_connection_lost_during_the_delay(self) -> None:
        """A delayed answer is dropped at once when its connection goes, and no timer stays behind."""
        client = Client(password="wrong")
        pending = self.server.register(client.third(self.challenge(client)))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.server.abandon()
        verdict = self.successResultOf(pending)
        assert isinstance(verdict, Turned)
        self.assertEqual((verdict.response, verdict.close), (None, True))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertGreater(self.throttle.wait("alice@example.com", "192.0.2.1"), 0)

    def test_connection_lost_during_the_lookup(self) -> None:
        """A right password that is found right too late signs nobody in; a wrong one starts no timer."""
        for password in ("secret1", "wrong"):
            self.accounts.waiting = Deferred()
            server = self.connect()
            client = Client(password=password)
            pending = server.register(client.third(self.challenge(client, server)))
            server.abandon()
            self.accounts.waiting.callback(None)
            self.assertIsInstance(self.successResultOf(pending), Turned)
            self.assertIsNone(server.account)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """Who gives up waiting gets a verdict, not an exception."""
        client = Client(password="wrong")
        pending = self.server.register(client.third(self.challenge(client)))
        pending.cancel()
        self.assertIsInstance(self.successResultOf(pending), Turned)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_log_line(self) -> None:
        """One warning tells who failed and from where, and shows neither the password nor a hash."""
        with capturedLogs() as events:
            self.fails(Client(password="hunter2"), 1)
        lines = [formatEvent(event) for event in events]
        self.assertEqual(
            lines,
            [
                "192.0.2.1: wrong user name or password for alice@example.com, number 1 here, "
                "answered after 1.0 s"
            ],
        )
        self.assertNotIn("hunter2", repr(events))

    def test_no_secrets_in_answers(self) -> None:
        """Neither hash nor password shows in a verdict's representation."""
        admitted = self.sign_in(Client())
        text = repr(admitted).lower()
        for secret in ("secret1", "nt_hash", "ha1", repr(account().nt_hash).lower()):
            self.assertNotIn(secret, text)


class BeforeSignInTest(NegotiationCase):
    """Nobody is let in who has not signed in."""

    def test_every_method(self) -> None:
        """403 and close, in all stages of the handshake; an ACK is not answered."""
        client = Client()
        for _ in range(2):
            for method in ("INVITE", "SUBSCRIBE", "SERVICE", "INFO", "MESSAGE", "BYE"):
                self.turned(self.server.check(client.request(method)), 403, close=True)
            self.assertEqual(self.server.check(client.request("ACK")), Turned(None, True, "Sign in first"))
            self.challenge(client)

    def test_responses(self) -> None:
        """Nothing was asked, so no answer can be right."""
        self.assertFalse(self.server.check_response(Client().response(sign=False)))


class SignedSessionTest(NegotiationCase):
    """What a signed session lets through."""

    def setUp(self) -> None:
        super().setUp()
        self.client = Client()
        self.sign_in(self.client)

    def test_unsigned_or_badly_signed(self) -> None:
        """403 and close for requests, close without an answer for an ACK, close for a response."""
        other = Client()
        other.session_key, other.opaque = bytes(16), self.client.opaque
        for peer, sign in ((self.client, False), (other, True)):
            verdict = self.server.check(peer.request("INFO", sign=sign))
            self.turned(verdict, 403, close=True)
            ack = self.server.check(peer.request("ACK", sign=sign))
            assert isinstance(ack, Turned)
            self.assertEqual((ack.response, ack.close), (None, True))
            self.assertFalse(self.server.check_response(peer.response(sign=sign)))

    def test_replayed(self) -> None:
        """A signed request that comes again is refused, also as another kind of message later."""
        request = self.client.request("INFO", sign=True)
        self.assertIsInstance(self.server.check(request), Admitted)
        self.turned(self.server.check(request), 403, close=True)
        register = self.client.request("REGISTER", sign=True)
        self.register(register, Admitted)
        self.turned(self.register(register, Turned), 403, close=True)

    def test_badly_signed_register(self) -> None:
        """A REGISTER with a wrong signature is no new handshake: 403 and close."""
        request = self.client.request("REGISTER", sign=True)
        request.headers.set("Expires", "0")
        verdict = self.register(request, Turned)
        self.turned(verdict, 403, close=True)
        self.assertFalse(verdict.sign)

    def test_from_of_somebody_else(self) -> None:
        """A properly signed request in another user's name is refused; an ACK is dropped."""
        self.client.uri = "sip:bob@example.com"
        self.turned(self.server.check(self.client.request("INFO", sign=True)), 403, close=False)
        ack = self.server.check(self.client.request("ACK", sign=True))
        assert isinstance(ack, Turned)
        self.assertIsNone(ack.response)

    def test_spellings_of_the_own_address(self) -> None:
        """Case and parameters of the own URI are no forgery."""
        for uri in (
            "sip:ALICE@example.com",
            "sip:alice@example.com;opaque=user:epid:x;gruu",
            "sip:alice@example.com",
        ):
            self.client.uri = uri
            self.assertIsInstance(self.server.check(self.client.request("INFO", sign=True)), Admitted)

    def test_new_handshake(self) -> None:
        """The old association holds until the new one is proven; then only the new one does."""
        old = self.server.association
        again = Client()
        challenged = self.challenge(again)
        self.assertIs(self.server.association, old)
        self.assertIsInstance(self.server.check(self.client.request("INFO", sign=True)), Admitted)
        admitted = self.register(again.third(challenged), Admitted)
        self.assertIsNot(admitted.association, old)
        self.assertIs(self.server.association, admitted.association)
        self.assertIsInstance(self.server.check(again.request("INFO", sign=True)), Admitted)
        self.turned(self.server.check(self.client.request("INFO", sign=True)), 403, close=True)

    def test_failed_new_handshake(self) -> None:
        """A wrong password in a new handshake leaves the old association in force."""
        verdict = self.fails(Client(password="wrong"), 1)
        self.assertIsInstance(verdict, Challenged)
        self.assertIsInstance(self.server.check(self.client.request("INFO", sign=True)), Admitted)

    def test_another_user_on_the_same_connection(self) -> None:
        """A connection belongs to one user for its life, even if another one has the right password."""
        bob = Client("bob", uri="sip:bob@example.com")
        self.turned(self.register(bob.third(self.challenge(bob)), Turned), 403, close=True)
        assert self.server.account is not None
        self.assertEqual(self.server.account.uri, "sip:alice@example.com")

    def test_never_unsigned_again(self) -> None:
        """Neither a bare REGISTER nor digest turns a signed session into an unsigned one."""
        policy = SignInPolicy("example.com", "frontend.example.com", "EXAMPLE", ("none", "digest", "ntlm"))
        server = self.connect(policy=policy)
        client = Client()
        challenged = self.register(client.second(), Challenged, server).response
        self.register(client.third(challenged), Admitted, server)
        self.assertIs(server.session, Session.SIGNED)
        offer = self.register(client.first(), Challenged, server).response
        params = parameters(offer.headers.get("Proxy-Authenticate", ""))
        request = client.request("REGISTER", f"Proxy-Authorization: {digest_value(params['nonce'])}")
        self.assertNotIsInstance(self.successResultOf(server.register(request)), Admitted)
        kerberos = client.request("REGISTER", 'Authorization: Kerberos gssapi-data="AAAA"')
        self.turned(self.register(kerberos, Turned, server), 403, close=True)
        self.assertIsNotNone(server.association)
        self.turned(server.check(client.request("INFO")), 403, close=True)


def digest_value(
    nonce: str,
    *,
    password: str = "secret1",
    user: str = "alice@example.com",
    uri: str = "(null)",
    nc: str = "00000001",
    extra: str = "",
) -> str:
    """Write digest credentials as the real client does."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    first, second = md5(f"{user}:example.com:{password}"), md5(f"REGISTER:{uri}")
    response = md5(f"{first}:{nonce}:{nc}:426b2218:auth:{second}")
    return (
        f'Digest username="{user}", realm="example.com", nonce="{nonce}", uri="{uri}", '
        f'qop=auth, nc={nc}, cnonce="426b2218", response="{response}"{extra}'
    )


class DigestTest(NegotiationCase):
    """Digest by 407, only where it is configured."""

    def setUp(self) -> None:
        super().setUp()
        self.policy = SignInPolicy("example.com", "frontend.example.com", "EXAMPLE", ("digest",))
        self.server = self.connect(policy=self.policy)
        self.client = Client()

    def nonce(self, server: Negotiation | None = None) -> str:
        """Ask for a challenge."""
        response = self.register(self.client.first(), Challenged, server).response
        self.assertEqual(response.status, 407)
        value = response.headers.get("Proxy-Authenticate", "")
        self.assertTrue(value.startswith('Digest realm="example.com", nonce="'))
        return parameters(value)["nonce"]

    def answer(self, value: str) -> Request:
        """Resend the REGISTER with credentials."""
        return self.client.request("REGISTER", f"Proxy-Authorization: {value}")

    def test_sign_in(self) -> None:
        """The literal (null) for the URI is accepted, also the right URI; then the connection is trusted."""
        for uri in ("(null)", "sip:example.com"):
            server = self.connect(policy=self.policy)
            admitted = self.register(self.answer(digest_value(self.nonce(server), uri=uri)), Admitted, server)
            self.assertIsNone(admitted.association)
            self.assertIsInstance(server.check(self.client.request("INFO")), Admitted)
            self.assertTrue(server.check_response(self.client.response(sign=False)))
            self.register(self.client.first(), Admitted, server)
            self.register(self.client.request("REGISTER", "Expires: 0"), Admitted, server)

    def test_trusted_for_one_user(self) -> None:
        """The trust is for the user who proved himself, for nobody else."""
        self.register(self.answer(digest_value(self.nonce())), Admitted)
        bob = Client(uri="sip:bob@example.com")
        self.turned(self.server.check(bob.request("INFO")), 403, close=False)
        self.turned(self.register(bob.first(), Turned), 403, close=True)

    def test_wrong_password(self) -> None:
        """A new challenge after a second; the next failure is the last."""
        for number, delay in enumerate((1, 2)):
            pending = self.server.register(self.answer(digest_value(self.nonce(), password="wrong")))
            self.assertNoResult(pending)
            self.clock.advance(delay)
            verdict = self.successResultOf(pending)
            if number == 0:
                self.assertIsInstance(verdict, Challenged)
            else:
                self.turned(verdict, 403, close=True)

    def test_nonce_is_ours_fresh_and_used_once(self) -> None:
        """A nonce invented, used before, expired or of another connection begins anew."""
        used = self.nonce()
        self.register(self.answer(digest_value("00" * 16)), Challenged)
        self.register(self.answer(digest_value(used)), Challenged)
        expired = self.nonce()
        self.clock.advance(CHALLENGE_SECONDS + 1)
        self.register(self.answer(digest_value(expired)), Challenged)
        foreign = self.nonce(self.connect(policy=self.policy))
        self.register(self.answer(digest_value(foreign)), Challenged)
        self.assertIsNone(self.server.account)

    def test_weaker_or_strange_credentials(self) -> None:
        """Another URI, a later counter, no qop, another algorithm or realm are refused."""
        for change in (
            lambda nonce: digest_value(nonce, uri="sip:other.com"),
            lambda nonce: digest_value(nonce, nc="00000002"),
            lambda nonce: digest_value(nonce).replace("qop=auth, ", ""),
            lambda nonce: digest_value(nonce, extra=", algorithm=SHA-256"),
            lambda nonce: digest_value(nonce).replace('realm="example.com"', 'realm="x"'),
            lambda nonce: digest_value(nonce).replace('cnonce="426b2218"', 'cnonce=""'),
            lambda nonce: digest_value(nonce).replace('response="', 'response="z'),
            lambda nonce: digest_value(nonce, user="x" * 300),
            lambda nonce: digest_value(nonce).replace("Digest", "Basic"),
        ):
            server = self.connect(policy=self.policy)
            request = self.answer(change(self.nonce(server)))
            self.turned(self.register(request, Turned, server), 403, close=True)
        self.assertEqual(self.accounts.asked, [])

    def test_challenges_of_two_schemes(self) -> None:
        """The nonce of a digest challenge is no name of an NTLM challenge."""
        policy = SignInPolicy("example.com", "frontend.example.com", "EXAMPLE", ("digest", "ntlm"))
        server = self.connect(policy=policy)
        client = Client()
        nonce = self.nonce(server)
        answer = client.answer(make_challenge(bytes(8), policy.target, 0))
        value = f'NTLM opaque="{nonce}", gssapi-data="{base64.b64encode(answer).decode()}", version=4'
        request = client.request("REGISTER", f"Authorization: {value}")
        self.assertEqual(self.register(request, Challenged, server).response.status, 407)
        self.assertEqual(self.accounts.asked, [])

    def test_not_configured(self) -> None:
        """Without configuration digest credentials are not even looked at."""
        server = self.connect()
        request = self.answer(digest_value("00" * 16))
        self.assertEqual(self.register(request, Challenged, server).response.status, 401)
        ntlm = Client()
        self.assertEqual(self.register(ntlm.second(), Challenged).response.status, 407)


class NoneTest(NegotiationCase):
    """Believing without proof, for tests and benchmarks."""

    def setUp(self) -> None:
        super().setUp()
        self.server = self.connect(
            policy=SignInPolicy("example.com", "frontend.example.com", "EXAMPLE", ("none",))
        )

    def test_known_account(self) -> None:
        """The From decides, and holds for the connection."""
        admitted = self.register(Client().first(), Admitted)
        self.assertEqual(admitted.account.uri, "sip:alice@example.com")
        self.assertIs(self.server.session, Session.TRUSTED)
        self.assertIsInstance(self.server.check(Client().request("INFO")), Admitted)
        bob = Client(uri="sip:bob@example.com")
        self.turned(self.server.check(bob.request("INFO")), 403, close=False)
        self.assertEqual(
            self.server.check(bob.request("ACK")), Turned(None, False, "From is not the user signed in")
        )

    def test_unknown_or_disabled(self) -> None:
        """There must be an account, and it must not be disabled."""
        for name in ("nobody", "carol"):
            verdict = self.register(Client(uri=f"sip:{name}@example.com").first(), Turned)
            self.turned(verdict, 403, close=True)
        self.turned(self.register(Client(uri="tel:+1").first(), Turned), 403, close=True)

    def test_upgrade(self) -> None:
        """Where NTLM is accepted too, a trusted connection may become a signed one, for its own user."""
        policy = SignInPolicy("example.com", "frontend.example.com", "EXAMPLE", ("ntlm", "none"))
        server = self.connect(policy=policy)
        client = Client()
        self.register(client.first(), Admitted, server)
        challenged = self.register(client.second(), Challenged, server).response
        admitted = self.register(client.third(challenged), Admitted, server)
        self.assertIsInstance(admitted.association, Association)
        self.turned(server.check(client.request("INFO")), 403, close=True)


class PolicyTest(SynchronousTestCase):
    """What an operator may configure."""

    def test_no_way_down(self) -> None:
        """The table of sign-ins has no way from a signed session to an unsigned one."""
        ways = {after for (before, _signed), after in SIGN_IN.items() if before is Session.SIGNED}
        self.assertEqual(ways, {Session.SIGNED})
        self.assertNotIn((Session.SIGNED, False), SIGN_IN)

    def test_refusals(self) -> None:
        """Unknown schemes, none at all, and names that would break a header are refused with their key."""
        for values, key in (
            (("d", "t", "N", ("ntlm", "basic")), "auth.schemes"),
            (("d", "t", "N", ()), "auth.schemes"),
            (("d", "t", "N", ("ntlm",), 'my "realm"'), "auth.realm"),
            (("d", "t", "", ("ntlm",)), "auth.netbios_domain"),
            (("d", "t<x>", "N", ("ntlm",)), "server.name"),
            (("d\r\n", "t", "N", ("ntlm",)), "server.domain"),
        ):
            error = self.assertRaises(ConfigError, SignInPolicy, *values)
            self.assertIn(key, str(error))

    def test_fake_credentials_keep_the_contract(self) -> None:
        """The credentials of these tests are what the server expects."""
        self.assertTrue(verifyObject(ICredentials, Accounts()))
