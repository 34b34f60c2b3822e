"""A dialog from our side: what is sent in it, how far ahead of the client, and when it is over."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pchat.auth.signature import Association
from pchat.directory.people import Principal, PrincipalKind, PrincipalState
from pchat.errors import SipRefused
from pchat.interfaces import IResponseReceiver, ISipConnection
from pchat.sip.dialog import (
    MINIMUM_SESSION_SECONDS,
    SESSION_GRACE_SECONDS,
    SESSION_SECONDS,
    Dialog,
    Dialogs,
    IDialogApplication,
    InfoLimits,
    info_payload,
    session_seconds,
)
from pchat.sip.headers import Headers
from pchat.sip.message import Request
from pchat.testing.connection import FakeConnection
from pchat.testing.store import counting_random
from tests.sip.fixtures import one_request

POOL = "sip:ocschat@example.com"


def principal(number: int = 1, name: str = "alice") -> Principal:
    """Make a person."""
    uri = f"sip:{name}@example.com"
    return Principal(
        id=number,
        guid=f"guid-{number}",
        uri=uri,
        key=uri,
        kind=PrincipalKind.USER,
        name=name,
        display_name=name,
        company="",
        email="",
        state=PrincipalState.ACTIVE,
    )


def request(method: str, cseq: int = 1, *headers: tuple[str, str], **changed: str) -> Request:
    """Write a request of the client."""
    fields = {
        "Via": "SIP/2.0/tls 192.0.2.7:49152",
        "From": "<sip:alice@example.com>;tag=4278647422;epid=cf0b98dadeb9",
        "To": f"<{POOL}>",
        "Call-ID": "E476g323",
        "CSeq": f"{cseq} {method}",
    }
    fields.update({name.replace("_", "-"): value for name, value in changed.items()})
    if method == "INVITE" and "Contact" not in fields:
        fields["Contact"] = "<sip:192.0.2.7:49152;transport=tls;ms-opaque=d3>"
    return Request(method, POOL, Headers([*fields.items(), *headers]))


@implementer(IDialogApplication)
@define(eq=False)
class Application:
    """Notes what a dialog tells."""

    ends: list[str] = field(factory=list)
    infos: list[Request] = field(factory=list)

    def info_received(self, request: Request) -> None:
        """Note an INFO."""
        self.infos.append(request)

    def dialog_ended(self, reason: str) -> None:
        """Note the end."""
        self.ends.append(reason)


class Case(SynchronousTestCase):
    """A dialog of Alice with three INFOs unanswered at most, and two that may wait."""

    limits = InfoLimits(outstanding=3, pending=2)

    def setUp(self) -> None:
        self.alice = principal()
        self.connection = FakeConnection(user=self.alice)
        self.dialogs = Dialogs(counting_random(), self.limits)
        self.dialog, self.application = self.invited(request("INVITE"))

    def invited(self, invite: Request) -> tuple[Dialog, Application]:
        """Open a dialog."""
        dialog = self.dialogs.create(self.connection, self.alice, invite, 0.0)
        dialog.application = application = Application()
        return dialog, application

    def send(self, *texts: str) -> None:
        """Send INFOs."""
        for text in texts:
            self.dialog.send_info(info_payload(text.encode()))

    def sent(self) -> list[Request]:
        """Take what was sent, as the client reads it."""
        taken, self.connection.sent[:] = self.connection.sent[:], []
        return [one_request(data) for data in taken]

    def bodies(self) -> list[str]:
        """Take the bodies of what was sent."""
        return [one.body.decode() for one in self.sent()]

    def answer(self, number: int, status: int = 200) -> None:
        """Let the client answer an INFO."""
        info = request("INFO", number)
        receiver = self.connection.expected.pop((self.dialog.call_id, number))
        receiver.response_received(info.response(status), number)

    def refusal(self, call: Any, *args: Any) -> int:
        """Tell with which status something is refused."""
        status: int = self.assertRaises(SipRefused, call, *args).status
        return status


class Interfaces(Case):
    """What is plugged together fits."""

    def test_interfaces(self) -> None:
        """Dialog and fakes offer what the others call."""
        verifyObject(IResponseReceiver, self.dialog)
        verifyObject(ISipConnection, self.connection)
        verifyObject(IDialogApplication, self.application)


class OurRequests(Case):
    """An INFO of ours as the client gets it."""

    def test_headers(self) -> None:
        """It goes to the client's Contact, with both tags, his epid, our CSeq and a Via of our own."""
        self.send("one", "two")
        first, second = self.sent()
        self.assertEqual(first.uri, "sip:192.0.2.7:49152;transport=tls;ms-opaque=d3")
        self.assertEqual((first.from_.uri, first.from_.tag), (POOL, self.dialog.local_tag))
        self.assertEqual((first.to.uri, first.to.tag), ("sip:alice@example.com", "4278647422"))
        self.assertEqual(first.to.params.get("epid"), "cf0b98dadeb9")
        self.assertEqual((first.cseq.number, second.cseq.number), (1, 2))
        self.assertEqual(first.call_id, "E476g323")
        self.assertEqual((first.content_type, first.body), ("text/plain", b"one"))
        self.assertEqual(first.vias[0].sent_by, "192.0.2.1:5061")
        self.assertNotEqual(first.vias[0].branch, second.vias[0].branch)

    def test_without_contact_and_epid(self) -> None:
        """A client that gives neither is addressed by its From."""
        invite = request("INVITE", From="<sip:alice@example.com>;tag=7")
        invite.headers.remove("Contact")
        self.dialog, _ = self.invited(invite)
        self.send("hello")
        [info] = self.sent()
        self.assertEqual(info.uri, "sip:alice@example.com")
        self.assertNotIn("epid", info.to.params)

    def test_route(self) -> None:
        """Proxies that recorded their route are passed in their order."""
        routes = [("Record-Route", "<sip:p1.example.com;lr>"), ("Record-Route", "<sip:p2.example.com;lr>")]
        self.dialog, _ = self.invited(request("INVITE", 1, *routes))
        self.send("hello")
        [info] = self.sent()
        self.assertEqual(info.headers.get_all("Route"), [value for _, value in routes])

    def test_bad_contact(self) -> None:
        """An INVITE whose Contact is no address is refused, and leaves nothing behind."""
        before = len(self.dialogs)
        self.assertEqual(self.refusal(self.invited, request("INVITE", Contact="<<<")), 400)
        self.assertEqual(len(self.dialogs), before)

    def test_new_handshake(self) -> None:
        """After a new handshake what is sent is signed by the new keys, from that INFO on."""

        def association(key: bytes) -> Association:
            return Association.ntlm(
                key * 16,
                version=4,
                opaque=key.hex(),
                realm="SIP Communications Service",
                target_name="frontend.example.com",
                user=self.alice,
                random=counting_random(),
            )

        self.send("unsigned")
        self.connection.association = first = association(b"\1")
        self.send("by the first")
        self.connection.association = second = association(b"\2")
        self.send("by the second")
        values = [one.headers.get("Authentication-Info") for one in self.sent()]
        self.assertIsNone(values[0])
        self.assertIn(f'opaque="{first.opaque}"', values[1] or "")
        self.assertIn(f'opaque="{second.opaque}"', values[2] or "")
        self.assertEqual([value and value.count('snum="1"') for value in values], [None, 1, 1])


