"""The administration interface, reached by somebody who must not get more out of it than he may."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

from attrs import evolve
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pchat.admin.api import Reply
from pchat.admin.routes import Caller
from pchat.sip.factory import SipFactory
from tests.admin.test_https import LIMITS, WebCase

#: What a TCP transport keeps before it asks its producer to pause.
BUFFER = 65_536
DESCRIPTION = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"


class UnreadTransport(StringTransport):
    """A transport whose peer takes nothing: it asks to pause as TCP does, as often as TCP does."""

    aborted = False

    def write(self, data: bytes) -> None:
        """Keep bytes."""
        super().write(data)
        producer: Any = self.producer
        if len(self.value()) > BUFFER and producer is not None:
            producer.pauseProducing()

    def take(self) -> int:
        """Let the peer take all; return how many answers it took."""
        answers: int = self.value().count(b"HTTP/1.1 200 OK")
        self.clear()
        producer: Any = self.producer
        producer.resumeProducing()
        return answers

    def abortConnection(self) -> None:
        """Close at once."""
        self.aborted = True


class UnreadAnswers(WebCase):
    """A client without a token asks for what is large and reads nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.channel: Any = self.site.buildProtocol(None)
        self.transport = UnreadTransport()
        self.channel.makeConnection(self.transport)
        self.addCleanup(lambda: self.channel.connectionLost(Failure(ConnectionError())))

    def test_one_segment_of_many_requests(self) -> None:
        """Answers are made as they are taken; hundreds of requests that came at once wait for that."""
        self.channel.dataReceived(DESCRIPTION * 300)
        self.assertLess(len(self.transport.value()), 8 * BUFFER)
        taken = sum(self.transport.take() for _ in range(300))
        self.assertEqual((300, b""), (taken, self.transport.value()))
        self.assertEqual("producing", self.transport.producerState)

    def test_request_after_request(self) -> None:
        """Nothing more is read from who takes nothing; in the end he is put out."""
        while self.transport.producerState == "producing":
            self.channel.dataReceived(DESCRIPTION)
            self.assertLess(len(self.transport.value()), 8 * BUFFER)
        self.clock.advance(LIMITS.idle_seconds)
        self.assertTrue(self.transport.disconnecting)
        self.clock.advance(15)
        self.assertTrue(self.transport.aborted)


class ManyConnections(WebCase):
    """One machine opens as many connections as it can, so that nobody else reaches the server."""

    def setUp(self) -> None:
        super().setUp()
        self.site.limits = evolve(LIMITS, connections_per_address=2)

    def connect(self, address: Any) -> tuple[Any, StringTransport]:
        """Open a connection from somewhere."""
        channel: Any = self.site.buildProtocol(None)
        transport = StringTransport(peerAddress=address)
        channel.makeConnection(transport)
        self.addCleanup(lambda: channel.connectionLost(Failure(ConnectionError())))
        return channel, transport

    def test_one_address(self) -> None:
        """An address has its share; others, and who counts as one with it, see no more of it than that."""
        one, neighbour, other = (
            IPv6Address("TCP", host, 1) for host in ("2001:db8::1", "2001:db8::2:3", "2001:db8:0:1::1")
        )
        for address, refused in ((one, False), (neighbour, False), (neighbour, True), (other, False)):
            self.assertEqual(refused, self.connect(address)[1].disconnected)

    def test_one_address_of_sip(self) -> None:
        """SIP counts in the same way, and forgets who is gone."""
        factory = SipFactory(lambda source: Mock(), 10, 1)
        one, neighbour = (IPv6Address("TCP", host, 1) for host in ("2001:db8::1", "2001:db8::2:3"))
        self.assertIsNotNone(factory.buildProtocol(one))
        self.assertIsNone(factory.buildProtocol(neighbour))
        factory.connection_ended(one.host)
        self.assertIsNotNone(factory.buildProtocol(neighbour))

    def test_operators_at_the_socket(self) -> None:
        """Local peers have no address, and are only counted together."""
        for _ in range(LIMITS.connections):
            self.assertFalse(self.connect(UNIXAddress(None))[1].disconnected)
        self.assertTrue(self.connect(UNIXAddress(None))[1].disconnected)


