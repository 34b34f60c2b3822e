"""The test list of docs/spec/presence.md section 8, by number, through whole requests."""

from __future__ import annotations

from typing import Any

from lxml import etree
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pchat.errors import OutcomeUnknown, StoreUnavailable
from pchat.frontend.limits import PresenceLimits
from pchat.interfaces import ISipConnection
from pchat.testing.connection import FakeConnection
from tests.frontend.support import (
    PUBLISH,
    World,
    categories,
    deletion,
    named,
    note,
    publication,
    publish_body,
    refused,
    result,
)

CATEGORY = "{http://schemas.microsoft.com/2006/09/sip/categories}category"

#: Followed rooms, written as no other client would: prefixes from outside, entities, CDATA, comments, emoji.
ODD_PUBLISH = """<rp:publish xmlns:rp="http://schemas.microsoft.com/2006/09/sip/rich-presence"
 xmlns:pl="http://schemas.microsoft.com/2010/12/sip/propertyList" xmlns="urn:default">
<rp:publications uri="sip:alice@example.com">
<rp:publication categoryName="roomSetting" instance="4294967295" container="1" expireType="static">
 <pl:settings order='1'><!-- first --><pl:property name="url">ma-chan://a/b&amp;c</pl:property><inside/>
 </pl:settings></rp:publication>
<rp:publication categoryName="roomSetting" instance="2" container="1" version="0" expireType="static"
 ><x:room xmlns:x="urn:x" xmlns=""><bare><![CDATA[<not & markup>]]></bare>&#x1F600;&#13;\N{PILE OF POO}
 </x:room></rp:publication>
<rp:publication categoryName="roomSetting" instance="3" container="1" version="0" expireType="static">
 <roomSetting xml:lang="de" pl:a="&quot;&lt;&#10;"><?target data?>&gt;</roomSetting></rp:publication>
</rp:publications></rp:publish>"""


def exclusive(element: etree._Element) -> bytes:
    """Write an element canonically, without the namespaces that only its surroundings declare."""
    return bytes(etree.tostring(element, method="c14n", exclusive=True, with_comments=True, with_tail=False))


def payloads(document: bytes) -> dict[str, bytes]:
    """Take the canonical payloads of the followed rooms in a document, by instance."""
    return {
        element.get("instance", ""): exclusive(element[0])
        for element in etree.fromstring(document).iter(CATEGORY)
        if element.get("name") == "roomSetting" and len(element)
    }


