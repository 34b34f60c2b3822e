"""Every request is answered as SIP demands, and led to where it belongs."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pchat.config.sections import SipLimits
from pchat.frontend.user_agent import UserAgent
from pchat.rooms.observers import IChangeObserver
from pchat.sip.message import Response
from pchat.testing.memory import now_or_never
from tests.frontend.support import PUBLISH, note, publication, publish_body
from tests.rooms.service_support import ACTOR, POOL, Person, World

#: One more than a connection may have.
MANY_DIALOGS = 17


class Case(SynchronousTestCase):
    """Alice has signed in and opened a chat dialog."""

    limits = SipLimits(idle_seconds=600)

    def setUp(self) -> None:
        self.world = World(limits=self.limits)
        self.alice = self.world.person("alice")

    def inside(self, method: str, *headers: str, **more: Any) -> Response:
        """Send a request in Alice's dialog."""
        return self.alice.ask(method, *headers, to=self.alice.inside, **more)

    def alive(self) -> bool:
        """Whether the dialog still serves commands."""
        return self.alice.command("requri") is not None


class Observers(Case):
    """Who is told of changes."""

    def test_interfaces(self) -> None:
        """Whoever observes changes offers all that he is told."""
        observers = self.world.administration._desk._observers
        self.assertTrue(observers)
        for observer in observers:
            verifyObject(IChangeObserver, observer)


class Strangers(Case):
    """What somebody may do who has not signed in."""

    def test_everything_else_is_refused(self) -> None:
        """Without sign-in nothing is served, and the connection is closed."""
        for method in (
            "INVITE",
            "SUBSCRIBE",
            "SERVICE",
            "INFO",
            "BYE",
            "UPDATE",
            "MESSAGE",
            "NONSENSE",
            "CANCEL",
        ):
            stranger = self.world.connect("bob")
            self.assertEqual(stranger.ask(method, to=f"<{POOL}>").status, 403, method)
            self.assertTrue(stranger.closed, method)

    def test_ack(self) -> None:
        """An ACK is not answered even then."""
        stranger = self.world.connect("bob")
        self.assertEqual(stranger.send(stranger.write("ACK")), [])
        self.assertTrue(stranger.closed)

    def test_options(self) -> None:
        """Everybody may ask whether we are there, and what we can."""
        stranger = self.world.connect("bob")
        answer = stranger.ask("OPTIONS")
        self.assertEqual(answer.status, 200)
        self.assertIn("INVITE", answer.headers.get("Allow", ""))
        self.assertFalse(stranger.closed)

    def test_time_limit(self) -> None:
        """Who never signs in is disconnected."""
        stranger = self.world.connect("bob")
        self.world.server.pass_time(self.limits.sign_in_seconds + 1)
        self.assertTrue(stranger.closed)


