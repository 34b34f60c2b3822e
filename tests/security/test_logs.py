"""What the log tells, and what peers can make it tell."""

from __future__ import annotations

import io
import json

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pchat.auth.ntlm import nt_hash
from pchat.ops.logs import JsonLines, LogStream
from tests.security.support import PASSWORD, Attacker, NtlmAttacker, add_room, make_server

HOSTILE = '\x1b[2J\u202e\x85\u2028{password}\\"%s'


class Logs(SynchronousTestCase):
    """A server whose log is read, at the default level."""

    def setUp(self) -> None:
        self.file = io.StringIO()
        observer = JsonLines(LogStream(None, self.file))
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def lines(self) -> list[str]:
        """Check that each line is one JSON object of visible ASCII; returns them."""
        lines = self.file.getvalue().split("\n")
        self.assertEqual(lines.pop(), "")
        for line in lines:
            json.loads(line)
            self.assertTrue(line.isascii())
            self.assertTrue(line.isprintable(), line)
        return lines

    def test_sign_in_leaves_no_secrets(self) -> None:
        """Neither passwords, hashes, tokens nor keys are written, of good sign-ins or of bad ones."""
        server = make_server("ntlm", passwords=True)
        self.addCleanup(server.stop)
        good = NtlmAttacker(server).signed_in()
        bad = NtlmAttacker(server, "alice", "Secret-Guess")
        bad.register()
        unsigned = NtlmAttacker(server, "bob").signed_in()
        unsigned.send(unsigned.peer.request("INVITE"))
        text = "\n".join(self.lines())
        self.assertIn("sip:mallory@example.com signed in", text)
        self.assertIn("wrong user name or password", text)
        for secret in (PASSWORD, "Secret-Guess", good.peer.token, bad.peer.token):
            self.assertNotIn(secret[:40], text)
        for key in (nt_hash(PASSWORD), nt_hash("Secret-Guess"), good.peer.session_key):
            self.assertNotIn(key.hex(), text.lower())

    def test_texts_stay_out(self) -> None:
        """What people write is not in the log, whether it is kept, refused or malformed."""
        server = make_server()
        self.addCleanup(server.stop)
        room = add_room(server, "Lobby")
        alice = Attacker(server, "alice").ready().joined(room)
        self.assertEqual(alice.post(room, "kept-words").status, 200)
        self.assertEqual(alice.post("nowhere", "refused-words").status, 403)
        self.assertEqual(alice.post(room, "malformed-words<").status, 400)
        self.assertEqual(alice.post(room, "long-words" * 5000).status, 413)
        text = "\n".join(self.lines())
        self.assertIn("INFO refused", text)
        self.assertNotIn("-words", text)

    def test_hostile_values(self) -> None:
        """Peers' values are data: no format of ours, no control character, no line of its own."""
        server = make_server("ntlm", passwords=True, people=("mallory",))
        self.addCleanup(server.stop)
        NtlmAttacker(server, login=f"{HOSTILE[7:]}@example.com", password="x").register()
        attacker = NtlmAttacker(server).signed_in()
        request = attacker.signed("INFO", "Require: \u202e{log_format}\x85")
        attacker.send(request)
        for data in (
            f"{HOSTILE[5:]} sip:x SIP/2.0\r\n\r\n".encode(),
            b"INVITE {peer} SIP/9.0\r\n\r\n",
            b"\x00\x1b[31m\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ):
            Attacker(server).connection.send(data)
        lines = self.lines()
        self.assertTrue(all('"level":"critical"' not in line for line in lines))
        self.assertEqual(sum("framing lost" in line or "malformed" in line for line in lines), 4)

    def test_malformed_request_in_a_signed_session(self) -> None:
        """A head whose very signed values are malformed gets its 400, not a traceback."""
        server = make_server("ntlm", passwords=True, people=("mallory",))
        self.addCleanup(server.stop)
        attacker = NtlmAttacker(server).signed_in()
        for name, value in (("From", "<<<"), ("To", '"'), ("CSeq", "x"), ("Call-ID", "a b")):
            headers = {"Via": "SIP/2.0/TLS h", "From": "<sip:mallory@example.com>;tag=1"}
            headers |= {"To": "<sip:x@example.com>", "Call-ID": "1", "CSeq": "1 INFO", name: value}
            head = "".join(f"{key}: {text}\r\n" for key, text in headers.items())
            attacker.connection.send(f"INFO sip:x SIP/2.0\r\n{head}Content-Length: 0\r\n\r\n".encode())
            server.clock.advance(0)
            # No client could parse it, since the malformed header is copied into the answer.
            self.assertTrue(attacker.connection.transport.value().startswith(b"SIP/2.0 400 "), name)
            attacker.connection.transport.clear()
        self.assertFalse(attacker.closed)
        self.assertNotIn("traceback", "\n".join(self.lines()))