class Window(Case):
    """How far we run ahead of a client."""

    def test_no_more_than_the_window(self) -> None:
        """What exceeds the unanswered INFOs waits, and leaves one by one as answers come."""
        self.send("1", "2", "3", "4", "5")
        self.assertEqual(self.bodies(), ["1", "2", "3"])
        self.answer(1)
        self.assertEqual(self.bodies(), ["4"])
        self.answer(3)
        self.assertEqual(self.bodies(), ["5"])
        self.answer(2)
        self.assertEqual(self.bodies(), [])

    def test_default_window(self) -> None:
        """Unless configured otherwise 64 INFOs are on their way at most."""
        self.dialogs = Dialogs(counting_random(), InfoLimits())
        self.dialog, _ = self.invited(request("INVITE"))
        self.send(*map(str, range(70)))
        self.assertEqual(len(self.sent()), 64)

    def test_slow_reader(self) -> None:
        """A client that lets too much wait is dropped at once; nothing more is kept for it."""
        self.send("1", "2", "3", "4", "5")
        self.assertIsNone(self.connection.closed)
        self.send("6")
        self.assertIn("slow reader", self.connection.closed or "")
        self.send("7")
        self.assertEqual(len(self.dialog.pending), 2)

    def test_slow_reader_of_large_messages(self) -> None:
        """Few large messages weigh as much as many small ones."""
        self.dialogs = Dialogs(counting_random(), InfoLimits(1, 100, 1000))
        self.dialog, _ = self.invited(request("INVITE"))
        self.send("1", "x" * 2000)
        self.assertIsNone(self.connection.closed)
        self.send("2")
        self.assertIn("slow reader", self.connection.closed or "")

    @settings(max_examples=150, deadline=None)
    @given(steps=st.lists(st.sampled_from(["send", "answer first", "answer last"]), max_size=60))
    def test_any_order(self, steps: list[str]) -> None:
        """However answers come: all is sent once and in order, never more than the window is unanswered."""
        connection = FakeConnection(user=self.alice)
        dialog = Dialogs(counting_random(), InfoLimits(3, 1000)).create(
            connection, self.alice, request("INVITE"), 0.0
        )
        count = 0
        for step in steps:
            if step == "send":
                count += 1
                dialog.send_info(info_payload(b"%d" % count))
            elif connection.expected:
                number = (min if step == "answer first" else max)(cseq for _, cseq in connection.expected)
                receiver = connection.expected.pop((dialog.call_id, number))
                receiver.response_received(request("INFO", number).response(200), number)
            self.assertLessEqual(len(connection.expected), 3)
            self.assertEqual(dialog.outstanding, len(connection.expected))
            bodies = [one_request(data).body for data in connection.sent]
            self.assertEqual(bodies, [b"%d" % number for number in range(1, len(bodies) + 1)])
            self.assertEqual(len(bodies) + len(dialog.pending), count)
            self.assertTrue(not dialog.pending or len(connection.expected) == 3)
            self.assertEqual(dialog.pending_bytes, sum(map(len, dialog.pending)))