class RevokedMeanwhile(WebCase):
    """Somebody asks with a stolen token while its owner revokes it."""

    def setUp(self) -> None:
        super().setUp()
        self.administration = self.asker.parts.administration
        self.thief = self.caller(self.make("stolen", "tokens", "people", "messages"))
        self.good = self.asker.good
        self.good("POST", "categories", {"name": "Work", "allowed_members": ["example.com"]})
        self.good("POST", "rooms", {"name": "Ops", "category": "Work"})

    def caller(self, secret: str) -> Caller:
        """Let a token in."""
        found = self.administration.tokens.find(secret)
        assert found is not None
        return Caller(f"token:{found[0]}", found[1])

    def steal(self, method: str, path: str, body: dict[str, Any] | None = None) -> Deferred[Reply]:
        """Ask with the stolen token, which was let in a moment ago."""
        return self.asker.api.reply(method, f"/api/v1/{path}", body, self.thief)

    def test_a_change_that_waits(self) -> None:
        """What waited behind the revocation changes nothing: above all it makes no other token."""
        lock = self.administration.tokens._desk.lock
        self.successResultOf(lock.acquire())
        revoked = self.administration.tokens.revoke_token("local:owner", "stolen")
        waiting = Deferred.fromCoroutine(revoked)
        asked = [
            self.steal("POST", "tokens", {"name": "mine", "scopes": ["tokens"]}),
            self.steal("POST", "users", {"uri": "mine@example.com"}),
        ]
        lock.release()
        self.successResultOf(waiting)
        for answer in map(self.successResultOf, asked):
            self.assertEqual("permission", answer.value["code"])
            self.assertIn("revoked meanwhile", answer.value["detail"])
        self.assertEqual({"ci", "stolen"}, {token["name"] for token in self.good("GET", "tokens")})
        self.assertEqual([], self.good("GET", "users"))

    def test_a_search_that_waits(self) -> None:
        """Searches wait for each other; what a revoked token asked for is not shown."""
        found: Deferred[Any] = Deferred()
        self.patch(self.administration.messages, "_find", lambda query: found)
        asked = self.steal("GET", "messages?words=secret")
        self.good("DELETE", "tokens/stolen")
        found.callback({})
        self.assertEqual("permission", self.successResultOf(asked).value["code"])

    def test_an_expired_token_in_its_last_second(self) -> None:
        """A token is good until its time, not in the very moment of it."""
        clock: Any = self.administration.tokens._clock
        clock.advance(365 * 86_400 - 1)
        self.assertEqual(200, self.successResultOf(self.steal("GET", "tokens")).status)
        made = self.successResultOf(self.steal("POST", "users", {"uri": "a@example.com"}))
        self.assertEqual(201, made.status)
        clock.advance(1)
        answer = self.successResultOf(self.steal("POST", "users", {"uri": "b@example.com"}))
        self.assertEqual("permission", answer.value["code"])


class Scopes(WebCase):
    """What a token may do is decided by its scopes, route by route."""

    #: What tells more than that something exists, and the only scope that opens it.
    GUARDED = {"messages": "messages", "tokens": "tokens", "audit": "audit"}

    def test_every_route_with_every_scope(self) -> None:
        """A token opens the routes of its scope; with others nothing is looked at."""
        api = self.asker.api
        for route in api.routes:
            path = "/".join("none" if part.startswith("{") else part for part in route.path.split("/"))
            body: dict[str, Any] | None = {"no such member": 1} if route.fields else None
            for scope in ("read", "people", "rooms", "messages", "settings", "audit", "tokens"):
                caller = Caller("token:ci", frozenset({scope}))
                answer = self.successResultOf(api.reply(route.method, f"/api/v1/{path}", body, caller))
                opened = scope == route.scope or route.scope == "public"
                code = answer.value.get("code") if isinstance(answer.value, dict) else None
                self.assertEqual(opened, code != "insufficient-scope", (route.method, path, scope))

    def test_reading_is_not_reading_everything(self) -> None:
        """Messages, tokens and the audit log are not among what `read` shows, nor are changes."""
        for route in self.asker.api.routes:
            first = route.path.partition("/")[0]
            if route.scope == "read":
                self.assertEqual("GET", route.method, route.path)
                self.assertNotIn(first, self.GUARDED)
            elif route.method == "GET" and first != "openapi.json":
                self.assertEqual(self.GUARDED[first], route.scope)

    def test_no_secret_is_read(self) -> None:
        """No answer, whoever asks, holds a token's text, its hash or a password's."""
        self.asker.good("POST", "users", {"uri": "alice@example.com", "password": "correct horse 1"})
        shown = ""
        for route in self.asker.api.routes:
            if route.method == "GET" and "{" not in route.path:
                query = "?category=Work" if route.path == "eligible" else ""
                shown += json.dumps(self.asker.call("GET", route.path + query)[1])
        shown += json.dumps(self.asker.good("GET", "users/sip:alice@example.com"))
        for secret in (self.token, self.token.removeprefix("pchat_"), "correct horse", "verifier", "nt_hash"):
            self.assertNotIn(secret, shown)
