"""SUBSCRIBE: dialogs, the form of answers and notifications, provisioning and contacts."""

from __future__ import annotations

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from pchat.frontend.limits import PresenceLimits
from pchat.store.people import PolicyRecord
from pchat.testing.connection import FakeConnection
from tests.frontend.support import World, categories, named, note, publication, refused, result

PROVISIONING = "vnd-microsoft-provisioning-v2"
CONTACTS = "vnd-microsoft-roaming-contacts"
SELF = "vnd-microsoft-roaming-self"


def properties(document: bytes) -> dict[str, str]:
    """Read the properties of a provisioning document."""
    return {
        element.get("name", ""): element.text or ""
        for element in etree.fromstring(document).iter("{*}property")
    }


class ProvisioningTest(SynchronousTestCase):
    """Where the chat service is (docs/spec/xccos.md section 7.1)."""

    def setUp(self) -> None:
        self.world = World()
        self.alice = self.world.client("alice")

    def test_one_look(self) -> None:
        """The usual request (Expires 0) is answered with all five properties, and leaves nothing behind."""
        answer = self.alice.subscribe(PROVISIONING, expires=0)
        self.assertEqual(answer.content_type, "application/vnd-microsoft-roaming-provisioning-v2+xml")
        self.assertEqual(answer.headers.get("Event"), PROVISIONING)
        self.assertEqual(answer.headers.get("ms-piggyback-cseq"), "1")
        self.assertEqual(answer.headers.get("subscription-state"), "terminated;expires=0")
        self.assertEqual(
            properties(answer.body),
            {
                "EnablePersistentChat": "true",
                "DefaultPersistentChatPoolUri": "sip:ocschat@example.com",
                "PersistentChatPoolUris": "sip:GC-1-PersistentChatService-1@example.com",
                "PersistentChatWebManagerUriInt": "https://chat.example.com/PersistentChat/RM",
                "PersistentChatWebManagerUriExt": "https://chat.example.net/PersistentChat/RM",
            },
        )
        self.assertEqual(len(self.world.front.subscriptions), 0)

    def test_policy(self) -> None:
        """Whoever may not chat is told so, and told again when the policy changes."""
        self.alice.subscribe(PROVISIONING)
        self.world.directory.apply_policy(PolicyRecord("user", self.world.user("alice").id, False, ""))
        self.world.front.policy_changed([self.world.user("bob")])
        self.assertEqual(self.alice.connection.requests, [])
        self.world.front.policy_changed([self.world.user("alice")])
        (request,) = self.alice.connection.take_requests()
        self.assertEqual(properties(request.body)["EnablePersistentChat"], "false")
        self.world.directory.apply_policy(PolicyRecord("user", self.world.user("alice").id, True, ""))
        self.world.front.policy_changed()
        (request,) = self.alice.connection.take_requests()
        self.assertEqual(properties(request.body)["EnablePersistentChat"], "true")

    def test_groups(self) -> None:
        """Only the groups asked for are sent."""
        names = ("ServerConfiguration", "meetingPolicy")
        for asked, count in ((names, 0), ((*names, "persistentChatConfiguration"), 5)):
            groups = "".join(f'<provisioningGroup name="{name}"/>' for name in asked)
            body = f'<provisioningGroupList xmlns="urn:x">{groups}</provisioningGroupList>'
            self.assertEqual(len(properties(self.alice.subscribe(PROVISIONING, body, expires=0).body)), count)