class GatedStore:
    """A store whose commits happen when the test says so, or fail."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.waiting: list[tuple[Deferred[Any], tuple[Any, ...]]] = []
        self.hold = False
        self.fail: Exception | None = None
        self.down = False

    def write(self, *job: Any) -> Deferred[Any]:
        if self.fail is not None:
            return fail(self.fail)
        if not self.hold:
            written: Deferred[Any] = self._store.write(*job)
            return written
        waiting: Deferred[Any] = Deferred()
        self.waiting.append((waiting, job))
        return waiting

    def read(self, *job: Any) -> Deferred[Any]:
        answer: Deferred[Any] = fail(StoreUnavailable("down")) if self.down else self._store.read(*job)
        return answer

    def commit(self) -> None:
        waiting, self.waiting = self.waiting, []
        for deferred, job in waiting:
            self._store.write(*job).chainDeferred(deferred)


class FakeTest(SynchronousTestCase):
    """The fake that all of this stands on."""

    def test_interface(self) -> None:
        """The recording connection has everything that a connection has."""
        self.assertTrue(verifyObject(ISipConnection, FakeConnection()))


class VersionTest(SynchronousTestCase):
    """Number 1: versions."""

    def setUp(self) -> None:
        self.world = World()
        self.alice = self.world.signed_in("alice")

    def test_first_again_and_next(self) -> None:
        """The first publication becomes version 1, ignorance of it is a conflict, knowledge makes 2."""
        first = self.alice.publish(publication("note", 1, 100, 0, payload=note("a")))
        self.assertEqual(
            (first.status, first.content_type), (200, "application/vnd-microsoft-roaming-self+xml")
        )
        self.assertEqual(categories(first.body), [("note", "100", "1", "1")])
        again = self.alice.publish(publication("note", 1, 100, 0, payload=note("b")))
        self.assertEqual((again.status, again.content_type), (409, "application/msrtc-fault+xml"))
        self.assertEqual(
            again.body,
            b"<Fault><Faultcode>Client.BadCall.WrongDelta</Faultcode><details>"
            b'<operation index="1" version="0" curVersion="1"/></details></Fault>',
        )
        second = self.alice.publish(publication("note", 1, 100, 1, payload=note("c")))
        self.assertEqual(categories(second.body), [("note", "100", "1", "2")])

    def test_all_or_nothing(self) -> None:
        """Of three publications with one wrong version, none is kept; every wrong one is listed."""
        self.alice.publish(publication("note", 2, 200, payload=note("old")))
        batch = (
            publication("note", 1, 200, payload=note("new")),
            publication("note", 2, 200, payload=note("new")),
            publication("note", 3, 200, 7, payload=note("new")),
        )
        answer = self.alice.publish(*batch)
        self.assertEqual(answer.status, 409)
        operations = [dict(element.attrib) for element in etree.fromstring(answer.body).iter("operation")]
        self.assertEqual(
            operations,
            [
                {"index": "2", "version": "0", "curVersion": "1"},
                {"index": "3", "version": "7", "curVersion": "0"},
            ],
        )
        self.assertEqual(
            named(self.alice.subscribe_self("categories", inside=True).body, "note"),
            [("note", "200", "2", "1")],
        )

    def test_deleted_begins_anew(self) -> None:
        """What was deleted and is published again has version 1."""
        self.alice.publish(publication("note", 1, 200, payload=note("a")))
        self.alice.publish(publication("note", 1, 200, 1, payload=note("b")))
        self.alice.publish(deletion("note", 1, 200))
        answer = self.alice.publish(publication("note", 1, 200, payload=note("c")))
        self.assertEqual(categories(answer.body), [("note", "200", "1", "1")])

    def test_empty_value(self) -> None:
        """A publication without an element inside is one with an empty value, not a delete."""
        self.alice.publish(publication("alerts", 0, 1))
        again = self.alice.subscribe_self("categories", inside=True)
        self.assertEqual(named(again.body, "alerts"), [("alerts", "1", "0", "1")])


class EndpointsTest(SynchronousTestCase):
    """Numbers 2 and 3: several endpoints of one user, and their ends."""

    def setUp(self) -> None:
        self.world = World()
        self.first = self.world.signed_in("alice", "000000000001")
        self.second = self.world.signed_in("alice", "000000000002")
        self.first.notified()
        self.second.notified()

    def test_others_are_told(self) -> None:
        """The other endpoint gets one BENOTIFY with the whole category; who published gets only his 200."""
        self.first.publish(publication("note", 1, 200, payload=note("a")))
        self.second.notified()
        answer = self.first.publish(publication("note", 1, 300, payload=note("b")))
        whole = [("note", "200", "1", "1"), ("note", "300", "1", "1")]
        self.assertEqual(categories(answer.body), whole)
        (request,) = self.second.connection.requests
        self.assertEqual(request.method, "BENOTIFY")
        self.assertEqual(request.headers.get("Require"), "eventlist")
        self.assertEqual([categories(document) for document in self.second.notified()], [whole])
        self.assertEqual(self.first.notified(), [])

    def test_one_notification_for_state(self) -> None:
        """A state and the aggregates that follow from it come in one notification."""
        answer = self.first.publish(self.first.state(6500))
        (document,) = self.second.notified()
        self.assertEqual(categories(document), categories(answer.body))
        self.assertIn(("state", "2", "536870912", "1"), categories(document))
        self.assertIn(("state", "200", "1", "2"), categories(document))

    def test_nothing_changed_nobody_told(self) -> None:
        """Deleting what is not there succeeds and is told to nobody else."""
        self.assertEqual(self.first.publish(deletion("note", 1, 200)).status, 200)
        self.assertEqual(self.second.notified(), [])

    def test_sign_out(self) -> None:
        """Rows of an endpoint go with it, static ones stay; user rows go with the last endpoint."""
        self.first.publish(
            publication("device", 77, 2, expire_type="endpoint", payload="<device/>"),
            publication("note", 1, 200, payload=note("stays")),
            publication("legacy", 1, 2, expire_type="user", payload="<legacy/>"),
        )
        self.second.notified()
        self.first.register(expires=0)
        (document,) = self.second.notified()
        self.assertEqual(categories(document), [("device", "2", "-", "-")])
        rest = self.second.subscribe_self("categories", inside=True).body
        self.assertEqual(
            named(rest, "device", "note", "legacy"), [("legacy", "2", "1", "1"), ("note", "200", "1", "1")]
        )
        self.second.register(expires=0)
        third = self.world.client("alice", "000000000003")
        third.register()
        first_notify = third.subscribe_self("categories")
        self.assertEqual(named(first_notify.body, "device", "note", "legacy"), [("note", "200", "1", "1")])

    def test_last_writer_owns(self) -> None:
        """An endpoint row belongs to the endpoint that published it last, and ends with that one."""
        self.first.publish(publication("device", 77, 2, expire_type="endpoint"))
        self.second.publish(publication("device", 77, 2, 1, expire_type="endpoint"))
        self.first.register(expires=0)
        rest = self.second.subscribe_self("categories", inside=True).body
        self.assertEqual(named(rest, "device"), [("device", "2", "77", "2")])

    def test_lost_connection_waits(self) -> None:
        """A lost connection ends nothing; when its registration runs out, its rows go."""
        self.first.publish(publication("device", 77, 2, expire_type="endpoint"))
        self.second.notified()
        self.first.disconnect()
        self.world.clock.advance(3600)
        self.second.register()
        self.assertEqual(self.second.notified(), [])
        self.world.clock.advance(3602)
        (document,) = self.second.notified()
        self.assertEqual(categories(document), [("device", "2", "-", "-")])

    def test_after_sign_out(self) -> None:
        """Whoever signed out cannot publish by the connection that is still open."""
        self.first.register(expires=0)
        self.assertEqual(refused(self.first.publish, publication("device", 1, 2)), 403)


class FollowedRoomsTest(SynchronousTestCase):
    """Number 4: roomSetting."""

    def setUp(self) -> None:
        self.world = World()
        self.alice = self.world.signed_in("alice")

    def test_equal_after_restart(self) -> None:
        """Three followed rooms of any form are canonically equal in the 200, and after a restart."""
        sent = {
            element.get("instance", ""): exclusive(element[0])
            for element in etree.fromstring(ODD_PUBLISH).iter("{*}publication")
        }
        self.assertEqual(len(sent), 3)
        answer = self.alice.service(PUBLISH, ODD_PUBLISH)
        self.assertEqual(payloads(answer.body), sent)
        self.world.restart()
        again = self.world.client("alice")
        again.register()
        self.assertEqual(payloads(again.subscribe_self("categories").body), sent)

    def test_unfollow(self) -> None:
        """Unfollowing one leaves the others at every endpoint; unfollowing all leaves an empty category."""
        other = self.world.signed_in("alice", "000000000002")
        self.alice.service(PUBLISH, ODD_PUBLISH)
        other.notified()
        self.alice.publish(deletion("roomSetting", 2, 1))
        (document,) = other.notified()
        self.assertEqual([found[2] for found in categories(document)], ["3", "4294967295"])
        self.alice.publish(deletion("roomSetting", 3, 1), deletion("roomSetting", 4294967295, 1))
        (document,) = other.notified()
        self.assertEqual(categories(document), [("roomSetting", "1", "-", "-")])
        self.world.restart()
        again = self.world.client("alice")
        again.register()
        self.assertEqual(named(again.subscribe_self("categories").body, "roomSetting"), [])

    def test_expire_type_is_obeyed(self) -> None:
        """A roomSetting that its client publishes for its endpoint only is not made to last."""
        self.alice.publish(publication("roomSetting", 1, 1, expire_type="endpoint", payload="<a/>"))
        self.alice.register(expires=0)
        self.alice.register()
        self.assertEqual(named(self.alice.subscribe_self("categories").body, "roomSetting"), [])


class DeleteAndTimeTest(SynchronousTestCase):
    """Number 5, first half: deletes, time, big instances, equal epids."""

    def setUp(self) -> None:
        self.world = World()
        self.alice = self.world.signed_in("alice")

    def test_delete(self) -> None:
        """A delete works with any version and any type, also of what is not there."""
        self.alice.publish(publication("note", 1, 200, payload=note("a")))
        answer = self.alice.publish(deletion("note", 1, 200, 99, "time"), deletion("phone", 9, 3, 4))
        self.assertEqual(answer.status, 200)
        self.assertEqual(categories(answer.body), [("note", "200", "-", "-"), ("phone", "3", "-", "-")])

    def test_time(self) -> None:
        """A timed row tells the seconds left, runs out with a notification, and can be prolonged."""
        other = self.world.signed_in("alice", "000000000002")
        answer = self.alice.publish(publication("note", 1, 200, 0, "time", note("a"), 100))
        (element,) = etree.fromstring(answer.body).iter(CATEGORY)
        self.assertEqual(element.get("expires"), "100")
        self.world.clock.advance(60)
        self.alice.publish(publication("note", 1, 200, 1, "time", note("a"), 100))
        other.notified()
        self.world.clock.advance(98)
        self.assertEqual(other.notified(), [])
        self.world.clock.advance(3)
        self.assertEqual([categories(found) for found in other.notified()], [[("note", "200", "-", "-")]])
        self.assertEqual(
            [categories(found) for found in self.alice.notified()], [[("note", "200", "-", "-")]]
        )

    def test_time_and_restart(self) -> None:
        """After a restart a timed row is there until its time, and not there after it."""
        self.alice.publish(
            publication("note", 1, 200, 0, "time", note("short"), 100),
            publication("note", 2, 200, 0, "time", note("long"), 1000),
        )
        self.world.restart()
        self.world.clock.advance(500)
        again = self.world.client("alice")
        again.register()
        self.assertEqual(named(again.subscribe_self("categories").body, "note"), [("note", "200", "2", "1")])
        self.world.clock.advance(501)
        self.assertEqual([categories(found) for found in again.notified()], [[("note", "200", "-", "-")]])

    def test_type_may_change(self) -> None:
        """A row that was static and becomes an endpoint's is not there after a restart."""
        self.alice.publish(publication("note", 1, 200, payload=note("a")))
        self.alice.publish(publication("note", 1, 200, 1, "endpoint", note("b")))
        self.world.restart()
        again = self.world.client("alice")
        again.register()
        self.assertEqual(named(again.subscribe_self("categories").body, "note"), [])

    def test_big_instance(self) -> None:
        """Instances use all 32 bits, and may use 63; leading zeros make no difference."""
        for instance in (4294967295, 2**63 - 1):
            answer = self.alice.publish(publication("device", instance, 2, expire_type="endpoint"))
            self.assertIn(("device", "2", str(instance), "1"), categories(answer.body))
        zeros = publication("device", 4294967295, 2, 1).replace('"4294967295"', '"00004294967295"')
        self.assertEqual(self.alice.publish(zeros).status, 200)

    def test_equal_epids(self) -> None:
        """Two clients of one host fight for one row with one conflict each time, and the loop ends."""
        other = self.world.signed_in("alice")
        self.assertEqual(self.alice.publish(publication("device", 5, 2, 0, "endpoint")).status, 200)
        conflict = other.publish(publication("device", 5, 2, 0, "endpoint"))
        self.assertEqual(conflict.status, 409)
        (operation,) = etree.fromstring(conflict.body).iter("operation")
        current = int(operation.get("curVersion", ""))
        self.assertEqual(other.publish(publication("device", 5, 2, current, "endpoint")).status, 200)


