"""Making the server spend memory or time on one client at the cost of the others.

Times are measured as processor time and compared with bounds that are some ten times what was measured,
so that a slow machine passes and a quadratic reader does not.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import evolve
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pchat.config.sections import SipLimits
from pchat.errors import SipRefused
from pchat.frontend.limits import PresenceLimits
from pchat.frontend.reading import read_batch, read_publish
from pchat.sip.connection import STRANGER_BODY_BYTES
from pchat.sip.factory import SipFactory
from pchat.sip.headers import Address, AuthParams
from pchat.sip.message import Response
from pchat.sip.stream import MessageStream
from pchat.testing.memory import now_or_never
from pchat.xccos.parser import parse_envelope
from tests.security.support import POOL, XCCOS, Attacker, add_room, chanid, make_server

PUBLISH = "Content-Type: application/msrtc-category-publish+xml"
MEMBERS = "Content-Type: application/msrtc-setcontainermembers+xml"
RICH = "http://schemas.microsoft.com/2006/09/sip/rich-presence"
STATE = "http://schemas.microsoft.com/2006/09/sip/state"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def seconds_of(work: Callable[[], object]) -> float:
    """Measure the processor time of something that may be refused."""
    before = time.process_time()
    with contextlib.suppress(SipRefused):
        work()
    return time.process_time() - before


def envelope(content: str) -> str:
    """Put commands into an envelope."""
    return f'<xccos ver="1" envid="7" xmlns="{XCCOS}">{content}</xccos>'


def publication(category: str, instance: int, payload: str) -> str:
    """Write a publication."""
    place = f'categoryName="{category}" container="2" instance="{instance}"'
    return f'<publication {place} version="0" expireType="user">{payload}</publication>'


def many(pattern: str, length: int) -> str:
    """Repeat a pattern with a number in it up to a length."""
    parts: list[str] = []
    size = 0
    while size < length:
        parts.append(pattern.format(len(parts)))
        size += len(parts[-1])
    return "".join(parts)


class ExhaustionTestCase(SynchronousTestCase):
    """A server with small limits."""

    limits = SipLimits()

    def setUp(self) -> None:
        self.server = make_server(limits=self.limits)
        self.addCleanup(self.server.stop)

    def publish(self, client: Attacker, items: str) -> Response:
        """Publish presence."""
        body = f'<publish xmlns="{RICH}"><publications uri="{client.uri}">{items}</publications></publish>'
        return client.ask("SERVICE", PUBLISH, body=body, uri=client.uri)


class BeforeSignIn(ExhaustionTestCase):
    """What anybody can do who reaches the port."""

    limits = SipLimits(sign_in_seconds=30)

    def test_saying_nothing(self) -> None:
        """A connection on which nobody signs in is closed, however it drips."""
        silent, dripping, pinging = (Attacker(self.server) for _ in range(3))
        for _ in range(35):
            for client, data in ((dripping, b"R"), (pinging, b"\r\n\r\n")):
                if not client.closed:
                    client.connection.send(data)
            self.server.pass_time(1, step=1)
        self.assertEqual([client.closed for client in (silent, dripping, pinging)], [True] * 3)

    def test_head_without_an_end(self) -> None:
        """A head that does not end is given up at its limit."""
        attacker = Attacker(self.server)
        for _ in range(20):
            attacker.connection.send(b"a" * 1024)
        self.assertTrue(attacker.closed)
        self.assertEqual(len(attacker.connection.protocol._stream._buffer), 0)

    def test_large_body_of_a_stranger(self) -> None:
        """Before sign-in a body of a megabyte is refused by its length alone."""
        attacker = Attacker(self.server)
        data = attacker.write("REGISTER", f"Content-Length: {STRANGER_BODY_BYTES + 1}")
        [answer] = attacker.send(data)
        self.assertEqual((getattr(answer, "status", 0), attacker.closed), (413, True))
        friend = Attacker(self.server, "alice").ready()
        self.assertEqual(friend.ask("OPTIONS", body=b"x" * (STRANGER_BODY_BYTES + 1)).status, 200)

    def test_sending_on_while_the_connection_closes(self) -> None:
        """What comes after the server has decided to close is not kept."""
        attacker = Attacker(self.server)
        attacker.send(attacker.write("INVITE"))
        self.assertTrue(attacker.closed)
        for _ in range(10):
            attacker.connection.send(b"\r\n" * 100_000)
        self.assertEqual(len(attacker.connection.protocol._stream._buffer), 0)

    def test_register_for_ever(self) -> None:
        """Beginning handshakes without end ends the connection."""
        server = make_server("ntlm", people=())
        self.addCleanup(server.stop)
        attacker = Attacker(server)
        for _ in range(20):
            if not attacker.closed:
                attacker.register()
        self.assertTrue(attacker.closed)

    def test_too_many_connections(self) -> None:
        """One address cannot take all places, and gives them back when it leaves."""
        factory = SipFactory(lambda source: self.server.parts.make_connection(source, "TLS"), 30, 10)

        def connect(host: str) -> object:
            return factory.buildProtocol(IPv4Address("TCP", host, 1))

        places = [connect("192.0.2.66") for _ in range(11)]
        self.assertEqual([place is None for place in places], [False] * 10 + [True])
        self.assertIsNotNone(connect("192.0.2.7"))
        factory.connection_ended("192.0.2.66")
        self.assertIsNotNone(connect("192.0.2.66"))

    def test_answers_nobody_asked_for(self) -> None:
        """A signed-in client's answers to nothing leave nothing behind."""
        attacker = Attacker(self.server)
        attacker.register()
        for number in range(1000):
            head = f"SIP/2.0 200 OK\r\nCall-ID: {number}\r\nCSeq: {number} INFO\r\n"
            attacker.connection.send(f"{head}Content-Length: 0\r\n\r\n".encode())
        self.assertEqual(len(attacker.connection.protocol._client_transactions), 0)


