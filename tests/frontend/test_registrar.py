"""REGISTER: the form of the 200, its times, and the life of registrations."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import SipRefused
from pchat.frontend.limits import RegistrationLimits
from pchat.frontend.registrar import Registration
from tests.frontend.support import World, refused


class AnswerTest(SynchronousTestCase):
    """The 200 as clients need it (docs/spec/sip-sign-in.md section 3)."""

    def setUp(self) -> None:
        self.world = World()
        self.alice = self.world.client("alice")

    def test_form(self) -> None:
        """Every header that a client reads is there, in exactly the form that it reads."""
        answer = self.alice.register()
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.to.tag)
        contact = (
            "<sip:192.0.2.7:49152;transport=tls;ms-opaque=d3>;expires=7200;"
            '+sip.instance="<urn:uuid:b7878522-d7fe-5c33-b30d-cf0b98dadeb9>";'
            'gruu="sip:alice@example.com;opaque=user:epid:cf0b98dadeb9;gruu"'
        )
        copied = {"via", "from", "to", "cseq", "call-id"}
        self.assertEqual(
            [(name, value) for name, value in answer.headers if name.lower() not in copied],
            [
                ("Contact", contact),
                ("Expires", "7200"),
                (
                    "Allow-Events",
                    "vnd-microsoft-provisioning-v2,vnd-microsoft-roaming-contacts,vnd-microsoft-roaming-self",
                ),
                ("Supported", "msrtc-event-categories"),
                ("Supported", "adhoclist"),
                ("Server", "RTC/5.0"),
                ("ms-keep-alive", "UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300"),
            ],
        )

    def test_times(self) -> None:
        """Wishes are brought between one minute and two hours; the Contact's beats the header's."""
        for wanted, granted in ((None, "7200"), (1, "60"), (60, "60"), (600, "600"), (99999, "7200")):
            self.assertEqual(self.alice.register(wanted).headers.get("Expires"), granted)
        self.assertEqual(self.alice.register(600, "<sip:a@b>;expires=300").headers.get("Expires"), "300")

    def test_odd_identifiers(self) -> None:
        """An epid or instance that is none is not repeated: it could say anything."""
        for epid, contact in (
            ('"a;b"', '<sip:a@b>;+sip.instance="<urn:uuid:b7878522-d7fe-5c33-b30d-cf0b98dadeb9>"'),
            ("cf0b98dadeb9", '<sip:a@b>;+sip.instance="<x>"'),
            ("cf0b98dadeb9", "<sip:a@b>"),
        ):
            answer = self.alice.register(contact=contact, epid=epid)
            self.assertNotIn("gruu", answer.headers.get("Contact", ""))

    def test_refused(self) -> None:
        """No Contact, two, a long one, a time that is none, and somebody else's address are refused."""
        register = self.alice.register
        self.assertEqual(refused(register, contact="<sip:a@b>, <sip:c@d>"), 400)
        self.assertEqual(refused(register, contact="*"), 400)
        self.assertEqual(refused(register, contact=f"<sip:{'a' * 1100}@b>"), 400)
        self.assertEqual(refused(register, contact="<sip:a@b>;expires=soon"), 400)
        self.assertEqual(refused(register, uri="sip:bob@example.com"), 403)
        self.assertEqual(len(self.world.front.registrar), 0)


class LifeTest(SynchronousTestCase):
    """Renewal, sign-out, running out, coming back."""

    def setUp(self) -> None:
        self.world = World(registration=RegistrationLimits(endpoints=3))
        self.registrar = self.world.front.registrar
        self.events: list[tuple[str, str]] = []
        self.registrar.endpoint_added.append(lambda found: self.note("added", found))
        self.registrar.endpoint_gone.append(lambda found: self.note("gone", found))

    def note(self, what: str, registration: Registration) -> None:
        self.events.append((what, registration.epid))

    def test_renewal(self) -> None:
        """A renewal is the same endpoint, and counts from now."""
        alice = self.world.client("alice", "a")
        alice.register()
        self.world.clock.advance(7000)
        alice.register()
        self.world.clock.advance(7000)
        self.assertEqual(self.events, [("added", "a")])
        self.world.clock.advance(201)
        self.assertEqual(self.events, [("added", "a"), ("gone", "a")])
        self.assertIsNone(self.registrar.find(alice.connection))

    def test_sign_out(self) -> None:
        """Signing out ends this endpoint only; doing it twice, or with *, is fine."""
        first, second = self.world.client("alice", "a"), self.world.client("alice", "b")
        first.register()
        second.register()
        answer = first.register(0)
        self.assertEqual((answer.status, answer.headers.get("Expires")), (200, "0"))
        self.assertEqual(first.register(0, "*").status, 200)
        self.assertEqual(self.events, [("added", "a"), ("added", "b"), ("gone", "a")])
        self.assertEqual([found.epid for found in self.registrar.of(self.world.user("alice"))], ["b"])

    def test_coming_back(self) -> None:
        """A client that lost its connection and comes back goes on as the same endpoint."""
        alice = self.world.client("alice", "000000000001")
        alice.register()
        before = self.registrar.id_of(alice.connection)
        alice.disconnect()
        self.assertEqual(self.registrar.id_of(alice.connection), "")
        again = self.world.client("alice", "000000000001")
        again.register()
        self.assertEqual(self.registrar.id_of(again.connection), before)
        self.assertEqual(self.events, [("added", "000000000001")])

    def test_equal_instances(self) -> None:
        """Two live clients with equal instances are two endpoints: only the connection tells them apart."""
        for _ in range(2):
            self.world.client("alice", "000000000001").register()
        self.assertEqual(len(self.registrar.of(self.world.user("alice"))), 2)

    def test_too_many(self) -> None:
        """One user has a bounded number of endpoints; lost ones make room for new ones."""
        clients = [self.world.client("alice", f"00000000000{number}") for number in range(4)]
        for client in clients[:3]:
            client.register()
        with self.assertRaises(SipRefused) as caught:
            clients[3].register()
        self.assertEqual(caught.exception.status, 403)
        self.assertIsNotNone(caught.exception.warning)
        self.world.client("bob").register()
        clients[1].disconnect()
        self.assertEqual(clients[3].register().status, 200)
        self.assertEqual(self.events[-2:], [("gone", "000000000001"), ("added", "000000000003")])

    def test_one_user_a_connection(self) -> None:
        """A connection that one user registered by is not another's."""
        alice = self.world.client("alice")
        alice.register()
        alice.connection.user = self.world.user("bob")
        alice.name = "bob"
        self.assertEqual(refused(alice.register), 403)

    def test_end_user(self) -> None:
        """A user who is put out has no registration left."""
        self.world.client("alice", "a").register()
        self.world.client("alice", "b").register()
        self.registrar.end_user(self.world.user("alice"), "disabled")
        self.assertEqual(len(self.registrar), 0)
        self.assertEqual(self.events[2:], [("gone", "a"), ("gone", "b")])

    def test_stop(self) -> None:
        """After the stop no timer is left."""
        self.world.signed_in("alice").watch("sip:bob@example.com")
        self.world.client("bob").register()
        self.assertTrue(self.world.clock.getDelayedCalls())
        self.world.front.stop()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