class DurabilityTest(SynchronousTestCase):
    """A 200 is a promise: docs/spec/presence.md section 2."""

    def setUp(self) -> None:
        self.world = World()
        self.gate = GatedStore(self.world.store)
        self.world.store = self.gate
        self.world.restart()
        self.alice = self.world.signed_in("alice")

    def start(self, *items: str) -> list[Any]:
        request = self.alice.request(
            "SERVICE", content_type=PUBLISH, body=publish_body(self.alice.uri, *items)
        )
        outcome: list[Any] = []
        self.world.front.presence.service(self.alice.connection, request).addBoth(outcome.append)
        return outcome

    def test_commit_before_answer(self) -> None:
        """The 200, and what other endpoints are told, wait for the commit of a static row."""
        other = self.world.signed_in("alice", "000000000002")
        self.gate.hold = True
        outcome = self.start(publication("roomSetting", 1, 1, payload="<a/>"))
        self.assertEqual((outcome, other.notified()), ([], []))
        self.assertEqual(named(self.alice.subscribe_self(inside=True).body, "roomSetting"), [])
        self.gate.commit()
        self.assertEqual(outcome[0].status, 200)
        self.assertEqual(len(other.notified()), 1)

    def test_endpoint_row_needs_no_commit(self) -> None:
        """What ends with the endpoint is not written, so it need not wait."""
        self.gate.hold = True
        self.assertEqual(self.start(publication("device", 1, 2, 0, "endpoint"))[0].status, 200)

    def test_in_order(self) -> None:
        """Requests that wait for the store are carried out in their order."""
        self.gate.hold = True
        first = self.start(publication("note", 1, 200, 0, payload=note("a")))
        second = self.start(publication("note", 1, 200, 1, payload=note("b")))
        self.gate.commit()
        self.assertEqual((first[0].status, second), (200, []))
        self.gate.commit()
        self.assertEqual(categories(second[0].body), [("note", "200", "1", "2")])

    def test_waiting_is_bounded(self) -> None:
        """A client that does not wait for answers is told to come later before it costs memory."""
        self.gate.hold = True
        outcomes = [self.start(publication("note", number, 200, payload=note("a"))) for number in range(70)]
        refusals = [outcome[0].value.status for outcome in outcomes if outcome]
        self.assertEqual(refusals, [503] * 5)

    def test_store_down(self) -> None:
        """When nothing was committed nothing is true, and the same request works afterwards."""
        self.gate.fail = StoreUnavailable("disk full")
        (failure,) = self.start(publication("note", 1, 200, payload=note("a")))
        failure.trap(StoreUnavailable)
        self.assertEqual(named(self.alice.subscribe_self(inside=True).body, "note"), [])
        self.gate.fail = None
        self.assertEqual(self.start(publication("note", 1, 200, payload=note("a")))[0].status, 200)

    def test_doubt(self) -> None:
        """When it is not known whether a row was committed, the store is asked before it is shown."""
        self.start(publication("device", 1, 2, 0, "endpoint"))
        self.gate.fail = OutcomeUnknown("connection lost")
        (failure,) = self.start(publication("note", 1, 200, payload=note("a")))
        self.assertEqual(failure.value.status, 500)
        self.gate.fail = None
        body = self.alice.subscribe_self("categories", inside=True).body
        self.assertEqual(named(body, "note", "device"), [("device", "2", "1", "1")])

    def test_many_sign_ins_while_waiting(self) -> None:
        """However often endpoints come and go while the store hangs, the end is right."""
        self.start(publication("device", 1, 2, 0, "endpoint"))
        self.gate.hold = True
        self.start(publication("note", 1, 200, payload=note("a")))
        for _ in range(200):
            self.alice.register(expires=0)
            self.alice.register()
        self.gate.commit()
        body = self.alice.subscribe_self("categories").body
        self.assertEqual(named(body, "note", "device"), [("note", "200", "1", "1")])

    def test_store_down_at_sign_in(self) -> None:
        """Whoever signs in while the store is down has his presence when it is back."""
        self.alice.publish(publication("note", 1, 200, payload=note("a")))
        self.world.restart()
        again = self.world.client("alice")
        self.gate.down = True
        again.register()
        with self.assertRaises(StoreUnavailable):
            again.subscribe_self()
        self.gate.down = False
        body = again.subscribe_self("categories").body
        self.assertIn(("note", "200", "1", "1"), categories(body))
        self.assertIn(("state", "200", "1", "1"), categories(body))

    def test_sign_out_while_waiting(self) -> None:
        """An endpoint that signs out while its request waits leaves no row behind."""
        self.gate.hold = True
        self.start(publication("note", 1, 200, payload=note("a")), publication("device", 1, 2, 0, "endpoint"))
        self.alice.register(expires=0)
        self.gate.commit()
        self.gate.hold = False
        self.alice.register()
        self.assertEqual(
            named(self.alice.subscribe_self("categories").body, "note", "device"), [("note", "200", "1", "1")]
        )