class DialogTest(SynchronousTestCase):
    """What is true of every event."""

    def setUp(self) -> None:
        self.world = World(PresenceLimits(subscriptions=4, subscription_seconds=1000))
        self.alice = self.world.client("alice")
        self.alice.register()

    def test_contacts(self) -> None:
        """The contact list is empty, with a group, never 488."""
        answer = self.alice.subscribe(CONTACTS)
        self.assertEqual(answer.headers.get("subscription-state"), "active;expires=1000")
        self.assertEqual(answer.headers.get("Expires"), "1000")
        self.assertEqual(answer.headers.get("Contact"), "<sip:192.0.2.1:5061;transport=tls>")
        self.assertEqual(etree.fromstring(answer.body).get("deltaNum"), "1")

    def test_unknown_event(self) -> None:
        """Other events, and none, are 489 with the list of those there are."""
        for event in ("presence.wpending", ""):
            answer = self.alice.subscribe(event)
            self.assertEqual(answer.status, 489)
            self.assertIn(PROVISIONING, answer.headers.get("Allow-Events", ""))

    def test_unknown_dialog(self) -> None:
        """A dialog that is not ours is 481: another tag, Call-ID, From tag, connection or event."""
        self.alice.subscribe(CONTACTS)
        call_id, tag = self.alice.dialogs[CONTACTS]
        other = self.world.client("alice")
        self.assertEqual(refused(self.alice.subscribe, CONTACTS, call_id=call_id, to_tag="x"), 481)
        self.assertEqual(refused(self.alice.subscribe, CONTACTS, call_id="x", to_tag=tag), 481)
        self.assertEqual(refused(self.alice.subscribe, SELF, call_id=call_id, to_tag=tag), 481)
        self.assertEqual(refused(other.subscribe, CONTACTS, call_id=call_id, to_tag=tag), 481)
        self.assertEqual(self.alice.subscribe(CONTACTS, inside=True).status, 200)

    def test_old_request(self) -> None:
        """A request inside the dialog that is older than its last one is refused."""
        self.alice.subscribe(CONTACTS)
        self.alice.cseq = 0
        self.assertEqual(refused(self.alice.subscribe, CONTACTS, inside=True), 500)

    def test_first_number(self) -> None:
        """A client may count its requests from zero."""
        self.alice.cseq = -1
        self.assertEqual(self.alice.subscribe(CONTACTS).status, 200)

    def test_unsubscribe(self) -> None:
        """After Expires 0 inside the dialog there is none."""
        self.alice.subscribe_self()
        answer = self.alice.subscribe(SELF, expires=0, inside=True)
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.alice.publish(publication("note", 1, 200))
        self.assertEqual(refused(self.alice.subscribe, SELF, inside=True), 481)

    def test_runs_out(self) -> None:
        """A subscription that is not renewed ends; a renewed one does not."""
        self.alice.subscribe_self()
        self.world.clock.advance(900)
        self.alice.subscribe_self(inside=True)
        self.world.clock.advance(900)
        other = self.world.client("alice", "000000000002")
        other.register()
        other.publish(publication("note", 1, 200))
        (request,) = self.alice.connection.take_requests()
        self.assertEqual(request.headers.get("subscription-state"), "active;expires=100")
        self.assertEqual(request.cseq, (3, "BENOTIFY"))
        self.world.clock.advance(102)
        other.publish(publication("note", 1, 200, 1))
        self.assertEqual(self.alice.connection.requests, [])

    def test_too_many(self) -> None:
        """A connection has a bounded number of dialogs; it is told to come later, never 488."""
        for _ in range(4):
            self.alice.subscribe(CONTACTS)
        self.assertEqual(refused(self.alice.subscribe, CONTACTS), 503)
        self.world.front.subscriptions.connection_lost(self.alice.connection)
        self.assertEqual(self.alice.subscribe(CONTACTS).status, 200)

    def test_without_extensions(self) -> None:
        """A client that knows neither piggy-backing nor BENOTIFY gets a NOTIFY after the answer."""
        answer = self.alice.subscribe(CONTACTS, benotify=False, piggyback=False)
        self.assertEqual((answer.body, answer.headers.get("ms-piggyback-cseq")), (b"", None))
        self.assertEqual(self.alice.connection.requests, [])
        self.world.clock.advance(0)
        (request,) = self.alice.connection.requests
        self.assertEqual(request.cseq, (1, "NOTIFY"))
        self.alice.connection.answer(request, 200)
        self.assertEqual(len(self.world.front.subscriptions), 1)

    def test_client_forgot(self) -> None:
        """A NOTIFY answered 481, or never, ends the dialog."""
        for status in (481, None):
            self.alice.subscribe(CONTACTS, benotify=False, piggyback=False)
            self.world.clock.advance(0)
            (request,) = self.alice.connection.take_requests()
            if status is None:
                self.alice.connection.expected[request.call_id, 1].response_missing(1)
            else:
                self.alice.connection.answer(request, status)
            self.assertEqual(len(self.world.front.subscriptions), 0)

    def test_route(self) -> None:
        """Behind a proxy that records its route, notifications go by it."""
        routes = [
            ("Record-Route", "<sip:proxy.example.com;lr>"),
            ("Record-Route", "<sip:second.example.com;lr>"),
        ]
        answer = self.alice.subscribe(CONTACTS, piggyback=False, headers=routes)
        self.assertEqual(answer.headers.get_all("Record-Route"), [value for _, value in routes])
        self.world.clock.advance(0)
        (request,) = self.alice.connection.requests
        self.assertEqual(request.headers.get_all("Route"), [value for _, value in routes])

    def test_malformed(self) -> None:
        """A body that is no XML, or a DTD, is 400; the subscription is not begun."""
        for event in (PROVISIONING, SELF, "presence"):
            for body in ("<a", "<!DOCTYPE a><a/>"):
                self.assertEqual(refused(self.alice.subscribe, event, body), 400)
        self.assertEqual(len(self.world.front.subscriptions), 0)

    def test_nobody(self) -> None:
        """A connection on which nobody is signed in cannot subscribe."""
        request = self.alice.request("SUBSCRIBE", headers=[("Event", CONTACTS)])
        subscribe = self.world.front.subscriptions.subscribe
        self.assertEqual(refused(lambda: result(subscribe(FakeConnection(), request))), 403)


