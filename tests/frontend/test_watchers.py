"""Contact presence: what watchers see, and when they are told (docs/spec/presence.md sections 4 and 5)."""

from __future__ import annotations

import email
from email.message import Message

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from pchat.frontend.limits import PresenceLimits
from pchat.frontend.watchers import WATCHERS_A_TURN
from pchat.sip.message import Response
from tests.frontend.support import (
    Client,
    World,
    categories,
    deletion,
    note,
    principal_record,
    publication,
    refused,
)

ALICE, BOB = "sip:alice@example.com", "sip:bob@example.com"
CONTAINERS = "application/msrtc-setcontainermembers+xml"


def availability(document: bytes | etree._Element) -> list[str]:
    """Read the availability from a categories document."""
    root = etree.fromstring(document) if isinstance(document, bytes) else document
    return [element.text or "" for element in root.iter("{*}availability")]


def contacts(answer: Response) -> dict[str, bytes]:
    """Take apart a multipart answer: the documents by the URI of the contact, in the order of the list."""
    head = f"Content-Type: {answer.headers.get('Content-Type')}\r\n\r\n".encode()
    message: Message = email.message_from_bytes(head + answer.body)
    parts = message.get_payload()
    assert isinstance(parts, list)
    bodies: dict[str, bytes] = {}
    for part in parts:
        assert isinstance(part, Message)
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        bodies[part["Content-ID"]] = payload
    listing = etree.fromstring(bodies[str(message.get_param("start"))])
    found = {}
    for resource in listing:
        assert resource[0].get("state") == "active"
        found[resource.get("uri", "")] = bodies[resource[0].get("cid", "")]
    return found


def members(*items: str, container: int, version: int) -> str:
    """Write a setContainerMembers document for one container."""
    namespace = "http://schemas.microsoft.com/2006/09/sip/container-management"
    inside = f'<container id="{container}" version="{version}">{"".join(items)}</container>'
    return f'<setContainerMembers xmlns="{namespace}">{inside}</setContainerMembers>'