class TheEnd(Case):
    """When a dialog is over, and that its application hears it once."""

    def test_refused_infos(self) -> None:
        """An INFO that is refused tells that the client has lost the dialog: no further one is sent."""
        for status in (481, 487, 500, 603):
            self.dialog, application = self.invited(request("INVITE"))
            self.send("1", "2", "3", "4")
            self.answer(1, status)
            self.assertEqual(application.ends, [f"INFO answered {status}"])
            self.sent()
            self.answer(2)
            self.answer(3, status)
            self.send("5")
            self.assertEqual((self.sent(), list(self.dialog.pending)), ([], []))
            self.assertEqual(len(application.ends), 1)
            self.assertIsNone(self.connection.closed)

    def test_no_answer(self) -> None:
        """A client that does not answer is dropped with its dialog, since its answers may come any time."""
        self.send("1", "2")
        self.dialog.response_missing(1)
        self.dialog.response_missing(2)
        self.assertEqual(self.application.ends, ["INFO not answered"])
        self.assertIn("not answered", self.connection.closed or "")

    def test_no_answer_after_the_end(self) -> None:
        """Answers that are missing after the dialog is over do not concern the connection."""
        self.send("1")
        self.dialogs.end(self.dialog, "left")
        self.dialog.response_missing(1)
        self.assertEqual((self.application.ends, self.connection.closed), (["left"], None))

    def test_answers_after_the_end(self) -> None:
        """Nor does an answer that comes late bring anything back."""
        self.send("1", "2", "3", "4")
        self.dialogs.end(self.dialog, "left")
        self.sent()
        self.answer(1)
        self.assertEqual(self.sent(), [])

    def test_dialog_without_application(self) -> None:
        """A dialog may end before anybody lives in it."""
        dialog = self.dialogs.create(self.connection, self.alice, request("INVITE"), 0.0)
        dialog.end("too early")
        self.assertTrue(dialog.ended)

    def test_connection_lost(self) -> None:
        """All dialogs of a connection end with it, those of others do not."""
        _, second = self.invited(request("INVITE"))
        other = FakeConnection(user=self.alice)
        kept = self.dialogs.create(other, self.alice, request("INVITE"), 0.0)
        self.dialogs.connection_lost(self.connection, "connection lost")
        self.assertEqual((self.application.ends, second.ends), (["connection lost"], ["connection lost"]))
        self.assertEqual((list(self.dialogs), self.dialogs.of_connection(self.connection)), ([kept], []))
        self.assertEqual(self.dialogs.of_connection(other), [kept])

    def test_ended_twice(self) -> None:
        """To end a dialog again changes nothing."""
        self.dialogs.end(self.dialog, "left")
        self.dialogs.end(self.dialog, "again")
        self.assertEqual(self.application.ends, ["left"])
        self.assertEqual(len(self.dialogs), 0)


