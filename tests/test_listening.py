"""A server's doors on real sockets: TLS, IPv6, certificates that change, and an orderly end."""

from __future__ import annotations

import gc
import json
import shutil
import socket
import ssl
import tempfile
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, fail, inlineCallbacks
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from pchat import listening
from pchat.admin.authority import ServerIdentity, make_identity
from pchat.config import AuthConfig, Config, ServerConfig, SipConfig, SipListener, WebConfig
from pchat.config.sections import split_address
from pchat.errors import ConfigError, OperatorError, StoreUnavailable
from pchat.listening import ChatServer, make_service
from pchat.ops.process import IChatServer
from pchat.sip.message import Request, Response
from pchat.sip.stream import MessageStream

reactor: Any = global_reactor
DOMAIN = "example.com"
POOL = "sip:GC-1-PersistentChatService-1@example.com"
ACTOR = "unix:root"


def identity() -> ServerIdentity:
    """Make a CA and a certificate for the loopback addresses."""
    return make_identity(["localhost", "127.0.0.1", "::1"], DOMAIN, datetime.now(UTC))


class Talker(Protocol):
    """A client's end of a connection."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.ended: Deferred[None] = Deferred()
        self._stream = MessageStream()
        self._waiting: list[tuple[Callable[[Any], bool], Deferred[Any]]] = []
        self.number = 0

    def dataReceived(self, data: bytes) -> None:
        """Take messages and wake who waits for them."""
        for item in self._stream.receive(data):
            self.received.append(item)
            for entry in list(self._waiting):
                if entry[0](item):
                    self._waiting.remove(entry)
                    entry[1].callback(item)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell that the connection is over."""
        self.ended.callback(None)

    def next(self, wanted: Callable[[Any], bool]) -> Deferred[Any]:
        """Wait for a message that is yet to come."""
        found: Deferred[Any] = Deferred()
        self._waiting.append((wanted, found))
        return found

    def ask(self, method: str, *headers: str, to: str = "", body: str = "") -> Deferred[Response]:
        """Send a request and wait for its final response."""
        self.number += 1
        number = self.number
        transport: Any = self.transport
        lines = [
            f"{method} {POOL} SIP/2.0",
            f"Via: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK{number}",
            "From: <sip:alice@example.com>;tag=t1",
            f"To: {to or '<sip:alice@example.com>'}",
            "Call-ID: call1",
            f"CSeq: {number} {method}",
            "Contact: <sip:127.0.0.1:1;transport=tls>",
            *headers,
            f"Content-Length: {len(body.encode())}",
        ]
        transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode())
        return self.next(
            lambda item: isinstance(item, Response) and item.cseq.number == number and item.status >= 200
        )

    def reply(self) -> Deferred[Request]:
        """Wait for an INFO of the server."""
        return self.next(lambda item: isinstance(item, Request))


class Case(TestCase):
    """A server in a directory of its own, on ports that the system chooses."""

    timeout = 60

    def setUp(self) -> None:
        # Short, since the administration socket's path must fit into a socket address.
        self.home = Path(tempfile.mkdtemp(prefix="pchat-"))
        self.addCleanup(shutil.rmtree, self.home)
        self.servers: list[ChatServer] = []
        self.addCleanup(self.stop_all)
        thresholds = gc.get_threshold()
        self.addCleanup(gc.set_threshold, *thresholds)
        self.addCleanup(gc.unfreeze)

    def write_identity(self) -> ServerIdentity:
        """Write a new certificate and key."""
        made = identity()
        (self.home / "server.pem").write_bytes(made.certificate)
        (self.home / "server.key").write_bytes(made.key)
        return made

    def listener(self, address: str = "127.0.0.1:0", transport: Any = "tls") -> SipListener:
        """Make a listener's configuration."""
        if transport == "tcp":
            return SipListener(address=address, transport="tcp", certificate=None, key=None)
        return SipListener(
            address=address, certificate=self.home / "server.pem", key=self.home / "server.key"
        )

    def config(self, *listeners: SipListener) -> Config:
        """Make a configuration without passwords and web."""
        server = ServerConfig(data=self.home / "data", run=self.home / "run")
        config = evolve(Config(), server=server, auth=AuthConfig(schemes=("none",)))
        (self.home / "data").mkdir(exist_ok=True)
        return evolve(config, sip=SipConfig(listeners=listeners), web=WebConfig(listeners=()))

    def start(self, *listeners: SipListener) -> Deferred[ChatServer]:
        """Start a server; fires when it listens."""
        server = make_service(self.config(*listeners), reactor)
        self.servers.append(server)
        server.startService()
        return server.listening.addCallback(lambda _: server)

    @inlineCallbacks
    def stop_all(self) -> Any:
        """Stop what is running."""
        for server in self.servers:
            if server.running:
                yield server.stopService()

    def connect(self, address: str, authority: bytes | None) -> Deferred[Talker]:
        """Connect to a server, by TLS if a CA is given."""
        host, port = split_address(address)
        endpoint: Any = HostnameEndpoint(reactor, host, port)
        if authority is not None:
            trust = Certificate.loadPEM(authority)
            endpoint = wrapClientTLS(optionsForClientTLS("localhost", trustRoot=trust), endpoint)
        talker = Talker()
        connected: Deferred[Talker] = connectProtocol(endpoint, talker)
        return connected

    def close(self, talker: Talker) -> Deferred[None]:
        """Close a connection from the client's side."""
        transport: Any = talker.transport
        transport.loseConnection()
        return talker.ended


