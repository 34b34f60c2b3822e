"""Transactions: repeated requests, INVITE with its ACK and CANCEL, and who gets which response."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pchat.errors import SipRefused
from pchat.interfaces import IResponseReceiver
from pchat.sip.headers import Headers
from pchat.sip.message import Request, Response
from pchat.sip.transaction import MAX_UNACKNOWLEDGED, ClientTransactions, ServerTransactions


def request(
    method: str,
    number: int = 1,
    *,
    branch: str | None = "z9hG4bK1",
    call_id: str = "c",
    authorization: str = "",
) -> Request:
    """Write a request with what tells transactions apart."""
    via = "SIP/2.0/TLS 192.0.2.1" + (f";branch={branch}" if branch else "")
    fields = [("Via", via), ("Call-ID", call_id), ("CSeq", f"{number} {method}")]
    if authorization:
        fields.append(("Authorization", authorization))
    return Request(method, "sip:chat@example.com", Headers(fields))


def response(status: int, number: int = 1, *, method: str = "INFO", call_id: str = "c") -> Response:
    """Write a response with nothing but what it is matched by."""
    return Response(status, "", Headers([("Call-ID", call_id), ("CSeq", f"{number} {method}")]))


@implementer(IResponseReceiver)
class Receiver:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def response_received(self, response: Response, cseq: int) -> None:
        """Take a final response."""
        self.told.append((str(response.status), cseq))

    def response_missing(self, cseq: int) -> None:
        """Learn that none came."""
        self.told.append(("missing", cseq))


class ServerSide(SynchronousTestCase):
    """The peer's requests."""

    def setUp(self) -> None:
        """Start without any transaction."""
        self.clock = Clock()
        self.transactions = ServerTransactions(self.clock, limit=4)

    def test_repeated_while_in_progress(self) -> None:
        """The same request again is not executed twice; once answered it is a new one."""
        info = request("INFO", branch=None)
        self.assertTrue(self.transactions.begin(info))
        self.assertFalse(self.transactions.begin(request("INFO", branch=None)))
        self.transactions.finish(info, 180)
        self.assertFalse(self.transactions.begin(request("INFO", branch=None)))
        self.transactions.finish(info, 200)
        self.assertTrue(self.transactions.begin(request("INFO", branch=None)))

    def test_what_tells_requests_apart(self) -> None:
        """Call-ID, number, method and branch: a relaying proxy brings equal Call-IDs of different users."""
        self.transactions.begin(request("INFO"))
        others = [request("INFO", 2), request("BYE"), request("INFO", branch="z9hG4bK2")]
        self.assertEqual([self.transactions.begin(other) for other in others], [True, True, True])

    def test_challenged(self) -> None:
        """After a challenge the same request comes again with credentials; that is no repetition."""
        self.transactions.begin(request("REGISTER"))
        self.assertTrue(self.transactions.begin(request("REGISTER", authorization="NTLM a=b")))
        self.assertFalse(self.transactions.begin(request("REGISTER", authorization="NTLM a=b")))

    def test_too_many(self) -> None:
        """A peer that asks faster than it is answered gets 503, and is served again later."""
        requests = [request("INFO", number) for number in range(5)]
        for each in requests[:4]:
            self.transactions.begin(each)
        error = self.assertRaises(SipRefused, self.transactions.begin, requests[4])
        self.assertEqual((error.status, error.retry_after), (503, 1))
        self.assertEqual(len(self.transactions), 4)
        self.transactions.finish(requests[0], 200)
        self.assertTrue(self.transactions.begin(requests[4]))

    def test_finish_of_the_unknown(self) -> None:
        """Answering what was never begun (it was refused before) is no error."""
        self.transactions.finish(request("INFO"), 403)
        self.assertEqual(len(self.transactions), 0)

    def test_refused_invite(self) -> None:
        """A refused INVITE waits for its ACK; sent again meanwhile it is ignored."""
        invite = request("INVITE")
        self.transactions.begin(invite)
        self.transactions.finish(invite, 404)
        self.assertFalse(self.transactions.begin(request("INVITE")))
        self.assertTrue(self.transactions.begin(request("ACK")))
        self.assertTrue(self.transactions.acknowledge(request("ACK")))
        self.assertFalse(self.transactions.acknowledge(request("ACK")))
        self.assertTrue(self.transactions.begin(request("INVITE")))

    def test_accepted_invite(self) -> None:
        """The ACK of an accepted INVITE belongs to the dialog."""
        invite = request("INVITE")
        self.transactions.begin(invite)
        self.transactions.finish(invite, 200)
        self.assertFalse(self.transactions.acknowledge(request("ACK", branch=None)))

    def test_no_ack(self) -> None:
        """Clients that never acknowledge a refusal leave nothing behind after 32 seconds."""
        invite = request("INVITE")
        self.transactions.begin(invite)
        self.transactions.finish(invite, 404)
        self.transactions.expire(31.9)
        self.assertFalse(self.transactions.begin(request("INVITE")))
        self.transactions.expire(32.0)
        self.assertTrue(self.transactions.begin(request("INVITE")))

    def test_refused_again_and_again(self) -> None:
        """What is remembered of refused INVITEs is bounded: the oldest is forgotten."""
        for number in range(MAX_UNACKNOWLEDGED + 1):
            invite = request("INVITE", number)
            self.transactions.begin(invite)
            self.transactions.finish(invite, 404)
        self.assertFalse(self.transactions.acknowledge(request("ACK", 0)))
        self.assertTrue(self.transactions.acknowledge(request("ACK", 1)))

    def test_cancel(self) -> None:
        """CANCEL means the INVITE with its Call-ID, number and branch, as long as it is in progress."""
        invite = request("INVITE", 3)
        self.transactions.begin(request("INFO", 3))
        self.transactions.begin(invite)
        self.assertIs(self.transactions.find_invite(request("CANCEL", 3)), invite)
        self.assertIsNone(self.transactions.find_invite(request("CANCEL", 4)))
        self.assertIsNone(self.transactions.find_invite(request("CANCEL", 3, branch="z9hG4bK2")))
        self.transactions.finish(invite, 200)
        self.assertIsNone(self.transactions.find_invite(request("CANCEL", 3)))