class Finding(Case):
    """A request finds its dialog only if all that it says agrees."""

    def inside(self, **changed: str) -> Request:
        """Write a request inside the dialog."""
        to = f"<{POOL}>;tag={self.dialog.local_tag}"
        return request("INFO", 2, **{"To": to, **changed})

    def test_found(self) -> None:
        """The client's own request is led to its dialog."""
        self.assertIs(self.dialogs.find(self.connection, self.inside()), self.dialog)

    def test_not_found(self) -> None:
        """Another tag, Call-ID, connection or user finds nothing, and is told the same each time."""
        for changed in (
            {"To": f"<{POOL}>"},
            {"To": f"<{POOL}>;tag=guess"},
            {"Call_ID": "other"},
            {"From": "<sip:alice@example.com>;tag=other"},
            {"From": "<sip:alice@example.com>"},
        ):
            self.assertEqual(self.refusal(self.dialogs.find, self.connection, self.inside(**changed)), 481)
        other = FakeConnection(user=self.alice)
        self.assertEqual(self.refusal(self.dialogs.find, other, self.inside()), 481)
        self.connection.user = principal(2, "mallory")
        self.assertEqual(self.refusal(self.dialogs.find, self.connection, self.inside()), 481)

    def test_dead_dialog(self) -> None:
        """A dialog that the client itself declared dead is not found any more, also before the next sweep."""
        self.send("1")
        self.answer(1, 487)
        self.assertEqual(self.refusal(self.dialogs.find, self.connection, self.inside()), 481)

    def test_sequence(self) -> None:
        """Each request must be numbered above the one before; gaps are allowed, an ACK repeats a number."""
        self.dialog.check_sequence(request("INFO", 2))
        self.dialog.check_sequence(request("INFO", 7))
        for number in (7, 3, 1):
            self.assertEqual(self.refusal(self.dialog.check_sequence, request("INFO", number)), 500)
        self.dialog.check_sequence(request("ACK", 1))
        self.dialog.check_sequence(request("INFO", 8))

    def test_tags_differ(self) -> None:
        """Each dialog has a tag of its own, of 80 bits."""
        second, _ = self.invited(request("INVITE"))
        self.assertNotEqual(second.local_tag, self.dialog.local_tag)
        self.assertEqual(len(second.local_tag), 20)