class WatchTest(SynchronousTestCase):
    """What a watcher sees at once, and later."""

    def setUp(self) -> None:
        self.world = World(PresenceLimits(contacts=3))
        self.alice = self.world.client("alice")
        self.alice.register()

    def tell(self) -> list[etree._Element]:
        """Let the gathering time pass and take what came."""
        self.world.clock.advance(1)
        return self.alice.notified()

    def test_first_answer(self) -> None:
        """Online, offline and unknown contacts: each has a part, named by the URI asked for."""
        bob = self.world.client("bob")
        bob.register()
        self.world.directory.apply_principal(principal_record(9, "eve", state=1))
        self.world.directory.apply_principal(principal_record(10, "dept", kind=9))
        answer = self.alice.watch("sip:BOB@example.com", "sip:carol@example.com", "sip:eve@example.com")
        self.assertEqual(answer.headers.get("Require"), "eventlist")
        found = contacts(answer)
        self.assertEqual(list(found), ["sip:BOB@example.com", "sip:carol@example.com", "sip:eve@example.com"])
        self.assertEqual([availability(body) for body in found.values()], [["3500"], ["18500"], []])
        for uri, body in found.items():
            self.assertEqual(etree.fromstring(body).get("uri"), uri)
        group = self.alice.watch("sip:dept@example.com", "sip:nobody@elsewhere.net")
        self.assertEqual([availability(body) for body in contacts(group).values()], [[], []])

    def test_values(self) -> None:
        """A contact without a card of its own has the directory's; nothing tells container or version."""
        bob = self.world.client("bob")
        bob.register()
        bob.publish(publication("note", 1, 200, payload=note("hello")), publication("note", 1, 300))
        (body,) = contacts(self.alice.watch(BOB)).values()
        self.assertIn(b"<displayName>Bob</displayName>", body)
        self.assertIn(b"hello", body)
        self.assertEqual(
            categories(body),
            [
                ("calendarData", "-", "-", "-"),
                ("contactCard", "-", "0", "-"),
                ("note", "-", "1", "-"),
                ("services", "-", "0", "-"),
                ("state", "-", "1", "-"),
            ],
        )

    def test_online_and_offline(self) -> None:
        """Signing in and out reaches the watcher, once each, with what changed only."""
        self.alice.watch(BOB)
        bob = self.world.client("bob")
        bob.register()
        bob.publish(bob.state(6500))
        (document,) = self.tell()
        self.assertEqual(document.get("uri"), BOB)
        self.assertEqual(availability(document), ["6500"])
        bob.publish(bob.state(6500, 1))
        self.assertEqual(self.tell(), [])
        bob.publish(publication("note", 1, 200, payload=note("lunch")))
        (document,) = self.tell()
        self.assertEqual(categories(document), [("note", "-", "1", "-")])
        bob.register(0)
        (document,) = self.tell()
        self.assertEqual(availability(document), ["18500"])
        self.assertNotIn(("note", "-", "1", "-"), categories(document))

    def test_private_containers(self) -> None:
        """Containers 1 to 3 are never shown, whatever a watcher asks for and a member list says."""
        bob = self.world.client("bob")
        bob.register()
        for container in (1, 2, 3):
            bob.publish(publication("secret", 1, container, payload="<secret/>"))
            add = '<member action="add" type="user" value="alice@example.com"/>'
            self.assertEqual(
                bob.service(CONTAINERS, members(add, container=container, version=0)).status, 200
            )
        (body,) = contacts(self.alice.watch(BOB, names=("secret", "state"))).values()
        self.assertNotIn(b"<secret", body)
        bob.publish(publication("secret", 1, 2, 1, payload="<secret/>"))
        self.assertEqual(self.tell(), [])

    def test_blocked(self) -> None:
        """A blocked watcher sees the user as offline from the moment of blocking, and again when let in."""
        bob = self.world.client("bob")
        bob.register()
        bob.publish(publication("note", 1, 200, payload=note("hello")))
        self.alice.watch(BOB)
        add = '<member action="add" type="user" value="sip:Alice@example.com"/>'
        self.assertEqual(bob.service(CONTAINERS, members(add, container=32000, version=0)).status, 200)
        (document,) = self.tell()
        self.assertEqual(availability(document), ["18500"])
        self.assertNotIn(b"hello", etree.tostring(document))
        carol = self.world.client("carol")
        self.assertEqual([availability(body) for body in contacts(carol.watch(BOB)).values()], [["3500"]])
        self.assertEqual(
            [availability(body) for body in contacts(self.alice.watch(BOB)).values()], [["18500"]]
        )
        remove = add.replace("add", "delete")
        bob.service(CONTAINERS, members(remove, container=32000, version=1))
        self.assertIn(["3500"], [availability(document) for document in self.tell()])

    def test_default_container(self) -> None:
        """Whoever is a member of nothing sees who it is, and not whether he is there."""
        bob = self.world.client("bob")
        bob.register()
        remove = '<member action="delete" type="sameEnterprise"/>'
        bob.service(CONTAINERS, members(remove, container=200, version=1))
        (body,) = contacts(self.alice.watch(BOB)).values()
        self.assertEqual(availability(body), [])
        self.assertIn(b"<displayName>Bob</displayName>", body)

    def test_more_and_fewer(self) -> None:
        """In the dialog contacts are added and dropped; a refresh tells them all."""
        self.alice.watch(ALICE, BOB)
        added = self.alice.watch("sip:carol@example.com", inside=True)
        self.assertEqual(list(contacts(added)), ["sip:carol@example.com"])
        self.alice.watch(BOB, action="unsubscribe", inside=True)
        refreshed = self.alice.subscribe("presence", inside=True)
        self.assertEqual(list(contacts(refreshed)), [ALICE, "sip:carol@example.com"])
        self.world.client("bob").register()
        self.assertEqual(self.tell(), [])
        self.world.client("carol").register()
        self.assertEqual([document.get("uri") for document in self.tell()], ["sip:carol@example.com"])

    def test_single(self) -> None:
        """Without a body the contact in To is watched."""
        self.assertEqual(list(contacts(self.alice.subscribe("presence", uri=BOB))), [BOB])

    def test_no_uri(self) -> None:
        """A contact whose address is none is unknown; the others are told all the same."""
        found = contacts(self.alice.watch("nobody at all", "tel:+1234", BOB))
        self.assertEqual([availability(body) for body in found.values()], [[], [], ["18500"]])

    def test_bounded(self) -> None:
        """More contacts than allowed are refused, at once or one after the other."""
        uris = [f"sip:user{number}@example.com" for number in range(4)]
        self.assertEqual(refused(self.alice.watch, *uris), 413)
        self.alice.watch(*uris[:3])
        self.assertEqual(refused(self.alice.watch, uris[3], inside=True), 413)
        self.assertEqual(refused(self.alice.watch, ALICE, names=[f"c{number}" for number in range(33)]), 413)

    def test_no_names_wanted(self) -> None:
        """Only the categories asked for are told, and only changes of those."""
        self.alice.watch(BOB, names=("note",))
        bob = self.world.client("bob")
        bob.register()
        self.assertEqual(self.tell(), [])
        bob.publish(publication("note", 1, 200, payload=note("a")))
        self.assertEqual([categories(document) for document in self.tell()], [[("note", "-", "1", "-")]])
        bob.publish(deletion("note", 1, 200))
        self.assertEqual([categories(document) for document in self.tell()], [[("note", "-", "-", "-")]])

    def test_gone_watchers(self) -> None:
        """Nothing is sent to, or kept for, watchers that are gone."""
        self.alice.watch(BOB)
        self.alice.disconnect()
        self.world.client("bob").register()
        self.assertEqual(self.tell(), [])

    def test_disabled(self) -> None:
        """An account that is disabled while it is watched is seen offline."""
        bob = self.world.client("bob")
        bob.register()
        self.alice.watch(BOB)
        self.world.directory.apply_principal(principal_record(2, "bob", state=1))
        self.world.front.registrar.end_user(self.world.user("bob"), "disabled")
        (document,) = self.tell()
        self.assertEqual(availability(document), ["18500"])

    def test_new_name(self) -> None:
        """A new display name reaches watchers."""
        self.alice.watch(BOB)
        self.world.user("bob").display_name = "Robert"
        self.world.front.watchers.user_changed(self.world.user("bob"))
        (document,) = self.tell()
        self.assertEqual(categories(document), [("contactCard", "-", "0", "-")])
        self.assertIn(b"Robert", etree.tostring(document))

    def test_many_watchers(self) -> None:
        """More watchers than one turn takes are told in the next turns, each once, unless they are gone."""
        watchers = [self.world.client("carol", port=number) for number in range(2 * WATCHERS_A_TURN + 50)]
        for one in watchers:
            one.watch(BOB)
        bob = self.world.client("bob")
        bob.register()
        last = watchers.pop()
        told: list[Client] = []
        self.world.clock.callLater(
            0.5, lambda: told.extend(one for one in watchers if one.connection.requests)
        )
        self.world.clock.callLater(0.5, last.disconnect)
        self.world.clock.advance(0.5)
        self.assertEqual(told, watchers[:WATCHERS_A_TURN])
        self.assertEqual([len(one.notified()) for one in watchers], [1] * len(watchers))
        self.assertEqual(last.notified(), [])
        bob.register(0)
        self.world.clock.advance(0.5)
        self.assertEqual([len(one.notified()) for one in watchers], [1] * len(watchers))