class Registering(Case):
    """REGISTER, as far as it concerns connections."""

    def test_stopping(self) -> None:
        """A server that stops takes nobody in, and tells when to come back."""
        self.world.parts.refuse_new()
        bob = self.world.connect("bob")
        answer = bob.register()
        self.assertEqual((answer.status, answer.headers.get("Retry-After")), (503, "10"))
        self.assertEqual(self.alice.invite(call_id="another").status, 503)

    def test_store_away(self) -> None:
        """Accounts that cannot be read are no reason to forget anybody: it is said to come again."""
        self.world.store.away = {"credentials"}
        bob = self.world.connect("bob")
        answer = bob.register()
        self.assertEqual(answer.status, 503)
        self.assertIn("Retry-After", answer.headers)
        self.world.store.away.clear()
        self.assertEqual(bob.register().status, 200)

    def test_disabled_while_signing_in(self) -> None:
        """An account that is disabled while it is looked up does not get in."""
        bob = self.world.connect("bob")
        self.world.store.slow = {"credentials"}
        contact = "Contact: <sip:192.0.2.7:9;transport=tls>"
        self.assertEqual(bob.send(bob.write("REGISTER", contact, uri="sip:example.com")), [])
        now_or_never(self.world.administration.people.disable_user(ACTOR, bob.uri))
        self.world.store.go()
        self.world.settle(bob)
        self.assertEqual(bob.responses[-1].status, 403)
        self.assertTrue(bob.closed)

    def test_gone_while_signing_in(self) -> None:
        """A connection that is lost during sign-in leaves nobody behind."""
        bob = self.world.connect("bob")
        self.world.store.slow = {"credentials"}
        contact = "Contact: <sip:192.0.2.7:9;transport=tls>"
        bob.send(bob.write("REGISTER", contact, uri="sip:example.com"))
        bob.lose()
        self.world.store.go()
        self.assertEqual(bob.responses, [])
        status = now_or_never(self.world.parts.status())
        self.assertEqual((status["sessions"]["users"], status["sessions"]["connections"]), (1, 1))

    def test_somebody_else_on_the_same_connection(self) -> None:
        """A connection belongs to one user; what claims to come from another is refused."""
        self.world.add_user("bob")
        contact = "Contact: <sip:192.0.2.7:9;transport=tls>"
        bob = "sip:bob@example.com"
        answer = self.alice.ask("INVITE", contact, user=bob, to=f"<{POOL}>")
        self.assertEqual(answer.status, 403)
        self.assertFalse(self.alice.closed)
        answer = self.alice.ask("REGISTER", contact, user=bob, to=f"<{bob}>", uri="sip:example.com")
        self.assertEqual(answer.status, 403)
        self.assertTrue(self.alice.closed)

    def test_sign_out(self) -> None:
        """Who signs out has his answer, has left his rooms, and is disconnected; his other endpoints stay."""
        phone = self.world.person("alice")
        for person in (self.alice, phone):
            person.join(self.world.lobby)
        answer = self.alice.register("Expires: 0")
        self.assertEqual(answer.status, 200)
        self.world.settle(self.alice, phone)
        self.assertEqual((self.alice.closed, phone.closed), (True, False))
        self.assertEqual(self.world.events("part"), [])
        phone.register("Expires: 0")
        self.world.settle(phone)
        self.assertEqual(self.world.events("part"), ["part alice Lobby left"])

    def test_refresh(self) -> None:
        """A user who registers again stays who he is, with his dialogs."""
        self.assertEqual(self.alice.register().status, 200)
        self.assertTrue(self.alive())