class SelfTest(SynchronousTestCase):
    """The own presence (docs/spec/presence.md section 3)."""

    def setUp(self) -> None:
        self.world = World()
        self.alice = self.world.client("alice")
        self.alice.register()

    def parts(self, body: bytes) -> list[str]:
        return [etree.QName(element).localname for element in etree.fromstring(body)]

    def test_parts(self) -> None:
        """Only what is asked for is sent; a later list replaces the first, no list keeps it."""
        first = self.alice.subscribe_self("categories", "containers", "future")
        self.assertEqual(self.parts(first.body), ["categories", "containers"])
        self.assertEqual(first.headers.get("Require"), "eventlist")
        later = self.alice.subscribe_self("containers", inside=True)
        self.assertEqual(self.parts(later.body), ["containers"])
        self.assertEqual(self.parts(self.alice.subscribe_self(inside=True).body), ["containers"])
        other = self.world.signed_in("alice", "000000000002")
        other.publish(publication("note", 1, 200))
        self.assertEqual(self.alice.notified(), [])

    def test_everything(self) -> None:
        """The first notify has the publications of all containers, and the initial members."""
        self.alice.publish(
            *[publication("note", 1, container, payload=note("a")) for container in (1, 2, 32000)]
        )
        body = self.alice.subscribe_self().body
        self.assertEqual([found[1] for found in named(body, "note")], ["1", "2", "32000"])
        self.assertEqual({found[1] for found in named(body, "state")}, {"2", "100", "200", "300", "400"})
        containers = [
            (element.get("id"), element.get("version"), [member.get("type") for member in element])
            for element in etree.fromstring(body).iter("{*}container")
        ]
        self.assertEqual(containers, [("100", "1", ["federated"]), ("200", "1", ["sameEnterprise"])])

    def test_nothing_yet(self) -> None:
        """An endpoint that is not registered, of a user without presence, gets the empty elements."""
        answer = self.world.client("bob").subscribe_self("categories", "containers")
        self.assertEqual(self.parts(answer.body), ["categories", "containers"])
        self.assertEqual(categories(answer.body), [])

    def test_own_only(self) -> None:
        """The roaming data of somebody else is not told."""
        self.assertEqual(refused(self.alice.subscribe_self, uri="sip:bob@example.com"), 403)

    def test_one_dialog(self) -> None:
        """A second dialog of the same endpoint replaces the first."""
        self.alice.subscribe_self()
        first = self.alice.dialogs[SELF]
        self.alice.subscribe_self()
        self.assertEqual(len(self.world.front.subscriptions), 1)
        other = self.world.signed_in("alice", "000000000002")
        other.publish(publication("note", 1, 200))
        self.assertEqual(len(self.alice.notified()), 1)
        self.alice.dialogs[SELF] = first
        self.assertEqual(refused(self.alice.subscribe_self, inside=True), 481)

    def test_memory(self) -> None:
        """After everybody has gone nobody's presence is kept in memory."""
        self.alice.subscribe_self()
        self.alice.watch("sip:bob@example.com")
        self.assertEqual(len(self.world.front.presentities), 2)
        self.alice.register(0)
        self.alice.disconnect()
        self.assertEqual(len(self.world.front.presentities), 0)
        self.assertEqual(len(self.world.front.subscriptions), 0)