class WithoutReading(ExhaustionTestCase):
    """Clients that ask much, and neither read nor answer."""

    limits = SipLimits(unsent_bytes=1 << 20, response_seconds=32)

    def test_histories_that_are_never_answered(self) -> None:
        """Histories wait for a client's answers up to a number of bytes, then he is dropped."""
        room = add_room(self.server, "Lobby")
        attacker = Attacker(self.server).ready().joined(room)
        for _ in range(30):
            self.assertEqual(attacker.post(room, "x" * 7900).status, 200)
        attacker.answers = False
        query = f'<chanib uri="ma-chan://example.com/{room}"/><bcq><last cnt="30"/></bcq>'
        body = envelope(f'<cmd id="cmd:bccontext" seqid="1"><data>{query}</data></cmd>')
        [dialog] = self.server.parts.dialogs
        for _ in range(200):
            if attacker.closed:
                break
            attacker.info(body)
        self.assertTrue(attacker.closed)
        self.assertLess(sum(map(len, dialog.pending)), 3 << 20)

    def test_infos_that_are_never_answered(self) -> None:
        """Somebody who reads and never answers is dropped after the time for an answer."""
        room = add_room(self.server, "Lobby")
        attacker = Attacker(self.server).ready().joined(room)
        attacker.answers = False
        alice = Attacker(self.server, "alice").ready().joined(room)
        for _ in range(5):
            alice.post(room)
        self.server.pass_time(40)
        self.assertTrue(attacker.closed)
        self.assertFalse(alice.closed)

    def test_a_reader_that_stops(self) -> None:
        """Somebody who does not read is dropped; the others get everything."""
        room = add_room(self.server, "Lobby")
        attacker = Attacker(self.server).ready().joined(room)
        alice = Attacker(self.server, "alice").ready().joined(room)
        attacker.connection.protocol.pauseProducing()
        for number in range(200):
            self.assertEqual(alice.post(room, "y" * 7000 + str(number)).status, 200)
        self.server.pass_time(40)
        self.assertTrue(attacker.connection.transport.disconnecting)
        self.assertEqual(alice.heard("y" * 7000), 200)

    def test_posts_that_wait_when_the_dialog_ends(self) -> None:
        """Every post is answered, also those that no longer begin: no transaction stays open."""
        room = add_room(self.server, "Lobby")
        attacker = Attacker(self.server).ready().joined(room)
        held: list[tuple[Any, Deferred[Any]]] = []
        append = self.server.store.append

        def later(messages: Any) -> Deferred[Any]:
            waiting: Deferred[Any] = Deferred()
            held.append((messages, waiting))
            return waiting

        self.patch(self.server.store, "append", later)
        to = f"<{POOL}>;tag={attacker.remote_tag}"
        command = envelope('<cmd id="cmd:requri" seqid="1"/>')
        post = attacker.post_body(room)
        bodies = [*[post] * 5, command, *[post] * 5]
        requests = [attacker.write("INFO", body=body, to=to) for body in bodies]
        attacker.send(b"".join([*requests, attacker.write("BYE", to=to)]))
        for messages, waiting in held:
            append(messages).chainDeferred(waiting)
        attacker.take()
        statuses = [m.status for m in attacker.received if isinstance(m, Response)]
        self.assertEqual(statuses.count(481), 5)
        self.assertEqual(len(attacker.connection.protocol.server_transactions), 0)

    def test_posts_after_the_dialog_ended_by_itself(self) -> None:
        """A dialog that the client answered 481 is gone at once, and posts to it are answered so."""
        room = add_room(self.server, "Lobby")
        attacker = Attacker(self.server).ready().joined(room)
        attacker.answers = False
        alice = Attacker(self.server, "alice").ready().joined(room)
        attacker.take()
        alice.post(room)
        infos = [m for m in attacker.take() if not isinstance(m, Response)]
        attacker.connection.send(infos[-1].response(481).to_bytes())
        self.assertEqual(attacker.post(room).status, 481)
        self.assertEqual(len(attacker.connection.protocol.server_transactions), 0)