class ClientSide(SynchronousTestCase):
    """Our requests."""

    def setUp(self) -> None:
        """Start without any transaction."""
        self.clock = Clock()
        self.transactions = ClientTransactions(self.clock)
        self.receiver = Receiver()

    def test_receiver(self) -> None:
        """The receiver of these tests is what the interface asks for."""
        self.assertTrue(verifyObject(IResponseReceiver, self.receiver))

    def test_final_response(self) -> None:
        """The first final response is given to who waits; a second one is nobody's."""
        self.transactions.start("c", 1, "INFO", self.receiver)
        self.assertTrue(self.transactions.receive(response(481)))
        self.assertFalse(self.transactions.receive(response(200)))
        self.assertEqual(self.receiver.told, [("481", 1)])
        self.assertEqual(len(self.transactions), 0)

    def test_provisional_response(self) -> None:
        """A provisional response changes nothing."""
        self.transactions.start("c", 1, "INFO", self.receiver)
        self.assertTrue(self.transactions.receive(response(100)))
        self.assertEqual(self.receiver.told, [])
        self.assertFalse(self.transactions.receive(response(100, 2)))

    def test_what_tells_responses_apart(self) -> None:
        """Call-ID and the whole CSeq."""
        self.transactions.start("c", 1, "INFO", self.receiver)
        for other in (response(200, 2), response(200, method="BYE"), response(200, call_id="C")):
            self.assertFalse(self.transactions.receive(other))
        self.assertEqual(self.receiver.told, [])

    def test_missing(self) -> None:
        """Who got no response in 32 seconds is told so, the oldest first, the others later."""
        self.transactions.start("c", 1, "INFO", self.receiver)
        self.transactions.start("c", 2, "INFO", self.receiver)
        self.clock.advance(5)
        self.transactions.start("c", 3, "INFO", self.receiver)
        self.transactions.expire(31.0)
        self.assertEqual(self.receiver.told, [])
        self.transactions.expire(32.0)
        self.assertEqual(self.receiver.told, [("missing", 1), ("missing", 2)])
        self.assertFalse(self.transactions.receive(response(200, 1)))
        self.transactions.expire(37.0)
        self.assertEqual(self.receiver.told[2:], [("missing", 3)])

    def test_abandon(self) -> None:
        """When the connection is lost everybody is told, once."""
        self.transactions.start("c", 1, "INFO", self.receiver)
        self.transactions.start("d", 1, "BYE", self.receiver)
        self.transactions.abandon()
        self.transactions.abandon()
        self.assertEqual(self.receiver.told, [("missing", 1), ("missing", 1)])

    def test_same_key_twice(self) -> None:
        """Two requests that could not be told apart: the earlier one counts as unanswered."""
        self.transactions.start("c", 1, "INFO", self.receiver)
        later = Receiver()
        self.transactions.start("c", 1, "INFO", later)
        self.assertTrue(self.transactions.receive(response(200)))
        self.assertEqual((self.receiver.told, later.told), ([("missing", 1)], [("200", 1)]))

    def test_starting_anew_while_expiring(self) -> None:
        """A receiver may start its next request when it is told that the last one failed."""
        transactions = self.transactions

        class Restarting(Receiver):
            def response_missing(self, cseq: int) -> None:
                super().response_missing(cseq)
                transactions.start("c", cseq + 1, "INFO", self)

        receiver = Restarting()
        transactions.start("c", 1, "INFO", receiver)
        self.clock.advance(32)
        transactions.expire(32.0)
        self.assertEqual((receiver.told, len(transactions)), ([("missing", 1)], 1))