class SessionTimer(Case):
    """How long a dialog lives without a sign of life."""

    def test_what_is_agreed(self) -> None:
        """The client's wish counts up to ours; who can refresh without naming a time gets ours."""
        for headers, expected in (
            ([], None),
            ([("Session-Expires", "600;refresher=uac")], 600),
            ([("Session-Expires", str(MINIMUM_SESSION_SECONDS))], MINIMUM_SESSION_SECONDS),
            ([("Session-Expires", "999999999")], SESSION_SECONDS),
            ([("Session-Expires", "999999999"), ("Min-SE", "3600")], 3600),
            ([("Session-Expires", "3600"), ("Min-SE", "7200")], 3600),
            ([("Supported", "gruu-10, Timer")], SESSION_SECONDS),
            ([("Supported", "gruu-10"), ("Supported", "timer")], SESSION_SECONDS),
            ([("User-Agent", "Purple/2.14 Sipe/1.25.0")], SESSION_SECONDS),
        ):
            self.assertEqual(session_seconds(request("INVITE", 1, *headers)), expected, headers)

    def test_refused(self) -> None:
        """Too short a time is refused with the least one; what is no number is malformed."""
        short = request("INVITE", 1, ("Session-Expires", "89"))
        error = self.assertRaises(SipRefused, session_seconds, short)
        self.assertEqual((error.status, dict(error.headers)["Min-SE"]), (422, "90"))
        for text in ("soon", "-1", "", "٣٠٠", "9" * 10):
            bad = request("INVITE", 1, ("Session-Expires", text))
            self.assertEqual(self.refusal(session_seconds, bad), 400, text)

    def test_expiry(self) -> None:
        """A dialog is given up a grace time after its session time, and each sign of life begins it anew."""
        invite = request("INVITE", 1, ("Session-Expires", "600"))
        dialog = self.dialogs.create(self.connection, self.alice, invite, 1000.0)
        dialog.application = Application()
        expired: list[Dialog] = []
        last = 1000.0 + 600 + SESSION_GRACE_SECONDS
        self.dialogs.sweep(last, expired.append)
        self.assertEqual(expired, [])
        self.dialogs.sweep(last + 1, expired.append)
        self.assertEqual(expired, [dialog])
        dialog.refresh(request("UPDATE", 2), last)
        self.assertFalse(dialog.expired(last + 600))

    def test_answers_are_signs_of_life(self) -> None:
        """A client that answers our INFOs lives, whether or not it refreshes."""
        invite = request("INVITE", 1, ("Session-Expires", "600"))
        self.dialog, _ = self.invited(invite)
        self.connection.last_received = 500.0
        self.send("1")
        self.answer(1)
        self.assertFalse(self.dialog.expired(1100.0))

    def test_new_time(self) -> None:
        """A refresh may agree on another time; too short a one is refused and changes nothing."""
        self.dialog, _ = self.invited(request("INVITE", 1, ("Session-Expires", "600")))
        self.dialog.refresh(request("UPDATE", 2, ("Session-Expires", "300")), 0.0)
        self.assertEqual(dict(self.dialog.session_headers()), {"Session-Expires": "300;refresher=uac"})
        short = request("UPDATE", 3, ("Session-Expires", "1"))
        self.assertEqual(self.refusal(self.dialog.refresh, short, 0.0), 422)
        self.assertEqual(self.dialog.session_seconds, 300)

    def test_no_timer(self) -> None:
        """Who cannot refresh is not held to a time, and told none."""
        self.assertFalse(self.dialog.expired(1e9))
        self.assertEqual(list(self.dialog.session_headers()), [])

    def test_sweep_forgets_the_dead(self) -> None:
        """What ended by itself is forgotten, not reported."""
        self.send("1")
        self.answer(1, 481)
        expired: list[Dialog] = []
        self.dialogs.sweep(1e9, expired.append)
        self.assertEqual((len(self.dialogs), expired), (0, []))