class Doors(Case):
    """What is open, and for whom."""

    @inlineCallbacks
    def test_tls(self) -> Any:
        """A client that trusts our CA is served by TLS, and finds the port in a file."""
        made = self.write_identity()
        server = yield self.start(self.listener())
        verifyObject(IChatServer, server)
        [address] = server.addresses["sip"]
        written = json.loads((self.home / "run" / "listening.json").read_text())
        self.assertEqual(written, {"sip": [address], "web": []})
        talker = yield self.connect(address, made.authority)
        answer = yield talker.ask("OPTIONS")
        self.assertEqual(answer.status, 200)
        yield self.close(talker)

    @inlineCallbacks
    def test_ipv6(self) -> Any:
        """The same by IPv6, whose address is told in brackets."""
        if not ipv6_works():
            raise SkipTest("no IPv6 on this machine")
        made = self.write_identity()
        server = yield self.start(self.listener("[::1]:0"))
        [address] = server.addresses["sip"]
        self.assertTrue(address.startswith("[::1]:"))
        talker = yield self.connect(address, made.authority)
        answer = yield talker.ask("OPTIONS")
        self.assertEqual(answer.status, 200)
        yield self.close(talker)

    @inlineCallbacks
    def test_plain_tcp(self) -> Any:
        """Without TLS a listener serves only if it says so."""
        made = self.write_identity()
        server = yield self.start(self.listener(), self.listener(transport="tcp"))
        tls, tcp = server.addresses["sip"]
        talker = yield self.connect(tcp, None)
        answer = yield talker.ask("OPTIONS")
        self.assertEqual(answer.status, 200)
        yield self.close(talker)
        stranger = yield self.connect(tls, None)
        stranger.transport.write(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
        yield stranger.ended
        self.assertEqual([item for item in stranger.received if isinstance(item, Response)], [])
        self.assertIsNotNone(made)

    @inlineCallbacks
    def test_old_tls(self) -> Any:
        """Versions of TLS before 1.2 are not spoken."""
        self.write_identity()
        server = yield self.start(self.listener())
        host, port = split_address(server.addresses["sip"][0])
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname = False
        old.verify_mode = ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1

        def attempt() -> None:
            with socket.create_connection((host, port), timeout=10) as plain, old.wrap_socket(plain):
                pass

        yield self.assertFailure(deferToThread(attempt), ssl.SSLError)


class Certificates(Case):
    """Certificates that change, and that cannot be used."""

    @inlineCallbacks
    def test_reload(self) -> Any:
        """New connections get a new certificate; those that stand are not disturbed."""
        first = self.write_identity()
        server = yield self.start(self.listener())
        [address] = server.addresses["sip"]
        old = yield self.connect(address, first.authority)
        second = self.write_identity()
        server.reload()
        new = yield self.connect(address, second.authority)
        for talker in (old, new):
            answer = yield talker.ask("OPTIONS")
            self.assertEqual(answer.status, 200)
        for talker in (old, new):
            yield self.close(talker)

    @inlineCallbacks
    def test_one_broken_of_two(self) -> Any:
        """A certificate that cannot be used does not keep another listener from getting its new one."""
        self.write_identity()
        certificate, key = self.home / "second.pem", self.home / "second.key"
        second = SipListener(address="127.0.0.1:0", certificate=certificate, key=key)
        for suffix in ("pem", "key"):
            shutil.copy(self.home / f"server.{suffix}", self.home / f"second.{suffix}")
        server = yield self.start(self.listener(), second)
        made = identity()
        certificate.write_bytes(made.certificate)
        key.write_bytes(made.key)
        self.spoil_certificate()
        error = self.assertRaises(ConfigError, server.reload)
        self.assertIn("sip.listeners[0].certificate", str(error))
        talker = yield self.connect(server.addresses["sip"][1], made.authority)
        answer = yield talker.ask("OPTIONS")
        self.assertEqual(answer.status, 200)
        yield self.close(talker)

    @inlineCallbacks
    def test_broken_reload(self) -> Any:
        """If the new files cannot be used that is told in one line, and the old ones stay in use."""
        made = self.write_identity()
        server = yield self.start(self.listener())
        for spoil in (self.spoil_certificate, self.mismatch, self.remove):
            spoil()
            error = self.assertRaises(ConfigError, server.reload)
            # In words of ours, as at the start, not in those of the TLS library.
            self.assertRegex(str(error), r"^sip\.listeners\[0\]\.(certificate|key): /\S+ [a-zA-Z ]+[^()\n]*$")
        talker = yield self.connect(server.addresses["sip"][0], made.authority)
        answer = yield talker.ask("OPTIONS")
        self.assertEqual(answer.status, 200)
        yield self.close(talker)

    def spoil_certificate(self) -> None:
        (self.home / "server.pem").write_text("not a certificate")

    def mismatch(self) -> None:
        (self.home / "server.pem").write_bytes(identity().certificate)

    def remove(self) -> None:
        (self.home / "server.pem").unlink()

    @inlineCallbacks
    def test_unusable_from_the_beginning(self) -> Any:
        """A server whose certificate cannot be used does not start, and says which key to look at."""
        self.write_identity()
        self.spoil_certificate()
        error = yield self.assertFailure(self.start(self.listener()), ConfigError)
        self.assertIn("sip.listeners[0].certificate", str(error))

    @inlineCallbacks
    def test_no_certificate(self) -> Any:
        """TLS without a certificate is a mistake in the configuration."""
        listener = SipListener(address="127.0.0.1:0", certificate=None, key=None)
        error = yield self.assertFailure(self.start(listener), ConfigError)
        self.assertEqual(str(error), "sip.listeners[0].certificate: is needed for TLS")


class Periodically(SynchronousTestCase):
    """What is done every few seconds goes on, whatever becomes of it."""

    def test_failures(self) -> None:
        """A bug is logged with its traceback, a store that is away by one line; neither ends the loop."""

        def broken() -> None:
            raise ZeroDivisionError

        listening._logged(broken)
        listening._logged(lambda: fail(ZeroDivisionError()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        listening._logged(lambda: fail(StoreUnavailable("the disk is away")))
        listening._logged(lambda: None)
        self.assertEqual(self.flushLoggedErrors(), [])


class Starting(Case):
    """What is in the way of a start."""

    @inlineCallbacks
    def test_port_busy(self) -> Any:
        """A port that is taken is told by one line; what was opened is given back when the server ends."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            busy = self.listener(f"127.0.0.1:{port}", "tcp")
            error = yield self.assertFailure(
                self.start(self.listener(transport="tcp"), busy), CannotListenError
            )
            self.assertEqual((error.interface, error.port), ("127.0.0.1", port))
            self.assertNotIn("\n", str(error))
            self.assertFalse((self.home / "run" / "listening.json").exists())
        [server] = self.servers
        yield server.stopService()
        again = yield self.start(self.listener(transport="tcp"))
        self.assertEqual(len(again.addresses["sip"]), 1)

    @inlineCallbacks
    def test_store_in_use(self) -> Any:
        """A second server on the same store gives up after a while, and leaves the first one alone."""
        self.patch(listening, "LOCK_SECONDS", 0.2)
        yield self.start(self.listener(transport="tcp"))
        error = yield self.assertFailure(self.start(self.listener(transport="tcp")), OperatorError)
        self.assertNotIn("\n", str(error))
        talker = yield self.connect(self.servers[0].addresses["sip"][0], None)
        answer = yield talker.ask("OPTIONS")
        self.assertEqual(answer.status, 200)
        yield self.close(talker)


class Stopping(Case):
    """An orderly end."""

    @inlineCallbacks
    def in_a_room(self) -> Any:
        """Start a server with Alice in a room; returns server, talker, room URI and To of the dialog."""
        server = yield self.start(self.listener(transport="tcp"))
        administration = server.parts.base.administration
        yield Deferred.fromCoroutine(administration.people.set_policy(ACTOR, True))
        yield Deferred.fromCoroutine(administration.people.add_user(ACTOR, "sip:alice@example.com"))
        yield Deferred.fromCoroutine(
            administration.categories.add_category(ACTOR, "All", allowed=["example.com"])
        )
        shown = yield Deferred.fromCoroutine(
            administration.rooms.add_room(ACTOR, "Lobby", category="All", privacy="open")
        )
        talker = yield self.connect(server.addresses["sip"][0], None)
        answer = yield talker.ask("REGISTER")
        self.assertEqual(answer.status, 200)
        answer = yield talker.ask("INVITE", to=f"<{POOL}>")
        self.assertEqual(answer.status, 200)
        to = f"<{POOL}>;tag={answer.to.tag}"
        room = str(shown["uri"])
        guid = room.rpartition("/")[2]
        replied = talker.reply()
        yield talker.ask(
            "INFO",
            to=to,
            body=document(
                '<cmd id="cmd:join" seqid="1"><data>'
                f'<chanid key="0" domain="example.com" value="{guid}"/></data></cmd>'
            ),
        )
        reply = yield replied
        self.assertIn(b'<resp code="200">', reply.body)
        return server, talker, room, to

    @inlineCallbacks
    def test_posts_under_way(self) -> Any:
        """Posts that were taken are committed and answered before the connection ends."""
        server, talker, room, to = yield self.in_a_room()
        answers = [talker.ask("INFO", to=to, body=document(post(room, f"number {n}"))) for n in range(5)]
        posting = server.parts.channel.posting
        while not posting.waiting and not answers[0].called:
            yield deferLater(reactor, 0, lambda: None)
        stopped = server.stopService()
        statuses = []
        for answered in answers:
            answer = yield answered
            statuses.append(answer.status)
        self.assertEqual(statuses, [200] * 5)
        yield stopped
        yield talker.ended
        self.assertEqual(posting.waiting, 0)

    @inlineCallbacks
    def test_everything_is_given_back(self) -> Any:
        """After the end nothing listens, files that told of the server are gone, and it can begin again."""
        server, talker, room, to = yield self.in_a_room()
        [address] = server.addresses["sip"]
        yield server.stopService()
        yield talker.ended
        yield self.assertFailure(self.connect(address, None), Exception)
        self.assertFalse((self.home / "run" / "listening.json").exists())
        again = yield self.start(self.listener(transport="tcp"))
        events = yield again.parts.base.store.read(part_events)
        self.assertEqual(events, [("part", '{"reason": "server stopped"}')])
        self.assertIsNotNone(to and room)

    @inlineCallbacks
    def test_stopped_while_it_starts(self) -> Any:
        """A server that is stopped before it listens leaves no doors open, and gives its store back."""
        server = make_service(self.config(self.listener(transport="tcp")), reactor)
        server.startService()
        outcome: list[Any] = []
        server.listening.addBoth(outcome.append)
        yield server.stopService()
        self.assertEqual(len(outcome), 1)
        ports: list[Any] = list(server._ports)
        self.assertEqual([port for port in ports if port.connected], [])
        again = yield self.start(self.listener(transport="tcp"))
        self.assertEqual(len(again.addresses["sip"]), 1)

    @inlineCallbacks
    def test_before_the_start(self) -> Any:
        """A server that never began can be stopped."""
        server = make_service(self.config(self.listener(transport="tcp")), reactor)
        yield server.stopService()
        self.assertFalse(server.running)


async def part_events(txn: Any) -> list[tuple[str, str]]:
    """Read part events."""
    rows: list[tuple[str, str]] = await txn.query("select kind, detail from outbox where kind = 'part'")
    return rows


def document(body: str) -> str:
    """Put something into an envelope."""
    return f'<xccos ver="1" envid="7" xmlns="urn:parlano:xml:ns:xccos">{body}</xccos>'


def post(room: str, text: str) -> str:
    """Write a post."""
    return f'<grpchat id="grpchat" seqid="1" chanUri="{room}"><chat>{text}</chat></grpchat>'


def ipv6_works() -> bool:
    """Tell whether this machine has an IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