class OfEverythingMany(ExhaustionTestCase):
    """Signed-in clients that want a thousand of something."""

    def test_dialogs(self) -> None:
        """Dialogs of one connection are counted."""
        attacker = Attacker(self.server)
        attacker.register()
        statuses = [attacker.invite(call_id=f"c{number}").status for number in range(40)]
        self.assertEqual((statuses.count(200), statuses.count(403)), (16, 24))
        self.assertEqual(len(self.server.parts.dialogs), 16)

    def test_subscriptions(self) -> None:
        """So are subscriptions."""
        attacker = Attacker(self.server)
        attacker.register()
        statuses = [
            attacker.ask(
                "SUBSCRIBE", "Event: presence", "Contact: <sip:x>", uri=attacker.uri, call_id=f"s{number}"
            ).status
            for number in range(40)
        ]
        self.assertEqual((statuses.count(200), statuses.count(503)), (16, 24))

    def test_registrations(self) -> None:
        """And endpoints of one user, over all his connections."""
        statuses = [Attacker(self.server).register().status for _ in range(40)]
        self.assertEqual((statuses.count(200), statuses.count(403)), (32, 8))

    def test_refused_invites(self) -> None:
        """Refused INVITEs that wait for their ACK are remembered without their texts."""
        attacker = Attacker(self.server)
        attacker.register()
        for number in range(1100):
            attacker.ask("INVITE", to="<sip:x@example.com>", call_id="c" * 5000 + str(number))
        transactions = attacker.connection.protocol.server_transactions
        self.assertLessEqual(len(transactions._refused), 1024)
        self.assertTrue(all(isinstance(key, int) for key in transactions._refused))
        self.server.pass_time(40)
        self.assertEqual(len(transactions._refused), 0)

    def test_commands_in_one_envelope(self) -> None:
        """An envelope holds 32 commands at most."""
        attacker = Attacker(self.server).ready()
        commands = '<cmd id="cmd:requri" seqid="1"/>' * 33
        [answer] = attacker.info(envelope(commands))
        self.assertEqual(getattr(answer, "status", 0), 413)

    def test_rooms_in_one_join(self) -> None:
        """A bulk join names a thousand rooms at most."""
        attacker = Attacker(self.server).ready()
        reply = attacker.command("bjoin", chanid("x") + "".join(chanid(f"g{n}") for n in range(1001)))
        self.assertIn("ERROR_LIMIT_EXCEEDED", reply)

    def test_publications(self) -> None:
        """A user's presence is bounded in number and size."""
        attacker = Attacker(self.server)
        attacker.register()
        big = "<a>" + "x" * 32_000 + "</a>"
        one = publication("n", 1, "<a>" + "x" * 33_000 + "</a>")
        self.assertEqual(self.publish(attacker, one).status, 413)
        for start in range(0, 128, 8):
            last = self.publish(attacker, "".join(publication("n", start + n, big) for n in range(8)))
        self.assertEqual(last.status, 200)
        more = "".join(publication("n", 500 + n, big) for n in range(7))
        self.assertEqual(self.publish(attacker, more).status, 413)

    def test_presence_bomb_does_not_reach_watchers(self) -> None:
        """Four megabytes that somebody publishes for everybody are not four megabytes for each watcher."""
        attacker = Attacker(self.server)
        attacker.register()
        item = (
            '<publication categoryName="note" container="200" instance="{}" version="0" expireType="user">'
            "<note>" + "x" * 30_000 + "</note></publication>"
        )
        for start in range(0, 120, 8):
            self.publish(attacker, "".join(item.format(start + number) for number in range(8)))
        alice = Attacker(self.server, "alice").ready()
        body = (
            '<batchSub xmlns="http://schemas.microsoft.com/2006/01/sip/batch-subscribe">'
            '<action name="subscribe" id="1"><adhocList><resource uri="sip:mallory@example.com"/></adhocList>'
            '<categoryList xmlns="http://schemas.microsoft.com/2006/09/sip/categorylist">'
            '<category name="note"/></categoryList></action></batchSub>'
        )
        response = alice.ask(
            "SUBSCRIBE", "Event: presence", "Contact: <sip:x>", "Supported: ms-benotify",
            "Supported: ms-piggyback-first-notify", "Content-Type: application/msrtc-adrl-categorylist+xml",
            body=body, uri=alice.uri,
        )  # fmt: skip
        self.assertIn(b"x" * 30_000, response.body)
        self.assertLess(len(response.body), 100_000)

    def test_the_whole_state_a_hundred_times(self) -> None:
        """A segment of small requests cannot make the server gather hundreds of megabytes for one client."""
        attacker = Attacker(self.server)
        attacker.register()
        big = "<a>" + "x" * 32_000 + "</a>"
        for start in range(0, 128, 8):
            self.publish(attacker, "".join(publication("n", start + n, big) for n in range(8)))
        body = '<roamingList xmlns="http://schemas.microsoft.com/2006/09/sip/roaming-self">'
        body += '<roaming type="categories"/></roamingList>'
        headers = (
            "Event: vnd-microsoft-roaming-self",
            "Contact: <sip:x>",
            "Supported: ms-benotify, ms-piggyback-first-notify",
            "Content-Type: application/vnd-microsoft-roaming-self+xml",
        )
        first = attacker.ask("SUBSCRIBE", *headers, body=body, uri=attacker.uri, call_id="s")
        self.assertGreater(len(first.body), 4_000_000)
        to = f"<{attacker.uri}>;tag={first.to.tag}"
        requests = [
            attacker.write("SUBSCRIBE", *headers, body=body, uri=attacker.uri, call_id="s", to=to)
            for _ in range(50)
        ]
        attacker.connection.send(b"".join(requests))
        self.assertTrue(attacker.closed)
        self.assertTrue(attacker.connection.transport.aborted)

    def test_clients_come_and_go(self) -> None:
        """After connections, sign-ins, joins and losses nothing is left in any registry."""
        room = add_room(self.server, "Lobby")

        def left() -> dict[str, int]:
            parts = self.server.parts
            return {
                **now_or_never(parts.status())["sessions"],
                "dialogs": len(parts.dialogs) + len(parts.dialogs._by_connection),
                "sessions": len(parts.channel.service.sessions),
                "rosters": len(list(parts.channel.rosters)),
                "subscriptions": len(parts.front_end.subscriptions),
                "registrations": len(parts.front_end.registrar),
                "by connection": len(parts.front_end.registrar._by_connection),
                "watched": len(parts.front_end.watchers._watched),
                "throttle": len(parts._throttle),
            }  # fmt: skip

        before = left()
        for number in range(300):
            client = Attacker(self.server, ("alice", "bob", "mallory")[number % 3])
            client.ready().joined(room)
            client.ask("SUBSCRIBE", "Event: presence", "Contact: <sip:x>", uri=client.uri, call_id="s")
            if number % 2:
                client.ask("BYE", to=f"<{POOL}>;tag={client.remote_tag}")
            client.connection.lose()
            if number % 20 == 0:
                self.server.pass_time(8000, step=4000)
        self.server.pass_time(8000, step=1000)
        self.assertEqual(left(), before)
        self.assertLess(len(self.server.clock.getDelayedCalls()), 5)


