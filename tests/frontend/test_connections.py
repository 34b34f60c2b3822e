"""What ends with a connection, and when."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pchat.testing.memory import MemoryConnection, MemoryServer, now_or_never

POOL = "sip:GC-1-PersistentChatService-1@example.com"


def request(method: str, to: str, cseq: int, body: str = "") -> bytes:
    """Write a request of alice."""
    uri, semicolon, parameters = to.partition(";")
    call_id = "register" if method == "REGISTER" else "chat"
    content = f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.7:1;branch=z9hG4bK{cseq}\r\n"
        f"From: <sip:alice@example.com>;tag=a;epid=1\r\nTo: <{uri}>{semicolon}{parameters}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:192.0.2.7:1>\r\n{content}"
    ).encode()


class EndOfAUser(SynchronousTestCase):
    """Who may no longer be here is out at once, whether or not his client closes its side."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.addCleanup(self.server.stop)
        people = self.server.administration.people
        now_or_never(people.set_policy("test", True))
        now_or_never(people.add_user("test", "alice@example.com"))
        now_or_never(self.server.administration.categories.add_category("test", "D", allowed=["example.com"]))
        added = self.server.administration.rooms.add_room("test", "Lobby", category="D", privacy="open")
        self.guid = now_or_never(added)["uri"].rpartition("/")[2]
        self.alice = self.join()

    def join(self) -> MemoryConnection:
        alice = self.server.connect()
        alice.send(request("REGISTER", "sip:alice@example.com", 1))
        alice.send(request("INVITE", POOL, 2))
        answer = alice.receive()[-1]
        key = f'<chanid key="0" domain="example.com" value="{self.guid}"/>'
        command = f'<xccos ver="1" envid="1"><cmd id="cmd:join" seqid="1"><data>{key}</data></cmd></xccos>'
        alice.send(request("INFO", f"{POOL};tag={answer.to.tag}", 3, body=command))
        alice.receive()
        self.assertEqual(now_or_never(self.server.parts.status())["sessions"]["rooms_occupied"], 1)
        return alice

    def test_disabled(self) -> None:
        """An account that is disabled is in no room any more when the administrator reads *done*."""
        now_or_never(self.server.administration.people.disable_user("test", "alice@example.com"))
        sessions = now_or_never(self.server.parts.status())["sessions"]
        self.assertEqual(sessions, {"connections": 0, "users": 0, "dialogs": 0, "rooms_occupied": 0})
        self.assertTrue(self.alice.closed)
        self.assertFalse(self.alice.transport.aborted)
        self.server.pass_time(1.0)
        self.assertTrue(self.alice.transport.aborted)

    def test_reason_in_the_archive(self) -> None:
        """The archive tells that somebody was put out, and that somebody's connection was lost."""
        now_or_never(self.server.administration.people.disable_user("test", "alice@example.com"))
        now_or_never(self.server.administration.people.enable_user("test", "alice@example.com"))
        self.join().lose()
        parts = [detail for kind, _, _, detail in self.server.events() if kind == "part"]
        self.assertEqual(parts, ['{"reason": "kicked"}', '{"reason": "connection lost"}'])