class RefusalTest(SynchronousTestCase):
    """The table of docs/spec/presence.md section 7."""

    def setUp(self) -> None:
        self.limits = PresenceLimits(value_bytes=200, request_bytes=5000, publications=5, user_bytes=400)
        self.world = World(self.limits)
        self.alice = self.world.signed_in("alice")

    def test_others(self) -> None:
        """Nobody publishes for somebody else, neither by To nor by the document."""
        self.assertEqual(
            refused(self.alice.publish, publication("note", 1, 200), uri="sip:bob@example.com"), 403
        )
        body = publish_body(self.alice.uri, publication("note", 1, 200))
        self.assertEqual(refused(self.alice.service, PUBLISH, body, uri="sip:bob@example.com"), 403)

    def test_media_type(self) -> None:
        """Other bodies in a SERVICE are 415; the acknowledgement of a subscriber is accepted."""
        self.assertEqual(refused(self.alice.service, "application/SOAP+xml", "<a/>"), 415)
        self.assertEqual(refused(self.alice.service, "", ""), 415)
        answer = self.alice.service("application/msrtc-presence-setsubscriber+xml", "<setSubscribers/>")
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_malformed(self) -> None:
        """Whatever is not the documented form is 400, and the connection goes on."""
        bodies = [
            "",
            "no xml",
            "<a>",
            "<!DOCTYPE publish><publish/>",
            '<!DOCTYPE a [<!ENTITY b "c">]><publish>&b;</publish>',
            "<a/>",
            "<publish/>",
            "<publish><publications/><publications/></publish>",
            '<publish><publications uri=""/></publish>',
            publish_body(self.alice.uri, '<publication instance="1" container="1"/>'),
            publish_body(self.alice.uri, '<publication categoryName="a" container="1"/>'),
            publish_body(self.alice.uri, '<publication categoryName="a" instance="1"/>'),
            publish_body(self.alice.uri, '<publication categoryName="" instance="1" container="1"/>'),
            publish_body(self.alice.uri, publication("a", -1, 1)),
            publish_body(self.alice.uri, publication("a", 2**63, 1)),
            publish_body(self.alice.uri, publication("a", 1, 32768)),
            publish_body(self.alice.uri, publication("a", 1, 1, -1)),
            publish_body(self.alice.uri, publication("a" * 257, 1, 1)),
            publish_body(self.alice.uri, publication("a", 1, 1, 0, "sometimes")),
            publish_body(self.alice.uri, publication("a", 1, 1, 0, "time")),
            publish_body(self.alice.uri, publication("a", 1, 1, 0, "time", "", 10**12)),
            publish_body(self.alice.uri, publication("a", 1, 1, payload="<b/><c/>")),
            publish_body(self.alice.uri, publication("a", 1, 1), publication("a", 1, 1)),
            publish_body(self.alice.uri, publication("a", 1, 1, payload="<b>&#1;</b>")),
            publish_body(self.alice.uri, publication("a", 1, 1, payload="<d>" * 300 + "</d>" * 300)),
        ]
        for body in bodies:
            with self.subTest(body[:120]):
                self.assertEqual(refused(self.alice.service, PUBLISH, body), 400)
        self.assertEqual(self.alice.publish(publication("a", 1, 1)).status, 200)

    def test_too_big(self) -> None:
        """Over any limit it is 413, nothing is applied, and deleting still works."""
        self.assertEqual(
            refused(self.alice.publish, publication("a", 1, 1, payload=f"<a>{'x' * 200}</a>")), 413
        )
        self.assertEqual(refused(self.alice.service, PUBLISH, b" " * 5001), 413)
        many = [publication("a", number, 1) for number in range(6)]
        self.assertEqual(refused(self.alice.publish, *many), 413)
        big = f"<a>{'x' * 100}</a>"
        self.alice.publish(*[publication("a", number, 1, payload=big) for number in range(2)])
        more = [publication("b", number, 1, payload=big) for number in range(2)]
        self.assertEqual(refused(self.alice.publish, *more), 413)
        self.assertEqual(self.alice.publish(deletion("a", 0, 1), more[0]).status, 200)

    def test_server_rows(self) -> None:
        """What the server makes cannot be overwritten or deleted by a client."""
        self.assertEqual(refused(self.alice.publish, publication("state", 1, 200, 1)), 403)
        self.assertEqual(refused(self.alice.publish, deletion("state", 1, 200)), 403)

    def test_any_category(self) -> None:
        """Unknown names are kept like known ones; case makes a difference."""
        self.alice.publish(publication("Ünknown", 1, 1, payload="<a/>"))
        answer = self.alice.publish(publication("ünknown", 1, 1, payload="<a/>"))
        self.assertEqual(categories(answer.body), [("ünknown", "1", "1", "1")])

    def test_unknown_connection(self) -> None:
        """A connection on which nobody is signed in has no presence."""
        request = self.alice.request("SERVICE", content_type=PUBLISH, body="<a/>")
        presence = self.world.front.presence
        self.assertEqual(refused(lambda: result(presence.service(FakeConnection(), request))), 403)