class ProcessorTime(ExhaustionTestCase):
    """Inputs that are small and take long."""

    def test_namespaces_around_publications(self) -> None:
        """Namespaces that are declared once and copied into each publication: refused before the copying."""
        start = '<publish><publications uri="sip:a@b" ' + many('xmlns:n{}="u" ', 180_000) + ">"
        item = '<publication categoryName="n" container="2" instance="{}"><x/></publication>'
        body = f"{start}{''.join(item.format(n) for n in range(800))}</publications></publish>"
        self.assertLess(seconds_of(lambda: read_publish(body.encode(), PresenceLimits())), 1)
        attacker = Attacker(self.server)
        attacker.register()
        response = attacker.ask(
            "SERVICE", PUBLISH, body=body.replace("sip:a@b", attacker.uri), uri=attacker.uri
        )
        self.assertEqual(response.status, 400)

    def test_many_states(self) -> None:
        """State publications are aggregated when they change, and a bounded number of them."""
        attacker = Attacker(self.server)
        attacker.register()
        state = f'<state xmlns="{STATE}" xmlns:xsi="{XSI}" xsi:type="userState">'
        state += "<availability>3500</availability></state>"
        for start in range(10, 1510, 500):
            self.publish(attacker, "".join(publication("state", start + n, state) for n in range(500)))
        spent = seconds_of(lambda: [self.publish(attacker, publication("q", n, "<a/>")) for n in range(10)])
        self.assertLess(spent, 0.5)
        spent = seconds_of(
            lambda: [self.publish(attacker, publication("state", 5000 + n, state)) for n in range(10)]
        )
        self.assertLess(spent, 1)

    def test_entities(self) -> None:
        """Document types are refused: in posts before they are parsed, in presence without growing."""
        bomb = '<!DOCTYPE a [<!ENTITY e0 "' + "x" * 1000 + '">'
        bomb += "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 20)) + "]>"
        attacker = Attacker(self.server).ready()
        for use in ('<a b="&e19;"/>', "<a>&e19;</a>", "<a/>"):
            body = bomb + use
            before = time.process_time()
            [answer] = attacker.info(body)
            self.assertEqual(getattr(answer, "status", 0), 400)
            self.assertEqual(attacker.ask("SERVICE", PUBLISH, body=body, uri=attacker.uri).status, 400)
            spent = time.process_time() - before
            self.assertLess(spent, 0.5)

    def test_external_entities(self) -> None:
        """No file and no address is ever read."""
        attacker = Attacker(self.server).ready()
        for body in (
            '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
            '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
            '<!DOCTYPE a [<!ENTITY % e SYSTEM "http://127.0.0.1:1/x">%e;]><a/>',
        ):
            self.assertEqual(getattr(attacker.info(body)[0], "status", 0), 400)
            self.assertEqual(attacker.ask("SERVICE", PUBLISH, body=body, uri=attacker.uri).status, 400)

    def test_envelopes(self) -> None:
        """A quarter megabyte of odd XML costs less than a tenth of a second."""
        for name, body in {
            "attributes": "<xccos " + many('a{}="" ', 260_000) + "/>",
            "namespaces": "<xccos " + many('xmlns:a{}="u" ', 260_000) + "/>",
            "deep": f"<xccos>{'<a>' * 37_000}{'</a>' * 37_000}</xccos>",
            "wide": f"<xccos>{'<a/>' * 65_000}</xccos>",
            "references": f'<xccos a="{"&#65;" * 52_000}"/>',
            "instructions": "<?a ?>" * 43_000 + "<xccos/>",
            "half instructions": "<?a " * 65_000 + "<!DOCTYPE",
            "half comments": "<!--" * 65_000,
            "posts": "<xccos>" + '<grpchat chanUri="a"/>' * 11_000 + "</xccos>",
        }.items():
            spent = seconds_of(partial(parse_envelope, body.encode()))
            self.assertLess(spent, 0.5, name)

    def test_heads(self) -> None:
        """A head of 16 kB costs less than some hundredths of a second, whatever it is made of."""
        start = "REGISTER sip:e SIP/2.0\r\nVia: SIP/2.0/TLS h\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
        start += "Call-ID: 1\r\nCSeq: 1 REGISTER\r\n"
        for name, lines in {
            "lines": "a:\r\n" * 3800,
            "folds": "a: b" + "\r\n " * 5000 + "\r\n",
            "blanks": "a: b" + " \t" * 5900 + "c\r\n",
            "hops": "Via: " + ",".join(["SIP/2.0/TLS h;a=b"] * 600) + "\r\n",
            "contacts": "Contact: " + ",".join(["<sip:a@b>"] * 1200) + "\r\n",
            "commas": "Contact: " + "," * 12_000 + "\r\n",
            "quotes": "Contact: " + '"\\"' * 4000 + "\r\n",
            "brackets": "Contact: " + "<" * 12_000 + "\r\n",
            "parameters": f"Contact: <sip:a@b>{many(';a{}=b', 11_000)}\r\n",
            "semicolons": "Contact: <sip:a@b>" + "; " * 5900 + "\r\n",
            "escapes": "X: " + "\\\x01" * 6000 + "\r\n",
            "zeros": "Max-Forwards: " + "0" * 12_000 + "\r\n",
            "digits": "Expires: " + "9" * 12_000 + "\r\n",
        }.items():
            data = (start + lines + "Content-Length: 0\r\n\r\n").encode()
            spent = seconds_of(partial(self.read, data))
            self.assertLess(spent, 0.2, name)

    def read(self, data: bytes) -> None:
        """Cut bytes into messages."""
        for _ in MessageStream().receive(data):
            pass

    def test_values(self) -> None:
        """Addresses and credentials are read in linear time."""
        for text in ("a " * 6000, '"' * 12_000, "<" * 12_000, "<sip:a" + "@b" * 6000 + ">", ";" * 12_000):
            self.assertLess(seconds_of(partial(Address.parse_list, text)), 0.1, text[:9])
        for text in (
            "NTLM " + "a=," * 4000,
            'NTLM a="' + '\\"' * 6000,
            "NTLM a" + " " * 12_000,
            "NTLM " * 2400,
        ):
            self.assertLess(seconds_of(partial(AuthParams.parse, text)), 0.1, text[:9])

    def test_messages_in_single_bytes(self) -> None:
        """A message that comes byte by byte costs its length, not its square."""
        head = b"INFO sip:e SIP/2.0\r\na: " + b"b" * 11_000
        stream = MessageStream()

        def drip() -> None:
            for number in range(len(head)):
                list(stream.receive(head[number : number + 1]))

        self.assertLess(seconds_of(drip), 1)

    def test_contacts_of_a_batch(self) -> None:
        """A batch of contacts is bounded and read in linear time."""
        resources = many('<resource uri="sip:u{}@example.com"/>', 250_000)
        body = f'<batchSub><action name="subscribe"><adhocList>{resources}</adhocList></action></batchSub>'
        self.assertLess(seconds_of(lambda: read_batch(body.encode(), evolve(PresenceLimits()))), 0.5)