class Methods(Case):
    """What is answered to methods and header fields."""

    def test_unknown(self) -> None:
        """Methods that SIP has and we do not use are 405, others 501; method names have a case."""
        for method in ("MESSAGE", "NOTIFY", "BENOTIFY", "PUBLISH", "REFER", "PRACK"):
            answer = self.alice.ask(method)
            self.assertEqual(answer.status, 405, method)
            self.assertIn("INFO", answer.headers.get("Allow", ""))
        for method in ("NONSENSE", "invite", "Info", "x", "__class__", "request_received"):
            self.assertEqual(self.alice.ask(method).status, 501, method)
        self.assertTrue(self.alive())

    def test_required_extensions(self) -> None:
        """What we do not support and must is named; what clients of old demand is granted."""
        for header in ("Require", "Proxy-Require"):
            answer = self.alice.ask("OPTIONS", f"{header}: timer, frobnicate")
            self.assertEqual((answer.status, answer.headers.get("Unsupported")), (420, "frobnicate"))
            answer = self.alice.ask("OPTIONS", f"{header}: Timer, ms-benotify,adhoclist")
            self.assertEqual(answer.status, 200)
        self.assertEqual(self.alice.send(self.alice.write("ACK", "Require: frobnicate")), [])

    def test_max_forwards(self) -> None:
        """A request that has come to its last hop is served, since that is us; nonsense is refused."""
        self.assertEqual(self.alice.ask("OPTIONS", "Max-Forwards: 0").status, 200)
        self.assertEqual(self.alice.invite("Max-Forwards: 0", call_id="another").status, 200)
        for text in ("256", "-1", "x"):
            self.assertEqual(self.alice.ask("OPTIONS", f"Max-Forwards: {text}").status, 400, text)

    def test_options(self) -> None:
        """In a dialog OPTIONS also tells whether that is known."""
        self.assertEqual(self.inside("OPTIONS").status, 200)
        self.assertEqual(self.alice.ask("OPTIONS", to=f"<{POOL}>;tag=guess").status, 481)

    def test_a_bug(self) -> None:
        """A request that fails for a reason of ours is answered 500, and the connection goes on."""

        def broken(*_: Any) -> Any:
            raise ZeroDivisionError

        self.patch(UserAgent, "sip_OPTIONS", broken)
        self.assertEqual(self.alice.ask("OPTIONS").status, 500)
        self.patch(self.world.parts.front_end.presence, "service", lambda *_: now_later(broken))
        self.assertEqual(self.alice.ask("SERVICE").status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertTrue(self.alive())

    def test_store_away(self) -> None:
        """What needs a store that is away is refused for now."""
        self.world.store.fails = lambda kind: True
        body = publish_body(self.alice.uri, publication("note", 0, 200, payload=note("away")))
        answer = self.alice.ask("SERVICE", f"Content-Type: {PUBLISH}", body=body)
        self.assertEqual((answer.status, "Retry-After" in answer.headers), (503, True))

    def test_repeated_request(self) -> None:
        """A request that comes again while it is being worked on is done and answered once."""
        self.alice.join(self.world.lobby)
        self.alice.hear()
        self.world.store.slow = {"append"}
        body = (
            f'<xccos ver="1" envid="1" xmlns="urn:parlano:xml:ns:xccos"><grpchat id="grpchat" seqid="1" '
            f'chanUri="{self.world.lobby.uri}"><chat>once</chat></grpchat></xccos>'
        )
        data = self.alice.write("INFO", body=body, to=self.alice.inside)
        self.assertEqual((self.alice.send(data), self.alice.send(data)), ([], []))
        self.world.store.go()
        self.world.settle(self.alice)
        self.assertEqual((self.alice.chats(), self.world.store.waiting), (["once"], 0))


def now_later(call: Any) -> Any:
    """Make a Deferred that fails as a call does."""

    return execute(call)


class Dialogs(Case):
    """INVITE and what follows it."""

    def test_to_whom(self) -> None:
        """There is nobody here to be called but the chat service, under both its names, in any case."""
        answer = self.alice.invite(to="<sip:bob@example.com>", call_id="another")
        self.assertEqual(answer.status, 480)
        self.assertIn("chat rooms only", answer.headers.get("Warning", ""))
        for name in ("sip:OCSCHAT@example.com", POOL.lower(), f"{POOL};transport=tls"):
            self.assertEqual(self.alice.invite(to=f"<{name}>", call_id=name[4:20]).status, 200, name)

    def test_refusals_have_a_tag(self) -> None:
        """Each final answer has a tag in To, so that its ACK can be told."""
        answer = self.alice.invite(to="<sip:bob@example.com>", call_id="another")
        self.assertTrue(answer.to.tag)
        tag = f"<sip:bob@example.com>;tag={answer.to.tag}"
        ack = self.alice.write("ACK", to=tag, call_id="another", cseq=answer.cseq.number,
                               branch=answer.vias[0].branch)  # fmt: skip
        self.assertEqual(self.alice.send(ack), [])

    def test_policy_off(self) -> None:
        """Where chat is switched off there is no service, and clients are told so in the way they survive."""
        now_or_never(self.world.administration.people.set_policy(ACTOR, False, uri=self.alice.uri))
        if not self.alice.closed:
            self.assertEqual(self.alice.invite(call_id="another").status, 404)
        bob = self.world.connect("bob")
        now_or_never(self.world.administration.people.set_policy(ACTOR, False))
        self.assertEqual(bob.register().status, 200)
        answer = bob.invite()
        self.assertEqual(answer.status, 404)
        self.assertIn("20010", answer.headers.get("Ms-diagnostics", ""))

    def test_too_many(self) -> None:
        """A connection has a bounded number of dialogs; when one ends there is room again."""
        statuses = [self.alice.invite(call_id=f"dialog{number}").status for number in range(MANY_DIALOGS)]
        self.assertEqual(statuses[-2:], [403, 403])
        self.assertEqual(statuses.count(200), MANY_DIALOGS - 2)
        last = f"dialog{MANY_DIALOGS - 3}"
        self.assertEqual(self.inside("BYE", call_id=last).status, 200)
        self.assertEqual(self.alice.invite(call_id="fresh").status, 200)

    def test_session_description(self) -> None:
        """Who offers a session description gets one with our address; who does not gets none."""
        answer = self.alice.invite("Content-Type: application/sdp", body="v=0\r\n", call_id="another")
        self.assertEqual((answer.status, answer.content_type), (200, "application/sdp"))
        self.assertIn(b"c=IN IP4 192.0.2.1\r\n", answer.body)
        self.patch(self.alice.connection.protocol, "local_address", "[2001:db8::1]:5061")
        answer = self.alice.invite("Content-Type: application/sdp", body="v=0\r\n", call_id="third")
        self.assertIn(b"c=IN IP6 2001:db8::1\r\n", answer.body)
        self.assertEqual(self.alice.invite(call_id="fourth").body, b"")

    def test_record_route(self) -> None:
        """The route that proxies recorded comes back in the answer."""
        answer = self.alice.invite("Record-Route: <sip:proxy.example.com;lr>", call_id="another")
        self.assertEqual(answer.headers.get_all("Record-Route"), ["<sip:proxy.example.com;lr>"])

    def test_cancel(self) -> None:
        """INVITEs are answered at once, so a CANCEL always comes too late."""
        answer = self.alice.invite(call_id="another")
        cancel = self.alice.ask(
            "CANCEL", to=f"<{POOL}>", call_id="another", cseq=answer.cseq.number, branch=answer.vias[0].branch
        )
        self.assertEqual(cancel.status, 481)
        self.assertEqual(len(self.world.parts.dialogs), 2)

    def test_ack(self) -> None:
        """An ACK completes its dialog; one that belongs to none is ignored."""
        self.assertFalse(self.alice.dialog.acknowledged)
        self.assertEqual(self.alice.send(self.alice.write("ACK", to=self.alice.inside)), [])
        self.assertTrue(self.alice.dialog.acknowledged)
        self.assertEqual(self.alice.send(self.alice.write("ACK", to=f"<{POOL}>;tag=guess")), [])
        self.assertFalse(self.alice.closed)

    def test_reinvite(self) -> None:
        """An INVITE within the dialog refreshes it, and makes no second one."""
        answer = self.inside("INVITE", "Session-Expires: 600")
        self.assertEqual((answer.status, answer.to.tag), (200, self.alice.remote_tag))
        self.assertEqual(answer.headers.get("Session-Expires"), "600;refresher=uac")
        self.assertEqual(len(self.world.parts.dialogs), 1)
        self.assertEqual(self.alice.ask("INVITE", to=f"<{POOL}>;tag=guess").status, 481)

    def test_old_requests(self) -> None:
        """Within a dialog a request numbered below one already seen is refused, whatever its method."""
        self.alice.cseq = 100
        self.assertTrue(self.alive())
        for method in ("INFO", "INVITE", "UPDATE", "BYE"):
            self.assertEqual(self.inside(method, cseq=50).status, 500, method)
        self.assertTrue(self.alive())

    def test_bye(self) -> None:
        """After a BYE the dialog is gone, and the connection stays for another."""
        self.assertEqual(self.inside("BYE").status, 200)
        for method in ("BYE", "INFO", "UPDATE", "INVITE"):
            self.assertEqual(self.inside(method).status, 481, method)
        self.assertEqual(self.alice.invite(call_id="another").status, 200)

    def test_somebody_elses_dialog(self) -> None:
        """A dialog is served on its own connection only, also to the same user."""
        phone = self.world.connect("alice")
        self.assertEqual(phone.register().status, 200)
        theft = {"to": self.alice.inside, "tag": "t1", "call_id": "call1", "cseq": 1000}
        for method in ("INFO", "BYE", "UPDATE"):
            self.assertEqual(phone.ask(method, **theft).status, 481, method)
        self.assertTrue(self.alive())


class Time(Case):
    """Session timers and silence."""

    def signs_of_life(self, person: Person, seconds: float, *, kept: bool) -> None:
        """Let time go by in which somebody keeps his connection alive, or also his dialog."""
        while seconds > 0 and not person.closed:
            self.world.server.pass_time(min(seconds, 60))
            person.connection.send(b"\r\n\r\n")
            if kept:
                person.send(person.write("UPDATE", to=person.inside))
            person.pull()
            seconds -= 60

    def test_refused_timer(self) -> None:
        """Too short a session time is refused with the least one that we take."""
        answer = self.alice.invite("Session-Expires: 10", call_id="another")
        self.assertEqual((answer.status, answer.headers.get("Min-SE")), (422, "90"))

    def test_session_timer(self) -> None:
        """Who agreed to refresh his dialog and does not, is disconnected, so that he notices."""
        bob = self.world.connect("bob")
        bob.register()
        self.assertEqual(
            bob.invite("Session-Expires: 300").headers.get("Session-Expires"), "300;refresher=uac"
        )
        self.signs_of_life(bob, 300, kept=False)
        self.assertFalse(bob.closed)
        self.signs_of_life(bob, 120, kept=False)
        self.assertTrue(bob.closed)

    def test_refreshed(self) -> None:
        """Who refreshes it stays."""
        bob = self.world.connect("bob")
        bob.register()
        bob.invite("Session-Expires: 300")
        self.signs_of_life(bob, 1200, kept=True)
        self.assertFalse(bob.closed)

    def test_probe(self) -> None:
        """A silent client is asked whether it lives; an answer, even a refusal, keeps it."""
        self.alice.answers = 405
        self.world.server.pass_time(620)
        self.alice.pull()
        [probe] = [one for one in self.alice.requests if one.method == "OPTIONS"]
        self.assertEqual((probe.to.uri, probe.from_.uri), (self.alice.uri, POOL))
        self.world.server.pass_time(60)
        self.assertFalse(self.alice.closed)

    def test_no_answer_to_a_probe(self) -> None:
        """A client that does not answer is gone, with all that lived on its connection."""
        self.alice.join(self.world.lobby)
        self.alice.answers = None
        self.world.server.pass_time(620)
        self.assertFalse(self.alice.closed)
        self.world.server.pass_time(40)
        self.assertTrue(self.alice.closed)
        self.alice.lose()
        self.assertEqual((len(self.world.parts.dialogs), list(self.world.parts.channel.rosters)), (0, []))


class Ending(Case):
    """What ends with a connection, and what ends connections."""

    def test_connection_lost(self) -> None:
        """Nothing remains of a lost connection."""
        self.alice.join(self.world.lobby)
        self.alice.lose()
        status = now_or_never(self.world.parts.status())
        self.assertEqual(set(status["sessions"].values()), {0})
        self.assertEqual(self.world.events("part"), ["part alice Lobby connection lost"])

    def test_user_disabled(self) -> None:
        """All connections of a disabled user are closed, and nobody else's."""
        phone = self.world.person("alice")
        bob = self.world.person("bob")
        now_or_never(self.world.administration.people.disable_user(ACTOR, self.alice.uri))
        self.assertEqual([one.closed for one in (self.alice, phone, bob)], [True, True, False])

    def test_server_stops(self) -> None:
        """All connections are closed when the server stops."""
        stranger = self.world.connect("bob")
        self.world.server.stop()
        self.assertEqual([one.closed for one in (self.alice, stranger)], [True, True])


class Slow(Case):
    """A client that does not answer, or answers badly."""

    limits = SipLimits(outstanding_infos=2, pending_infos=3)

    def test_slow_reader(self) -> None:
        """Who lets more wait than is allowed is dropped; the others in the room do not notice."""
        bob = self.world.person("bob")
        for person in (self.alice, bob):
            person.join(self.world.lobby)
        self.world.settle(self.alice, bob)
        bob.answers = None
        texts = [str(number) for number in range(8)]
        for text in texts:
            self.assertEqual(getattr(self.alice.post(self.world.lobby, text), "status", None), 200)
        self.assertTrue(bob.closed or bob.connection.transport.aborted)
        self.assertEqual(self.alice.chats(), texts)

    def test_dead_dialog(self) -> None:
        """A client that answers 481 has lost the dialog: it leaves its rooms and may invite again."""
        self.alice.join(self.world.lobby)
        self.alice.answers = 481
        bob = self.world.person("bob")
        bob.join(self.world.lobby)
        bob.post(self.world.lobby, "hello")
        self.world.settle(self.alice, bob)
        self.assertEqual(self.inside("INFO").status, 481)
        self.assertEqual([event.split()[1] for event in self.world.events("part")], ["alice"])
        self.alice.answers = 200
        self.assertEqual(self.alice.invite(call_id="another").status, 200)