class MembersTest(SynchronousTestCase):
    """SERVICE setContainerMembers (docs/spec/presence.md section 4)."""

    def setUp(self) -> None:
        self.world = World(PresenceLimits(members=3, containers=4))
        self.alice = self.world.signed_in("alice")
        self.alice.notified()

    def shown(self, document: etree._Element) -> list[tuple[str, str, list[tuple[str, str]]]]:
        return [
            (
                element.get("id", ""),
                element.get("version", ""),
                [(member.get("type", ""), member.get("value", "")) for member in element],
            )
            for element in document.iter("{*}container")
        ]

    def test_add(self) -> None:
        """Who is added is stored, told to all endpoints with the whole list, and there after a restart."""
        add = '<member action="add" type="user" value="bob@example.com"/>'
        answer = self.alice.service(CONTAINERS, members(add, add, container=300, version=0))
        self.assertEqual((answer.status, answer.body), (200, b""))
        expected = [("300", "1", [("user", "bob@example.com")])]
        self.assertEqual([self.shown(document) for document in self.alice.notified()], [expected])
        self.world.restart()
        again = self.world.client("alice")
        body = again.subscribe_self("containers").body
        self.assertIn(expected[0], self.shown(etree.fromstring(body)))

    def test_conflict(self) -> None:
        """A version that is not the current one is a conflict, and nothing of the request is done."""
        add = '<member action="add" type="domain" value="example.net"/>'
        namespace = "http://schemas.microsoft.com/2006/09/sip/container-management"
        both = "".join(f'<container id="{number}" version="0">{add}</container>' for number in (300, 200))
        answer = self.alice.service(
            CONTAINERS, f'<setContainerMembers xmlns="{namespace}">{both}</setContainerMembers>'
        )
        self.assertEqual(answer.status, 409)
        self.assertIn(b'<operation index="2" version="0" curVersion="1"/>', answer.body)
        self.assertEqual(self.alice.notified(), [])

    def test_delete_nothing(self) -> None:
        """Deleting who is not there succeeds; a list that became empty is shown without members."""
        remove = '<member action="delete" type="sameEnterprise"/><member action="delete" type="everyone"/>'
        self.assertEqual(
            self.alice.service(CONTAINERS, members(remove, container=200, version=1)).status, 200
        )
        self.assertEqual([self.shown(document) for document in self.alice.notified()], [[("200", "2", [])]])

    def test_refused(self) -> None:
        """Malformed requests are 400, too many members or containers 413."""
        for item in (
            '<member action="add" type="alien"/>',
            '<member action="move" type="everyone"/>',
            '<member action="add" type="user"/>',
        ):
            self.assertEqual(
                refused(self.alice.service, CONTAINERS, members(item, container=300, version=0)), 400
            )
        self.assertEqual(refused(self.alice.service, CONTAINERS, members(container=40000, version=0)), 400)
        self.assertEqual(
            refused(self.alice.service, CONTAINERS, "<setContainerMembers><container/></x>"), 400
        )
        four = [f'<member action="add" type="user" value="u{number}@example.com"/>' for number in range(4)]
        self.assertEqual(
            refused(self.alice.service, CONTAINERS, members(*four, container=300, version=0)), 413
        )
        for number in (300, 301):
            self.alice.service(CONTAINERS, members(four[0], container=number, version=0))
        self.assertEqual(
            refused(self.alice.service, CONTAINERS, members(four[0], container=302, version=0)), 413
        )
